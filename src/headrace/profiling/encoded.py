"""Columns that hold the target's mean of a group to which the row itself belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.profiling.alerts import Alert
from headrace.profiling.leaks import FEWEST_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from headrace.profiling.goal import Goal
    from headrace.profiling.sample import Sample

__all__ = ["EncodedTargets"]

_FEWEST_GROUPS = 10
_MATCHED = 0.95
_NEAR = 1e-6
_MOST_VALUES = 2_000_000


class EncodedTargets:
    """A reader that finds columns that were made of the target's means of the same rows.

    Of a column that replaces each word by the target's mean of its rows, the rows with one value
    have just this value as their mean. Words that come a few times give their own rows away,
    although the column tells far less than all of the target. The sample says which columns may be
    such ones (the target's straight line on them has a slope of 1 and no offset), and all rows
    decide. For two classes the mean is the share of one of them.

    Args:
        sample: The rows that say which columns are looked at.
        goal: The target on the same rows; more than two classes have no mean.
        columns: All others.
    """

    def __init__(self, sample: Sample, goal: Goal, columns: Sequence[str]) -> None:
        self._goal = goal
        self._target = _measured(goal, sample.schema[goal.name].type)
        numbers = [name for name in columns if sample.schema[name].kind == "number"]
        plain = sample.schema[goal.name].type == "number"
        values = sample.numbers(goal.name) if plain else np.where(goal.known, goal.codes, np.nan)
        may_be = self._target is not None and goal.known.sum() >= FEWEST_ROWS
        self._columns = [n for n in numbers if may_be and _calibrated(sample.numbers(n), values)]
        self._held: dict[str, pl.DataFrame] = {}

    def take(self, part: pl.DataFrame) -> None:
        """Look at the next rows."""
        for name in list(self._columns):
            rows = part.lazy().select(value=name, goal=self._target)
            known = rows.filter(pl.col("value").is_not_nan() & pl.col("goal").is_not_nan())
            goal = pl.col("goal")
            sums = known.group_by("value").agg(
                rows=pl.len(), sum=goal.sum(), low=goal.min(), high=goal.max()
            )
            found = [sums.collect(), *([self._held[name]] if name in self._held else ())]
            self._held[name] = (
                pl.concat(found)
                .group_by("value")
                .agg(pl.col("rows", "sum").sum(), pl.col("low").min(), pl.col("high").max())
            )
            if self._held[name].height > _MOST_VALUES:  # values of their own, not those of groups
                self._columns.remove(name)

    def alerts(self) -> Iterator[Alert]:
        """Answer the columns whose values are the means of their own rows."""
        for name in self._columns:
            groups = self._held[name].filter(pl.col("low") < pl.col("high"))
            if groups.height < _FEWEST_GROUPS:
                continue
            means = (groups["sum"] / groups["rows"]).to_numpy()
            values = groups["value"].to_numpy()
            near = _NEAR * float(np.ptp(means) + np.abs(means).max())
            matched = np.abs(values - means) <= near
            if self._goal.classes:
                matched |= np.abs(1 - values - means) <= near
            share = float(matched.mean())
            if share >= _MATCHED:
                text = (
                    f"{name!r} is the mean of the target {self._goal.name!r} among the rows with "
                    f"the same value ({share:.1%} of {groups.height:,} groups): each row had a "
                    "part in it; learn it from other rows"
                )
                yield Alert("gives away", (name,), text, value=share)


def _measured(goal: Goal, held: str) -> pl.Expr | None:
    """Answer the target as a number; None where it has no mean."""
    column = pl.col(goal.name)
    if held == "number":
        return column
    if held == "string" and len(goal.classes) == 2:
        hit = (column == goal.classes[1]).cast(pl.Float64)
        return pl.when(column == "").then(float("nan")).otherwise(hit)
    return None


def _calibrated(column: NDArray[np.float64], goal: NDArray[np.float64]) -> bool:
    """Answer whether the target's straight line on a column has a slope of 1 (or -1)."""
    known = np.isfinite(column) & np.isfinite(goal)
    rows = int(known.sum())
    x, y = column[known], goal[known]
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.var(x)) if rows >= FEWEST_ROWS else 0.0
        if not 0 < spread < np.inf:
            return False
        slope = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread
        left = float(np.var(y - slope * x)) / spread / rows
    return bool(abs(abs(slope) - 1) <= max(0.1, 4 * np.sqrt(left)))
