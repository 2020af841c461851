"""The row door: a few rows, such as a server receives, as canonical blocks; no table library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headrace.data.problems import Refused, absent_column, refused_values, warn_unknown
from headrace.data.values import reader
from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from headrace.data.schema import Column, Schema
    from headrace.data.values import Reader

__all__ = ["Blocks", "RowDoor"]

_ABSENT = object()


class Blocks(NamedTuple):
    """Canonical columns, one array for each type; the inputs of a deployed graph.

    Attributes:
        numbers: (rows, number and boolean columns); missing is NaN.
        strings: (rows, category, text and id columns) of `str`; missing is "".
        times: (rows, datetime columns), microseconds UTC; missing is `MISSING_TIME`.
    """

    numbers: NDArray[np.float64]
    strings: NDArray[np.object_]
    times: NDArray[np.int64]

    def each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Blocks:
        """Answer these blocks, each changed in the same way: some rows of it, for example."""
        return Blocks(change(self.numbers), change(self.strings), change(self.times))

    @classmethod
    def joined(cls, parts: Sequence[Blocks]) -> Blocks:
        """Answer the rows of several blocks, one after the other."""
        return cls(
            np.concatenate([part.numbers for part in parts]),
            np.concatenate([part.strings for part in parts]),
            np.concatenate([part.times for part in parts]),
        )


class RowDoor:
    """Turn rows, given as mappings, into canonical blocks.

    It answers what `conform` answers for the same values in a table, and refuses what that
    refuses. A row must hold every column that is not optional; None is a missing value.

    Args:
        schema: The columns.
        ignore: Names that rows may hold besides, such as the target's; others are warned of once.

    Example:
        >>> from headrace.data.schema import Column, Schema
        >>> door = RowDoor(Schema((Column("age", "number"), Column("city", "category"))))
        >>> blocks = door([{"age": "39", "city": "Oslo"}, {"age": None, "city": 7}])
        >>> blocks.numbers.tolist(), blocks.strings.tolist(), blocks.times.shape
        ([[39.0], [nan]], [['Oslo'], ['7']], (2, 0))
    """

    def __init__(self, schema: Schema, *, ignore: Collection[str] = ()) -> None:
        """Prepare one reader for each column."""
        self.schema = schema
        self._width = len(schema)
        self._optional = {column.name: None for column in schema if column.optional}
        self._known = {*schema.names, *ignore}
        self._numbers = self._readers(schema.numbers)
        self._strings = self._readers(schema.strings)
        self._times = self._readers(schema.times)
        self._blocks = (self._numbers, self._strings, self._times)

    def _readers(self, names: tuple[str, ...]) -> list[tuple[str, Reader]]:
        return [(name, reader(self.schema[name])) for name in names]

    def __call__(self, rows: Sequence[Mapping[str, object]]) -> Blocks:
        """Answer the rows' blocks.

        Args:
            rows: Mappings from column name to value.

        Returns:
            Three arrays with one row for each mapping.

        Raises:
            DataError: Every value that does not fit and every column that is absent.
        """
        numbers: list[list[object]] = []
        strings: list[list[object]] = []
        times: list[list[object]] = []
        try:
            for given in rows:
                row = given if len(given) >= self._width else {**self._optional, **given}
                numbers.append([read[type(v := row[name])](v) for name, read in self._numbers])
                strings.append([read[type(v := row[name])](v) for name, read in self._strings])
                times.append([read[type(v := row[name])](v) for name, read in self._times])
                if len(row) != self._width:
                    self._warn(row)
        except (Refused, KeyError, TypeError, AttributeError, IndexError):
            return self._slowly(rows)
        return self._arrays(numbers, strings, times)

    def _arrays(
        self, numbers: list[list[object]], strings: list[list[object]], times: list[list[object]]
    ) -> Blocks:
        rows = len(numbers)
        texts = np.empty((rows, len(self._strings)), dtype=object)
        if self._strings and rows:
            texts[:] = strings
        return Blocks(
            np.array(numbers, dtype=np.float64).reshape(rows, len(self._numbers)),
            texts,
            np.array(times, dtype=np.int64).reshape(rows, len(self._times)),
        )

    def _warn(self, row: Mapping[str, object]) -> None:
        unknown = [name for name in row if name not in self._known]
        self._known.update(unknown)
        warn_unknown(unknown, self.schema, stacklevel=3)

    def _slowly(self, rows: Sequence[Mapping[str, object]]) -> Blocks:
        """Read again with care: fill optional columns, collect everything that is wrong."""
        _check_rows(rows)
        problems: list[Problem] = []
        blocks = [
            [self._column(rows, name, read, problems) for name, read in block]
            for block in self._blocks
        ]
        if problems:
            raise DataError(sorted(problems, key=self._place))
        for row in rows:
            self._warn(row)
        by_row = [[[column[i] for column in block] for i in range(len(rows))] for block in blocks]
        return self._arrays(*by_row)

    def _column(
        self,
        rows: Sequence[Mapping[str, object]],
        name: str,
        read: Reader,
        problems: list[Problem],
    ) -> list[object]:
        column = self.schema[name]
        values: list[object] = []
        refused: list[tuple[int, object, str]] = []
        for i, row in enumerate(rows):
            value = _get(row, column)
            if value is _ABSENT:
                problems.append(absent_column(name, row, row=i))
                continue
            try:
                values.append(read[type(value)](value))
            except Refused as refusal:
                refused.append((i, value, str(refusal)))
        problems += refused_values(column, refused, len(refused))
        return values

    def _place(self, problem: Problem) -> int:
        return self.schema.names.index(problem.column or "")


def _get(row: Mapping[str, object], column: Column) -> object:
    return row.get(column.name, None if column.optional else _ABSENT)


def _check_rows(rows: Sequence[Mapping[str, object]]) -> None:
    if not isinstance(rows, Sequence) or isinstance(rows, (str, bytes)):
        text = "expected a list of rows, each a mapping from column name to value"
        raise DataError([Problem(text, value=rows)])
    problems = [
        Problem("expected a mapping from column name to value", row=i, value=row)
        for i, row in enumerate(rows)
        if not isinstance(row, Mapping)
    ]
    if problems:
        raise DataError(problems)
