"""Holding rows out of a training: they decide when to stop, and the steps never learn from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.conform import conform
from headrace.data.source import read
from headrace.data.split import Split, split
from headrace.model.network import Network
from headrace.model.targets import Targets
from headrace.plan.counts import FOLD, TARGET
from headrace.train.labels import LABEL, label_series, ordered_labels
from headrace.train.reading import ROW, WEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec
    from headrace.preprocessing.transformer import RowStep
    from headrace.train.chosen import ChosenSteps
    from headrace.train.reading import TrainingRows

__all__ = ["Parts", "Validation", "split_rows"]

Validation = object
"""None, a share of the rows, a `Split`, or rows of their own."""

_FOLDS = 5


@dataclass(frozen=True)
class Parts:
    """Training and validation rows, canonical, with the target encoded.

    Attributes:
        train: The rows to learn from.
        validation: The rows that decide when to stop.
        spec: What is predicted.
        rule: How the validation rows were taken from the rows; None if they came on their own.
        notes: What the user should know.
    """

    train: pl.DataFrame
    validation: pl.DataFrame | None
    spec: TargetSpec | None
    rule: Split | None = None
    notes: list[str] = field(default_factory=list)

    def whole(self, steps: Sequence[RowStep], seed: int) -> Parts:
        """Answer the parts with all rows to learn from, in their first order."""
        held = pl.DataFrame() if self.validation is None else self.validation
        for step in steps:
            held = step.rows(held)
        columns = [name for name in self.train.columns if name in held.columns]
        rows = pl.concat([self.train.select(columns), held.select(columns)]).sort(ROW)
        return replace(self, train=with_target(rows, self.spec, seed))

    @property
    def target(self) -> NDArray[Any] | None:
        """The encoded target of the rows to learn from."""
        return self.spec.encode(self.train[LABEL]) if self.spec else None

    @property
    def weight(self) -> NDArray[np.float64] | None:
        """The weights of the rows to learn from."""
        return _weights_of(self.train)

    @property
    def validation_weight(self) -> NDArray[np.float64] | None:
        """The weights of the validation rows, as far as they came with the others."""
        return None if self.validation is None else _weights_of(self.validation)


def split_rows(rows: TrainingRows, steps: ChosenSteps, validation: Validation, seed: int) -> Parts:
    """Divide rows in those to learn from and those that decide when to stop.

    Raises:
        DataError: The target cannot be predicted, or the rows cannot be divided.
    """
    frame, notes = rows.canonical, list(rows.notes)
    held, rule, spec = None, None, None
    if isinstance(steps.model, Network):
        spec = steps.model.target_spec(frame[LABEL].alias(rows.target))
        frame, held, rule = _hold_out(rows, spec, validation, steps.model, seed)
    for step in steps.rows:
        before = frame.height
        frame = step.rows(frame)
        notes.append(f"{step!r} removed {before - frame.height:,} of {before:,} training rows")
    return Parts(with_target(frame, spec, seed), held, spec, rule, notes)


def _hold_out(
    rows: TrainingRows, spec: TargetSpec, validation: Validation, network: Network, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame | None, Split | None]:
    """Answer the rows to learn from, those held out, and the rule by which they were chosen."""
    frame = rows.canonical
    if validation is None and network.patience is None:
        return frame, None, None
    if validation is None or isinstance(validation, (float, Split)):
        rule = validation if isinstance(validation, Split) else Split(share=validation or 0.2)
        stratify = LABEL if rule.random and _stratifies(frame, spec) else None
        learn, held = split(
            frame,
            share=rule.share,
            stratify=stratify,
            group=rule.group,
            time=rule.time,
            seed=seed,
        )
        return learn, held, rule
    own = read(validation).collect()
    several = isinstance(spec, Targets)
    labels = ordered_labels(own, spec.columns) if several else label_series(own, spec.name)
    canonical = conform(own.lazy(), rows.schema, ignore=spec.columns).collect()
    held = canonical.with_columns(labels.alias(LABEL)).filter(labels.is_not_null())
    return frame, held, None


def _weights_of(frame: pl.DataFrame) -> NDArray[np.float64] | None:
    return frame[WEIGHT].to_numpy() if WEIGHT in frame.columns else None


def _stratifies(frame: pl.DataFrame, spec: TargetSpec) -> bool:
    """Answer whether enough classes have a row to spare; otherwise any rows are as good."""
    if isinstance(spec, Targets):
        return False
    return spec.task == "regression" or frame.height >= 2 * len(spec.classes)


def with_target(frame: pl.DataFrame, spec: TargetSpec | None, seed: int) -> pl.DataFrame:
    folds = np.random.default_rng(seed).permutation(frame.height) % _FOLDS
    frame = frame.with_columns(pl.Series(FOLD, folds.astype(np.int32)))
    if spec is None:
        return frame
    if isinstance(spec, Targets):
        return frame.with_columns(_several_targets(spec.encode(frame[LABEL])))
    encoded = spec.encode(frame[LABEL]).astype(np.float64).ravel()
    columns = [pl.Series(TARGET, encoded)]
    if spec.task == "multiclass":
        columns += [
            pl.Series(f"{TARGET}{place}", (encoded == place).astype(np.uint8))
            for place in range(len(spec.classes))
        ]
    return frame.with_columns(columns)


def _several_targets(encoded: NDArray[np.float32]) -> list[pl.Series]:
    """Answer a column a target, as of several classes; what is not known counts as the mean."""
    known = np.isfinite(encoded)
    means = np.nansum(encoded, axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, encoded, means).astype(np.float64)
    columns = [pl.Series(f"{TARGET}{place}", column) for place, column in enumerate(filled.T)]
    return [pl.Series(TARGET, filled[:, 0]), *columns]
