"""Predictions with intervals for tables of any kind and size."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.objects import column_of
from headrace.data.source import answer_frame, is_lazy
from headrace.model.predicted import interval_notes, reads_rows
from headrace.model.targets import Targets
from headrace.train.scoring import canonical_batches, computed_frames, write_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from headrace.train.fitted import Fitted
    from headrace.train.scoring import Scorer

__all__ = ["interval_frame", "predict_intervals", "score_intervals"]


def predict_intervals(fitted: Fitted, data: object, level: float, scorer: Scorer) -> Any:
    """Answer predictions with intervals or sets for any rows, in their kind of table.

    Args:
        fitted: The pipeline, calibrated.
        data: The rows, from any source.
        level: How often the truth shall be inside, for example 0.9.
        scorer: Who computes the model's output.

    Returns:
        A frame of pandas for pandas, lazy for lazy, else of Polars; see
        `headrace.model.predicted.predicted_columns`.

    Raises:
        SettingError: Nothing was calibrated, or the level is none.
        DataError: The rows do not fit.
    """
    _warn(fitted, level)
    if is_lazy(data):
        return _lazy(fitted, data, lambda: _frames(fitted, data, level, scorer), level, _as_it_is)
    return answer_frame(pl.concat(_frames(fitted, data, level, scorer)), data)


def score_intervals(fitted: Fitted, data: object, out: Path, level: float, scorer: Scorer) -> int:
    """Write predictions with intervals or sets for each row of any source to a file.

    Args:
        fitted: The pipeline, calibrated.
        data: The rows, from any source.
        out: The file, as of `headrace.train.scoring.score_file`; in CSV a set is a JSON list.
        level: How often the truth shall be inside.
        scorer: Who computes the model's output.

    Returns:
        How many rows were answered.

    Raises:
        SettingError: Nothing was calibrated, the level is none, or the file is of another kind.
        DataError: Values do not fit the schema, or a file cannot be read.
    """
    _warn(fitted, level)
    form = _flat if out.suffix.lower() == ".csv" else _as_it_is

    def answer(rows: pl.LazyFrame, advance: Callable[[float], None]) -> pl.LazyFrame:
        def frames() -> Iterator[pl.DataFrame]:
            for frame in _frames(fitted, rows, level, scorer):
                yield form(frame)
                advance(frame.height)

        return _lazy(fitted, rows, frames, level, form)

    return write_answers(data, out, answer)


def interval_frame(fitted: Fitted, columns: Mapping[str, Any]) -> pl.DataFrame:
    """Put predictions with their intervals in a frame; sets are lists of labels."""
    spec = fitted.network.target_spec
    parts = spec.parts if isinstance(spec, Targets) else (spec,)
    labels = {f"{part.name}_set": part for part in parts} | {"set": parts[0]}
    found = []
    for name, values in columns.items():
        if isinstance(values, np.ndarray):
            found.append(column_of(name, values))
            continue
        kind = column_of(name, labels[name].labels).dtype
        found.append(pl.Series(name, values, dtype=pl.List(kind)))
    return pl.DataFrame(found)


def _warn(fitted: Fitted, level: float) -> None:
    for note in interval_notes(fitted.conformal, fitted.target, level):
        warnings.warn(note, stacklevel=5)


def _lazy(
    fitted: Fitted,
    data: pl.LazyFrame,
    frames: Callable[[], Iterator[pl.DataFrame]],
    level: float,
    form: Callable[[pl.DataFrame], pl.DataFrame],
) -> pl.LazyFrame:
    """Answer a lazy table of frames; one row says which columns it has."""
    one = next(canonical_batches(fitted, data.head(1)))
    few = interval_frame(fitted, fitted.predicted(fitted.output(one), level, one))
    return computed_frames(frames, form(few).schema)


def _frames(fitted: Fitted, data: Any, level: float, scorer: Scorer) -> Iterator[pl.DataFrame]:
    if not reads_rows(fitted.conformal):
        for output in scorer(fitted, data):
            yield interval_frame(fitted, fitted.predicted(output, level))
        return
    # Workers answer what the network answers alone; groups and lots need the rows too.
    for canonical in canonical_batches(fitted, data):
        yield interval_frame(fitted, fitted.predicted(fitted.output(canonical), level, canonical))


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Answer a frame that CSV can hold."""
    lists = [column for column in frame if column.dtype.is_nested()]
    return frame.with_columns(
        pl.Series(one.name, [json.dumps(v, ensure_ascii=False) for v in one.to_list()], pl.String)
        for one in lists
    )
