"""How values are spelled: what text is a number, a truth value or a date, and numbers as text.

Both doors read with the definitions of this module, so that a table and a list of rows cannot
disagree: the row door calls its functions, the frame door builds its expressions from the same
patterns. Python's own `float()` and `strptime` are not used on text, because they accept more than
is meant ("1_000", "nan", "１２") and other engines accept something else again.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

__all__ = [
    "BLANKS",
    "INTEGER_LIMIT",
    "ISO_PATTERN",
    "MONTHS",
    "NUMBER_PATTERN",
    "TIME_RANGE",
    "UNIX_UNITS",
    "boolean_words",
    "check_format",
    "day_text",
    "decimal_text",
    "format_pattern",
    "microseconds",
    "number_text",
    "parse_number",
    "parse_time",
    "seconds",
    "short_number",
    "time_text",
    "unix_time",
]

BLANKS: Final = " \t\n\r\v\f"
"""What is stripped from text before it is read as a number, a truth value or a date."""

NUMBER_PATTERN: Final = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
"""Text that is a number: ASCII digits, a point, an exponent; no separators, no "inf", no "nan"."""

_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_ZONE = rf"(?P<zone>Z|z|UTC|GMT|[+-]{_HOUR}(?::?{_SIXTY})?)"

ISO_PATTERN: Final = (
    r"^(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])"
    rf"(?:[Tt ](?P<hour>{_HOUR}):(?P<minute>{_SIXTY})"
    rf"(?::(?P<second>{_SIXTY})(?:[.,](?P<fraction>[0-9]{{1,9}}))?)?"
    rf"(?: ?{_ZONE})?)?$"
)
"""Text that is a date by ISO 8601: the date alone, or with a time and perhaps an offset."""

UNIX_UNITS: Final[Mapping[str, float]] = {
    "unix s": 1e6,
    "unix ms": 1e3,
    "unix us": 1.0,
    "unix ns": 1e-3,
}
"""Formats for numbers that count from 1970-01-01 UTC, with the microseconds in each unit."""

TIME_RANGE: Final = (-62_135_596_800_000_000, 253_402_300_799_999_999)
"""The first and the last microsecond that a date may be: the years 1 to 9999."""

INTEGER_LIMIT: Final = 1e38
"""Whole floats below this size are written as integers; larger ones with an exponent."""

_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
MONTHS: Final[Mapping[str, int]] = {
    **{name: i for i, name in enumerate(_MONTH_NAMES, 1)},
    **{name[:3]: i for i, name in enumerate(_MONTH_NAMES, 1)},
}
"""English month names, long and short, in lower case."""

_DIRECTIVES: Mapping[str, tuple[str, str]] = {
    "Y": ("year", "[0-9]{4}"),
    "y": ("year2", "[0-9]{2}"),
    "m": ("month", "[0-9]{1,2}"),
    "b": ("monthname", ""),
    "B": ("monthname", ""),
    "d": ("day", "[0-9]{1,2}"),
    "H": ("hour", "[0-9]{1,2}"),
    "I": ("hour12", "[0-9]{1,2}"),
    "p": ("half", "[AaPp][Mm]"),
    "M": ("minute", "[0-9]{1,2}"),
    "S": ("second", "[0-9]{1,2}"),
    "f": ("fraction", "[0-9]{1,9}"),
    "z": ("zone", _ZONE),
}
_SAME_PART = {"year2": "year", "monthname": "month", "hour12": "hour"}
_USUAL_WORDS = {"true": True, "t": True, "yes": True, "y": True, "1": True, "1.0": True}
_USUAL_WORDS |= {"false": False, "f": False, "no": False, "n": False, "0": False, "0.0": False}
_ALWAYS_WORDS = ("true", "1", "1.0", "false", "0", "0.0")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: all arithmetic is in UTC
_EPOCH_DAY = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)
_number = re.compile(NUMBER_PATTERN).fullmatch
_iso = re.compile(ISO_PATTERN).fullmatch


def parse_number(text: str) -> float | None:
    """Read text as a number; None when it is none.

    The text must be stripped already. A number too large for a float is infinite.

    Example:
        >>> parse_number("-1.5e3"), parse_number("1_000"), parse_number("nan")
        (-1500.0, None, None)
    """
    return float(text) if _number(text) else None


def number_text(value: float) -> str:
    """Write a finite number as a category's text: whole numbers without a point.

    Example:
        >>> number_text(1.0), number_text(-0.0), number_text(0.1), number_text(1e20)
        ('1', '0', '0.1', '100000000000000000000')
    """
    if value.is_integer() and abs(value) < INTEGER_LIMIT:
        return str(int(value))
    return repr(value)


def short_number(value: float) -> str:
    """Write a number for people: whole ones in full, others to six digits.

    Example:
        >>> short_number(1490400.0), short_number(-4.679837637716644)
        ('1490400', '-4.67984')
    """
    return str(int(value)) if value.is_integer() and abs(value) < 1e12 else f"{value:.6g}"


def decimal_text(value: Decimal) -> str:
    """Write a finite decimal as a category's text, without trailing zeros.

    Example:
        >>> from decimal import Decimal
        >>> decimal_text(Decimal("1.50")), decimal_text(Decimal("3.00"))
        ('1.5', '3')
    """
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def boolean_words(true: tuple[str, ...] = (), false: tuple[str, ...] = ()) -> dict[str, bool]:
    """Answer every spelling of true and false, in lower case, upper case and capitalised.

    Args:
        true: The column's own spellings; when there are none, the usual ones: true, t, yes, y.
        false: The same for false. "true", "false", "1" and "0" always count.

    Example:
        >>> words = boolean_words(("ja",), ("nein",))
        >>> words["Ja"], words["NEIN"], words["true"], "yes" in words
        (True, False, True, False)
    """
    given = {word.strip(BLANKS): True for word in true}
    given |= {word.strip(BLANKS): False for word in false}
    usual = {word: _USUAL_WORDS[word] for word in _ALWAYS_WORDS} if given else _USUAL_WORDS
    words: dict[str, bool] = {}
    for source in (usual, given):
        for word, truth in source.items():
            words |= dict.fromkeys((word.lower(), word.upper(), word.capitalize()), truth)
    return words | given


def check_format(text: str) -> None:
    """Refuse a date format that cannot be used.

    Raises:
        SettingError: An unknown directive, one given twice, or no year.

    Example:
        >>> check_format("%d/%m/%Y")
    """
    if text not in UNIX_UNITS:
        format_pattern(text)


@lru_cache(maxsize=256)
def format_pattern(text: str | None) -> str:
    """Answer the pattern of dates written in a format, with a named group for each part.

    Args:
        text: A strptime format made of %Y %y %m %b %B %d %H %I %p %M %S %f %z %%; None for
            ISO 8601. Months, days and times may have one digit where a separator stands on
            both sides.

    Raises:
        SettingError: An unknown directive, one given twice, or no year.

    Example:
        >>> format_pattern("%d/%m/%Y")
        '^(?P<day>[0-9]{1,2})/(?P<month>[0-9]{1,2})/(?P<year>[0-9]{4})$'
    """
    if text is None:
        return ISO_PATTERN
    parts = re.findall(r"%.|[^%]|%", text, re.DOTALL)
    groups = [_group(part) for part in parts]
    named = [_SAME_PART.get(name, name) for name in groups if name]
    if len(set(named)) < len(named) or "year" not in named:
        raise SettingError(f"the date format {text!r} must hold one year and no part twice")
    return "^" + "".join(_part(parts, groups, i) for i in range(len(parts))) + "$"


def _group(part: str) -> str | None:
    """Answer the name of a directive's group; None for literal text."""
    if len(part) == 1 and part != "%":
        return None
    if part == "%%":
        return None
    if part[1:] not in _DIRECTIVES:
        usable = " ".join(f"%{letter}" for letter in _DIRECTIVES)
        raise SettingError(f"the date format holds {part!r}; usable are {usable} %%")
    return _DIRECTIVES[part[1:]][0]


