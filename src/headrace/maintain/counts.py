"""Counts of new rows, part by part: what one partition tells, and two partitions together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.profile import Profile
from headrace.data.scan import collect, count_values, in_memory
from headrace.data.schema import MISSING_TIME, Schema
from headrace.engine import HERE, Engine
from headrace.maintain.repair import repair
from headrace.partitions.crew import map_tasks
from headrace.partitions.partition import (
    Partition,
    partition_rows,
    row_size,
    split_frame,
    split_lazy,
)
from headrace.partitions.task import task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.data.profile import ColumnProfile

__all__ = ["Counts", "Question", "count_partition", "counts_of"]

_VALUES = {"value": pl.String, "count": pl.Int64}


@dataclass(frozen=True)
class Question:
    """What is counted.

    Attributes:
        reference: The profile whose edges and limits the values are held against.
        schema: The kinds of the columns; those that the profile does not have are left out.
        raw: Whether the rows are as they came, and are to be repaired first.
    """

    reference: Profile
    schema: Schema
    raw: bool = False

    def columns(self) -> list[ColumnProfile]:
        """Answer the columns that are counted, in the order of the profile."""
        return [column for column in self.reference.columns if column.name in self.schema]

    def count(self, rows: pl.LazyFrame) -> Counts:
        """Count rows: in one scan, and one of the categories."""
        rows = repair(rows, self.schema) if self.raw else rows
        there = set(rows.collect_schema().names())
        wanted = [column for column in self.columns() if column.name in there]
        expressions: list[pl.Expr] = [pl.len().alias("rows")]
        for place, column in enumerate(wanted):
            for key, expression in _expressions(column, self.schema[column.name].type).items():
                expressions.append(expression.alias(f"{place} {key}"))
        found = collect(rows.select(expressions), streaming=True).row(0, named=True)
        values = count_values(
            rows, {c.name: pl.col(c.name) for c in wanted if c.kind == "category"}
        )
        return Counts(
            found["rows"],
            {column.name: _of_column(found, place) for place, column in enumerate(wanted)},
            {
                name: pl.DataFrame(pairs, schema=_VALUES, orient="row")
                for name, pairs in values.items()
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Answer the question as plain values, as messages hold them."""
        return {
            "reference": self.reference.to_dict(),
            "schema": self.schema.to_dict(),
            "raw": self.raw,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Question:
        """Rebuild a question from `to_dict`."""
        reference, schema = Profile.from_dict(data["reference"]), Schema.from_dict(data["schema"])
        return cls(reference, schema, data["raw"])


@dataclass(frozen=True, eq=False)
class Counts:
    """What some rows hold.

    Attributes:
        rows: How many they are.
        columns: For each column that is there its figures: "missing" and "below", "within" and
            "up to …" are counts; "smallest", "largest", "mean" and "deviation" are of the "finite"
            values.
        values: For each category how often each value comes.
    """

    rows: int
    columns: Mapping[str, Mapping[str, Any]]
    values: Mapping[str, pl.DataFrame]

    def merge(self, other: Counts) -> Counts:
        """Answer what both parts hold together.

        Mean and deviation are merged as T. F. Chan, G. H. Golub and R. J. LeVeque do, "Algorithms
        for Computing the Sample Variance", The American Statistician 37 (1983).
        """
        pairs = [(name, self.columns[name], other.columns[name]) for name in self.columns]
        values = [(name, self.values[name], other.values[name]) for name in self.values]
        return Counts(
            self.rows + other.rows,
            {name: _merged(left, right) for name, left, right in pairs},
            {name: _added(left, right) for name, left, right in values},
        )


def counts_of(rows: pl.LazyFrame, question: Question, engine: Engine = HERE) -> Counts:
    """Count rows; with an executor by partitions, whose counts are merged in their order.

    A table in memory of a single partition is counted here.

    Args:
        rows: Raw or canonical, as the question says.
        question: What is counted.
        engine: Who counts.

    Raises:
        DataError: The rows cannot be read.
        WorkerError: A partition was lost with its worker again and again.
    """
    partitions = _partitions(rows, question, engine)
    if partitions is None:
        return question.count(rows)
    sent = (partition.to_dict() for partition in partitions)
    told = map_tasks(engine, count_partition, sent, shared=question.to_dict())
    return reduce(Counts.merge, (Counts(*answer) for answer in told))


@task(prepare=Question.from_dict)
def count_partition(partition: Mapping[str, Any], question: Question) -> tuple[Any, ...]:
    """Answer the counts of one partition."""
    counts = question.count(Partition.from_dict(partition).open())
    return counts.rows, counts.columns, counts.values


def _partitions(
    rows: pl.LazyFrame, question: Question, engine: Engine
) -> Iterator[Partition] | None:
    kinds = rows.collect_schema()
    known = [name for name in kinds if name in question.schema]
    if engine.executor is None or not known:
        return None
    most = partition_rows(engine.memory, row_size(kinds.values()))
    if not in_memory(rows):
        return split_lazy(rows, most, known)
    held = collect(rows.select(known))
    return split_frame(held, most) if held.height > most else None


# ---------------------------------------------------------------- one partition


def _of_column(found: Mapping[str, Any], place: int) -> dict[str, Any]:
    start = f"{place} "
    return {key.removeprefix(start): v for key, v in found.items() if key.startswith(start)}


def _expressions(column: ColumnProfile, type_: str) -> dict[str, pl.Expr]:
    values = pl.col(column.name)
    if type_ == "string":
        return {"missing": (values.is_null() | (values == "")).sum()}
    if type_ == "time":
        values = pl.when(values != MISSING_TIME).then(values).cast(pl.Float64)
        return {"missing": values.is_null().sum()} | _number_expressions(column, values)
    missing = (values.is_null() | values.is_nan()).sum()
    return {"missing": missing} | _number_expressions(column, values)


def _number_expressions(column: ColumnProfile, values: pl.Expr) -> dict[str, pl.Expr]:
    # Only "<" and "<=" are asked for: NaN answers no to both, so it need not be filtered first.
    finite = pl.when(values.is_finite()).then(values)
    expressions = {
        "smallest": values.min(),
        "largest": values.max(),
        "finite": finite.count(),
        "mean": finite.mean(),
        "deviation": finite.std(ddof=0),
    }
    if column.minimum is not None and column.maximum is not None:
        expressions["below"] = (values < column.minimum).sum()
        expressions["within"] = (values <= column.maximum).sum()
    inner = (0.5,) if column.kind == "boolean" else column.edges[1:-1]
    for place, edge in enumerate(inner):
        expressions[f"up to {place}"] = (values <= edge).sum()
    return expressions


# ---------------------------------------------------------------- two partitions


def _merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: _MERGES.get(key, _sum)(left[key], right[key]) for key in left}
    return found | (_moments(left, right) if "finite" in left else {})


