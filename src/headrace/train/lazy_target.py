"""What is predicted, learnt from a stream of labels, and the target of lazy rows as columns."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.data.lazy_split import row_hash
from headrace.data.scan import collect
from headrace.plan.counts import FOLD, TARGET
from headrace.plan.statistic import Moments
from headrace.preprocessing.scan import TrainingRows
from headrace.train.labels import LABEL
from headrace.train.reading import ROW

if TYPE_CHECKING:
    from headrace.model.network import Network
    from headrace.model.target import TargetSpec

__all__ = ["lazy_target_spec", "with_lazy_target"]

_FOLDS = 5
_SURELY_NUMBERS = 1_000
"""Numbers with more different values than this, by an estimate, are no classes."""


def lazy_target_spec(rows: pl.LazyFrame, name: str, network: Network) -> TargetSpec:
    """Learn what is predicted from lazy labels; the column is never held.

    The task follows from the different labels and their counts, or, of very many numbers, from
    their range; mean and deviation are those of all rows.

    Args:
        rows: Rows with their label.
        name: The target's name.
        network: The settings that may say what it is.

    Raises:
        DataError: The labels cannot be predicted, or do not suit the settings.
    """
    spec = network.target_spec(_telling_labels(rows, name))
    if spec.task != "regression":
        return spec
    numbers = rows.select(pl.col(LABEL).cast(pl.Float64))
    _, mean, variance = TrainingRows(numbers).learn([(Moments(), [LABEL])])[0]
    if spec.likelihood == "poisson":
        return replace(spec, mean=0.0, scale=mean)
    return replace(spec, mean=mean, scale=math.sqrt(variance))


def _telling_labels(rows: pl.LazyFrame, name: str) -> pl.Series:
    """Answer few labels from which the same is inferred as from all."""
    label = pl.col(LABEL)
    dtype = rows.collect_schema()[LABEL]
    if dtype.is_numeric():
        low, high, different = collect(
            rows.select(label.min(), label.max().alias("high"), label.approx_n_unique().alias("n")),
            streaming=True,
        ).row(0)
        if different > _SURELY_NUMBERS:
            between = [low, high] if math.isinf(high - low) else np.linspace(low, high, 100)
            return pl.Series(name, between).cast(dtype)
    counted = collect(rows.group_by(LABEL).len(), streaming=True).sort(LABEL)
    values = counted[LABEL]
    # The rule for classes asks whether each value comes twice on average.
    spare = min(int(counted["len"].sum()) - len(values), len(values))
    return pl.concat([values, values.gather(np.zeros(spare, np.int64))]).alias(name)


def with_lazy_target(rows: pl.LazyFrame, spec: TargetSpec | None, seed: int) -> pl.LazyFrame:
    """Add what target statistics learn from: a row's fold, and its target as numbers.

    Args:
        rows: Numbered rows with their label.
        spec: What is predicted; None for nothing.
        seed: Of the folds.
    """
    fold = (row_hash(pl.col(ROW), seed + 1) % _FOLDS).cast(pl.Int32).alias(FOLD)
    rows = rows.with_columns(fold)
    if spec is None:
        return rows

    def encoded(labels: pl.Series) -> pl.Series:
        return pl.Series(labels.name, spec.encode(labels).astype(np.float64).ravel())

    target = pl.col(LABEL).map_batches(encoded, return_dtype=pl.Float64, is_elementwise=True)
    rows = rows.with_columns(target.alias(TARGET))
    if spec.task != "multiclass":
        return rows
    return rows.with_columns(
        (pl.col(TARGET) == place).cast(pl.UInt8).alias(f"{TARGET}{place}")
        for place in range(len(spec.classes))
    )
