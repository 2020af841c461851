"""What a sample of text may be: numbers, truth values, dates in some format, missing values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from headrace.data.grammar import BLANKS, format_pattern, parse_time
from headrace.data.names import CLOCK_WORDS, DATE_WORDS, name_words
from headrace.data.parsing import parse_numbers, parse_times
from headrace.data.schema import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

__all__ = [
    "MISSING_MARKS",
    "MISSING_WORDS",
    "TYPED_MISSING",
    "UNIX_FROM",
    "Guess",
    "boolean_pair",
    "date_formats",
    "guess_text",
    "guess_time_of_number",
    "missing_spellings",
]

MISSING_MARKS: Final = ("?", "-", "--", ".", "*", "#N/A", "<NA>", "NaN", "nan", "NaT", r"\N")
"""Spellings that mean missing in a category too: lone marks, and what programs write."""

MISSING_WORDS: Final = ("NA", "N/A", "null", "none", "nil", "na", "n/a")
"""Spellings that mean missing among numbers or dates, but may be a category's value."""

UNIX_FROM: Final = {"unix s": 3e8, "unix ms": 3e11, "unix us": 3e14, "unix ns": 3e17}
"""In each unit since 1970 the smallest number that is taken for a date: the year 1979."""

UNIX_TO: Final = 14
"""The largest is this many times as large: the year 2103."""

_ZERO_DATES = ("0000-00-00", "0000-00-00 00:00:00")
_PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
_MOSTLY = 0.9
_EXACT_DIGITS = 15
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%d/%m/%y", "%m/%d/%y",
    "%d-%b-%y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_MONTHS = r"^(?:1[89]|20|21)[0-9]{2}-(?:0[1-9]|1[0-2])$"
_LIKE_DATE = r"[0-9][-/. ,]|[-/. ][0-9]"
_LONGEST_DATE = 40


@dataclass(frozen=True)
class Guess:
    """What the text of a sample may be.

    Attributes:
        candidates: Typed columns that read every value; to be confirmed on all rows.
        note: What is worth telling when no candidate is confirmed.
        certain: Whether the sample held any value at all.
        marks: The values that are punctuation alone.
    """

    candidates: tuple[Column, ...] = ()
    note: str = ""
    certain: bool = True
    marks: tuple[str, ...] = ()


def missing_spellings(words: Iterable[str]) -> list[str]:
    """Answer spellings in the cases that they are usually written in.

    Example:
        >>> missing_spellings(["NA"])
        ['NA', 'na', 'Na']
    """
    cases = [v for word in words for v in (word, word.lower(), word.upper(), word.capitalize())]
    return list(dict.fromkeys(cases))


TYPED_MISSING: Final = tuple(missing_spellings((*MISSING_MARKS, *MISSING_WORDS, *_ZERO_DATES)))
"""Every spelling that means missing among numbers, truth values and dates."""


def guess_text(name: str, sample: pl.Series, missing: Sequence[str] | None) -> Guess:
    """Answer what the text of a sample may be.

    Args:
        name: The column's name.
        sample: Some of its values.
        missing: The spellings of missing, if declared; otherwise the known ones are tried.

    Example:
        >>> import polars as pl
        >>> guess_text("x", pl.Series(["1", "2.5", "NA"]), None).candidates[0].kind
        'number'
    """
    spellings = tuple(missing) if missing is not None else TYPED_MISSING
    held = sample.drop_nulls().unique(maintain_order=True).str.strip_chars(BLANKS)
    marks = tuple(held.filter(held.str.contains(r"^[^\w\s]+$")).unique(maintain_order=True))
    values = held.filter((held != "") & ~held.is_in([s.strip(BLANKS) for s in spellings]))
    return replace(_guess(name, values, spellings), marks=marks)


def _guess(name: str, values: pl.Series, spellings: tuple[str, ...]) -> Guess:
    if values.is_empty():
        found = (
            Column(name, "number", missing=spellings),
            Column(name, "datetime", missing=spellings),
        )
        return Guess(found, certain=False)
    if (pair := boolean_pair(values)) is not None:
        true, false = pair
        return Guess((Column(name, "boolean", missing=spellings, true=true, false=false),))
    return _guess_number(name, values, spellings) or _guess_time(name, values, spellings)


