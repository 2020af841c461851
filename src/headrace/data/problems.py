"""What both doors say about data that does not fit the schema."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from headrace.data.schema import UnknownColumnWarning
from headrace.errors import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from headrace.data.schema import Column, Schema

__all__ = ["Refused", "absent_column", "expected", "refused_values", "warn_unknown", "with_article"]

_SHOWN_ROWS = 3


class Refused(Exception):  # noqa: N818 - a signal inside the doors, never seen by users
    """A value that does not fit its column; the text says what was expected."""


def expected(column: Column) -> str:
    """Say what a column's values should look like.

    Example:
        >>> from headrace.data.schema import Column
        >>> expected(Column("age", "number"))
        'expected a number'
    """
    if column.kind == "number":
        return "expected a number"
    if column.kind == "boolean":
        true, false = column.true or ("true",), column.false or ("false",)
        return f"expected {_either((*true, *false))}, or 1 or 0"
    if column.kind != "datetime":
        return f"expected text or a number (kind {column.kind})"
    if column.format is None:
        return "expected a date such as 2024-01-31 or 2024-01-31T12:00:00Z"
    return f"expected a date written as {column.format!r}"


def refused_values(
    column: Column, found: Sequence[tuple[int, object, str]], total: int
) -> list[Problem]:
    """Answer the problems of one column: the first rows in full, the rest counted.

    Args:
        column: The column.
        found: Row, value and text of the first refused values.
        total: How many rows were refused.
    """
    problems = [
        Problem(text, column=column.name, row=row, value=value)
        for row, value, text in found[:_SHOWN_ROWS]
    ]
    rest = total - len(problems)
    if rest > 0:
        rows = "1 more row" if rest == 1 else f"{rest:,} more rows"
        problems.append(Problem(f"{expected(column)}; {rows} not so", column=column.name))
    return problems


def absent_column(name: str, received: Iterable[str], row: int | None = None) -> Problem:
    """Answer the problem of a column that the data lacks, with the nearest name that it has."""
    meant = nearest(name, map(str, received))
    hint = f"Did you mean {meant!r}?" if meant else None
    return Problem("the column is missing", column=name, row=row, hint=hint)


def warn_unknown(unknown: Collection[str], schema: Schema, stacklevel: int) -> None:
    """Say once which columns are ignored because the schema does not know them."""
    if unknown:
        names = ", ".join(_suggested(name, schema) for name in unknown)
        warnings.warn(
            f"ignored columns that the schema does not know: {names}",
            UnknownColumnWarning,
            stacklevel=stacklevel + 1,
        )


def with_article(noun: str) -> str:
    """Put "a" or "an" in front of a word.

    Example:
        >>> with_article("int"), with_article("list")
        ('an int', 'a list')
    """
    return f"an {noun}" if noun[:1] in tuple("aeiouAEIOU") else f"a {noun}"


def _suggested(name: str, schema: Schema) -> str:
    meant = nearest(str(name), schema.names)
    return f"{name!r} (nearest: {meant!r})" if meant else repr(name)


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(repr(word) for word in words)
