"""One value at a time: how any Python object becomes a canonical value of its column.

A `Reader` is a table from a type to the function that reads values of this type. Looking the
function up costs less than asking questions of the value, which is what makes the row door quick.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from headrace.data import grammar
from headrace.data.grammar import BLANKS
from headrace.data.problems import Refused, expected, with_article
from headrace.data.schema import MISSING_TIME

if TYPE_CHECKING:
    from headrace.data.schema import Column

__all__ = ["Reader", "is_missing_type", "missing_numbers", "missing_times", "reader"]

Read = Callable[[Any], Any]

_MISSING_TYPES = {"NAType", "NaTType", "MaskedConstant"}
_MICROSECOND = timedelta(microseconds=1)


class Reader(dict[type, Read]):
    """The reading functions of one column, by the type of the value.

    A type that is not in the table is looked up by its base classes, once.
    """

    empty: float | str | int

    def __init__(self, column: Column, table: dict[type, str]) -> None:
        """Fill the table; the names are those of methods."""
        self.column = column
        self.missing = frozenset(column.missing)
        super().__init__({kind: getattr(self, method) for kind, method in table.items()})
        self[type(None)] = self._nothing

    def __missing__(self, kind: type) -> Read:
        """Find the function for a type that was not met before, and keep it."""
        read = self._find(kind)
        self[kind] = read
        return read

    def _find(self, kind: type) -> Read:
        if is_missing_type(kind):
            return self._nothing
        for base, method in _FALLBACKS:
            if issubclass(kind, base):
                return cast("Read", getattr(self, method))
        return next((self[base] for base in kind.__mro__ if base in self), self._refuse)

    def _nothing(self, value: object) -> Any:
        del value
        return self.empty

    def _refuse(self, value: object) -> NoReturn:
        raise self._refusal(value)

    def _refusal(self, value: object) -> Refused:
        text = expected(self.column)
        plain = value is None or isinstance(value, (bool, int, float, str))
        return Refused(text if plain else f"{text}, not {with_article(type(value).__name__)}")

    def _subtext(self, value: str) -> Any:
        return self[str](str.__str__(value))

    def _numpy_float(self, value: np.floating[Any]) -> Any:
        return self[float](float(value))

    def _numpy_item(self, value: np.generic) -> Any:
        return self[type(item := value.item())](item)

    def _numpy_time(self, value: np.datetime64) -> Any:
        instant = value.astype("datetime64[us]").item()
        if isinstance(instant, int):  # outside of the years that Python knows
            raise Refused("expected a date of the years 1 to 9999")
        return self[type(instant)](instant)

    def _numpy_span(self, value: np.timedelta64) -> Any:
        if np.isnat(value):
            return self.empty
        return self[timedelta](value.astype("timedelta64[us]").item())


class _NumberReader(Reader):
    """Numbers and truth values, as floats."""

    empty = math.nan

    def __init__(self, column: Column, table: dict[type, str] | None = None) -> None:
        super().__init__(column, table or _NUMBER_TABLE)
        self.numbers = frozenset(missing_numbers(column))
        if not self.numbers:
            self[float] = _finite

    def _float(self, value: float) -> float:
        return math.nan if value in self.numbers else _finite(value)

    def _int(self, value: int) -> float:
        try:
            return self._float(float(value))
        except OverflowError:
            raise Refused("expected a finite number") from None

    def _text(self, value: str) -> float:
        text = value.strip(BLANKS)
        if not text or text in self.missing:
            return math.nan
        number = grammar.parse_number(text)
        if number is None:
            raise self._refusal(value)
        return self._float(number)

    def _decimal(self, value: Decimal) -> float:
        return math.nan if value.is_nan() else self._float(float(value))

    def _span(self, value: timedelta) -> float:
        return self._float(grammar.seconds(value // _MICROSECOND))

    def _clock(self, value: time) -> float:
        whole = (value.hour * 60 + value.minute) * 60 + value.second
        return self._float(grammar.seconds(whole * 1_000_000 + value.microsecond))


class _BooleanReader(_NumberReader):
    """Truth values, as 1.0 and 0.0."""

    def __init__(self, column: Column) -> None:
        super().__init__(column, _BOOLEAN_TABLE)
        self[float] = self._float
        self.words = grammar.boolean_words(column.true, column.false)

    def _float(self, value: float) -> float:
        if value != value or value in self.numbers:  # noqa: PLR0124 - NaN is not itself
            return math.nan
        if value in (0.0, 1.0):
            return value
        raise self._refusal(value)

    def _bool(self, value: bool) -> float:
        return 1.0 if value else 0.0

    def _int(self, value: int) -> float:
        return self._float(_as_float(value))

    def _text(self, value: str) -> float:
        text = value.strip(BLANKS)
        if not text or text in self.missing:
            return math.nan
        truth = self.words.get(text)
        if truth is None:
            raise self._refusal(value)
        return 1.0 if truth else 0.0


class _TextReader(Reader):
    """Categories, texts and ids, as strings."""

    empty = ""

    def __init__(self, column: Column) -> None:
        super().__init__(column, _TEXT_TABLE)
        if not self.missing:
            self[str] = _plain_text

    def _text(self, value: str) -> str:
        if not value.isascii():
            _check_unicode(value)
        return "" if value in self.missing else value

    def _bool(self, value: bool) -> str:
        return self._text("true" if value else "false")

    def _int(self, value: int) -> str:
        return self._text(str(value))

    def _float(self, value: float) -> str:
        number = _finite(value)
        return self._text(grammar.number_text(number)) if number == number else ""  # noqa: PLR0124

    def _decimal(self, value: Decimal) -> str:
        if value.is_nan():
            return ""
        if value.is_infinite():
            raise Refused("expected a finite number")
        return self._text(grammar.decimal_text(value))

    def _day(self, value: date) -> str:
        return self._text(grammar.day_text(value))

    def _datetime(self, value: datetime) -> str:
        zoned = value.tzinfo is not None
        return self._text(grammar.time_text(_in_range(grammar.microseconds(value)), zoned=zoned))


class _TimeReader(Reader):
    """Dates, as microseconds UTC."""

    empty = MISSING_TIME

    def __init__(self, column: Column) -> None:
        super().__init__(column, _TIME_TABLE)
        self.times = frozenset(missing_times(column))
        self.unit = column.format if column.format in grammar.UNIX_UNITS else None
        self.pattern = "" if self.unit else grammar.format_pattern(column.format)

    def _date(self, value: date) -> int:
        instant = _in_range(grammar.microseconds(value))
        return MISSING_TIME if instant in self.times else instant

    def _text(self, value: str) -> int:
        text = value.strip(BLANKS)
        if not text or text in self.missing:
            return MISSING_TIME
        instant = self._parse(text)
        if instant is None:
            raise self._refusal(value)
        return MISSING_TIME if instant in self.times else instant

    def _parse(self, text: str) -> int | None:
        if self.unit is None:
            return grammar.parse_time(text, self.pattern)
        number = grammar.parse_number(text)
        return None if number is None else grammar.unix_time(number, self.unit)

    def _number(self, value: float) -> int:
        if value != value:  # noqa: PLR0124 - NaN is not itself
            return MISSING_TIME
        number = _as_float(value)
        if self.column.format is None or not math.isfinite(number):
            raise self._refusal(value)
        return self._text(repr(number) if self.unit else grammar.number_text(number))

    def _decimal(self, value: Decimal) -> int:
        return MISSING_TIME if value.is_nan() else self._number(float(value))


_FALLBACKS: tuple[tuple[type, str], ...] = (
    (str, "_subtext"),
    (np.datetime64, "_numpy_time"),
    (np.timedelta64, "_numpy_span"),
    (np.floating, "_numpy_float"),
    (np.bytes_, "_refuse"),
    (np.void, "_refuse"),
    (np.generic, "_numpy_item"),
)
_NUMBER_TABLE: dict[type, str] = {
    float: "_float",
    int: "_int",
    bool: "_int",
    str: "_text",
    Decimal: "_decimal",
    timedelta: "_span",
    time: "_clock",
}
_BOOLEAN_TABLE: dict[type, str] = {
    float: "_float",
    int: "_int",
    bool: "_bool",
    str: "_text",
    Decimal: "_decimal",
}
_TEXT_TABLE: dict[type, str] = {
    float: "_float",
    int: "_int",
    bool: "_bool",
    str: "_text",
    Decimal: "_decimal",
    datetime: "_datetime",
    date: "_day",
}
_TIME_TABLE: dict[type, str] = {
    datetime: "_date",
    date: "_date",
    str: "_text",
    int: "_number",
    float: "_number",
    Decimal: "_decimal",
    bool: "_refuse",
}


def reader(column: Column) -> Reader:
    """Answer the reader of a column.

    Example:
        >>> from headrace.data.schema import Column
        >>> read = reader(Column("age", "number"))
        >>> read[str](" 39 ")
        39.0
    """
    if column.kind == "number":
        return _NumberReader(column)
    if column.kind == "boolean":
        return _BooleanReader(column)
    return _TimeReader(column) if column.kind == "datetime" else _TextReader(column)


def is_missing_type(kind: type) -> bool:
    """Answer whether values of a type are always missing: None, and pandas's NA and NaT.

    Example:
        >>> is_missing_type(type(None)), is_missing_type(float)
        (True, False)
    """
    return kind is type(None) or kind.__name__ in _MISSING_TYPES


def missing_numbers(column: Column) -> list[float]:
    """Answer the spellings of missing that are numbers, such as "-999"; NaN is missing anyway."""
    parsed = (grammar.parse_number(spelling.strip(BLANKS)) for spelling in column.missing)
    return [number for number in parsed if number is not None]


def missing_times(column: Column) -> list[int]:
    """Answer the spellings of missing that are dates of this column, such as "9999-12-31"."""
    texts = [spelling.strip(BLANKS) for spelling in column.missing]
    if column.format in grammar.UNIX_UNITS:
        numbers = [number for text in texts if (number := grammar.parse_number(text)) is not None]
        times = [grammar.unix_time(number, column.format or "") for number in numbers]
    else:
        pattern = grammar.format_pattern(column.format)
        times = [grammar.parse_time(text, pattern) for text in texts]
    return [instant for instant in times if instant is not None]


def _finite(value: float) -> float:
    if value - value == 0.0:  # false for NaN and for the infinities, and quicker than a call
        return value
    if value != value:  # noqa: PLR0124 - NaN is not itself
        return value
    raise Refused("expected a finite number")


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _in_range(instant: int) -> int:
    if not grammar.TIME_RANGE[0] <= instant <= grammar.TIME_RANGE[1]:
        raise Refused("expected a date of the years 1 to 9999")
    return instant


def _plain_text(value: str) -> str:
    if not value.isascii():
        _check_unicode(value)
    return value


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("expected valid Unicode text") from None
