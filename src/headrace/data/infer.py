"""The schema of a raw table, inferred by stated rules; each decision says its reason.

The rules, in order; the first that holds decides:

1. What `kinds` says, with the details (formats, spellings) still found in the data.
2. Boolean columns are boolean. Date and Datetime columns are datetime. Categorical and Enum columns
   are category. Duration and Time columns are number (seconds).
3. Whole numbers whose name says so are a date: written 20240131 under a name with "date" or "day",
   or counted from 1970 under a name with "timestamp" or "epoch".
4. Whole numbers under a name with a word such as "zip", "postcode" or "code" are a category. Under
   "id" or "uuid" they are an id when nearly all differ, and a category when they repeat. When they
   count the rows under a name such as "index", "" or "Unnamed: 0" they are an id.
5. Whole numbers beyond 2**53 would lose digits; they are an id when nearly all differ, else a
   category.
6. Other numbers are number, even when there are few different ones: an integer that stands for a
   category cannot be told from a count. `kinds={"SEX": "category"}` says so.
7. Text whose values are all numbers is number; not so with leading zeros or more than 15 digits,
   which are codes. Rules 3 and 4 apply to whole numbers held as text too.
8. Text whose values are a pair of true/false, yes/no, t/f or y/n is boolean.
9. Text whose values are all dates is datetime: ISO 8601, or a format such as 31.12.2024 that all
   values share. When 01/02/2024 could be read in two ways in every row, it stays text.
10. Other text is an id when nearly all values differ and are short, in ASCII and without spaces;
    text when values are long and mostly differ, and category otherwise.

In numbers, truth values and dates "?", "-", "NA", "null" and the like mean missing. In a category
only a lone mark does ("?" or "-", when no other value is a mark), and what programs write for gaps
("NaN", "<NA>", "#N/A"); words such as "NA" or "none" may be values, are kept, and are named in the
reason. Declaring `missing` ends all guessing for that column.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from headrace.data import grammar
from headrace.data.evidence import Facts, gather
from headrace.data.grammar import BLANKS
from headrace.data.problems import absent_column
from headrace.data.rules import (
    confirmed_columns,
    decide,
    is_mark,
    number_time_format,
    read_as_missing,
)
from headrace.data.scan import collect
from headrace.data.schema import Column, Schema, check_kind, is_pattern
from headrace.data.spellings import TYPED_MISSING, Guess, guess_text, guess_time_of_number
from headrace.errors import DataError, Problem, SettingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from headrace.data.onescan import Reader
    from headrace.data.schema import Kind

__all__ = ["infer_schema"]

_SAMPLE_ROWS = 20_000
_GIVEN = "given"
_GIVEN_WHOLE = "given as a whole"


def infer_schema(
    frame: pl.LazyFrame,
    *,
    kinds: Mapping[str, Kind | str | Column] | None = None,
    missing: Mapping[str, str | float | Sequence[str | float]] | None = None,
    exclude: Collection[str] = (),
    beside: Sequence[Reader] = (),
) -> Schema:
    """Infer what each column of a raw table is, by the rules at the top of this module.

    A sample of the first rows suggests, one scan of all rows confirms.

    Args:
        frame: The raw table, as `read` answers it.
        kinds: Kinds that are known: a name of a kind, "datetime:" and a format
            ("datetime:%d/%m/%Y", "datetime:unix s"), or a whole `Column`.
        missing: Values that mean missing, for some columns: `{"age": ["?", -999]}`.
        exclude: Columns to leave out.
        beside: Who else looks at the raw rows while all are scanned.

    Returns:
        The schema, in the table's column order; `summary()` shows the reasons.

    Raises:
        DataError: Names that the table lacks (the nearest is told), an empty table, dtypes that
            no kind can hold, or a declared kind that leaves open how to read the values.
        SettingError: A kind that there is not.

    Example:
        >>> import polars as pl
        >>> frame = pl.LazyFrame({"age": ["39", "?"], "zip": [9490, 1010], "day": ["May", "June"]})
        >>> print(infer_schema(frame, kinds={"day": "text"}).summary())
        column  kind      why
        age     number    whole numbers, constant 39; '?' (1 row) read as missing
        zip     category  the name says codes; whole numbers, 2 distinct from 1010 to 9490
        day     text      given
    """
    held = frame.collect_schema()
    names = [name for name in held if name not in exclude]
    declared = {name: _declared(name, spec) for name, spec in (kinds or {}).items()}
    spellings = {name: _spellings(values) for name, values in (missing or {}).items()}
    _check(names, held, declared, spellings, exclude)
    sample = collect(frame.select(names).head(_SAMPLE_ROWS))
    if not sample.height:
        raise DataError([Problem("the table is empty: it has no rows")])
    guesses = {
        name: _guess(sample[name], declared.get(name), spellings.get(name)) for name in names
    }
    facts = _facts(frame, guesses, beside)
    columns, problems = [], []
    for name in names:
        known = declared.get(name)
        try:
            columns.append(
                decide(name, facts[name], guesses[name], spellings.get(name))
                if known is None
                else _complete(known, facts[name], guesses[name], spellings.get(name))
            )
        except _Open as question:
            problems.append(Problem(str(question), column=name))
    if problems:
        raise DataError(problems)
    return Schema(tuple(columns))


def _facts(
    frame: pl.LazyFrame, guesses: Mapping[str, Guess], beside: Sequence[Reader]
) -> dict[str, Facts]:
    """Count all rows; text that turned out not to be what its sample suggested, once more."""
    candidates = {name: guess.candidates for name, guess in guesses.items()}
    facts = gather(frame, list(guesses), candidates, beside)
    wrong = [name for name, fact in facts.items() if fact.refused and all(fact.refused)]
    again = gather(frame, wrong, {}) if wrong else {}
    return facts | {
        name: replace(fact, refused=facts[name].refused) for name, fact in again.items()
    }


class _Open(Exception):  # noqa: N818 - a signal inside this module
    """A declared kind that leaves open how its values are read."""


def _declared(name: str, spec: object) -> Column:
    if isinstance(spec, Column):
        if spec.name != name:
            raise SettingError(f"kinds: the column {spec.name!r} is given under the name {name!r}")
        return replace(spec, reason=_GIVEN_WHOLE) if spec.reason == _GIVEN else spec
    kind, _, form = str(spec).partition(":")
    check_kind(kind, name)
    return Column(name, kind, _GIVEN, format=form or None)  # type: ignore[arg-type]


def _spellings(values: str | float | Sequence[str | float]) -> tuple[str, ...]:
    listed = [values] if isinstance(values, (str, int, float)) else list(values)
    return tuple(
        value if isinstance(value, str) else grammar.number_text(float(value)) for value in listed
    )


def _check(
    names: Sequence[str],
    held: Mapping[str, pl.DataType],
    declared: Mapping[str, Column],
    spellings: Mapping[str, object],
    exclude: Collection[str],
) -> None:
    """Refuse settings for columns that are not there, and dtypes that nothing can be made of."""
    problems = [
        absent_column(name, held)
        for name in dict.fromkeys([*declared, *spellings, *exclude])
        if name not in held
    ]
    for name in names:
        dtype = held[name]
        if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
            hint = "Leave it out (exclude), or turn it into numbers or text first"
            text = f"values of dtype {dtype} are not supported"
            problems.append(Problem(text, column=name, hint=hint))
    problems += [
        Problem("the name is a pattern to Polars", column=name, hint="Rename it")
        for name in names
        if is_pattern(name)
    ]
    if not names:
        problems.append(Problem("the table has no columns"))
    if problems:
        raise DataError(problems)


def _guess(sample: pl.Series, declared: Column | None, missing: tuple[str, ...] | None) -> Guess:
    """Answer what a column may be, judged by a sample."""
    name = sample.name
    if sample.dtype == pl.String:
        guess = guess_text(name, sample, missing)
        return guess if declared is None else _guess_details(declared, guess)
    if not sample.dtype.is_numeric():
        return Guess()
    low, high = _range(sample)
    if declared is None:
        column = guess_time_of_number(name, low, high)
        return Guess((replace(column, missing=missing or ()),) if column else ())
    if declared.kind == "datetime" and declared.format is None:
        return Guess((replace(declared, format=number_time_format(low or 0, high or 0)),))
    return Guess()


def _range(sample: pl.Series) -> tuple[float | None, float | None]:
    numbers = sample.cast(pl.Float64).fill_nan(None)
    return numbers.min(), numbers.max()  # type: ignore[return-value]


def _guess_details(declared: Column, guess: Guess) -> Guess:
    """Answer how text of a declared kind may be written."""
    candidates: tuple[Column, ...] = ()
    if declared.kind == "datetime" and declared.format is None:
        candidates = tuple(column for column in guess.candidates if column.kind == "datetime")
    if declared.kind == "boolean" and not declared.true:
        candidates = (replace(declared, missing=TYPED_MISSING),)
    return replace(guess, candidates=candidates, note="")


def _complete(
    declared: Column, facts: Facts, guess: Guess, missing: tuple[str, ...] | None
) -> Column:
    """Answer a declared column with the details that the data tells.

    Raises:
        Open: The data does not tell them.
    """
    column = replace(declared, missing=missing) if missing is not None else declared
    if declared.reason != _GIVEN:  # a whole column was given
        return column
    confirmed = confirmed_columns(guess, facts)
    if len(confirmed) > 1:
        formats = " or ".join(f"'datetime:{found.format}'" for found in confirmed)
        raise _Open(f"the dates can be read in two ways; say kinds={{{column.name!r}: {formats}}}")
    if confirmed:
        column = replace(column, format=confirmed[0].format)
    elif column.kind == "boolean" and guess.candidates:
        raise _Open(
            "which values are true? Say kinds="
            f"{{{column.name!r}: Column({column.name!r}, 'boolean', true=(...), false=(...))}}"
        )
    return column if missing is not None else _with_missing(column, facts, guess)


def _with_missing(column: Column, facts: Facts, guess: Guess) -> Column:
    typed = column.type != "string"
    found = facts.spellings if typed else tuple(p for p in facts.spellings if is_mark(p[0], guess))
    marks = dict.fromkeys(value.strip(BLANKS) if typed else value for value, _ in found)
    form = f", written as {column.format!r}" if column.format else ""
    reason = column.reason + form + read_as_missing(found)
    return replace(column, missing=tuple(marks), reason=reason)