def boolean_pair(values: pl.Series) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Answer the spellings of true and false when the values are such a pair.

    Example:
        >>> import polars as pl
        >>> boolean_pair(pl.Series(["Yes", "no"]))
        (('Yes',), ('no',))
    """
    if values.len() > 6:
        return None
    lower = values.str.to_lowercase()
    for true, false in _PAIRS:
        if set(lower) == {true, false}:
            held = values.to_list()
            yes = tuple(sorted(v for v in held if v.lower() == true))
            return yes, tuple(sorted(v for v in held if v.lower() == false))
    return None


def _guess_number(name: str, values: pl.Series, missing: tuple[str, ...]) -> Guess | None:
    column = Column(name, "number", missing=missing)
    read = parse_numbers(values, column)
    share = 1 - read.null_count() / values.len()
    if share == 1.0:
        codes = _code_reason(values)
        if codes:
            return Guess(note=codes)
        numbers = read.to_numpy()
        time = guess_time_of_number(name, float(numbers.min()), float(numbers.max()))
        dated = (replace(time, missing=missing),) if time else ()
        return Guess((*dated, column))
    if share >= _MOSTLY:
        other = values.filter(read.is_null())[0]
        return Guess(note=_mostly("numbers", share, other, name))
    return None


def guess_time_of_number(name: str, low: float | None, high: float | None) -> Column | None:
    """Answer the date that whole numbers may be, by their name and range.

    Example:
        >>> guess_time_of_number("order_date", 20240101, 20241231).format
        '%Y%m%d'
        >>> guess_time_of_number("timestamp", 881250949, 893286638).format
        'unix s'
    """
    if low is None or high is None:
        return None
    if DATE_WORDS & set(name_words(name)) and 19000101 <= low <= high <= 21001231:
        return Column(name, "datetime", format="%Y%m%d")
    if CLOCK_WORDS & set(name_words(name)):
        for unit, start in UNIX_FROM.items():
            if start <= low <= high <= start * UNIX_TO:
                return Column(name, "datetime", format=unit)
    return None


def _code_reason(values: pl.Series) -> str:
    """Say why digits are codes rather than numbers; empty when they are not."""
    padded = values.filter(values.str.contains("^[+-]?0[0-9]"))
    if padded.len():
        return f"digits with leading zeros such as {padded[0]!r}, kept as text"
    long = values.filter(values.str.contains(f"^[+-]?[0-9]{{{_EXACT_DIGITS + 1},}}$"))
    if long.len():
        return f"digits too many for an exact number such as {long[0]!r}, kept as text"
    return ""


def _extremes(numbers: pl.Series) -> tuple[float, float]:
    values = numbers.to_numpy()
    return float(values.min()), float(values.max())


def _guess_time(name: str, values: pl.Series, missing: tuple[str, ...]) -> Guess:
    like = values.str.contains(_LIKE_DATE) & (values.str.len_chars() <= _LONGEST_DATE)
    if like.sum() < _MOSTLY * like.len():
        return Guess(note=_comma_note(values))
    iso = Column(name, "datetime", missing=missing)
    share = 1 - parse_times(values, iso).null_count() / values.len()
    if share == 1.0:
        return Guess((iso,))
    formats = date_formats(values)
    if formats:
        return Guess(tuple(Column(name, "datetime", missing=missing, format=f) for f in formats))
    if share >= _MOSTLY:
        other = values.filter(parse_times(values, iso).is_null())[0]
        return Guess(note=_mostly("dates", share, other, name))
    return Guess(note=_comma_note(values))


def _mostly(what: str, share: float, other: str, name: str) -> str:
    kind = "number" if what == "numbers" else "datetime"
    return (
        f"{share:.1%} of the distinct values are {what} but not {other!r}; if that means missing, "
        f"say kinds={{{name!r}: {kind!r}}} and missing={{{name!r}: [{other!r}]}}"
    )


def _comma_note(values: pl.Series) -> str:
    if values.str.contains(r"^[+-]?[0-9]+,[0-9]+$").all():
        return (
            f"looks like numbers with commas, such as {values[0]!r}; write a point to have numbers"
        )
    return ""


def date_formats(values: pl.Series) -> list[str]:
    """Answer the formats that read every value, two when day and month cannot be told apart.

    Example:
        >>> import polars as pl
        >>> date_formats(pl.Series(["31/12/2020"])), date_formats(pl.Series(["01/02/2020"]))
        (['%d/%m/%Y'], ['%d/%m/%Y', '%m/%d/%Y'])
    """
    if values.str.contains(_MONTHS).all():
        return ["%Y-%m"]
    return [
        form
        for form in (day + time for day in _DATES for time in _TIMES)
        if parse_time(values[0], format_pattern(form)) is not None  # quick, rules out most
        and not parse_times(values, Column("", "datetime", format=form)).null_count()
    ]
