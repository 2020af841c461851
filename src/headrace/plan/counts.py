"""Statistics of string columns: how often each value comes, and the target's mean for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from headrace.plan.statistic import State, Statistic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.plan.operation import PlanType

__all__ = [
    "FOLD",
    "TARGET",
    "Counts",
    "TargetMeans",
    "TargetTable",
    "ValueCounts",
    "target_column",
]

FOLD = "__headrace_fold__"
"""Column of the training rows with the number of the fold that a row belongs to."""

TARGET = "__headrace_target__"
"""Column of the training rows with the target as a number (class 1, or the standardised value)."""

_TARGETS = f"^{TARGET}.*$"
_ROWS = "__headrace_rows__"


def target_column(place: int) -> str:
    """Answer the column that says, as 0 or 1, whether a training row is of a class.

    Training rows with more than two classes carry one such column a class beside `TARGET`.

    Args:
        place: The class, counted from 0.

    Example:
        >>> target_column(2)
        '__headrace_target__2'
    """
    return f"{TARGET}{place}"


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

    reads: ClassVar[PlanType] = "string"

    def start(self, values: Mapping[str, Any]) -> State:
        """Count the values; a lazy table groups several times quicker than `value_counts`."""
        rows = values["0"].alias("value").to_frame().lazy()
        return rows.group_by("value").agg(pl.len().cast(pl.Int64).alias("count")).collect()

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
    """The targets' sums and counts for each value, over all rows and within each fold.

    Attributes:
        values: The values; "" for the missing one when it came.
        sums: (targets, values, folds) sums of each target.
        counts: (values, folds) rows.
    """

    values: tuple[str, ...]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]

    def means(self, smoothing: float, *, without: int | None = None) -> NDArray[np.float64]:
        """Answer the smoothed mean of each value, (targets, values).

        A value seen n times gets (n * its mean + smoothing * overall mean) / (n + smoothing),
        the estimate of Micci-Barreca (2001) with a fixed prior strength.

        Args:
            smoothing: Rows' worth of belief in the overall mean.
            without: A fold to leave out, so that its rows do not see their own target.
        """
        sums, counts = self._totals(without)
        prior = self.prior(without=without)[:, np.newaxis]
        known = counts > 0  # without smoothing, a value that only one fold has falls to the prior
        means = (sums + smoothing * prior) / np.where(known, counts + smoothing, 1.0)
        return np.where(known, means, prior)

    def prior(self, *, without: int | None = None) -> NDArray[np.float64]:
        """Answer the overall mean of each target, (targets,)."""
        sums, counts = self._totals(without)
        overall: NDArray[np.float64] = sums.sum(axis=1) / max(counts.sum(), 1)
        return overall

    def _totals(self, without: int | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        sums, counts = self.sums.sum(axis=2), self.counts.sum(axis=1)
        if without is None:
            return sums, counts
        return sums - self.sums[:, :, without], counts - self.counts[:, without]


@dataclass(frozen=True)
class TargetMeans(Statistic):
    """The target's mean for each value of a string column, kept by fold.

    The training rows carry, besides their columns, the fold of each row in `FOLD` and the target
    as a number in `TARGET`; of several classes also one column each, named by `target_column`.

    Attributes:
        folds: Number of folds; a training row is encoded from the other folds only. The numbers
            in `FOLD` are taken modulo this one.
    """

    folds: int = 5

    reads: ClassVar[PlanType] = "string"
    needs: ClassVar[tuple[str, ...]] = (FOLD,)

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Gather value, fold and targets of the chunk's rows."""
        fold = (pl.col(FOLD) % self.folds).alias(FOLD)
        return {"rows": pl.struct(column.alias("value"), fold, pl.col(_TARGETS)).implode()}

    def start(self, values: Mapping[str, Any]) -> State:
        """Sum up the targets by value and fold."""
        rows = values["rows"].struct.unnest().lazy()
        # Each group is gathered before it is summed: sums of parts, one a thread, would be rounded
        # in another way each time.
        held = rows.group_by("value", FOLD).agg(
            pl.exclude("value", FOLD).implode(), pl.len().cast(pl.Int64).alias(_ROWS)
        )
        return held.with_columns(pl.exclude("value", FOLD, _ROWS).list.sum()).collect(
            engine="in-memory"
        )

    def merge(self, left: State, right: State) -> State:
        """Add the sums and counts."""
        both = pl.concat([left, right])
        return both.group_by("value", FOLD).agg(pl.exclude("value", FOLD).sum())

    def finish(self, state: State) -> TargetTable:
        """Lay the sums and counts out by value and fold."""
        ordered = state.sort("value", FOLD)
        values = ordered["value"].unique(maintain_order=True).to_list()
        cell = (ordered["value"].rle_id().to_numpy(), ordered[FOLD].to_numpy())
        targets = [name for name in ordered.columns if name.startswith(TARGET)]
        if len(targets) > 1:  # of several classes, their own columns say it
            targets.remove(TARGET)
        sums = np.zeros((len(targets), len(values), self.folds))
        counts = np.zeros((len(values), self.folds), dtype=np.int64)
        counts[cell] = ordered[_ROWS].to_numpy()
        for place, name in enumerate(targets):
            sums[place][cell] = ordered[name].to_numpy()
        return TargetTable(tuple(values), sums, counts)
