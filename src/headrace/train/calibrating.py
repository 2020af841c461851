"""Calibrating intervals: rows that the network has not learnt from, held out or given later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.conformal.groups import lots
from headrace.conformal.learning import Scored, chosen, learn, score_rows
from headrace.conformal.settings import Conformal, conformal_settings
from headrace.data.conform import to_blocks
from headrace.data.gaps import gaps
from headrace.data.lazy_split import split_lazy
from headrace.data.scan import batches, in_memory
from headrace.data.schema import Schema
from headrace.data.source import read
from headrace.data.split import Split, split
from headrace.errors import DataError, NotTrainedError, Problem, SettingError, nearest
from headrace.model.network import Network
from headrace.model.targets import Targets
from headrace.progress import bar
from headrace.train.labels import LABEL, require_column
from headrace.train.lazy_rows import lazy_canonical
from headrace.train.reading import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from headrace.conformal.fitted import FittedConformal
    from headrace.model.target import TargetSpec
    from headrace.preprocessing.step import Step
    from headrace.train.fitted import Fitted

__all__ = ["calibrated", "calibrated_again", "hold_out", "labelled_batches", "wanted_conformal"]

_SEED = 7
"""Added to the pipeline's, so that other rows calibrate than decide when to stop."""


def wanted_conformal(steps: Sequence[Step] | None, network: Network | None) -> Conformal | None:
    """Answer how the network's settings want intervals to be made; None for none."""
    last = network if network is not None else steps[-1] if steps else None
    return conformal_settings(last.conformal) if isinstance(last, Network) else None


def hold_out(
    data: object, settings: Conformal, validation: object, seed: int
) -> tuple[pl.DataFrame | pl.LazyFrame, pl.DataFrame | pl.LazyFrame]:
    """Answer the rows to train with, and those that calibrate.

    They are chosen as the validation rows are: whole groups, the newest rows, or any.

    Args:
        data: All rows, from any source.
        settings: The share.
        validation: What decides when the network stops.
        seed: Of the choice at random.
    """
    rule = validation if isinstance(validation, Split) else Split()
    rule = replace(rule, share=settings.share)
    rows = read(data)
    if not in_memory(rows):
        return split_lazy(rows, rule, seed=seed + _SEED)
    table = rows.collect()
    return split(table, share=rule.share, group=rule.group, time=rule.time, seed=seed + _SEED)


def calibrated(fitted: Fitted, data: object, settings: Conformal) -> Fitted:
    """Answer a fitted pipeline with intervals that labelled rows have calibrated.

    Args:
        fitted: The pipeline.
        data: Labelled rows that it has not learnt from; scans of files are read by batches.
        settings: How intervals are to be made.

    Raises:
        DataError: The rows do not fit, or none has a label.
        SettingError: The settings do not fit the target or the columns.
    """
    if fitted.target is None or fitted.model is None:
        raise NotTrainedError("intervals need a network: this pipeline was trained without one")
    names, rows = fitted.target.columns, read(data)
    fitted = replace(fitted, schema=_requiring(fitted, settings))
    found = {}
    with bar("calibrate", len(names)) as progress:
        for name in names:
            one = fitted.for_target(name) if isinstance(fitted.target, Targets) else fitted
            found[name] = _learnt(one, labelled_batches(one, rows), settings)
            progress.advance(note=name)
    return replace(fitted, conformal=found)


def calibrated_again(fitted: Fitted, canonical: pl.DataFrame, labels: pl.Series) -> Fitted:
    """Answer a pipeline whose network has changed, calibrated anew as it was before.

    Args:
        fitted: The pipeline, with the conformal settings of the network before.
        canonical: Canonical rows that the new network has not learnt from.
        labels: Their labels, none missing.
    """
    name = fitted.network.target_spec.name
    rows = canonical.with_columns(labels.alias(LABEL))
    return replace(
        fitted, conformal={name: _learnt(fitted, [rows], fitted.conformal[name].settings)}
    )


def labelled_batches(fitted: Fitted, rows: pl.LazyFrame) -> Iterable[pl.DataFrame]:
    """Give canonical rows with their labels, batch by batch; unlabelled rows are left out."""
    name = fitted.network.target_spec.name
    require_column(name, rows.collect_schema().names(), "target")
    known = lazy_canonical(rows, fitted.schema, name, None, ignore=fitted.beside)
    return batches(known.filter(pl.col(LABEL).is_not_null()).drop(ROW))


def _learnt(fitted: Fitted, rows: Iterable[pl.DataFrame], settings: Conformal) -> FittedConformal:
    spec = fitted.network.target_spec
    settings = chosen(settings, spec)
    beside = _dividing(fitted.schema, spec, settings)
    parts = [_scored(fitted, settings, beside, batch) for batch in rows if batch.height]
    if not parts:
        raise DataError([Problem("no row to calibrate with has a label", column=spec.name)])
    return learn(settings, spec, Scored.joined(parts), beside)


def _scored(fitted: Fitted, settings: Conformal, beside: Schema, batch: pl.DataFrame) -> Scored:
    spec = fitted.network.target_spec
    canonical, labels = batch.drop(LABEL), batch[LABEL].alias(spec.name)
    truth = spec.truth(labels)
    answers = fitted.answers(fitted.output(canonical))
    lot = None
    if settings.draws:
        lot = lots(fitted.schema, to_blocks(canonical, fitted.schema))
    scores = score_rows(settings, spec, answers, truth, lot)
    time = None if settings.time is None else _instants(canonical, settings.time)
    return Scored(scores, truth, to_blocks(canonical, beside), time)


def _dividing(schema: Schema, spec: TargetSpec, settings: Conformal) -> Schema:
    """Answer the columns that divide the rows; those of groups and of time must be there.

    Raises:
        SettingError: One is none of the columns, or does not suit `half_life`.
    """
    names = [name for name in settings.columns if name != spec.name]
    for what, name in [*(("by", name) for name in names), ("time", settings.time)]:
        if name is not None and name not in schema:
            close = nearest(name, schema.names)
            meant = f"; perhaps {close!r} is meant" if close else ""
            raise SettingError(
                f"{what}={name!r} is none of the columns that the pipeline reads{meant}"
            )
    if settings.time is not None:
        _check_half_life(schema, settings.time, settings.half_life)
    return schema.select(names)


def _check_half_life(schema: Schema, time: str, half_life: float | str | None) -> None:
    dates = schema[time].type == "time"
    if schema[time].type == "string" or dates != isinstance(half_life, str):
        wanted = "a duration such as '30d'" if dates else "a number in units of the column"
        raise SettingError(
            f"time={time!r} is a column of the kind {schema[time].kind}, and half_life must be "
            f"{wanted} of a column of dates or numbers, received {half_life!r}"
        )


def _instants(canonical: pl.DataFrame, name: str) -> NDArray[Any]:
    """Answer what orders the rows.

    Raises:
        DataError: Some rows have no time.
    """
    values = canonical[name]
    missing = gaps(values)
    if missing.any():
        text = f"{int(missing.sum()):,} calibration rows have no time, so that nothing says how old"
        raise DataError([Problem(f"{text} they are", name, hint="Drop them or fill the column")])
    return values.to_numpy()


def _requiring(fitted: Fitted, settings: Conformal) -> Schema:
    """Answer the schema in which the columns of groups may not be absent."""
    return Schema(
        tuple(
            replace(column, optional=False) if column.name in settings.columns else column
            for column in fitted.schema
        )
    )
