"""Columns of text read as numbers, truth values and dates, a chunk at a time.

In what these functions answer, null marks text that could not be read; missing values are already
canonical (NaN, or the smallest Int64). They work on whole series rather than on expressions, so
that a chunk of clean text takes a short way and repeated text is read once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from headrace.data import grammar
from headrace.data.grammar import BLANKS, TIME_RANGE
from headrace.data.schema import MISSING_TIME
from headrace.data.values import missing_numbers, missing_times

if TYPE_CHECKING:
    from headrace.data.schema import Column

__all__ = ["assemble_time", "parse_booleans", "parse_numbers", "parse_times", "unix_times"]

_SAMPLE = 1000


def parse_numbers(text: pl.Series, column: Column) -> pl.Series:
    """Read text as Float64.

    Polars reads by `grammar.NUMBER_PATTERN`, save that it also accepts the names of NaN and of
    the infinities; those come out as not finite, and count as unread like an overflow.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column
        >>> parse_numbers(pl.Series(["1", " 2.5", "", "inf"]), Column("x", "number")).to_list()
        [1.0, 2.5, nan, None]
    """
    number = text.cast(pl.Float64, strict=False)
    if number.null_count() > text.null_count() or not number.is_finite().all():
        stripped = text.str.strip_chars(BLANKS)
        number = stripped.cast(pl.Float64, strict=False)
        number = _when(number.is_finite(), number, None)
        number = _when(_is_blank(stripped, column), math.nan, number)
    else:
        number = number.fill_null(math.nan)
    return _without(number, missing_numbers(column), math.nan)


def parse_booleans(text: pl.Series, column: Column) -> pl.Series:
    """Read text as 1.0 and 0.0.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column
        >>> parse_booleans(pl.Series(["yes", "NO", None]), Column("x", "boolean")).to_list()
        [1.0, 0.0, nan]
    """
    stripped = text.str.strip_chars(BLANKS)
    words = grammar.boolean_words(column.true, column.false)
    truth = stripped.replace_strict(
        list(words), [float(t) for t in words.values()], default=None, return_dtype=pl.Float64
    )
    return _when(_is_blank(stripped, column), math.nan, truth)


def parse_times(text: pl.Series, column: Column) -> pl.Series:
    """Read text as microseconds UTC, by the column's format.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column
        >>> parse_times(pl.Series(["1970-01-02", "soon"]), Column("x", "datetime")).to_list()
        [86400000000, None]
    """
    start = text.head(_SAMPLE)
    if start.n_unique() > start.len() / 2:
        return _parse_times(text, column)
    distinct = text.drop_nulls().unique()
    read = _parse_times(distinct, column)
    values = text.replace_strict(distinct, read, default=None, return_dtype=pl.Int64)
    return _when(text.is_null(), MISSING_TIME, values)


def _parse_times(text: pl.Series, column: Column) -> pl.Series:
    stripped = text.str.strip_chars(BLANKS)
    if column.format is not None and column.format in grammar.UNIX_UNITS:
        number = stripped.cast(pl.Float64, strict=False)
        instant = unix_times(_when(number.is_finite(), number, None), column.format)
    else:
        pattern = grammar.format_pattern(column.format)
        instant = assemble_time(stripped, pattern)
    instant = _when(_is_blank(stripped, column), MISSING_TIME, instant)
    return _without(instant, missing_times(column), MISSING_TIME)


def unix_times(number: pl.Series, unit: str) -> pl.Series:
    """Read numbers that count from 1970 as microseconds; null outside of the years 1 to 9999."""
    scaled = number * grammar.UNIX_UNITS[unit]
    inside = scaled.is_between(*TIME_RANGE)
    return (_when(inside, scaled, None) + 0.5).floor().cast(pl.Int64, strict=False)


def _when(
    condition: pl.Series, then: pl.Series | float | None, otherwise: pl.Series | None
) -> pl.Series:
    frame = pl.select(pl.when(condition).then(_literal(then)).otherwise(_literal(otherwise)))
    return frame.to_series()


def _literal(value: pl.Series | float | None) -> pl.Expr:
    return pl.lit(value)


def _is_blank(text: pl.Series, column: Column) -> pl.Series:
    """True where stripped text means missing."""
    blank = text.is_null() | (text == "")
    return blank | text.is_in(list(column.missing)) if column.missing else blank


def _without(values: pl.Series, missing: list[float] | list[int], empty: float) -> pl.Series:
    return _when(values.is_in(missing), empty, values) if missing else values


def assemble_time(text: pl.Series, pattern: str) -> pl.Series:
    """Read stripped text as microseconds UTC by a pattern; null when it is no date.

    Args:
        text: The text.
        pattern: What `grammar.format_pattern` answers; its named groups are the parts.
    """
    parts = text.str.extract_groups(pattern).struct.unnest().lazy()
    texts = {name: pl.col(name) for name in parts.collect_schema().names()}
    year, known = _year(texts)
    month = _month(texts)
    day, minute, second = (_number(texts, name, d) for name, d in _SMALL.items())
    hour, hour_fits = _hour(texts)
    parts = parts.select(
        year=year, month=month, day=day, hour=hour, minute=minute, second=second,
        offset=_offset(texts), fraction=_fraction(texts),
        fits=known & hour_fits & (minute <= 59) & (second <= 59),
    )  # fmt: skip
    days = _days(pl.col("year"), pl.col("month"), pl.col("day"))
    minutes = (days * 24 + pl.col("hour")) * 60 + pl.col("minute") - pl.col("offset")
    instant = (minutes * 60 + pl.col("second")) * 1_000_000 + pl.col("fraction")
    parts = parts.select(instant=instant, fits=pl.col("fits") & _is_day())
    inside = pl.col("fits") & pl.col("instant").is_between(*TIME_RANGE)
    return parts.select(pl.when(inside).then("instant")).collect().to_series()


_SMALL = {"day": 1, "minute": 0, "second": 0}


def _number(texts: dict[str, pl.Expr], name: str, default: int) -> pl.Expr:
    if name not in texts:
        return pl.lit(default, pl.Int64)
    return texts[name].cast(pl.Int64, strict=False).fill_null(default)


def _year(texts: dict[str, pl.Expr]) -> tuple[pl.Expr, pl.Expr]:
    year = texts["year2" if "year2" in texts else "year"].cast(pl.Int64, strict=False)
    known = year.is_not_null()
    if "year2" in texts:
        year = year + pl.when(year < 69).then(2000).otherwise(1900)
    return year, known & (year >= 1)


def _month(texts: dict[str, pl.Expr]) -> pl.Expr:
    if "monthname" not in texts:
        return _number(texts, "month", 1)
    months = grammar.MONTHS
    return (
        texts["monthname"]
        .str.to_lowercase()
        .replace_strict(list(months), list(months.values()), default=None, return_dtype=pl.Int64)
    )


def _hour(texts: dict[str, pl.Expr]) -> tuple[pl.Expr, pl.Expr]:
    if "hour12" not in texts:
        hour = _number(texts, "hour", 0)
        return hour, hour <= 23
    hour = _number(texts, "hour12", 12)
    half = texts["half"].str.to_lowercase() if "half" in texts else pl.lit("am")
    return hour % 12 + 12 * (half == "pm").cast(pl.Int64), hour.is_between(1, 12)


def _offset(texts: dict[str, pl.Expr]) -> pl.Expr:
    """Answer the minutes that local time is ahead of UTC."""
    if "zone" not in texts:
        return pl.lit(0, pl.Int64)
    zone = texts["zone"]
    hours = zone.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = zone.str.slice(3).str.strip_prefix(":").cast(pl.Int64, strict=False).fill_null(0)
    return pl.when(zone.str.starts_with("-")).then(-1).otherwise(1) * (hours * 60 + minutes)


def _fraction(texts: dict[str, pl.Expr]) -> pl.Expr:
    if "fraction" not in texts:
        return pl.lit(0, pl.Int64)
    padded = (texts["fraction"] + pl.lit("000000")).str.slice(0, 6)
    return padded.cast(pl.Int64, strict=False).fill_null(0)


def _is_day() -> pl.Expr:
    year, month, day = pl.col("year"), pl.col("month"), pl.col("day")
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    short = month.is_in([4, 6, 9, 11])
    last = (
        pl.when(month == 2)
        .then(pl.when(leap).then(29).otherwise(28))
        .otherwise(pl.when(short).then(30).otherwise(31))
    )
    return month.is_between(1, 12) & (day >= 1) & (day <= last)


def _days(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Answer the days since 1970-01-01 in the Gregorian calendar.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    """
    y = year - (month <= 2).cast(pl.Int64)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