def _sum(left: int, right: int) -> int:
    return left + right


def _smaller(left: float | None, right: float | None) -> float | None:
    return _chosen(left, right, larger=False)


def _larger(left: float | None, right: float | None) -> float | None:
    return _chosen(left, right, larger=True)


def _chosen(left: float | None, right: float | None, *, larger: bool) -> float | None:
    """Answer the extreme of both; NaN and None are none, as in a table."""
    known = [one for one in (left, right) if one is not None and not math.isnan(one)]
    if not known:
        return right if left is None else left
    return max(known) if larger else min(known)


def _first(left: Any, right: Any) -> Any:
    return right if left is None else left


_MERGES = {"smallest": _smaller, "largest": _larger, "mean": _first, "deviation": _first}


def _moments(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Answer mean and deviation of both; those of one where the other has no finite value."""
    a, b = left["finite"], right["finite"]
    if not (a and b):
        return {}
    between = right["mean"] - left["mean"]
    mean = left["mean"] + between * (b / (a + b))
    inside = a * left["deviation"] ** 2 + b * right["deviation"] ** 2
    squares = inside + between**2 * (a * b / (a + b))
    return {"mean": mean, "deviation": math.sqrt(squares / (a + b))}


def _added(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([left, right]).group_by("value").agg(pl.col("count").sum())
