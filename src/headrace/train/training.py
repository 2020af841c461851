"""Training: from raw rows to a fitted pipeline, with nothing leaking into the validation."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.clustering.kmeans import KMeans
from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.data.profile import profile
from headrace.data.schema import Schema
from headrace.data.source import read
from headrace.data.split import Split, split
from headrace.errors import DataError, Problem, SettingError
from headrace.model.network import Network
from headrace.model.target import TargetSpec
from headrace.plan.counts import FOLD, TARGET
from headrace.plan.plan import schema_columns
from headrace.preprocessing.defaults import default_steps
from headrace.preprocessing.fit import FittedSteps, fit_steps
from headrace.preprocessing.stored import LostStep
from headrace.preprocessing.transform import Select
from headrace.preprocessing.transformer import RowStep
from headrace.progress import bar
from headrace.train.fitted import Fitted, Kept
from headrace.train.labels import LABEL, label_series, require_column
from headrace.train.result import TrainResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.data.schema import Kind
    from headrace.plan.features import Features
    from headrace.preprocessing.step import Step

__all__ = ["Validation", "continue_training", "train"]

Validation = object
"""None, a share of the rows, a `Split`, or rows of their own."""

_FOLDS = 5
_SAMPLE = 1_000
_WEIGHT = "__headrace_weight__"


def train(
    data: object,
    steps: Sequence[Step] | None,
    *,
    target: str | None,
    kinds: Mapping[str, Kind] | None = None,
    validation: Validation = None,
    weight: str | None = None,
    seed: int = 0,
) -> Fitted:
    """Train a pipeline.

    The steps are fitted on the training rows alone; the validation rows, which decide when the
    network stops, pass through the fitted steps as any new rows would.

    Args:
        data: The rows, from any source.
        steps: The steps, the model last; None to choose them from the schema.
        target: The column to predict; None for clusters or for steps alone.
        kinds: Kinds of columns, where the inferred ones are not wanted.
        validation: None for a fifth of the rows chosen at random (no rows when the network has no
            early stopping), a share, a `Split` by group or time, or rows of their own.
        weight: A column with the weight of each row in the loss; not a feature.
        seed: Of every random choice; the same seed gives the same weights.

    Returns:
        The fitted pipeline.

    Raises:
        DataError: If the rows cannot be trained on; every problem in one error.
        SettingError: If the steps do not fit the data.
    """
    clock = _Clock()
    with bar("train", None) as progress:
        progress.advance(note="reading")
        with clock("read"):
            rows = _read(data, target, weight, kinds)
        chosen = _Steps.of(steps, rows.schema, target)
        with clock("split"):
            parts = _split(rows, chosen, validation, seed)
        progress.advance(note="fitting the steps")
        with clock("steps"):
            fitted = fit_steps(
                parts.train.drop(LABEL, _WEIGHT, strict=False),
                schema_columns(rows.schema),
                chosen.before_model,
            )
        with clock("profile"):
            schema = _requiring(rows.schema, fitted.plan.used)
            watched = schema.select(fitted.plan.used)
            reference = profile(parts.train.lazy().select(watched.names), watched)
    with clock("model"):
        model, features = _fit_model(chosen, fitted, parts, seed)
    sample = _sample(parts, seed)
    return Fitted(
        schema,
        fitted.plan,
        parts.spec,
        model,
        chosen.all,
        reference,
        weight,
        _result(chosen, fitted, parts, model, clock),
        Kept(features, parts.target, sample.select(schema.names), _raw(rows, sample)),
        retrain=lambda again: train(
            rows.raw,
            chosen.all,
            target=target,
            kinds=kinds,
            validation=validation,
            weight=weight,
            seed=again,
        ),
    )


def continue_training(
    fitted: Fitted,
    canonical: pl.DataFrame,
    labels: pl.Series,
    *,
    network: Network,
    seed: int = 0,
    share: float = 0.2,
) -> Fitted:
    """Train a network further on new labelled rows, from the weights that it has.

    The steps stay as they are, so that the weights keep their meaning. The reference profile
    becomes that of the new rows: they are what the next rows will be compared with.

    Args:
        fitted: The pipeline to start from.
        canonical: New rows, canonical.
        labels: Their labels, none missing.
        network: Settings of the training.
        seed: Of the split and the shuffling.
        share: Of the rows that decide when to stop.
    """
    spec = fitted.network.target_spec
    clock = _Clock()
    with clock("steps"):
        features, target = fitted.features(canonical), spec.encode(labels)
    order = np.random.default_rng(seed).permutation(len(features))
    held = order[: max(1, round(share * len(order)))]
    rest = np.sort(order[len(held) :])
    with clock("model"):
        model = network.fit(
            features.take(rest),
            target[rest],
            feature_spec=fitted.plan.spec,
            target_spec=spec,
            validation=(features.take(held), target[held]),
            start=fitted.network.weights(),
            seed=seed,
        )
    watched = fitted.schema.select([column.name for column in fitted.profile.columns])
    reference = profile(canonical.lazy().select(watched.names), watched)
    return replace(fitted, model=model, profile=reference, scores={}, result=None, retrain=None)


class _Clock:
    """Seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class _Rows:
    """The rows of a training: raw, canonical (with label and weight), and what was left out."""

    raw: pl.DataFrame
    canonical: pl.DataFrame
    schema: Schema
    target: str
    notes: tuple[str, ...]


