"""Groups of rows by their columns, read from canonical blocks without a table library."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.data.rows import Blocks
    from headrace.data.schema import Column, Schema

__all__ = ["GroupColumn", "Groups", "lots"]

_FEW = 20
_PARTS = 5
_MISSING = "missing"
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class GroupColumn:
    """One column that divides rows.

    Attributes:
        name: Of the column.
        kind: "word" and "value" for a group each, "truth" for truth values, "range" for ranges.
        levels: The words or numbers; of ranges the inner edges, rising.
    """

    name: str
    kind: str
    levels: tuple[str, ...] | tuple[float, ...]

    @classmethod
    def of(cls, column: Column, values: NDArray[Any], least: int) -> GroupColumn:
        """Answer how a column divides rows: by its words, its few numbers, or fifths of many.

        Args:
            column: The column.
            values: (rows,) canonical values.
            least: Words of fewer rows are none of the groups.

        Raises:
            SettingError: It is a column of dates.
        """
        if column.type == "string":
            counts = Counter(values.tolist())
            return cls(column.name, "word", tuple(sorted(w for w in counts if counts[w] >= least)))
        if column.type != "number":
            raise SettingError(
                f"the column {column.name!r} of by holds dates, which are no groups: derive a "
                "number from it, such as its year, or weigh rows by half_life"
            )
        known = values[~np.isnan(values)]
        different = np.unique(known)
        if len(different) <= _FEW:
            kind = "truth" if column.kind == "boolean" else "value"
            return cls(column.name, kind, tuple(different.tolist()))
        inner = np.quantile(known, np.arange(1, _PARTS) / _PARTS)
        return cls(column.name, "range", tuple(np.unique(inner).tolist()))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the groups, in the order of their numbers; the last one of gaps."""
        if self.kind == "word":
            return (*(str(word) or _MISSING for word in self.levels), _MISSING)
        if self.kind == "truth":
            return (*("true" if value else "false" for value in self.levels), _MISSING)
        texts = [f"{value:g}" for value in self.levels]
        if self.kind == "value":
            return (*texts, _MISSING)
        inner = [f"{low} to {high}" for low, high in pairwise(texts)]
        return (f"up to {texts[0]}", *inner, f"above {texts[-1]}", _MISSING)

    def codes(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Answer the number of each row's group; -1 for a value that is none of the groups."""
        if self.kind == "word":
            known = self._places
            return np.fromiter((known.get(word, -1) for word in values), np.intp, len(values))
        levels = np.asarray(self.levels, dtype=np.float64)
        found = np.searchsorted(levels, values)
        if self.kind != "range":
            found = np.where(np.append(levels, np.nan)[found] == values, found, -1)
        missing = len(self.levels) + (self.kind == "range")
        return np.where(np.isnan(values), missing, found).astype(np.intp)

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {level: place for place, level in enumerate(self.levels)}

    def to_dict(self) -> dict[str, Any]:
        """Answer the column as plain values."""
        return {"name": self.name, "kind": self.kind, "levels": list(self.levels)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> GroupColumn:
        """Read what `to_dict` wrote."""
        return cls(str(stored["name"]), str(stored["kind"]), tuple(stored["levels"]))


@dataclass(frozen=True)
class Groups:
    """Rows divided by columns, or by the crosses of several.

    Attributes:
        columns: The columns.
        places: Which crosses are groups with a number of their own, as the codes of the columns.
    """

    columns: tuple[GroupColumn, ...] = ()
    places: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, names: Sequence[str], schema: Schema, blocks: Blocks, least: int) -> Groups:
        """Answer the groups of at least so many rows.

        Raises:
            SettingError: A column is none of the schema's, or holds dates.
        """
        held = {name: _column(name, schema, blocks) for name in names}
        columns = tuple(GroupColumn.of(schema[name], held[name], least) for name in names)
        codes = np.stack([column.codes(held[column.name]) for column in columns], axis=1)
        crosses, counts = np.unique(codes, axis=0, return_counts=True)
        large = crosses[(counts >= least) & (crosses >= 0).all(axis=1)].tolist()
        return cls(columns, tuple(tuple(cross) for cross in large))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the groups, in the order of their numbers."""
        return tuple(
            ", ".join(
                f"{column.name} {column.labels[code]}"
                for column, code in zip(self.columns, cross, strict=True)
            )
            for cross in self.places
        )

    def codes(self, schema: Schema, blocks: Blocks) -> NDArray[np.intp]:
        """Answer the number of each row's group, (rows,); -1 where it has none."""
        rows = len(blocks.numbers)
        known = self._numbers
        parts = [one.codes(_column(one.name, schema, blocks)).tolist() for one in self.columns]
        found = (known.get(cross, -1) for cross in zip(*parts, strict=True))
        return np.fromiter(found, np.intp, rows)

    @cached_property
    def _numbers(self) -> dict[tuple[int, ...], int]:
        return {cross: place for place, cross in enumerate(self.places)}

    def to_dict(self) -> dict[str, Any]:
        """Answer the groups as plain values."""
        return {
            "columns": [column.to_dict() for column in self.columns],
            "places": [list(place) for place in self.places],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Groups:
        """Read what `to_dict` wrote."""
        return cls(
            tuple(GroupColumn.from_dict(column) for column in stored["columns"]),
            tuple(tuple(int(code) for code in place) for place in stored["places"]),
        )


def lots(schema: Schema, blocks: Blocks) -> NDArray[np.float64]:
    """Answer a number between 0 and 1 for each row that looks drawn, but follows from the row.

    Every path thus draws the same lot, and a row's answer does not depend on those beside it.
    Columns that may be absent do not count. The mixer is SplitMix64 (Steele, Lea and Flood, 2014).

    Args:
        schema: The columns of the rows.
        blocks: The rows, canonical.
    """
    word = np.zeros(len(blocks.numbers), dtype=np.uint64)
    for column in schema:
        if not column.optional:
            word = _mixed(word, _words(_column(column.name, schema, blocks)))
    return (word >> np.uint64(11)).astype(np.float64) / 2.0**53


def _mixed(word: NDArray[np.uint64], more: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ more) + _GOLDEN
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    return np.asarray(word ^ (word >> np.uint64(31)))


def _words(values: NDArray[Any]) -> NDArray[np.uint64]:
    """Answer 64 bits for each value of a column; equal values have equal ones."""
    if values.dtype == np.object_:
        return _hashes(values)
    if values.dtype == np.float64:
        values = np.where(np.isnan(values), np.nan, values + 0.0)
    return np.ascontiguousarray(values).view(np.uint64)


def _hashes(texts: NDArray[Any]) -> NDArray[np.uint64]:
    known = {
        text: int.from_bytes(
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
        )
        for text in set(texts.tolist())
    }
    return np.fromiter((known[text] for text in texts), np.uint64, len(texts))


def _column(name: str, schema: Schema, blocks: Blocks) -> NDArray[Any]:
    for names, block in (
        (schema.numbers, blocks.numbers),
        (schema.strings, blocks.strings),
        (schema.times, blocks.times),
    ):
        if name in names:
            column: NDArray[Any] = block[:, names.index(name)]
            return column
    raise SettingError(f"the rows should have the column {name!r}, by which intervals are made")
