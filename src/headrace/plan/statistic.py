"""The statistic: what is learnt from a column, mergeable over chunks of rows."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl

from headrace.errors import SettingError
from headrace.plan.sketch import is_exact, merge_sketches, quantiles, sketch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.plan.operation import PlanType

__all__ = [
    "BlockStatistic",
    "Count",
    "Covariance",
    "Extremes",
    "Mean",
    "Missing",
    "Moments",
    "Quantiles",
    "Question",
    "State",
    "Statistic",
    "Variance",
    "block_rows",
    "gathers",
    "learn",
    "observe",
]

_FEW_LEVELS = 4
"""So many quantiles are selected one by one; for more of them sorting is quicker."""

State: TypeAlias = Any
"""What a statistic remembers of the rows seen so far."""


class _Mergeable(ABC):
    """What statistics of one column and of several have in common."""

    reads: ClassVar[PlanType] = "number"
    needs: ClassVar[tuple[str, ...]] = ()

    def start(self, values: Mapping[str, Any]) -> State:
        """Make a state of one chunk's aggregated values; the values themselves by default."""
        return dict(values)

    @abstractmethod
    def merge(self, left: State, right: State) -> State:
        """Answer the state of both parts' rows together."""

    @abstractmethod
    def finish(self, state: State) -> Any:
        """Answer the value."""

    def finish_whole(self, values: Mapping[str, Any]) -> Any:
        """Answer the value for a table that is one chunk, where a better way exists."""
        return self.finish(self.start(values))


class Statistic(_Mergeable):
    """Something learnt from one column; most are learnt from numbers, a few say otherwise.

    A chunk of rows is reduced to a state, by Polars aggregation expressions, so that all statistics
    of all columns share one scan; two states merge into one, and the last one is finished into
    the value. Merging is associative: the rows may be split in any way.

    Attributes:
        reads: The type of the column; "mixed" for any.
        needs: Columns of the training rows that are read besides the given one.

    Example:
        >>> learn(pl.DataFrame({"x": [1.0, 3.0, float("nan")]}), "x", Mean())
        2.0
    """

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Answer the aggregations over a chunk, by name; the column itself, as "0", by default."""
        return {"0": column.implode()}


class BlockStatistic(_Mergeable):
    """Something learnt from several number columns together; like `Statistic` otherwise."""

    def partial(self, columns: Sequence[pl.Expr]) -> dict[str, pl.Expr]:
        """Answer the aggregations over a chunk, by name; the columns, as "0", …, by default."""
        return {str(place): column.implode() for place, column in enumerate(columns)}


@dataclass(frozen=True)
class Count(Statistic):
    """Number of rows whose value is present."""

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Count the values that are not NaN."""
        return {"count": column.is_not_nan().sum()}

    def merge(self, left: State, right: State) -> State:
        """Add the counts."""
        return {"count": left["count"] + right["count"]}

    def finish(self, state: State) -> int:
        """Answer the count."""
        return int(state["count"])


@dataclass(frozen=True)
class Missing(Statistic):
    """Number of rows whose value is missing."""

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Count the NaN."""
        return {"missing": column.is_nan().sum()}

    def merge(self, left: State, right: State) -> State:
        """Add the counts."""
        return {"missing": left["missing"] + right["missing"]}

    def finish(self, state: State) -> int:
        """Answer the count."""
        return int(state["missing"])


@dataclass(frozen=True)
class Mean(Statistic):
    """Arithmetic mean of the present values; NaN when there is none."""

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Aggregate count and mean."""
        present = column.fill_nan(None)
        return {"count": present.count(), "mean": present.mean()}

    def merge(self, left: State, right: State) -> State:
        """Weigh the means by their counts."""
        count = left["count"] + right["count"]
        if not left["count"] or not right["count"]:
            return right if right["count"] else left
        return {
            "count": count,
            "mean": left["mean"] + (right["mean"] - left["mean"]) * (right["count"] / count),
        }

    def finish(self, state: State) -> float:
        """Answer the mean."""
        return float(state["mean"]) if state["count"] else float("nan")