_ROW = "__headrace_row__"


def _read(
    data: object, target: str | None, weight: str | None, kinds: Mapping[str, Kind] | None
) -> _Rows:
    lazy = read(data)
    names = lazy.collect_schema().names()
    extra = [name for name in (target, weight) if name is not None]
    for name, what in ((target, "target"), (weight, "column of weights")):
        if name is not None:
            require_column(name, names, what)
    raw = lazy.collect()
    if not raw.height:
        raise DataError([Problem("the table is empty: it has columns but no rows")])
    schema = infer_schema(raw.lazy(), kinds=kinds, exclude=extra)
    canonical = conform(raw.lazy(), schema, ignore=extra).collect()
    canonical = canonical.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW))
    notes: list[str] = []
    if target is not None:
        labels = label_series(raw, target)
        canonical = canonical.with_columns(labels.alias(LABEL)).filter(labels.is_not_null())
        notes += _left_out(raw.height - canonical.height, raw.height, target)
    if weight is not None:
        canonical = canonical.with_columns(
            _weights(raw[weight])[canonical[_ROW].to_numpy()].alias(_WEIGHT)
        )
    return _Rows(raw, canonical, schema, target or "", tuple(notes))


def _requiring(schema: Schema, used: Sequence[str]) -> Schema:
    """Answer the schema with the columns that no step uses as optional ones."""
    return Schema(
        tuple(
            column if column.name in used else replace(column, optional=True) for column in schema
        )
    )


def _left_out(missing: int, rows: int, target: str) -> list[str]:
    if missing == rows:
        raise DataError([Problem("the target is missing in every row", column=target)])
    if not missing:
        return []
    return [f"{missing:,} of {rows:,} rows have no {target!r} and were left out"]


def _weights(values: pl.Series) -> pl.Series:
    weights = values.cast(pl.Float64, strict=False).fill_null(float("nan"))
    bad = ~(weights.is_finite() & (weights >= 0))
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise DataError(
            [Problem("a weight must be a number, 0 or more", values.name, row, values[row])]
        )
    return weights


@dataclass(frozen=True)
class _Steps:
    """The steps by what they do."""

    rows: tuple[RowStep, ...]
    transformers: tuple[Step, ...]
    model: Network | KMeans | None

    @property
    def all(self) -> tuple[Step, ...]:
        end = (self.model,) if self.model is not None else ()
        return (*self.rows, *self.transformers, *end)

    @property
    def before_model(self) -> tuple[Step, ...]:
        """The steps to fit; a clusterer at the end sees its own columns only."""
        if isinstance(self.model, KMeans):
            return (*self.transformers, Select(self.model.columns))
        return self.transformers

    @classmethod
    def of(cls, steps: Sequence[Step] | None, schema: Schema, target: str | None) -> _Steps:
        chosen = list(steps) if steps is not None else default_steps(schema)
        for step in chosen:
            if isinstance(step, LostStep):
                raise SettingError(step.explain())
        model: Network | KMeans | None = None
        if chosen and isinstance(chosen[-1], Network):
            model = chosen.pop()  # type: ignore[assignment]
            if target is None:
                raise SettingError(
                    "a Network needs a target: hr.Pipeline(steps, target='the column to predict')"
                )
        elif target is not None:
            model = Network()
        elif chosen and isinstance(chosen[-1], KMeans):
            model = chosen.pop()  # type: ignore[assignment]
        elif steps is None:
            raise SettingError(
                "name the column to predict, hr.Pipeline(target=...), or end the steps in a "
                "clusterer, hr.Pipeline([..., hr.KMeans(3)])"
            )
        misplaced = [step for step in chosen if isinstance(step, Network)]
        if misplaced:
            raise SettingError("a Network must be the last step of a pipeline")
        return cls(
            tuple(step for step in chosen if isinstance(step, RowStep)),
            tuple(step for step in chosen if not isinstance(step, RowStep)),
            model,
        )


@dataclass(frozen=True)
class _Parts:
    """Training and validation rows, canonical, with the target encoded."""

    train: pl.DataFrame
    validation: pl.DataFrame | None
    spec: TargetSpec | None
    notes: list[str] = field(default_factory=list)

    @property
    def target(self) -> NDArray[Any] | None:
        return self.spec.encode(self.train[LABEL]) if self.spec else None

    @property
    def weight(self) -> NDArray[np.float64] | None:
        return self.train[_WEIGHT].to_numpy() if _WEIGHT in self.train.columns else None


