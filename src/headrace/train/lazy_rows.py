"""The rows of a training that is larger than memory: lazy, canonical, numbered and labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.data.scan import collect
from headrace.errors import DataError, Problem
from headrace.train.labels import LABEL, require_column
from headrace.train.reading import ROW, WEIGHT, left_out

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from headrace.data.schema import Kind, Schema

__all__ = ["LazyRows", "label_expression", "lazy_canonical", "read_lazy_rows"]

_TRUTHS = ["true", "false"]
_PADDED = "^[+-]?0[0-9]"
_WHOLE = "^(0|-?[1-9][0-9]*)$"


@dataclass(frozen=True, eq=False)
class LazyRows:
    """The rows of a training, none of them held.

    Attributes:
        raw: The rows as they came.
        canonical: The schema's columns with the row's number, its label and its weight; rows
            without a label are left out.
        schema: The feature columns.
        target: The column to predict; None without one.
        weight: The column with the weights; None without one.
        count: How many canonical rows there are.
        notes: What was left out.
    """

    raw: pl.LazyFrame
    canonical: pl.LazyFrame
    schema: Schema
    target: str | None
    weight: str | None
    count: int
    notes: tuple[str, ...]


def read_lazy_rows(
    raw: pl.LazyFrame,
    target: str | None,
    weight: str | None,
    kinds: Mapping[str, Kind] | None,
) -> LazyRows:
    """Make lazy training rows of a lazy table: some scans check it, none holds it.

    Raises:
        DataError: The rows cannot be used.
    """
    names = raw.collect_schema().names()
    if target is not None:
        require_column(target, names, "target")
    if weight is not None:
        require_column(weight, names, "column of weights")
    beside = [name for name in (target, weight) if name is not None]
    schema = infer_schema(raw, kinds=kinds, exclude=beside)
    if weight is not None:
        _check_weights(raw, weight)
    frame = lazy_canonical(raw, schema, target, weight)
    rows, known = _counts(frame, target)
    if target is not None:
        frame = frame.filter(pl.col(LABEL).is_not_null())
    notes = left_out(rows - known, rows, target or "")
    return LazyRows(raw, frame, schema, target, weight, known, tuple(notes))


def lazy_canonical(
    raw: pl.LazyFrame,
    schema: Schema,
    target: str | None,
    weight: str | None,
    *,
    ignore: Collection[str] = (),
) -> pl.LazyFrame:
    """Bring a lazy table to canonical columns, numbered, with its label and its weight.

    Args:
        raw: The table.
        schema: The feature columns.
        target: The column with the labels, null where they are missing; None for none.
        weight: The column with the weights; None for none.
        ignore: Columns that the table may hold besides.

    Raises:
        DataError: Values do not fit the schema.
    """
    beside = list(dict.fromkeys(name for name in (target, weight) if name is not None))
    frame = conform(raw.with_row_index(ROW), schema, keep=[ROW, *beside], ignore=ignore)
    if weight is not None:
        frame = frame.with_columns(pl.col(weight).cast(pl.Float64, strict=False).alias(WEIGHT))
    if target is not None:
        frame = frame.with_columns(label_expression(raw, target).alias(LABEL))
    return frame.drop(beside)


def label_expression(raw: pl.LazyFrame, target: str) -> pl.Expr:
    """Answer the target in a plain type, null where missing, as `label_series` does for a column.

    What text stands for (see `headrace.data.source.natural`) is found out by one scan.
    """
    dtype, values = raw.collect_schema()[target], pl.col(target)
    if isinstance(dtype, pl.Categorical):
        dtype, values = pl.String(), values.cast(pl.String)
    if dtype.is_decimal():
        return values.cast(pl.Float64)
    if dtype.is_float():
        return values.fill_nan(None)
    return _natural(raw, values) if dtype == pl.String else values


def _natural(raw: pl.LazyFrame, values: pl.Expr) -> pl.Expr:
    text = pl.when(values != "").then(values)
    whole, number = text.cast(pl.Int64, strict=False), text.cast(pl.Float64, strict=False)
    found = collect(
        raw.select(
            present=text.count(),
            truths=text.is_in(_TRUTHS).all(),
            padded=text.str.contains(_PADDED).any(),
            digits=text.str.contains(_WHOLE).all(),
            whole=whole.count(),
            numbers=number.is_finite().sum(),
        ),
        streaming=True,
    ).row(0, named=True)
    if not found["present"]:
        return text
    if found["truths"]:
        return text == "true"
    if found["padded"]:
        return text
    if found["digits"]:
        return whole if found["whole"] == found["present"] else text
    return number if found["numbers"] == found["present"] else text


def _counts(frame: pl.LazyFrame, target: str | None) -> tuple[int, int]:
    """Answer how many rows there are, and how many have a label."""
    known = pl.len() if target is None else pl.col(LABEL).count()
    rows, labelled = collect(frame.select(pl.len(), known.alias("known")), streaming=True).row(0)
    if not rows:
        raise DataError([Problem("the table is empty: it has columns but no rows")])
    return rows, labelled


def _check_weights(raw: pl.LazyFrame, name: str) -> None:
    weights = pl.col(name).cast(pl.Float64, strict=False).fill_null(float("nan"))
    bad = ~(weights.is_finite() & (weights >= 0))
    if not collect(raw.select(bad.any()), streaming=True).item():
        return
    place = pl.int_range(pl.len()).alias("place")
    row, value = collect(raw.select(place, name).filter(bad).head(1)).row(0)
    raise DataError([Problem("a weight must be a number, 0 or more", name, row, value)])
