"""Reading new rows whatever is wrong with them: what does not fit becomes missing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from headrace.data.expressions import Reading, reading
from headrace.data.problems import Refused
from headrace.data.schema import MISSING_TIME

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from headrace.data.schema import Column, Schema

__all__ = ["MISFIT", "mark", "readings", "repair"]

MISFIT = "misfit "
"""Prefix of the flags that `mark` adds."""

_REFUSED = "refused "


def repair(rows: pl.LazyFrame, schema: Schema, *, keep: Collection[str] = ()) -> pl.LazyFrame:
    """Answer canonical columns in any case, so that a damaged batch can still be judged.

    The counterpart of `headrace.data.conform.conform`, which refuses such rows: here a value that
    does not fit is missing, and so is every value of a column that is gone or of another kind.
    Ask `headrace.maintain.quality.quality` what was wrong; this function does not say.

    Args:
        rows: The raw rows.
        schema: What they should be.
        keep: Columns to hand through as they are, behind the schema's.

    Example:
        >>> from headrace.data.schema import Column, Schema
        >>> schema = Schema((Column("age", "number"), Column("city", "category")))
        >>> repair(pl.LazyFrame({"age": ["39", "old"]}), schema).collect().rows()
        [(39.0, ''), (nan, '')]
    """
    return mark(rows, schema, readings(rows, schema), keep=keep).select(*schema.names, *keep)


def readings(rows: pl.LazyFrame, schema: Schema) -> dict[str, Reading | Refused | None]:
    """Answer how each column of the schema is read; None for those that the rows do not have.

    A column none of whose values can fit answers the refusal instead.
    """
    held = rows.collect_schema()
    found: dict[str, Reading | Refused | None] = {}
    for column in schema:
        try:
            there = column.name in held
            found[column.name] = reading(column, held[column.name]) if there else None
        except Refused as refusal:
            found[column.name] = refusal
    return found


def mark(
    rows: pl.LazyFrame,
    schema: Schema,
    found: Mapping[str, Reading | Refused | None],
    *,
    keep: Collection[str] = (),
) -> pl.LazyFrame:
    """Answer repaired columns, and for each column that may hold misfits a flag beside it."""
    doubtful = [
        (schema[name], read)
        for name, read in found.items()
        if isinstance(read, Reading) and not read.certain
    ]
    refused = [
        read.refused.fill_null(value=False).alias(_REFUSED + column.name)
        for column, read in doubtful
        if read.refused is not None
    ]
    return (
        rows.with_columns(*(_canonical(column, found[column.name]) for column in schema), *refused)
        .with_columns(_misfit(column, read) for column, read in doubtful)
        .with_columns(_kept(column) for column, _ in doubtful)
        .select(*schema.names, *(MISFIT + column.name for column, _ in doubtful), *keep)
    )


def _canonical(column: Column, found: Reading | Refused | None) -> pl.Expr:
    canonical = found.canonical if isinstance(found, Reading) else _missing(column)
    return canonical.alias(column.name)


def _misfit(column: Column, read: Reading) -> pl.Expr:
    unread = pl.col(column.name).is_null()
    flagged = unread if read.refused is None else unread | pl.col(_REFUSED + column.name)
    return flagged.alias(MISFIT + column.name)


def _kept(column: Column) -> pl.Expr:
    fits = pl.when(~pl.col(MISFIT + column.name)).then(pl.col(column.name))
    return fits.otherwise(_missing(column)).alias(column.name)


def _missing(column: Column) -> pl.Expr:
    if column.type == "number":
        return pl.lit(math.nan, pl.Float64)
    return pl.lit("", pl.String) if column.type == "string" else pl.lit(MISSING_TIME, pl.Int64)