@dataclass(frozen=True)
class Variance(Statistic):
    """Population variance of the present values (divided by n); NaN when there is none.

    Chunks merge by the formula of Chan, Golub and LeVeque (1979).
    """

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Aggregate count, mean and variance."""
        present = column.fill_nan(None)
        return {"count": present.count(), "mean": present.mean(), "variance": present.var(ddof=0)}

    def merge(self, left: State, right: State) -> State:
        """Merge mean and squared deviations."""
        if not left["count"] or not right["count"]:
            return right if right["count"] else left
        count = left["count"] + right["count"]
        share, gap = right["count"] / count, right["mean"] - left["mean"]
        return {
            "count": count,
            "mean": left["mean"] + gap * share,
            "variance": left["variance"] * (1 - share)
            + right["variance"] * share
            + gap * gap * share * (1 - share),
        }

    def finish(self, state: State) -> float:
        """Answer the variance."""
        return float(state["variance"]) if state["count"] else float("nan")


@dataclass(frozen=True)
class Moments(Variance):
    """Count, mean and variance of the present values, together: (count, mean, variance)."""

    def finish(self, state: State) -> tuple[int, float, float]:  # type: ignore[override]
        """Answer the three."""
        return int(state["count"]), _or_nan(state["mean"]), _or_nan(state["variance"])


@dataclass(frozen=True)
class Extremes(Statistic):
    """Smallest and largest present value, as (minimum, maximum); NaN when there is none."""

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Aggregate minimum and maximum."""
        present = column.fill_nan(None)
        return {"minimum": present.min(), "maximum": present.max()}

    def merge(self, left: State, right: State) -> State:
        """Take the outer values."""
        return {
            "minimum": _pick(min, left["minimum"], right["minimum"]),
            "maximum": _pick(max, left["maximum"], right["maximum"]),
        }

    def finish(self, state: State) -> tuple[float, float]:
        """Answer (minimum, maximum)."""
        return _or_nan(state["minimum"]), _or_nan(state["maximum"])


@dataclass(frozen=True)
class Quantiles(Statistic):
    """Quantiles of the present values at the given levels, as an array (levels,).

    A table that is one chunk gets the exact quantiles, and so do chunks of up to 2 k values
    together. More are sketched (see `headrace.plan.sketch`); the error is in the rank: with
    k = 400 it stays within 0.67 % of the rows for one level at a confidence of 99 %.

    Attributes:
        levels: Between 0 and 1.
        k: Size of the sketch; larger is more exact.
        linear: Whether exact quantiles lie on the line between neighbours; otherwise each is one
            of the values, and at even levels all values come equally often.

    Example:
        >>> frame = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
        >>> learn(frame, "x", Quantiles((0.25, 0.5))).tolist()
        [1.75, 2.5]
    """

    levels: tuple[float, ...] = (0.5,)
    k: int = 400
    linear: bool = True

    def __post_init__(self) -> None:
        """Check the levels."""
        if not self.levels or any(not 0 <= level <= 1 for level in self.levels):
            raise SettingError(f"quantile levels must be between 0 and 1, received {self.levels!r}")

    def start(self, values: Mapping[str, Any]) -> State:
        """Sketch the chunk's values."""
        column = values["0"].to_numpy()
        return sketch(column[~np.isnan(column)], self.k)

    def merge(self, left: State, right: State) -> State:
        """Merge two sketches into a new one."""
        return merge_sketches(left, right, self.k)

    def finish(self, state: State) -> NDArray[np.float64]:
        """Read the levels off the sketch; exactly, as long as it holds every value."""
        if not state["count"]:
            return np.full(len(self.levels), np.nan)
        if is_exact(state):
            return self._exact(state["levels"][0].copy())
        return quantiles(state, np.array(self.levels, dtype=np.float64))

    def finish_whole(self, values: Mapping[str, Any]) -> NDArray[np.float64]:
        """Answer the exact quantiles; NumPy selects and sorts faster than Polars."""
        return self._exact(np.array(values["0"].to_numpy(), dtype=np.float64))

    def _exact(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Answer the quantiles of all values, which are put in another order."""
        present = len(column) - int(np.count_nonzero(np.isnan(column)))
        if not present:
            return np.full(len(self.levels), np.nan)
        ranks = self._ranks(present)
        # Either way the missing values go to the end.
        if len(ranks) > _FEW_LEVELS:
            column.sort()
            low, high = column[_whole(np.floor(ranks))], column[_whole(np.ceil(ranks))]
        else:
            low, high = np.array([_selected(column, rank) for rank in ranks.tolist()]).T
        return _on_line(low, high, ranks % 1)

    def _ranks(self, rows: int) -> NDArray[np.float64]:
        levels = np.array(self.levels, dtype=np.float64)
        if self.linear:
            return levels * (rows - 1)
        ranks: NDArray[np.float64] = np.maximum(np.ceil(levels * rows) - 1, 0)
        return ranks


@dataclass(frozen=True)
class Covariance(BlockStatistic):
    """Population covariance of the columns, (columns, columns), over the rows without gaps.

    Example:
        >>> frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]})
        >>> learn(frame, ["x", "y"], Covariance()).round(3).tolist()
        [[0.667, 1.333], [1.333, 2.667]]
    """

    def start(self, values: Mapping[str, Any]) -> State:
        """Reduce the chunk to count, means and summed products of deviations."""
        rows = block_rows(values)
        rows = rows[~np.isnan(rows).any(axis=1)]
        mean = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1])
        return {"count": len(rows), "mean": mean, "products": (rows - mean).T @ (rows - mean)}

    def merge(self, left: State, right: State) -> State:
        """Merge by the formula of Chan, Golub and LeVeque (1979)."""
        if not left["count"] or not right["count"]:
            return right if right["count"] else left
        count = left["count"] + right["count"]
        gap = right["mean"] - left["mean"]
        return {
            "count": count,
            "mean": left["mean"] + gap * (right["count"] / count),
            "products": left["products"]
            + right["products"]
            + np.outer(gap, gap) * (left["count"] * right["count"] / count),
        }

    def finish(self, state: State) -> NDArray[np.float64]:
        """Answer the matrix."""
        products: NDArray[np.float64] = state["products"]
        return products / state["count"] if state["count"] else np.full_like(products, np.nan)


def block_rows(values: Mapping[str, Any]) -> NDArray[np.float64]:
    """Answer the rows of a chunk's columns, (rows, columns)."""
    return np.column_stack([values[str(place)].to_numpy() for place in range(len(values))])


