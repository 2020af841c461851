"""The schema: the names of a table's columns and what kind each of them is."""

from __future__ import annotations

import html
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from headrace.data.grammar import check_format
from headrace.errors import DataError, Problem, SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

__all__ = [
    "KINDS",
    "MISSING_TIME",
    "Column",
    "Kind",
    "Schema",
    "Type",
    "UnknownColumnWarning",
    "check_kind",
    "is_pattern",
]

Kind = Literal["number", "boolean", "category", "datetime", "text", "id"]
"""What a column means."""

Type = Literal["number", "string", "time"]
"""How a canonical column is held: Float64, String, or Int64 microseconds UTC."""

KINDS: tuple[Kind, ...] = get_args(Kind)

MISSING_TIME = -(2**63)
"""A missing date in a canonical column: the smallest Int64."""

_TYPES: dict[Kind, Type] = {
    "number": "number",
    "boolean": "number",
    "category": "string",
    "text": "string",
    "id": "string",
    "datetime": "time",
}


class UnknownColumnWarning(UserWarning):
    """Data holds columns that the schema does not know; they are ignored."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its kind, and how its values are spelled.

    Attributes:
        name: The name, exactly as in the data.
        kind: number, boolean, category, datetime, text or id.
        reason: Why it is of this kind, for people to read.
        missing: Spellings that mean missing, besides the empty string ("NA", "?", "-999").
            For numbers, booleans and dates they are also compared by value: "-999" is -999.0 too.
        true: Spellings of true in a boolean column held as text; empty for the usual ones.
        false: Spellings of false.
        format: How dates held as text or integers are written: a strptime format, or one of
            "unix s", "unix ms", "unix us", "unix ns"; None for ISO 8601.
        optional: Whether the column may be absent; it is then missing in every row.

    Raises:
        SettingError: A setting that cannot be used, or that does not go with the kind.

    Example:
        >>> Column("age", "number").type
        'number'
        >>> Column("age", "nummber")
        Traceback (most recent call last):
        headrace.errors.SettingError: column 'age': there is no kind 'nummber'; did you mean \
'number'? The kinds are number, boolean, category, datetime, text, id
    """

    name: str
    kind: Kind
    reason: str = "given"
    missing: tuple[str, ...] = ()
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    format: str | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if not isinstance(self.name, str):
            raise SettingError(f"a column's name must be text, received {self.name!r}")
        if is_pattern(self.name):
            raise SettingError(f"the name {self.name!r} is a pattern to Polars; rename the column")
        check_kind(self.kind, self.name)
        for setting in ("missing", "true", "false"):
            _check_spellings(self, setting)
        _check_boolean(self)
        _check_format(self)

    @property
    def type(self) -> Type:
        """How the canonical column is held: "number", "string" or "time"."""
        return _TYPES[self.kind]

    def to_dict(self) -> dict[str, Any]:
        """Answer the column as plain values; settings at their defaults are left out.

        Example:
            >>> Column("age", "number", missing=("?",)).to_dict()
            {'name': 'age', 'kind': 'number', 'reason': 'given', 'missing': ['?']}
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        always = ("name", "kind", "reason")
        return {k: v for k, v in plain.items() if k in always or v not in ([], None, False)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Column:
        """Make the column that `to_dict` described.

        Raises:
            SettingError: The description is not one of a column.

        Example:
            >>> Column.from_dict({"name": "age", "kind": "number"})
            Column(name='age', kind='number', reason='given', missing=(), true=(), false=(), \
format=None, optional=False)
        """
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        if unknown or not {"name", "kind"} <= set(values):
            raise SettingError(
                f"a column is described by {sorted(known)}, received {sorted(values)}"
            )
        listed = ("missing", "true", "false")
        settings: dict[str, Any] = dict(values)
        settings |= {key: tuple(values[key]) for key in listed if key in values}
        return cls(**settings)


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in order, each with its kind.

    Args:
        columns: The columns; their names must be different.

    Raises:
        SettingError: Two columns have the same name.

    Example:
        >>> schema = Schema((Column("age", "number"), Column("city", "category")))
        >>> schema.names, schema.numbers, schema.strings
        (('age', 'city'), ('age',), ('city',))
        >>> "age" in schema, schema["city"].kind
        (True, 'category')
    """

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        """Refuse names that occur twice."""
        seen: set[str] = set()
        for name in (column.name for column in self.columns):
            if name in seen:
                raise SettingError(f"two columns of the schema are called {name!r}")
            seen.add(name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The columns held as Float64: numbers and booleans; the first block of the graph."""
        return self._of_type("number")

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """The columns held as String: categories, texts and ids; the second block."""
        return self._of_type("string")

    @cached_property
    def times(self) -> tuple[str, ...]:
        """The columns held as Int64 microseconds UTC; the third block."""
        return self._of_type("time")

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def _of_type(self, wanted: Type) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.type == wanted)

    def __getitem__(self, name: str) -> Column:
        """Answer one column; a DataError names the nearest when there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            raise DataError([_no_column(name, self.names)]) from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def select(self, names: Iterable[str]) -> Schema:
        """Answer the schema of some columns, in the order of the names.

        Raises:
            DataError: A name that the schema does not have.

        Example:
            >>> Schema((Column("a", "number"), Column("b", "number"))).select(["b"]).names
            ('b',)
        """
        wanted = list(names)
        unknown = [_no_column(name, self.names) for name in wanted if name not in self]
        if unknown:
            raise DataError(unknown)
        return Schema(tuple(self[name] for name in wanted))

    def without(self, names: Collection[str]) -> Schema:
        """Answer the schema without some columns; names that it does not have are no error.

        Example:
            >>> Schema((Column("a", "number"), Column("b", "number"))).without(["b"]).names
            ('a',)
        """
        return Schema(tuple(column for column in self.columns if column.name not in names))

    def replace(self, column: Column) -> Schema:
        """Answer the schema with one column changed; the name says which.

        Example:
            >>> Schema((Column("a", "number"),)).replace(Column("a", "id"))["a"].kind
            'id'
        """
        self[column.name]
        kept = (column if old.name == column.name else old for old in self.columns)
        return replace(self, columns=tuple(kept))

    def to_dict(self) -> dict[str, Any]:
        """Answer the schema as plain values that JSON can hold."""
        return {"columns": [column.to_dict() for column in self.columns]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Schema:
        """Make the schema that `to_dict` described.

        Raises:
            SettingError: The description is not one of a schema.

        Example:
            >>> schema = Schema((Column("a", "number"),))
            >>> Schema.from_dict(schema.to_dict()) == schema
            True
        """
        if set(values) != {"columns"} or not isinstance(values["columns"], list):
            raise SettingError(f"a schema is described by 'columns', received {sorted(values)}")
        return cls(tuple(Column.from_dict(column) for column in values["columns"]))

    def summary(self) -> str:
        """Answer a table: each column, its kind, and why.

        Example:
            >>> print(Schema((Column("age", "number"), Column("city", "category"))).summary())
            column  kind      why
            age     number    given
            city    category  given
        """
        rows = [("column", "kind", "why")] + [
            (_one_line(column.name), column.kind, _notes(column)) for column in self.columns
        ]
        widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
        return "\n".join(
            f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {why}".rstrip() for name, kind, why in rows
        )

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>"
            f'<td style="text-align:left"><code>{html.escape(_one_line(column.name))}</code></td>'
            f'<td style="text-align:left">{html.escape(column.kind)}</td>'
            f'<td style="text-align:left">{html.escape(_notes(column))}</td>'
            "</tr>"
            for column in self.columns
        )
        head = "".join(f'<th style="text-align:left">{h}</th>' for h in ("column", "kind", "why"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"


def is_pattern(name: str) -> bool:
    """Answer whether Polars takes a name for a pattern of names: "*" and "^...$".

    Example:
        >>> is_pattern("*"), is_pattern("^GSPC")
        (True, False)
    """
    return name == "*" or (name.startswith("^") and name.endswith("$"))


def check_kind(kind: object, name: str) -> None:
    """Refuse what is not a kind.

    Raises:
        SettingError: It names the column and the nearest kind.

    Example:
        >>> check_kind("number", "age")
    """
    if kind in KINDS:
        return
    meant = nearest(str(kind), KINDS)
    guess = f"; did you mean {meant!r}?" if meant else "."
    raise SettingError(
        f"column {name!r}: there is no kind {kind!r}{guess} The kinds are {', '.join(KINDS)}"
    )


def _no_column(name: str, names: Iterable[str]) -> Problem:
    meant = nearest(name, names)
    hint = f"Did you mean {meant!r}?" if meant else None
    return Problem("the schema has no such column", column=name, hint=hint)


def _check_spellings(column: Column, setting: str) -> None:
    spellings = getattr(column, setting)
    if not isinstance(spellings, tuple) or not all(isinstance(s, str) for s in spellings):
        raise SettingError(
            f"column {column.name!r}: {setting} must be a tuple of text, received {spellings!r}"
        )


def _check_boolean(column: Column) -> None:
    if (column.true or column.false) and column.kind != "boolean":
        raise SettingError(
            f"column {column.name!r}: true= and false= are for kind boolean, not {column.kind}"
        )
    both = set(column.true) & set(column.false)
    if both or bool(column.true) != bool(column.false):
        raise SettingError(
            f"column {column.name!r}: true= and false= must both be given and share no spelling, "
            f"received true={column.true!r}, false={column.false!r}"
        )


def _check_format(column: Column) -> None:
    if column.format is None:
        return
    if column.kind != "datetime":
        raise SettingError(
            f"column {column.name!r}: format= is for kind datetime, not {column.kind}"
        )
    try:
        check_format(column.format)
    except SettingError as error:
        raise SettingError(f"column {column.name!r}: {error}") from None


def _notes(column: Column) -> str:
    return column.reason + ("; may be absent" if column.optional else "")


def _one_line(text: str) -> str:
    """Show line breaks and other control characters as escapes, so that a row stays a row."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
