"""The rows of a training: read, brought to canonical columns, with labels and weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from headrace.data.conform import conform
from headrace.data.schema import Schema
from headrace.data.source import read
from headrace.errors import DataError, Problem
from headrace.train.kept import inferred
from headrace.train.labels import LABEL, ordered_labels, require_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.cache.cache import Cache
    from headrace.data.schema import Kind

__all__ = ["ROW", "WEIGHT", "TrainingRows", "left_out", "of_table", "read_rows", "requiring"]

ROW = "__headrace_row__"
"""Column with the place of a row in what came in."""

WEIGHT = "__headrace_weight__"
"""Column with the weight of a row in the loss."""


@dataclass(frozen=True)
class TrainingRows:
    """The rows of a training: raw, canonical (with label and weight), and what was left out."""

    raw: pl.DataFrame
    canonical: pl.DataFrame
    schema: Schema
    target: str
    notes: tuple[str, ...]


def read_rows(
    data: object,
    target: str | Sequence[str] | None,
    weight: str | None,
    kinds: Mapping[str, Kind] | None,
    cache: Cache | None = None,
) -> TrainingRows:
    """Read rows to train on; rows without a target are left out.

    Raises:
        DataError: The rows cannot be used.
    """
    lazy = read(data)
    names = lazy.collect_schema().names()
    targets = () if target is None else (target,) if isinstance(target, str) else tuple(target)
    extra = [*targets, *([] if weight is None else [weight])]
    for name in extra:
        require_column(name, names, "target" if name in targets else "column of weights")
    raw = lazy.collect()
    if not raw.height:
        raise DataError([Problem("the table is empty: it has columns but no rows")])
    schema = inferred(raw.lazy(), kinds=kinds, exclude=extra, cache=cache)
    canonical = conform(raw.lazy(), schema, ignore=extra).collect()
    canonical = canonical.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(ROW))
    notes: list[str] = []
    if target is not None:
        labels = ordered_labels(raw, target)
        canonical = canonical.with_columns(labels.alias(LABEL)).filter(labels.is_not_null())
        notes += left_out(raw.height - canonical.height, raw.height, ", ".join(targets))
    if weight is not None:
        canonical = canonical.with_columns(
            _weights(raw[weight])[canonical[ROW].to_numpy()].alias(WEIGHT)
        )
    return TrainingRows(raw, canonical, schema, ", ".join(targets), tuple(notes))


def requiring(schema: Schema, used: Sequence[str]) -> Schema:
    """Answer the schema with the columns that no step uses as optional ones."""
    return Schema(
        tuple(
            column if column.name in used else replace(column, optional=True) for column in schema
        )
    )


def left_out(missing: int, rows: int, target: str) -> list[str]:
    """Answer what to say of rows without a target.

    Raises:
        DataError: No row has one.
    """
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


def of_table(error: DataError, numbers: pl.Series) -> DataError:
    """Answer problems of some rows with the rows' places in the whole table.

    Args:
        error: The problems, their rows counted from the first of these.
        numbers: The places of these rows.
    """
    return DataError(
        problem if problem.row is None else replace(problem, row=int(numbers[problem.row]))
        for problem in error.problems
    )
