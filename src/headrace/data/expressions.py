"""One raw Polars column as an expression for its canonical column, and one for refused rows.

The counterpart of `headrace.data.values`, which reads single Python objects: the same rules,
written for whole columns of one dtype.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from headrace.data import grammar
from headrace.data.grammar import BLANKS, TIME_RANGE
from headrace.data.problems import Refused, expected
from headrace.data.schema import MISSING_TIME
from headrace.data.values import missing_numbers, missing_times

if TYPE_CHECKING:
    from headrace.data.schema import Column

__all__ = ["Reading", "assemble_time", "reading", "text_number", "text_of"]

_NAN = pl.lit(math.nan, pl.Float64)
_DAY = 86_400_000_000
_MICROSECONDS = {"ns": (1, 1000), "us": (1, 1), "ms": (1000, 1)}


@dataclass(frozen=True)
class Reading:
    """How one raw column is read.

    Attributes:
        canonical: The canonical column; in refused rows it holds anything.
        refused: True in the rows whose value does not fit; None when the dtype rules that out.
    """

    canonical: pl.Expr
    refused: pl.Expr | None = None


def reading(column: Column, dtype: pl.DataType) -> Reading:
    """Answer how a raw column of some dtype becomes the canonical column.

    Raises:
        Refused: No value of this dtype fits the column's kind.
    """
    raw = pl.col(column.name)
    if dtype == pl.Null:
        return Reading(_empty(column))
    if column.type == "string":
        return _string(column, raw, dtype)
    if dtype in (pl.Categorical, pl.Enum):
        raw, dtype = raw.cast(pl.String), pl.String()
    if column.kind == "number":
        return _number(column, raw, dtype)
    return _boolean(column, raw, dtype) if column.kind == "boolean" else _time(column, raw, dtype)


def _empty(column: Column) -> pl.Expr:
    if column.type == "string":
        return pl.lit("", pl.String)
    return pl.lit(MISSING_TIME, pl.Int64) if column.type == "time" else _NAN


def _refuse(column: Column, dtype: pl.DataType) -> Refused:
    return Refused(f"{expected(column)}; the column is of dtype {dtype}")


# ---------------------------------------------------------------- numbers


def _number(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    if dtype == pl.String:
        return _number_of_text(column, raw)
    number, exact = _as_float(column, raw, dtype)
    kept = _without(number, missing_numbers(column), _NAN).fill_null(math.nan)
    return Reading(kept, None if exact else number.is_infinite())


def _as_float(column: Column, raw: pl.Expr, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    """Answer the column as Float64, and whether it cannot be infinite."""
    if dtype == pl.Float64:
        return raw, False
    if dtype.is_float():
        return raw.cast(pl.Float64), False
    if dtype.is_decimal():  # by way of text, which rounds correctly
        return raw.cast(pl.String).cast(pl.Float64), True
    if dtype.is_integer() or dtype == pl.Boolean:
        return raw.cast(pl.Float64), True
    if column.kind == "number" and isinstance(dtype, pl.Duration):
        up, down = _MICROSECONDS[dtype.time_unit]
        return (raw.to_physical() * up // down) / 1e6, True
    if column.kind == "number" and dtype == pl.Time:
        return (raw.cast(pl.Int64) // 1000) / 1e6, True
    raise _refuse(column, dtype)


def _number_of_text(column: Column, raw: pl.Expr) -> Reading:
    text = raw.str.strip_chars(BLANKS)
    number = text_number(text)
    finite = number.is_finite().fill_null(value=False)
    kept = _without(number, missing_numbers(column), _NAN)
    canonical = pl.when(finite).then(kept).otherwise(_NAN)
    return Reading(canonical, ~finite & ~_is_blank(text, column))


def text_number(text: pl.Expr) -> pl.Expr:
    """Read stripped text as Float64 by `NUMBER_PATTERN`; null when it is no number.

    Polars reads by the same grammar, save that it also accepts the names of NaN and of the
    infinities; those come out as not finite.
    """
    return text.cast(pl.Float64, strict=False)


def _without(values: pl.Expr, missing: list[float] | list[int], empty: pl.Expr) -> pl.Expr:
    if not missing:
        return values
    return pl.when(values.is_in(missing)).then(empty).otherwise(values)


def _is_blank(text: pl.Expr, column: Column) -> pl.Expr:
    """True where stripped text means missing."""
    blank = text.is_null() | (text == "")
    return blank | text.is_in(list(column.missing)) if column.missing else blank


# ---------------------------------------------------------------- truth values


def _boolean(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    if dtype == pl.Boolean:
        return Reading(raw.cast(pl.Float64).fill_null(math.nan))
    if dtype == pl.String:
        text = raw.str.strip_chars(BLANKS)
        words = grammar.boolean_words(column.true, column.false)
        truth = text.replace_strict(
            list(words), [float(t) for t in words.values()], default=None, return_dtype=pl.Float64
        )
        blank = _is_blank(text, column)
        canonical = pl.when(blank).then(_NAN).otherwise(truth).fill_null(math.nan)
        return Reading(canonical, truth.is_null() & ~blank)
    number, _ = _as_float(column, raw, dtype)
    kept = _without(number, missing_numbers(column), _NAN).fill_null(math.nan)
    return Reading(kept, ~(kept.is_nan() | kept.is_in([0.0, 1.0])))


# ---------------------------------------------------------------- categories, texts, ids


def _string(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    text = text_of(raw, dtype)
    if text is None:
        raise _refuse(column, dtype)
    if column.missing:
        text = pl.when(text.is_in(list(column.missing))).then(pl.lit("")).otherwise(text)
    return Reading(text.fill_null(""), _refused_text(raw, dtype))


def _refused_text(raw: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    if dtype.is_float():
        return raw.is_infinite()
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return _out_of_range(_instant(raw, dtype))
    return None


def text_of(raw: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    """Answer a column as the text of categories; None when its dtype has no such text.

    Whole numbers are written without a point, so that 1, 1.0 and "1" agree.
    """
    if dtype == pl.String:
        return raw
    if dtype in (pl.Categorical, pl.Enum, pl.Boolean) or dtype.is_integer():
        return raw.cast(pl.String)
    if dtype.is_float():
        return raw.cast(pl.Float64).map_batches(
            _float_texts, return_dtype=pl.String, is_elementwise=True
        )
    if dtype.is_decimal():
        trimmed = raw.cast(pl.String).str.replace(r"(\.[0-9]*?)0+$", "$1")
        return trimmed.str.strip_suffix(".").str.replace("^-0$", "0")
    if dtype == pl.Date:
        return raw.dt.strftime("%Y-%m-%d")
    return _time_text(raw, dtype) if isinstance(dtype, pl.Datetime) else None


def _float_texts(values: pl.Series) -> pl.Series:
    """Write floats as `grammar.number_text` does: whole ones quickly, the others one by one."""
    whole = (values == values.floor()) & (values.abs() < grammar.INTEGER_LIMIT)
    texts = values.cast(pl.Int128, strict=False).cast(pl.String)
    if whole.fill_null(value=True).all():
        return texts.alias(values.name)
    others = values.filter(~whole & values.is_finite()).unique()
    written = pl.Series([grammar.number_text(value) for value in others], dtype=pl.String)
    table = values.replace_strict(others, written, default=None, return_dtype=pl.String)
    return texts.zip_with(whole.fill_null(value=True), table).alias(values.name)


def _time_text(raw: pl.Expr, dtype: pl.Datetime) -> pl.Expr:
    zone = "Z" if dtype.time_zone else ""
    instant = _instant(raw, dtype).cast(pl.Datetime("us"))
    fraction = instant.dt.microsecond()
    digits = pl.format(".{}", fraction.cast(pl.String).str.zfill(6))
    part = pl.when(fraction == 0).then(pl.lit("")).otherwise(digits)
    return instant.dt.strftime("%Y-%m-%dT%H:%M:%S") + part + pl.lit(zone)


# ---------------------------------------------------------------- dates


def _time(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        instant = _instant(raw, dtype)
        return Reading(_kept_time(column, instant), _out_of_range(instant))
    if dtype == pl.String:
        return _time_of_text(column, raw.str.strip_chars(BLANKS))
    if dtype.is_numeric() and column.format is not None:
        return _time_of_number(column, raw, dtype)
    raise _refuse(column, dtype)


def _time_of_number(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    """Read numbers that count from 1970, or that are dates written in digits (20240131)."""
    number, _ = _as_float(column, raw, dtype)
    number = number.fill_nan(None)
    if column.format in grammar.UNIX_UNITS:
        instant = _unix(number, column.format or "")
        blank = number.is_null() | number.is_in(missing_numbers(column))
        return Reading(_kept_time(column, instant), instant.is_null() & ~blank)
    text = text_of(number, pl.Float64())
    if text is None:
        raise _refuse(column, dtype)
    read = _time_of_text(column, text)
    refused = number.is_infinite() if read.refused is None else read.refused | number.is_infinite()
    return Reading(read.canonical, refused.fill_null(value=False))


def _time_of_text(column: Column, text: pl.Expr) -> Reading:
    if column.format in grammar.UNIX_UNITS:
        number = text_number(text)
        instant = _unix(pl.when(number.is_finite()).then(number), column.format or "")
    else:
        instant = assemble_time(text, grammar.format_pattern(column.format))
    blank = _is_blank(text, column)
    kept = pl.when(blank).then(None).otherwise(instant)
    return Reading(_kept_time(column, kept), instant.is_null() & ~blank)


def _kept_time(column: Column, instant: pl.Expr) -> pl.Expr:
    empty = pl.lit(MISSING_TIME, pl.Int64)
    return _without(instant, missing_times(column), empty).fill_null(MISSING_TIME)


def _instant(raw: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Answer native dates as microseconds UTC; those that would overflow stay out of range."""
    physical = raw.to_physical().cast(pl.Int64)
    up, down = (_DAY, 1)
    if isinstance(dtype, pl.Datetime):
        up, down = _MICROSECONDS[dtype.time_unit or "us"]
    limit = TIME_RANGE[1] // up + 1
    return (physical.clip(-limit * 2, limit * 2) * up // down) if up > 1 else physical // down


def _out_of_range(instant: pl.Expr) -> pl.Expr:
    return ~instant.is_between(*TIME_RANGE).fill_null(value=True)


def _unix(number: pl.Expr, unit: str) -> pl.Expr:
    scaled = number * grammar.UNIX_UNITS[unit]
    return pl.when(scaled.is_between(*TIME_RANGE)).then((scaled + 0.5).floor()).cast(pl.Int64)


def assemble_time(text: pl.Expr, pattern: str) -> pl.Expr:
    """Read stripped text as microseconds UTC by a pattern; null when it is no date.

    Args:
        text: The text.
        pattern: What `grammar.format_pattern` answers; its named groups are the parts.
    """
    parts = text.str.extract_groups(pattern)
    held = {name for name in _GROUPS if f"(?P<{name}>" in pattern}

    def number(name: str, default: int) -> pl.Expr:
        if name not in held:
            return pl.lit(default, pl.Int64)
        return parts.struct.field(name).cast(pl.Int64, strict=False).fill_null(default)

    def words(name: str) -> pl.Expr | None:
        return parts.struct.field(name) if name in held else None

    year, known = _year(parts, held)
    month = _month(words("monthname"), number("month", 1))
    day, minute, second = number("day", 1), number("minute", 0), number("second", 0)
    hour, hour_fits = _hour(number("hour", 0), number("hour12", 12), words("half"), held)
    offset, offset_fits = _offset(words("zone"))
    fraction = _fraction(words("fraction"))
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second
    instant = seconds * 1_000_000 + fraction
    fits = known & _is_day(year, month, day) & hour_fits & (minute <= 59) & (second <= 59)
    return pl.when(fits & offset_fits & instant.is_between(*TIME_RANGE)).then(instant)


_GROUPS = (
    "year", "year2", "month", "monthname", "day", "hour", "hour12", "half", "minute", "second",
    "fraction", "zone",
)  # fmt: skip


def _year(parts: pl.Expr, held: set[str]) -> tuple[pl.Expr, pl.Expr]:
    name = "year2" if "year2" in held else "year"
    year = parts.struct.field(name).cast(pl.Int64, strict=False)
    known = year.is_not_null()
    if name == "year2":
        year = year + pl.when(year < 69).then(2000).otherwise(1900)
    return year, known & (year >= 1)


def _month(name: pl.Expr | None, month: pl.Expr) -> pl.Expr:
    if name is None:
        return month
    months = grammar.MONTHS
    return name.str.to_lowercase().replace_strict(
        list(months), list(months.values()), default=0, return_dtype=pl.Int64
    )


def _hour(
    hour: pl.Expr, hour12: pl.Expr, half: pl.Expr | None, held: set[str]
) -> tuple[pl.Expr, pl.Expr]:
    if "hour12" not in held:
        return hour, hour <= 23
    late = 12 * (half.str.to_lowercase() == "pm").cast(pl.Int64) if half is not None else 0
    return hour12 % 12 + late, hour12.is_between(1, 12)


def _offset(zone: pl.Expr | None) -> tuple[pl.Expr, pl.Expr]:
    """Answer the minutes that local time is ahead of UTC, and where they are possible."""
    if zone is None:
        return pl.lit(0, pl.Int64), pl.lit(value=True)
    hours = zone.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = zone.str.slice(3).str.strip_prefix(":").cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    return sign * (hours * 60 + minutes), (hours <= 23) & (minutes <= 59)


def _fraction(digits: pl.Expr | None) -> pl.Expr:
    if digits is None:
        return pl.lit(0, pl.Int64)
    padded = (digits + pl.lit("000000")).str.slice(0, 6)
    return padded.cast(pl.Int64, strict=False).fill_null(0)


def _is_day(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
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
    century = y // 400
    of_century = y - century * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    of_era = of_century * 365 + of_century // 4 - of_century // 100 + of_year
    return century * 146_097 + of_era - 719_468