def _part(parts: list[str], groups: list[str | None], i: int) -> str:
    name = groups[i]
    if name is None:
        literal = parts[i][-1]
        return "\\" + literal if literal in r"\.+*?()|[]{}^$#&-~" else literal
    pattern = _DIRECTIVES[parts[i][1]][1]
    if name == "zone":
        return pattern
    if name == "monthname":
        return f"(?P<monthname>{_month_pattern(short=parts[i] == '%b')})"
    beside = groups[max(i - 1, 0) : i] + groups[i + 1 : i + 2]
    if any(beside) and pattern.endswith("{1,2}"):
        pattern = pattern.replace("{1,2}", "{2}")
    return f"(?P<{name}>{pattern})"


def _month_pattern(*, short: bool) -> str:
    names = [name[:3] if short else name for name in _MONTH_NAMES]
    return "|".join("".join(f"[{c.upper()}{c}]" for c in name) for name in names)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def parse_time(text: str, pattern: str = ISO_PATTERN) -> int | None:
    """Read text as a date: microseconds since 1970-01-01 UTC, or None when it is none.

    A date without an offset is taken as UTC. Fractions finer than a microsecond are cut off.

    Args:
        text: The text, stripped.
        pattern: What `format_pattern` answers.

    Example:
        >>> parse_time("1970-01-01T02:00:01+02:00"), parse_time("2023-02-29")
        (1000000, None)
    """
    if pattern is ISO_PATTERN:
        return _parse_iso(text)
    match = _compiled(pattern).fullmatch(text)
    return _assemble(match.groupdict()) if match else None