def _split(rows: _Rows, steps: _Steps, validation: Validation, seed: int) -> _Parts:
    frame, held, notes = rows.canonical, None, list(rows.notes)
    spec = None
    if isinstance(steps.model, Network):
        spec = TargetSpec.infer(frame[LABEL].alias(rows.target), task=steps.model.task)
        frame, held = _hold_out(rows, spec, validation, steps.model, seed)
    for step in steps.rows:
        before = frame.height
        frame = step.rows(frame)
        notes.append(f"{step!r} removed {before - frame.height:,} of {before:,} training rows")
    return _Parts(_with_target(frame, spec, seed), held, spec, notes)


def _hold_out(
    rows: _Rows, spec: TargetSpec, validation: Validation, network: Network, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    frame = rows.canonical
    if validation is None and network.patience is None:
        return frame, None
    if validation is None or isinstance(validation, (float, Split)):
        rule = validation if isinstance(validation, Split) else Split(share=validation or 0.2)
        stratify = LABEL if rule.random and _stratifies(frame, spec) else None
        return split(
            frame,
            share=rule.share,
            stratify=stratify,
            group=rule.group,
            time=rule.time,
            seed=seed,
        )
    own = read(validation).collect()
    labels = label_series(own, spec.name)
    canonical = conform(own.lazy(), rows.schema, ignore=(spec.name,)).collect()
    return frame, canonical.with_columns(labels.alias(LABEL)).filter(labels.is_not_null())


def _stratifies(frame: pl.DataFrame, spec: TargetSpec) -> bool:
    """Answer whether enough classes have a row to spare; otherwise any rows are as good."""
    return spec.task == "regression" or frame.height >= 2 * len(spec.classes)


def _with_target(frame: pl.DataFrame, spec: TargetSpec | None, seed: int) -> pl.DataFrame:
    folds = np.random.default_rng(seed).permutation(frame.height) % _FOLDS
    frame = frame.with_columns(pl.Series(FOLD, folds.astype(np.int32)))
    if spec is None:
        return frame
    encoded = spec.encode(frame[LABEL]).astype(np.float64).ravel()
    columns = [pl.Series(TARGET, encoded)]
    if spec.task == "multiclass":
        columns += [
            pl.Series(f"{TARGET}{place}", (encoded == place).astype(np.float64))
            for place in range(len(spec.classes))
        ]
    return frame.with_columns(columns)


def _fit_model(
    steps: _Steps, fitted: FittedSteps, parts: _Parts, seed: int
) -> tuple[Any, Features | None]:
    plan, rows = fitted.plan, fitted.rows.lazy().collect()
    if steps.model is None:
        return None, None
    if isinstance(steps.model, KMeans):
        return steps.model.fit_matrix(plan.matrix(rows)), None
    if parts.spec is None or parts.target is None:
        raise SettingError("a Network needs a target")
    features = plan.features(rows)
    model = steps.model.fit(
        features,
        parts.target,
        feature_spec=plan.spec,
        target_spec=parts.spec,
        validation=_held_features(fitted, parts),
        sample_weight=parts.weight,
        seed=seed,
    )
    return model, features


def _held_features(fitted: FittedSteps, parts: _Parts) -> tuple[Features, NDArray[Any]] | None:
    if parts.validation is None or parts.spec is None:
        return None
    held = fitted.plan.polars(parts.validation.lazy()).collect()
    return fitted.plan.features(held), parts.spec.encode(parts.validation[LABEL])


def _sample(parts: _Parts, seed: int) -> pl.DataFrame:
    return parts.train.sample(min(_SAMPLE, parts.train.height), seed=seed, shuffle=False)


def _raw(rows: _Rows, sample: pl.DataFrame) -> pl.DataFrame:
    return rows.raw[sample[_ROW].to_numpy()].select(rows.schema.names)


def _result(
    steps: _Steps, fitted: FittedSteps, parts: _Parts, model: Any, clock: _Clock
) -> TrainResult:
    outputs = fitted.plan.outputs
    network = model if isinstance(steps.model, Network) else None
    clusters = model if isinstance(steps.model, KMeans) else None
    return TrainResult(
        rows=parts.train.height,
        validation_rows=0 if parts.validation is None else parts.validation.height,
        columns=len(fitted.plan.inputs),
        numbers=sum(info.type == "number" for info in outputs),
        categories=sum(info.type == "code" for info in outputs),
        model=network.architecture if network else "kmeans" if clusters else "",
        parameters=network.model.count_params() if network else 0,
        target=parts.spec.name if parts.spec else None,
        task=parts.spec.task if parts.spec else "clustering" if clusters else None,
        history=network.history if network else {},
        best_epoch=network.best_epoch if network else 0,
        seconds=clock.seconds,
        learnt=dict(fitted.learnt),
        notes=(*parts.notes, *(network.notes if network else ())),
    )
