"""Statistics of string columns: how often each value comes, and the target's mean for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.plan.statistic import State, Statistic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["FOLD", "TARGET", "Counts", "TargetMeans", "TargetTable", "ValueCounts"]

FOLD = "__headrace_fold__"
"""Column of the training rows with the number of the fold that a row belongs to."""

TARGET = "__headrace_target__"
"""Column of the training rows with the target as a number (class 1, or the standardised value)."""


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each value came, the most frequent first (ties in alphabetical order).

    Attributes:
        values: The values, without the missing one.
        counts: Rows of each value.
        missing: Rows without a value.
        other: Rows of values beyond the cap.
    """

    values: tuple[str, ...]
    counts: NDArray[np.int64]
    missing: int
    other: int


@dataclass(frozen=True)
class ValueCounts(Statistic):
    """How often each value of a string column comes.

    Attributes:
        cap: The most frequent values kept; the rest is counted together.

    Example:
        >>> from headrace.plan.statistic import learn
        >>> counts = learn(pl.DataFrame({"x": ["b", "a", "b", ""]}), "x", ValueCounts())
        >>> counts.values, counts.counts.tolist(), counts.missing
        (('b', 'a'), [2, 1], 1)
    """

    cap: int = 100_000

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Count the values of the chunk."""
        return {"counts": column.value_counts().struct.rename_fields(["value", "count"]).implode()}

    def start(self, values: Mapping[str, Any]) -> State:
        """Hold the counts as a table."""
        counts = values["counts"].struct.unnest()
        return counts.with_columns(pl.col("count").cast(pl.Int64))

    def merge(self, left: State, right: State) -> State:
        """Add the counts value by value."""
        return pl.concat([left, right]).group_by("value").agg(pl.col("count").sum())

    def finish(self, state: State) -> Counts:
        """Order the values and cut them at the cap."""
        missing = int(state.filter(pl.col("value") == "")["count"].sum())
        present = state.filter(pl.col("value") != "").sort(
            ["count", "value"], descending=[True, False]
        )
        kept = present.head(self.cap)
        return Counts(
            tuple(kept["value"].to_list()),
            kept["count"].to_numpy(),
            missing,
            int(present["count"].sum() - kept["count"].sum()),
        )


@dataclass(frozen=True, eq=False)
class TargetTable:
    """The target's sum and count for each value, over all rows and within each fold.

    Attributes:
        values: The values; "" for the missing one when it came.
        sums: (values, folds) sums of the target.
        counts: (values, folds) rows.
    """

    values: tuple[str, ...]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]

    def means(self, smoothing: float, *, without: int | None = None) -> NDArray[np.float64]:
        """Answer the smoothed mean of each value.

        A value seen n times gets (n * its mean + smoothing * overall mean) / (n + smoothing),
        the estimate of Micci-Barreca (2001) with a fixed prior strength.

        Args:
            smoothing: Rows' worth of belief in the overall mean.
            without: A fold to leave out, so that its rows do not see their own target.
        """
        sums, counts = self._totals(without)
        prior = self.prior(without=without)
        means: NDArray[np.float64] = (sums + smoothing * prior) / np.maximum(
            counts + smoothing, 1e-12
        )
        return means

    def prior(self, *, without: int | None = None) -> float:
        """Answer the target's overall mean."""
        sums, counts = self._totals(without)
        return float(sums.sum() / max(counts.sum(), 1))

    def _totals(self, without: int | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        sums, counts = self.sums.sum(axis=1), self.counts.sum(axis=1)
        if without is None:
            return sums, counts
        return sums - self.sums[:, without], counts - self.counts[:, without]


@dataclass(frozen=True)
class TargetMeans(Statistic):
    """The target's mean for each value of a string column, kept by fold.

    Attributes:
        folds: Number of folds; a training row is encoded from the other folds only.
        target: Name of the column that holds the target as a number.
    """

    folds: int = 5
    target: str = TARGET

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Gather value, fold and target of the chunk's rows."""
        rows = pl.struct(value=column, fold=pl.col(FOLD), target=pl.col(self.target))
        return {"rows": rows.implode()}

    def start(self, values: Mapping[str, Any]) -> State:
        """Sum up the target by value and fold."""
        return (
            values["rows"]
            .struct.unnest()
            .group_by("value", "fold")
            .agg(pl.col("target").sum().alias("sum"), pl.len().cast(pl.Int64).alias("count"))
        )

    def merge(self, left: State, right: State) -> State:
        """Add the sums and counts."""
        both = pl.concat([left, right])
        return both.group_by("value", "fold").agg(pl.col("sum").sum(), pl.col("count").sum())

    def finish(self, state: State) -> TargetTable:
        """Lay the sums and counts out by value and fold."""
        ordered = state.sort("value", "fold")
        values = ordered["value"].unique(maintain_order=True)
        place = ordered["value"].rle_id().to_numpy()
        fold = ordered["fold"].to_numpy()
        sums = np.zeros((len(values), self.folds))
        counts = np.zeros((len(values), self.folds), dtype=np.int64)
        sums[place, fold] = ordered["sum"].to_numpy()
        counts[place, fold] = ordered["count"].to_numpy()
        return TargetTable(tuple(values.to_list()), sums, counts)
