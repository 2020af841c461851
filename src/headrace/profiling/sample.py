"""A seeded sample of canonical rows, on which columns are compared with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.data.gaps import gaps
from headrace.data.levels import levels_of
from headrace.data.scan import batches, collect, in_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.data.levels import Levels
    from headrace.data.schema import Schema

__all__ = ["Draw", "Sample", "draw"]

_PLACE, _ORDER = "\0place", "\0order"  # names that no column has


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows drawn at random, in the order of the table.

    Attributes:
        frame: The canonical columns.
        places: (rows,) where each row stands in the table, from 0.
        schema: What the columns are.
    """

    frame: pl.DataFrame
    places: NDArray[np.int64]
    schema: Schema

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.frame.height

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Answer (rows,) whether the column has no value."""
        return gaps(self.frame[name])

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Answer (rows,) the values of a number, a truth value or a date; NaN where missing."""
        values = self.frame[name].to_numpy().astype(np.float64)
        return np.where(self.missing(name) | ~np.isfinite(values), np.nan, values)

    def levels(self, name: str, *, bins: int = 10, fewest: int = 1) -> Levels:
        """Answer the column as groups of rows; texts and ids as groups of equal values."""
        return levels_of(
            self.frame[name], self.schema[name].kind, bins=bins, fewest=fewest, most=50
        )


class Draw:
    """A reader that draws rows at random; the same seed draws the same rows.

    Args:
        rows: How many rows at most; a table with fewer is taken whole.
        seed: Of the draw.

    Example:
        >>> import polars as pl
        >>> drawn = Draw(2, seed=0)
        >>> drawn.take(pl.DataFrame({"age": [39.0, 50.0, 61.0]}))
        >>> drawn.table().height, len(drawn.places())
        (2, 2)
    """

    def __init__(self, rows: int, *, seed: int) -> None:
        self._rows, self.seed = rows, seed
        self._seen = 0
        self._held: list[pl.DataFrame] = []
        self._limit: int | None = None

    def take(self, part: pl.DataFrame) -> None:
        """Look at the next rows."""
        places = pl.int_range(self._seen, self._seen + part.height, dtype=pl.UInt64, eager=True)
        orders = places.hash(seed=self.seed)
        self._seen += part.height
        marks = pl.DataFrame({_PLACE: places, _ORDER: orders})
        near = pl.repeat(value=True, n=part.height, eager=True)
        if self._limit is not None:
            near = orders <= self._limit
        self._held.append(pl.DataFrame([*part.filter(near), *marks.filter(near)]))
        if sum(held.height for held in self._held) > 2 * self._rows:
            self._forget()

    def _forget(self) -> None:
        held = pl.concat(self._held)
        if held.height > self._rows:
            held = held.bottom_k(self._rows, by=_ORDER)
            self._limit = int(held[_ORDER].max())  # type: ignore[arg-type]
        self._held = [held]

    def table(self, rows: int | None = None) -> pl.DataFrame:
        """Answer the drawn rows in the order of the table; fewer of them if so asked."""
        return self._drawn(rows).drop(_PLACE, _ORDER)

    def places(self, rows: int | None = None) -> NDArray[np.int64]:
        """Answer where each of these rows stands in the table, from 0."""
        return self._drawn(rows)[_PLACE].to_numpy().astype(np.int64)

    def _drawn(self, rows: int | None) -> pl.DataFrame:
        self._forget()
        held = self._held[0]
        return (held if rows is None else held.bottom_k(rows, by=_ORDER)).sort(_PLACE)


def draw(frame: pl.LazyFrame, schema: Schema, rows: int, *, seed: int) -> Sample:
    """Draw rows of a canonical table at random in one scan.

    Args:
        frame: The canonical table.
        schema: Its columns.
        rows: How many rows at most; a table with fewer is taken whole.
        seed: Of the draw.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column, Schema
        >>> table = pl.LazyFrame({"age": [39.0, 50.0, float("nan")]})
        >>> found = draw(table, Schema((Column("age", "number"),)), 2, seed=0)
        >>> found.rows, len(found.places)
        (2, 2)
    """
    drawn = Draw(rows, seed=seed)
    for part in [collect(frame)] if in_memory(frame) else batches(frame):
        drawn.take(part)
    return Sample(drawn.table(), drawn.places(), schema)
