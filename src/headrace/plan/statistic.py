"""The statistic: what is learnt from a column, mergeable over chunks of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
import polars as pl

from headrace.errors import SettingError

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
    "Quantiles",
    "State",
    "Statistic",
    "Variance",
    "asked",
    "block",
    "block_rows",
    "learn",
]

State: TypeAlias = Any
"""What a statistic remembers of the rows seen so far."""


class Statistic(ABC):
    """Something learnt from one column; most are learnt from numbers, a few say otherwise.

    A chunk of rows is reduced to a state by Polars aggregation expressions, so that all statistics
    of all columns share one scan; two states merge into one, and the last one is finished into
    the value. Merging is associative: the rows may be split in any way.

    Attributes:
        reads: The type of the column; "mixed" for any.
        needs: Columns of the training rows that are read besides the given one.

    Example:
        >>> learn(pl.DataFrame({"x": [1.0, 3.0, float("nan")]}), "x", Mean())
        2.0
    """

    reads: ClassVar[PlanType] = "number"
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Answer the aggregations over a chunk, by name."""

    def start(self, values: Mapping[str, Any]) -> State:
        """Make a state of one chunk's aggregated values; the values themselves by default."""
        return dict(values)

    @abstractmethod
    def merge(self, left: State, right: State) -> State:
        """Answer the state of both parts' rows together."""

    @abstractmethod
    def finish(self, state: State) -> Any:
        """Answer the value."""

    def whole(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Answer the aggregations for a table that is one chunk, where a better way exists."""
        return self.partial(column)

    def finish_whole(self, values: Mapping[str, Any]) -> Any:
        """Answer the value from the aggregations of `whole`."""
        return self.finish(self.start(values))


class BlockStatistic(ABC):
    """Something learnt from several number columns together; like `Statistic` otherwise."""

    reads: ClassVar[PlanType] = "number"
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def partial(self, columns: Sequence[pl.Expr]) -> dict[str, pl.Expr]:
        """Answer the aggregations over a chunk, by name."""

    @abstractmethod
    def start(self, values: Mapping[str, Any]) -> State:
        """Make a state of one chunk's aggregated values."""

    @abstractmethod
    def merge(self, left: State, right: State) -> State:
        """Answer the state of both parts' rows together."""

    @abstractmethod
    def finish(self, state: State) -> Any:
        """Answer the value."""

    def whole(self, columns: Sequence[pl.Expr]) -> dict[str, pl.Expr]:
        """Answer the aggregations for a table that is one chunk, where a better way exists."""
        return self.partial(columns)

    def finish_whole(self, values: Mapping[str, Any]) -> Any:
        """Answer the value from the aggregations of `whole`."""
        return self.finish(self.start(values))


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

    A table that is one chunk gets the exact quantiles. Chunks are sketched by KLL (Karnin, Lang
    and Liberty, 2016); the error is in the rank: with k = 400 it stays within 0.67 % of the rows
    for one level at a confidence of 99 %.

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

    _FEW: ClassVar[int] = 8

    def __post_init__(self) -> None:
        """Check the levels."""
        if not self.levels or any(not 0 <= level <= 1 for level in self.levels):
            raise SettingError(f"quantile levels must be between 0 and 1, received {self.levels!r}")

    def partial(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Gather the present values of the chunk."""
        return {"values": column.fill_nan(None).drop_nulls().implode()}

    def start(self, values: Mapping[str, Any]) -> State:
        """Sketch the chunk's values."""
        from datasketches import kll_doubles_sketch

        sketch = kll_doubles_sketch(self.k)
        sketch.update(np.array(values["values"], dtype=np.float64))
        return sketch

    def merge(self, left: State, right: State) -> State:
        """Merge two sketches into a new one."""
        from datasketches import kll_doubles_sketch

        merged = kll_doubles_sketch(self.k)
        merged.merge(left)
        merged.merge(right)
        return merged

    def finish(self, state: State) -> NDArray[np.float64]:
        """Read the levels off the sketch; it knows the smallest and the largest value exactly."""
        if state.is_empty():
            return np.full(len(self.levels), np.nan)
        levels = np.array(self.levels)
        found = np.asarray(state.get_quantiles(list(self.levels)), dtype=np.float64)
        found = np.where(levels == 0, state.get_min_value(), found)
        return np.where(levels == 1, state.get_max_value(), found)

    def whole(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Select a few levels directly; gather the column for many."""
        if len(self.levels) > self._FEW:
            return {"column": column.implode()}
        # Without nulls Polars selects in linear time; with nulls it sorts.
        present = column.drop_nans()
        method: Literal["linear", "equiprobable"] = "linear" if self.linear else "equiprobable"
        return {
            str(place): present.quantile(level, method) for place, level in enumerate(self.levels)
        }

    def finish_whole(self, values: Mapping[str, Any]) -> NDArray[np.float64]:
        """Answer the exact quantiles."""
        if "column" not in values:
            return np.array([_or_nan(values[str(i)]) for i in range(len(self.levels))])
        # NumPy's vectorised sort is several times faster than Polars's; it puts NaN at the end.
        ordered = np.sort(values["column"].to_numpy())
        present = ordered[: len(ordered) - np.count_nonzero(np.isnan(ordered))]
        return _quantiles_of_sorted(present, np.array(self.levels), linear=self.linear)


@dataclass(frozen=True)
class Covariance(BlockStatistic):
    """Population covariance of the columns, (columns, columns), over the rows without gaps.

    Example:
        >>> frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]})
        >>> learn(frame, ["x", "y"], Covariance()).round(3).tolist()
        [[0.667, 1.333], [1.333, 2.667]]
    """

    def partial(self, columns: Sequence[pl.Expr]) -> dict[str, pl.Expr]:
        """Gather the block of the chunk."""
        return block(columns)

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


def block(columns: Sequence[pl.Expr]) -> dict[str, pl.Expr]:
    """Answer the aggregations that gather a block of columns as it is."""
    return {str(place): column.implode() for place, column in enumerate(columns)}


def block_rows(values: Mapping[str, Any]) -> NDArray[np.float64]:
    """Answer the rows that `block` gathered, (rows, columns)."""
    return np.column_stack([values[str(place)].to_numpy() for place in range(len(values))])


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
    if isinstance(data, pl.DataFrame):
        return statistic.finish_whole(_aggregate(data, asked(statistic, columns, whole=True)))
    aggregates = asked(statistic, columns)
    states = (statistic.start(_aggregate(chunk, aggregates)) for chunk in data)
    return statistic.finish(reduce(statistic.merge, states))


def asked(
    statistic: Statistic | BlockStatistic, columns: str | Sequence[str], *, whole: bool = False
) -> dict[str, pl.Expr]:
    """Answer the aggregations that a statistic asks of its column or columns, by name.

    Args:
        statistic: What is learnt.
        columns: The column; all columns for a `BlockStatistic`.
        whole: Whether the rows are the whole table, not a chunk.
    """
    names = [columns] if isinstance(columns, str) else columns
    if isinstance(statistic, BlockStatistic):
        block = [pl.col(name) for name in names]
        return statistic.whole(block) if whole else statistic.partial(block)
    column = pl.col(names[0])
    return statistic.whole(column) if whole else statistic.partial(column)


def _aggregate(frame: pl.DataFrame, aggregates: Mapping[str, pl.Expr]) -> dict[str, Any]:
    row = frame.select(**aggregates)
    return {name: row[name][0] for name in row.columns}


def _quantiles_of_sorted(
    ordered: NDArray[np.float64], levels: NDArray[np.float64], *, linear: bool
) -> NDArray[np.float64]:
    if not ordered.size:
        return np.full(len(levels), np.nan)
    if not linear:
        place = np.ceil(levels * len(ordered)).astype(np.int64) - 1
        return ordered[np.maximum(place, 0)]
    rank = levels * (len(ordered) - 1)
    low = np.floor(rank).astype(np.int64)
    high = np.minimum(low + 1, len(ordered) - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        found = ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
    # Between infinities, or further apart than 64 bits can say, there is no line.
    return np.where(np.isfinite(found), found, ordered[low])


def _pick(choose: Any, left: float | None, right: float | None) -> float | None:
    present = [value for value in (left, right) if value is not None]
    return choose(present) if present else None


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
