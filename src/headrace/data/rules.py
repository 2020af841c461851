"""The rules that decide a column's kind from its name and its facts; `infer` states them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from headrace.data.grammar import BLANKS, short_number
from headrace.data.names import counts_rows, is_code, is_id
from headrace.data.schema import Column
from headrace.data.spellings import MISSING_MARKS, UNIX_FROM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.data.evidence import Facts
    from headrace.data.schema import Kind
    from headrace.data.spellings import Guess

__all__ = [
    "confirmed_columns",
    "decide",
    "is_mark",
    "number_time_format",
    "read_as_missing",
]

_EXACT = 2**53
_NEARLY = 0.95
_MOSTLY = 0.5
_MANY_ROWS = 50
_SHORT = 40
_LONG = 30
_VERY_LONG = 100
_FEW = 20


def number_time_format(low: float, high: float) -> str:
    """Answer the likeliest format of numbers that are declared to be dates.

    Example:
        >>> number_time_format(20200101, 20201231), number_time_format(0, 1.7e12)
        ('%Y%m%d', 'unix ms')
    """
    if 19000101 <= low <= high <= 21001231:
        return "%Y%m%d"
    size = max(abs(low), abs(high))
    return next((unit for unit, start in UNIX_FROM.items() if size <= start * 100), "unix ns")


def decide(name: str, facts: Facts, guess: Guess, missing: Sequence[str] | None) -> Column:
    """Answer the column that the rules make of these facts.

    Args:
        name: The column's name.
        facts: What it holds.
        guess: What its text or its whole numbers may be.
        missing: The spellings that were declared to mean missing; None when none were.
    """
    if not facts.present:
        return _valueless(name, facts)
    if facts.dtype == pl.String:
        return _text(name, facts, guess, missing)
    declared = tuple(missing or ())
    kind, reason = _typed(name, facts)
    confirmed = confirmed_columns(guess, facts)
    if kind == "number" and confirmed:
        return replace(confirmed[0], reason=_clock_reason(confirmed[0], facts), missing=declared)
    return Column(name, kind, reason, missing=declared)


def _valueless(name: str, facts: Facts) -> Column:
    number = facts.dtype.is_numeric()
    return Column(name, "number" if number else "category", f"no value in {facts.rows:,} rows")


def confirmed_columns(guess: Guess, facts: Facts) -> list[Column]:
    """Answer the candidates that can read every row."""
    tried = zip(guess.candidates, facts.refused, strict=True)
    return [column for column, count in tried if count == 0]


# ---------------------------------------------------------------- columns that have a dtype


def _typed(name: str, facts: Facts) -> tuple[Kind, str]:
    dtype = facts.dtype
    if dtype == pl.Boolean:
        return "boolean", "dtype Boolean"
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return "datetime", f"dtype {dtype}"
    if dtype in (pl.Categorical, pl.Enum):
        return "category", f"dtype {_plain(dtype)}, {_count(facts)}"
    if dtype in (pl.Duration, pl.Time):
        return "number", f"dtype {dtype}, read as seconds"
    return _numeric(name, facts)


def _plain(dtype: pl.DataType) -> str:
    return "Enum" if dtype == pl.Enum else "Categorical"


def _numeric(name: str, facts: Facts) -> tuple[Kind, str]:
    if not facts.whole:
        return "number", describe(facts)
    kind, why = _identity(name, facts)
    return kind, f"{why}; {describe(facts)}" if why else describe(facts)


def _identity(name: str, facts: Facts) -> tuple[Kind, str]:
    """Answer what whole numbers are: they may be codes, ids or row numbers."""
    differ = facts.differing >= _NEARLY
    if is_code(name):
        return "category", "the name says codes"
    if is_id(name):
        repeat = "the name says id, and values repeat"
        return (
            ("id", f"the name says id, and {_differing(facts)}") if differ else ("category", repeat)
        )
    if facts.dtype.is_integer() and max(abs(facts.low or 0), abs(facts.high or 0)) > _EXACT:
        return "id" if differ else "category", "too large for exact numbers"
    return ("id", "counts the rows") if _counts_rows(name, facts) else ("number", "")


def _counts_rows(name: str, facts: Facts) -> bool:
    if not counts_rows(name) or facts.low not in (0, 1):
        return False
    span = (facts.high or 0) - (facts.low or 0) + 1
    return facts.rows == facts.present == span and facts.differing >= _NEARLY


def describe(facts: Facts) -> str:
    """Say in a few words what numbers a column holds."""
    what = "whole numbers" if facts.whole else "numbers"
    if facts.distinct == 1 and facts.low is not None:
        return f"{what}, constant {short_number(facts.low)}"
    if facts.low is None or facts.high is None:
        return f"{what}, {_count(facts)}"
    spread = f"from {short_number(facts.low)} to {short_number(facts.high)}"
    few = " (codes? then say category)" if facts.whole and 2 < facts.distinct <= _FEW else ""
    return f"{what}, {_count(facts)} {spread}{few}"


def _clock_reason(column: Column, facts: Facts) -> str:
    if column.format == "%Y%m%d":
        return f"the name says date, and all are dates written in digits; {describe(facts)}"
    return f"the name says timestamp, and all fit {column.format!r} since 1970; {describe(facts)}"


def _differing(facts: Facts) -> str:
    return "all differ" if facts.exact and facts.differing == 1 else "nearly all differ"


def _count(facts: Facts) -> str:
    if facts.distinct == 1:
        return "constant"
    if facts.exact:
        return f"{facts.distinct:,} distinct"
    return f"about {min(float(f'{facts.distinct:.1e}'), facts.present):,.0f} distinct"


# ---------------------------------------------------------------- text


def _text(name: str, facts: Facts, guess: Guess, missing: Sequence[str] | None) -> Column:
    confirmed = confirmed_columns(guess, facts)
    spellings = _typed_spellings(facts, missing)
    plain = facts.present - sum(count for _, count in facts.spellings if missing is None)
    if guess.certain and plain > 0:
        if len(confirmed) > 1 and confirmed[-1].kind == "datetime":
            return _ambiguous(name, confirmed, facts)
        if confirmed:
            return _confirmed_text(name, confirmed[0], facts, spellings)
    elif not guess.certain and plain > 0 and confirmed:  # the sample held no value at all
        return _confirmed_text(name, confirmed[0], facts, spellings)
    return _string(name, facts, guess, missing)


def _confirmed_text(
    name: str, column: Column, facts: Facts, spellings: tuple[tuple[str, int], ...]
) -> Column:
    kind, reason, form = column.kind, describe(facts), column.format
    if column.kind == "number":
        kind, reason = _numeric(name, facts)
    elif column.kind == "boolean":
        reason = f"text, all {' or '.join(map(repr, (*column.true, *column.false)))}"
    elif column.kind == "datetime" and facts.low is not None:
        reason = _clock_reason(column, facts)
    elif column.kind == "datetime":
        reason = f"text, all dates written {'by ISO 8601' if form is None else f'as {form!r}'}"
    marks = tuple(dict.fromkeys(value.strip(BLANKS) for value, _ in spellings))
    return replace(column, kind=kind, reason=reason + read_as_missing(spellings), missing=marks)


def _ambiguous(name: str, confirmed: list[Column], facts: Facts) -> Column:
    formats = [str(column.format) for column in confirmed]
    say = " or ".join(f"kinds={{{name!r}: 'datetime:{form}'}}" for form in formats)
    which = f"dates that could be {' or '.join(formats)} in every row; say {say}"
    return Column(name, "category", f"text, {_count(facts)}; {which}")


def _typed_spellings(facts: Facts, missing: Sequence[str] | None) -> tuple[tuple[str, int], ...]:
    if missing is None:
        return facts.spellings
    counts = dict(facts.spellings)
    return tuple((spelling, counts.get(spelling, 0)) for spelling in missing)


def read_as_missing(spellings: Sequence[tuple[str, int]]) -> str:
    """Say which spellings are read as missing, and in how many rows."""
    shown = ", ".join(f"{value!r}{_rows(count)}" for value, count in spellings)
    return f"; {shown} read as missing" if shown else ""


def _rows(count: int) -> str:
    return f" ({count:,} rows)" if count > 1 else (" (1 row)" if count else "")


def _string(name: str, facts: Facts, guess: Guess, missing: Sequence[str] | None) -> Column:
    kind, reason = _string_kind(name, facts)
    if missing is not None:
        marks = tuple(missing)
        return Column(name, kind, reason + _note(guess), missing=marks)
    lost = [pair for pair in facts.spellings if is_mark(pair[0], guess)]
    kept = [pair for pair in facts.spellings if not is_mark(pair[0], guess)]
    reason += read_as_missing(lost) + _kept(name, kept) + _note(guess)
    return Column(name, kind, reason, missing=tuple(value for value, _ in lost))


def is_mark(value: str, guess: Guess) -> bool:
    """Answer whether a spelling clearly means missing in a category."""
    plain = value.strip(BLANKS)
    if re.fullmatch(r"\W+", plain) and plain != "<NA>":
        return plain in MISSING_MARKS and set(guess.marks) <= {plain}
    return plain in MISSING_MARKS


def _kept(name: str, spellings: Sequence[tuple[str, int]]) -> str:
    if not spellings:
        return ""
    shown = ", ".join(f"{value!r}{_rows(count)}" for value, count in spellings)
    values = [value for value, _ in spellings]
    return f"; {shown} kept as a value, if missing say missing={{{name!r}: {values}}}"


def _note(guess: Guess) -> str:
    return f"; {guess.note}" if guess.note else ""


def _string_kind(name: str, facts: Facts) -> tuple[Kind, str]:
    rows = "1 row" if facts.present == 1 else f"{facts.present:,} rows"
    reason = f"text, {_count(facts)} in {rows}"
    differ = facts.differing >= _NEARLY
    if is_id(name) and differ and facts.present > 1:
        return "id", f"the name says id, and {_differing(facts)}; {reason}"
    wordy = facts.spaced > 1 - _NEARLY or facts.length > _SHORT or facts.ascii < _NEARLY
    if differ and facts.present >= _MANY_ROWS:
        if wordy:
            return "text", f"{_differing(facts)}, {facts.length:.0f} characters each; {reason}"
        return "id", f"{_differing(facts)}, short and without spaces; {reason}"
    long = facts.length >= _LONG and facts.differing >= _MOSTLY
    if (long and facts.present >= _MANY_ROWS) or (facts.length >= _VERY_LONG and differ):
        return "text", f"long ({facts.length:.0f} characters) and mostly different; {reason}"
    return "category", reason
