"""Operations on times: the parts of a date as numbers, and numbers that go round in circles.

Times are whole microseconds since 1970-01-01 UTC; the calendar is the proleptic Gregorian one. The
graph counts them from a day long before any that is let in: whole numbers that are never negative
divide the same way everywhere, where ONNX rounds a negative quotient towards zero.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headrace.errors import SettingError, nearest
from headrace.plan.operation import FloatArray, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import tensorflow as tf

__all__ = ["PARTS", "Cyclic", "DateParts", "polars_part", "tensorflow_parts"]

PARTS: Final = (
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "day_of_year",
    "weekday",
    "is_weekend",
    "hour",
    "minute",
    "second",
    "days",
)
"""The parts of a date: `weekday` is 1 (Monday) to 7, `week` ISO 8601's, `second` whole seconds,
`is_weekend` 0.0 or 1.0, and `days` the days since 1970-01-01 with their fraction."""

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_FIRST_DAY, _LAST_DAY = -4_371_587, 2_932_896  # of the years -9999 and 9999
_EARLIEST, _LATEST = _FIRST_DAY * _DAY, (_LAST_DAY + 1) * _DAY - 1
_CYCLE = 146_097  # days of 400 years
_CYCLES_BEFORE = 26
_FIRST = 719_468 + _CYCLES_BEFORE * _CYCLE  # days from the first of March of year -10400 to 1970


class DateParts(Operation):
    """Take times apart: year, month, weekday, hour and so on, as numbers.

    A missing time gives missing parts, and so does one outside of the years -9999 to 9999.

    Attributes:
        parts: Which ones, of `PARTS`. All columns' first part comes first, then all columns'
            second, and so on.

    Example:
        >>> import polars as pl
        >>> from datetime import datetime
        >>> frame = pl.DataFrame({"day": [datetime(1969, 7, 20, 20, 17)]}).cast(pl.Int64)
        >>> parts = DateParts(["year", "weekday", "hour"])
        >>> parts.names(["day"])
        ('day_year', 'day_weekday', 'day_hour')
        >>> [frame.select(part).item() for part in parts.polars([pl.col("day")])]
        [1969.0, 7.0, 20.0]
    """

    parts: tuple[str, ...]

    takes = "time"

    def check(self) -> None:
        """Raise `SettingError` for an unknown part."""
        for part in self.parts:
            if part not in PARTS:
                near = nearest(part, PARTS)
                hint = f"; did you mean {near!r}?" if near else ""
                raise SettingError(f"DateParts: {part!r} is none of {', '.join(PARTS)}{hint}")
        if not self.parts or len(set(self.parts)) < len(self.parts):
            raise SettingError(f"DateParts: expected one or more different parts, got {self.parts}")

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to Polars's own calendar."""
        return [polars_part(column, part) for part in self.parts for column in columns]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to whole-number arithmetic, (rows, parts * columns) float64."""
        return tensorflow_parts(block, self.parts)

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Answer `<column>_<part>` for each part and column."""
        return tuple(f"{column}_{part}" for part in self.parts for column in columns)