_MOST_AT_ONCE = 500
"""Aggregations in one query."""

Question: TypeAlias = "tuple[Statistic | BlockStatistic, Sequence[str]]"
"""A statistic, and its column (a list of one) or all columns of its block."""


def gathers(statistic: Statistic | BlockStatistic) -> bool:
    """Answer whether a statistic takes its columns as they are, not aggregated."""
    return type(statistic).partial in {Statistic.partial, BlockStatistic.partial}


def observe(
    rows: pl.DataFrame, questions: Sequence[Question], *, through: pl.LazyFrame | None = None
) -> list[dict[str, Any]]:
    """Answer what each statistic asks of a chunk of rows; all of it in one pass.

    Args:
        rows: The chunk.
        questions: The statistics with their columns.
        through: The chunk behind further operations, for the statistics that aggregate.

    Returns:
        For each question the values by name, as `start` and `finish_whole` take them.
    """
    asked = [_partial(*question) for question in questions]
    flat = {f"{i}:{name}": e for i, named in enumerate(asked) for name, e in named.items()}
    row = _row(rows, flat) if through is None else _row_through(through, flat)
    return [
        {name: row[f"{i}:{name}"][0] for name in named}
        or {str(place): rows[name] for place, name in enumerate(names)}
        for i, (named, (_, names)) in enumerate(zip(asked, questions, strict=True))
    ]


def _row(chunk: pl.DataFrame, asked: Mapping[str, pl.Expr]) -> Mapping[str, pl.Series]:
    # The streaming engine cuts a column by the number of threads, and rounds sums accordingly: the
    # states of a chunk must be the same to the bit wherever they are made.
    return chunk.lazy().select(**asked).collect(engine="in-memory").to_dict() if asked else {}


def _row_through(lazy: pl.LazyFrame, asked: Mapping[str, pl.Expr]) -> Mapping[str, pl.Series]:
    """Answer aggregations, one value each; of wide tables in parts."""
    if len(asked) <= _MOST_AT_ONCE:
        return lazy.select(**asked).collect().to_dict() if asked else {}
    # The time of one large query grows with the square of its expressions.
    held, names = lazy.collect().lazy(), list(asked)
    found: dict[str, pl.Series] = {}
    for first in range(0, len(names), _MOST_AT_ONCE):
        part = {name: asked[name] for name in names[first : first + _MOST_AT_ONCE]}
        found |= held.select(**part).collect().to_dict()
    return found


def _partial(statistic: Statistic | BlockStatistic, names: Sequence[str]) -> dict[str, pl.Expr]:
    """Answer the aggregations; none where the columns themselves are asked for."""
    if gathers(statistic):
        return {}
    if isinstance(statistic, BlockStatistic):
        return statistic.partial([pl.col(name) for name in names])
    return statistic.partial(pl.col(names[0]))


def learn(
    data: pl.DataFrame | Iterable[pl.DataFrame],
    columns: str | Sequence[str],
    statistic: Statistic | BlockStatistic,
) -> Any:
    """Learn one statistic from a table, or from chunks of it.

    Args:
        data: The table, or its chunks; canonical columns.
        columns: The column; a list of columns for a `BlockStatistic`.
        statistic: What to learn.

    Returns:
        The finished value.
    """
    question = (statistic, [columns] if isinstance(columns, str) else columns)
    if isinstance(data, pl.DataFrame):
        return statistic.finish_whole(observe(data, [question])[0])
    states = (statistic.start(observe(chunk, [question])[0]) for chunk in data)
    return statistic.finish(reduce(statistic.merge, states))


def _selected(column: NDArray[np.float64], rank: float) -> tuple[float, float]:
    """Answer the values of the rows below and above a rank, without sorting all of them."""
    above = math.ceil(rank)
    column.partition(above)
    low = column[:above].max() if math.floor(rank) < above else column[above]
    return float(low), float(column[above])


def _on_line(
    low: NDArray[np.float64], high: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        found = low + (high - low) * share
    # Between infinities, or further apart than 64 bits can say, there is no line.
    return np.where(np.isfinite(found), found, low)


def _whole(ranks: NDArray[np.float64]) -> NDArray[np.int64]:
    return ranks.astype(np.int64)


def _pick(choose: Any, left: float | None, right: float | None) -> float | None:
    present = [value for value in (left, right) if value is not None]
    return choose(present) if present else None


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