def _parse_iso(text: str) -> int | None:
    """Read ISO 8601 by Python's own quick parser, once the pattern has held."""
    match = _iso(text)
    if match is None:
        return None
    try:
        day = datetime.fromisoformat(text[:19] if match["second"] else text[:16])
    except ValueError:  # no such day
        return None
    days = day.toordinal() - _EPOCH_DAY
    seconds = ((days * 24 + day.hour) * 60 + day.minute) * 60 + day.second
    zone, fraction = match["zone"], match["fraction"]
    if zone is None and fraction is None:
        return seconds * 1_000_000
    seconds -= _offset(zone) * 60
    return _within(seconds * 1_000_000 + int(((fraction or "") + "000000")[:6]))


def _assemble(part: dict[str, str | None]) -> int | None:
    hour = _hour(part)
    minute, second = int(part.get("minute") or 0), int(part.get("second") or 0)
    offset = _offset(part.get("zone"))
    if hour is None or minute > 59 or second > 59:
        return None
    try:
        days = date(_year(part), _month(part), int(part.get("day") or 1)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    fraction = int(((part.get("fraction") or "") + "000000")[:6])
    minutes = days * 1440 + hour * 60 + minute - offset
    return _within((minutes * 60 + second) * 1_000_000 + fraction)


def _within(time: int) -> int | None:
    return time if TIME_RANGE[0] <= time <= TIME_RANGE[1] else None


def _year(part: dict[str, str | None]) -> int:
    if part.get("year2"):
        short = int(part["year2"] or 0)
        return short + (2000 if short < 69 else 1900)  # as POSIX and strptime do
    return int(part["year"] or 0)


def _month(part: dict[str, str | None]) -> int:
    name = part.get("monthname")
    return MONTHS[name.lower()] if name else int(part.get("month") or 1)


def _hour(part: dict[str, str | None]) -> int | None:
    if part.get("hour12"):
        hour = int(part["hour12"] or 0)
        later = 12 if (part.get("half") or "am").lower() == "pm" else 0
        return hour % 12 + later if 1 <= hour <= 12 else None
    hour = int(part.get("hour") or 0)
    return hour if hour <= 23 else None


def _offset(zone: str | None) -> int:
    """Answer the minutes that local time is ahead of UTC."""
    if zone is None or zone[0] not in "+-":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)


def unix_time(value: float, unit: str) -> int | None:
    """Read a number that counts from 1970 as microseconds; None when outside of years 1 to 9999.

    Example:
        >>> unix_time(1.5, "unix s")
        1500000
    """
    scaled = value * UNIX_UNITS[unit]
    if not TIME_RANGE[0] <= scaled <= TIME_RANGE[1]:
        return None
    return math.floor(scaled + 0.5)


def microseconds(value: date) -> int:
    """Answer a date or datetime as microseconds since 1970-01-01 UTC; without zone it is UTC.

    Example:
        >>> microseconds(date(1970, 1, 2))
        86400000000
    """
    if not isinstance(value, datetime):
        return (value.toordinal() - _EPOCH_DAY) * 86_400_000_000
    since = (value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    offset = value.utcoffset()
    return since if offset is None else since - offset // _MICROSECOND


def seconds(microseconds: int) -> float:
    """Answer a span of microseconds in seconds; whole seconds are exact.

    Example:
        >>> seconds(3_500_000)
        3.5
    """
    whole, rest = divmod(microseconds, 1_000_000)
    return float(whole) + rest * 1e-6


def day_text(value: date) -> str:
    """Write a date as a category's text.

    Example:
        >>> day_text(date(2024, 1, 31))
        '2024-01-31'
    """
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


def time_text(time: int, *, zoned: bool) -> str:
    """Write microseconds since 1970 as a category's text, in UTC, with a Z if it had a zone.

    Example:
        >>> time_text(1_500_000, zoned=True)
        '1970-01-01T00:00:01.500000Z'
    """
    return (_EPOCH + time * _MICROSECOND).isoformat() + ("Z" if zoned else "")
