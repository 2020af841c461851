"""One raw Polars column as an expression for its canonical column.

The counterpart of `headrace.data.values`, which reads single Python objects: the same rules,
written for whole columns of one dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from headrace.data import grammar
from headrace.data.grammar import TIME_RANGE
from headrace.data.parsing import parse_booleans, parse_numbers, parse_times, unix_times
from headrace.data.problems import Refused, expected
from headrace.data.schema import MISSING_TIME
from headrace.data.values import missing_numbers, missing_times

if TYPE_CHECKING:
    from headrace.data.schema import Column

__all__ = ["Reading", "reading", "text_of"]

_NAN = pl.lit(math.nan, pl.Float64)
_NO_TIME = pl.lit(MISSING_TIME, pl.Int64)
_DAY = 86_400_000_000
_MICROSECONDS = {"ns": (1, 1000), "us": (1, 1), "ms": (1000, 1)}

Parse = Callable[[pl.Series, "Column"], pl.Series]


@dataclass(frozen=True)
class Reading:
    """How one raw column is read.

    Attributes:
        canonical: The canonical column; null in rows whose value could not be read.
        refused: True in further rows that do not fit (infinities, impossible dates).
        certain: Whether every value of the dtype fits, so that there is nothing to check.
    """

    canonical: pl.Expr
    refused: pl.Expr | None = None
    certain: bool = False

    @property
    def misfit(self) -> pl.Expr:
        """True in every row that does not fit."""
        unread = self.canonical.is_null()
        return unread if self.refused is None else unread | self.refused.fill_null(value=False)


def reading(column: Column, dtype: pl.DataType) -> Reading:
    """Answer how a raw column of some dtype becomes the canonical column.

    Raises:
        Refused: No value of this dtype fits the column's kind.
    """
    raw = pl.col(column.name)
    if dtype == pl.Null:
        return Reading(_empty(column), certain=True)
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
    return _NO_TIME if column.type == "time" else _NAN


def _refuse(column: Column, dtype: pl.DataType) -> Refused:
    return Refused(f"{expected(column)}; the column is of dtype {dtype}")


def _parsed(raw: pl.Expr, column: Column, parse: Parse, dtype: type[pl.DataType]) -> Reading:
    return Reading(
        raw.map_batches(
            lambda text: parse(text, column).alias(text.name),
            return_dtype=dtype,
            is_elementwise=True,
        )
    )


def _without(values: pl.Expr, missing: list[float] | list[int], empty: pl.Expr) -> pl.Expr:
    if not missing:
        return values
    return pl.when(values.is_in(missing)).then(empty).otherwise(values)


# ---------------------------------------------------------------- numbers and truth values


def _number(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    if dtype == pl.String:
        return _parsed(raw, column, parse_numbers, pl.Float64)
    number = _as_float(column, raw, dtype)
    kept = _without(number, missing_numbers(column), _NAN).fill_null(math.nan)
    if dtype.is_float():
        return Reading(kept, number.is_infinite())
    return Reading(kept, certain=True)


def _as_float(column: Column, raw: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.Float64:
        return raw
    if dtype.is_decimal():  # by way of text, which rounds correctly
        return raw.cast(pl.String).cast(pl.Float64)
    if dtype.is_numeric() or dtype == pl.Boolean:
        return raw.cast(pl.Float64)
    if column.kind == "number" and isinstance(dtype, pl.Duration):
        up, down = _MICROSECONDS[dtype.time_unit]
        return _seconds(raw.to_physical() * up // down)
    if column.kind == "number" and dtype == pl.Time:
        return _seconds(raw.cast(pl.Int64) // 1000)
    raise _refuse(column, dtype)


def _seconds(microseconds: pl.Expr) -> pl.Expr:
    """Answer `grammar.seconds` of a column; Polars divides by a constant less exactly."""
    whole = microseconds // 1_000_000
    return whole.cast(pl.Float64) + (microseconds - whole * 1_000_000).cast(pl.Float64) * 1e-6


def _boolean(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    if dtype == pl.Boolean:
        return Reading(raw.cast(pl.Float64).fill_null(math.nan), certain=True)
    if dtype == pl.String:
        return _parsed(raw, column, parse_booleans, pl.Float64)
    number = _as_float(column, raw, dtype)
    kept = _without(number, missing_numbers(column), _NAN).fill_null(math.nan)
    return Reading(kept, ~(kept.is_nan() | kept.is_in([0.0, 1.0])))


# ---------------------------------------------------------------- categories, texts, ids


def _string(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    text = text_of(raw, dtype)
    if text is None:
        raise _refuse(column, dtype)
    if column.missing:
        text = pl.when(text.is_in(list(column.missing))).then(pl.lit("")).otherwise(text)
    canonical = text.fill_null("")
    if dtype.is_float():
        return Reading(canonical, raw.is_infinite())
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return Reading(canonical, _out_of_range(_instant(raw, dtype)))
    return Reading(canonical, certain=True)


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
        return trimmed.str.strip_suffix(".")
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return _time_text(raw, dtype)
    return None


def _float_texts(values: pl.Series) -> pl.Series:
    """Write floats as `grammar.number_text` does: whole ones quickly, the others one by one."""
    whole = ((values == values.floor()) & (values.abs() < grammar.INTEGER_LIMIT)) | values.is_nan()
    texts = values.cast(pl.Int128, strict=False).cast(pl.String)
    if whole.all():
        return texts.alias(values.name)
    others = values.filter(~whole & values.is_finite()).unique()
    written = pl.Series([grammar.number_text(value) for value in others], dtype=pl.String)
    table = values.replace_strict(others, written, default=None, return_dtype=pl.String)
    return texts.zip_with(whole.fill_null(value=True), table).alias(values.name)


def _time_text(raw: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    within = ~_out_of_range(_instant(raw, dtype))  # Polars breaks down on what it cannot write
    instant = pl.when(within).then(_instant(raw, dtype)).cast(pl.Datetime("us"))
    if not isinstance(dtype, pl.Datetime):
        return instant.dt.strftime("%Y-%m-%d")
    fraction = instant.dt.microsecond()
    digits = pl.format(".{}", fraction.cast(pl.String).str.zfill(6))
    part = pl.when(fraction == 0).then(pl.lit("")).otherwise(digits)
    zone = pl.lit("Z" if dtype.time_zone else "")
    return instant.dt.strftime("%Y-%m-%dT%H:%M:%S") + part + zone


# ---------------------------------------------------------------- dates


def _time(column: Column, raw: pl.Expr, dtype: pl.DataType) -> Reading:
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        instant = _instant(raw, dtype)
        kept = _without(instant, missing_times(column), _NO_TIME).fill_null(MISSING_TIME)
        return Reading(kept, _out_of_range(instant))
    if dtype == pl.String:
        return _parsed(raw, column, parse_times, pl.Int64)
    if dtype.is_numeric() and column.format is not None:
        return _time_of_number(column, _as_float(column, raw, dtype).fill_nan(None))
    raise _refuse(column, dtype)


def _time_of_number(column: Column, number: pl.Expr) -> Reading:
    """Read numbers that count from 1970, or that are dates written in digits (20240131)."""
    unit = column.format
    if unit is None or unit not in grammar.UNIX_UNITS:
        text = number.map_batches(_float_texts, return_dtype=pl.String, is_elementwise=True)
        parsed = _parsed(text, column, parse_times, pl.Int64)
        return Reading(parsed.canonical, number.is_infinite())
    instant = number.map_batches(
        lambda values: unix_times(values, unit).alias(values.name),
        return_dtype=pl.Int64,
        is_elementwise=True,
    )
    blank = number.is_null() | number.is_in(missing_numbers(column))
    kept = pl.when(blank).then(_NO_TIME).otherwise(instant)
    return Reading(_without(kept, missing_times(column), _NO_TIME))


def _instant(raw: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Answer native dates as microseconds UTC; those that would overflow stay out of range."""
    physical = raw.to_physical().cast(pl.Int64)
    up, down = (_DAY, 1)
    if isinstance(dtype, pl.Datetime):
        up, down = _MICROSECONDS[dtype.time_unit]
    if up == 1:
        return physical if down == 1 else physical // down
    limit = 2 * (TIME_RANGE[1] // up + 1)
    return physical.clip(-limit, limit) * up


def _out_of_range(instant: pl.Expr) -> pl.Expr:
    return ~instant.is_between(*TIME_RANGE).fill_null(value=True)
