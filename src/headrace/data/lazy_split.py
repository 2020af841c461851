"""Splitting a lazy table without holding it: each row's side follows from its place or its value.

A table in memory is split by drawing rows (`headrace.data.split`). Here no list of rows exists:
a seeded hash of the row's number, or of its group, says on which side it is, so the same row is on
the same side however the table is cut in parts. Shares are met up to chance: the standard deviation
is sqrt(share * (1 - share) / rows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.data.problems import absent_column
from headrace.data.scan import collect
from headrace.data.schema import MISSING_TIME
from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from headrace.data.split import Split

__all__ = ["held_out", "is_drawn", "row_hash", "split_lazy"]

_PLACE = "__headrace_place__"
_WORD_NAME = "__headrace_word__"
_SAMPLE = 100_000
_WORD = 2**64
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def row_hash(row: pl.Expr, seed: int) -> pl.Expr:
    """Answer 64 well-mixed bits of a whole number; the same ones on every machine and version.

    The mixer is SplitMix64 (Steele, Lea and Flood, 2014).

    Args:
        row: Whole numbers, such as the places of rows.
        seed: Another seed gives other bits.

    Example:
        >>> import polars as pl
        >>> pl.LazyFrame({"r": [0, 1]}).select(row_hash(pl.col("r"), 0)).collect()["r"].to_list()
        [16294208416658607535, 7960286522194355700]
    """
    start = pl.lit((_GOLDEN * (2 * seed + 1)) % _WORD, dtype=pl.UInt64)
    word = row.cast(pl.UInt64) * pl.lit(_GOLDEN, dtype=pl.UInt64) + start
    word = (word ^ (word // 2**30)) * pl.lit(_FIRST, dtype=pl.UInt64)
    word = (word ^ (word // 2**27)) * pl.lit(_SECOND, dtype=pl.UInt64)
    return word ^ (word // 2**31)


def split_lazy(
    frame: pl.LazyFrame, rule: Split, *, seed: int = 0
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Split a lazy table in rows to learn from and rows held out, both lazy and in its order.

    Args:
        frame: The table, raw or canonical.
        rule: The share, and the column of groups or times if there is one.
        seed: The same seed gives the same split.

    Raises:
        DataError: The column of groups or times is not there, has gaps, or has one value only.

    Example:
        >>> import polars as pl
        >>> from headrace.data.split import Split
        >>> train, test = split_lazy(pl.LazyFrame({"x": range(1000)}), Split(share=0.2))
        >>> train.collect().height, test.collect().height
        (804, 196)
    """
    numbered = frame.with_row_index(_PLACE)
    held = held_out(numbered, rule, row=_PLACE, seed=seed)
    return numbered.filter(~held).drop(_PLACE), numbered.filter(held).drop(_PLACE)


def held_out(frame: pl.LazyFrame, rule: Split, *, row: str, seed: int) -> pl.Expr:
    """Answer which rows of a lazy table are held out, as an expression.

    Args:
        frame: The table with its rows numbered.
        rule: The share, and the column of groups or times if there is one.
        row: The column with the numbers of the rows.
        seed: The same seed gives the same rows.

    Raises:
        DataError: The column of groups or times is not there, has gaps, or has one value only.
    """
    name = rule.group or rule.time
    if name is None:
        return is_drawn(pl.col(row), rule.share, seed)
    if name not in frame.collect_schema():
        raise DataError([absent_column(name, frame.collect_schema().names())])
    if rule.group is not None:
        _refuse_gaps(frame, pl.col(name), name, "group")
        return _below(pl.col(name).cast(pl.String).hash(seed=seed), rule.share)
    instants = _instants(frame, name)
    _refuse_gaps(frame, instants, name, "time")
    drawn = frame.select(instants.alias(name), row_hash(pl.col(row), seed).alias(_WORD_NAME))
    return instants >= _threshold(drawn, name, rule.share)


def is_drawn(row: pl.Expr, share: float, seed: int) -> pl.Expr:
    """Answer which rows belong to a random sample, by a hash of their numbers.

    Args:
        row: The places of the rows.
        share: The chance of each row.
        seed: Another seed draws other rows.
    """
    return _below(row_hash(row, seed), share)


def _below(word: pl.Expr, share: float) -> pl.Expr:
    return word < pl.lit(min(int(share * _WORD), _WORD - 1), dtype=pl.UInt64)


def _instants(frame: pl.LazyFrame, name: str) -> pl.Expr:
    """Answer an expression that orders the rows; text must be dates."""
    dtype = frame.collect_schema()[name]
    if dtype == pl.String:
        from headrace.data.expressions import reading

        text = frame.select(name)
        schema = infer_schema(text, kinds={name: "datetime"})
        conform(text, schema)  # refuses what is no date
        return reading(schema[name], dtype).canonical
    if not (dtype.is_numeric() or dtype.is_temporal()):
        hint = "Give a column of dates or numbers"
        raise DataError([Problem(f"dtype {dtype} has no order in time", name, hint=hint)])
    return pl.col(name)


def _refuse_gaps(frame: pl.LazyFrame, values: pl.Expr, name: str, what: str) -> None:
    kind = frame.select(values).collect_schema()[name]
    gap = values.is_null()
    if kind.is_float():
        gap |= values.is_nan().fill_null(value=False)
    if kind == pl.String:
        gap |= (values == "").fill_null(value=False)
    if kind == pl.Int64 and what == "time":
        gap |= (values == MISSING_TIME).fill_null(value=False)
    count, different = collect(
        frame.select(gap.sum().alias("gaps"), values.approx_n_unique().alias("different")),
        streaming=True,
    ).row(0)
    if count:
        text = f"{count:,} rows have no {what}, so that nothing says on which side they may be"
        raise DataError([Problem(text, name, hint="Drop them or fill the column")])
    if different < 2:
        text = "all rows have the same value, which cannot be on both sides"
        raise DataError([Problem(text, name)])


def _threshold(drawn: pl.LazyFrame, name: str, share: float) -> pl.Expr:
    """Answer the instant from which rows are held out, by the quantile of a sample of the rows."""
    sample = collect(drawn.bottom_k(_SAMPLE, by=_WORD_NAME), streaming=True)[name].sort()
    place = min(max(len(sample) - round(share * len(sample)), 1), len(sample) - 1)
    at = sample[place]
    if at == sample[0]:  # the first instant would leave nothing to learn from
        at = sample.filter(sample > at)[0]
    return pl.lit(at, dtype=sample.dtype)
