"""Statistics of single values: whether a column varies, its mode, and columns made on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from headrace.plan.statistic import State, Statistic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.plan.operation import Operation, PlanType

__all__ = ["Made", "Mode", "Varies", "Variety"]


@dataclass(frozen=True)
class Variety:
    """What `Varies` answers.

    Attributes:
        varies: Whether two rows differ.
        value: The value of all rows when they do not; None when there are no rows.
    """

    varies: bool
    value: Any


@dataclass(frozen=True)
class Varies(Statistic):
    """Whether a column of any type has two different values; missing is one of them.

    Example:
        >>> from headrace.plan.statistic import learn
        >>> learn(pl.DataFrame({"x": ["a", "a"]}), "x", Varies())
        Variety(varies=False, value='a')
        >>> learn(pl.DataFrame({"x": [1.0, float("nan")]}), "x", Varies()).varies
        True
    """

    reads: ClassVar[PlanType] = "mixed"

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Compare the chunk with its first value; Polars holds NaN equal to NaN."""
        first = column.first()
        return {"rows": column.len(), "first": first, "varies": (column != first).any()}

    def merge(self, left: State, right: State) -> State:
        """Compare the parts' first values."""
        if not left["rows"] or not right["rows"]:
            return right if right["rows"] else left
        apart = not _equal(left["first"], right["first"])
        return {
            "rows": left["rows"] + right["rows"],
            "first": left["first"],
            "varies": bool(left["varies"] or right["varies"] or apart),
        }

    def finish(self, state: State) -> Variety:
        """Answer whether the column varies."""
        varies = bool(state["varies"])
        return Variety(varies, None if varies else state["first"])


@dataclass(frozen=True)
class Mode(Statistic):
    """The most frequent number, the smallest of several; NaN when every value is missing.

    Over chunks every distinct value is counted, so the state grows with their number.

    Example:
        >>> from headrace.plan.statistic import learn
        >>> learn(pl.DataFrame({"x": [3.0, 1.0, 3.0, float("nan"), float("nan")]}), "x", Mode())
        3.0
    """

    def start(self, values: Mapping[str, Any]) -> State:
        """Count the present values; sorting them is quicker than a hash table."""
        found, counts = np.unique(values["0"].drop_nans().to_numpy(), return_counts=True)
        return pl.DataFrame({"value": found, "count": counts})

    def merge(self, left: State, right: State) -> State:
        """Add the counts value by value."""
        return pl.concat([left, right]).group_by("value").agg(pl.col("count").sum())

    def finish(self, state: State) -> float:
        """Answer the value that came most often."""
        if state.is_empty():
            return float("nan")
        most = state.filter(pl.col("count") == pl.col("count").max())
        return float(most["value"].min())


@dataclass(frozen=True)
class Made(Statistic):
    """A statistic of a column that an operation makes of the given one.

    So a step can learn about columns that are not there yet, in the same scan.

    Attributes:
        operation: What makes the column.
        statistic: What is learnt from it.
        output: Which output of the operation, counted from 0.

    Example:
        >>> from headrace.plan.arithmetic import Affine
        >>> from headrace.plan.statistic import Mean, learn
        >>> twice = Made(Affine([2.0], [0.0]), Mean())
        >>> learn(pl.DataFrame({"x": [1.0, 3.0]}), "x", twice)
        4.0
    """

    operation: Operation
    statistic: Statistic
    output: int = 0

    @property
    def reads(self) -> PlanType:  # type: ignore[override]
        """The type that the operation takes."""
        return self.operation.takes

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Aggregate the made column."""
        return self.statistic.partial(self._made(column))

    def start(self, values: Mapping[str, Any]) -> State:
        """Start the inner statistic."""
        return self.statistic.start(values)

    def merge(self, left: State, right: State) -> State:
        """Merge the inner statistic."""
        return self.statistic.merge(left, right)

    def finish(self, state: State) -> Any:
        """Finish the inner statistic."""
        return self.statistic.finish(state)

    def finish_whole(self, values: Mapping[str, Any]) -> Any:
        """Finish the inner statistic."""
        return self.statistic.finish_whole(values)

    def _made(self, column: pl.Expr) -> pl.Expr:
        return self.operation.polars([column])[self.output]


def _equal(left: Any, right: Any) -> bool:
    # NaN is the missing number: two of them are the same value.
    return bool(left == right) or (left != left and right != right)  # noqa: PLR0124