class Cyclic(Operation):
    """Put numbers on a circle: the sine and the cosine of each, so that December is near January.

    Infinite numbers become missing.

    Attributes:
        period: Once round the circle, (columns,): 12 for months, 7 for weekdays, 24 for hours.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"hour": [6.0]})
        >>> circle = Cyclic([24.0])
        >>> circle.names(["hour"])
        ('hour_sin', 'hour_cos')
        >>> [round(frame.select(x).item(), 12) for x in circle.polars([pl.col("hour")])]
        [1.0, 0.0]
    """

    period: FloatArray

    def check(self) -> None:
        """Raise `SettingError` unless every period is finite and above 0."""
        good = np.isfinite(self.period) & (self.period > 0)
        if self.period.ndim != 1 or not good.all():
            raise SettingError(
                "Cyclic: period must be a number above 0 for each column, "
                f"received {self.period.tolist()}"
            )

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to sine and cosine of the share of a turn."""
        turns = [x / period for x, period in zip(columns, self.period.tolist(), strict=True)]
        angles = [(turn - turn.floor()) * math.tau for turn in turns]
        return [angle.sin() for angle in angles] + [angle.cos() for angle in angles]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to (rows, 2 * columns): all sines, then all cosines."""
        import tensorflow as tf

        turns = block / tf.constant(self.period)
        angles = (turns - tf.floor(turns)) * math.tau
        return tf.concat([tf.sin(angles), tf.cos(angles)], axis=1)

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Answer `<column>_sin` for each column, then `<column>_cos` for each."""
        return tuple(f"{column}_{wave}" for wave in ("sin", "cos") for column in columns)


def polars_part(column: pl.Expr, part: str) -> pl.Expr:
    """Answer a part of a date as Float64, NaN where the time is missing."""
    import polars as pl

    time = pl.when((column >= _EARLIEST) & (column <= _LATEST)).then(column)
    return _polars_part(time, part).cast(pl.Float64).fill_null(float("nan"))


def _polars_part(time: pl.Expr, part: str) -> pl.Expr:
    import polars as pl

    day = time // _DAY
    if part == "days":
        return time.cast(pl.Float64) / _DAY
    if part == "hour":
        return (time - day * _DAY) // (3600 * _SECOND)
    if part in {"minute", "second"}:
        length = (60 if part == "minute" else 1) * _SECOND
        return time // length % 60
    # Polars takes dates apart twice as fast as times.
    date = day.cast(pl.Int32).cast(pl.Date).dt
    if part == "is_weekend":
        return date.weekday() >= 6
    found: pl.Expr = getattr(date, {"day_of_year": "ordinal_day"}.get(part, part))()
    return found


def tensorflow_parts(block: tf.Tensor, parts: Sequence[str]) -> tf.Tensor:
    """Answer parts of dates, (rows, parts * columns) float64, NaN where the time is missing."""
    import tensorflow as tf

    earliest, latest = (tf.constant(bound, tf.int64) for bound in (_EARLIEST, _LATEST))
    known = (block >= earliest) & (block <= latest)
    time = tf.where(known, block, tf.constant(0, tf.int64))
    calendar = _Calendar(time + _FIRST * _DAY)
    numbers = tf.concat(
        [time if part == "days" else getattr(calendar, part) for part in parts], axis=1
    )
    answer = tf.cast(numbers, tf.float64)
    if "days" in parts:
        units = [float(_DAY) if part == "days" else 1.0 for part in parts]
        answer /= tf.constant(np.repeat(units, block.shape[1]))
    missing = tf.constant(math.nan, tf.float64)
    return tf.where(tf.tile(known, [1, len(parts)]), answer, missing)


class _Calendar:
    """The parts of times in whole-number tensors, each computed when it is asked for.

    Years begin in March here, so that leap days come last. Source: Howard Hinnant,
    "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """

    def __init__(self, microseconds: Any, day: Any = None) -> None:
        self._time = microseconds
        self._day_number = microseconds // _DAY if day is None else day

    @cached_property
    def _time_of_day(self) -> Any:
        return self._time - self._day_number * _DAY

    @cached_property
    def hour(self) -> Any:
        return self._time_of_day // (3600 * _SECOND)

    @cached_property
    def minute(self) -> Any:
        return self._time_of_day // (60 * _SECOND) - self.hour * 60

    @cached_property
    def second(self) -> Any:
        minutes = self._time_of_day // (60 * _SECOND)
        return self._time_of_day // _SECOND - minutes * 60

    @cached_property
    def weekday(self) -> Any:
        days = self._day_number + (3 - _FIRST) % 7  # 1970-01-01 was a Thursday
        return days - days // 7 * 7 + 1

    @cached_property
    def is_weekend(self) -> Any:
        return self.weekday // 6

    @cached_property
    def _cycle(self) -> Any:
        return self._day_number // _CYCLE

    @cached_property
    def _year_of_cycle(self) -> Any:
        day = self._day_number - self._cycle * _CYCLE
        return (day - day // 1460 + day // 36524 - day // 146096) // 365

    @cached_property
    def _day_of_march_year(self) -> Any:
        year = self._year_of_cycle
        before = year * 365 + year // 4 - year // 100
        return self._day_number - self._cycle * _CYCLE - before

    @cached_property
    def _march_month(self) -> Any:
        return (self._day_of_march_year * 5 + 2) // 153

    @cached_property
    def _in_next_year(self) -> Any:
        return self._march_month // 10  # 1 in January and February

    @cached_property
    def year(self) -> Any:
        march_year = self._year_of_cycle + self._cycle * 400 - _CYCLES_BEFORE * 400
        return march_year + self._in_next_year

    @cached_property
    def month(self) -> Any:
        return self._march_month + 3 - self._in_next_year * 12

    @cached_property
    def quarter(self) -> Any:
        return (self.month + 2) // 3

    @cached_property
    def day(self) -> Any:
        return self._day_of_march_year - (self._march_month * 153 + 2) // 5 + 1

    @cached_property
    def day_of_year(self) -> Any:
        year = self._year_of_cycle
        # 1 in leap years: a fourth year begins, and no hundredth one, or the first one of 400.
        fourth = (year + 4) // 4 - (year + 3) // 4
        leap = fourth - ((year + 100) // 100 - (year + 99) // 100) + 1 - (year + 399) // 400
        in_march_year = self._day_of_march_year + leap + 60
        return in_march_year - self._in_next_year * (365 + leap)

    @cached_property
    def week(self) -> Any:
        # A week belongs to the year of its Thursday.
        thursday = _Calendar(None, self._day_number - self.weekday + 4)
        return (thursday.day_of_year + 6) // 7
