"""A seeded sample of canonical rows, on which columns are compared with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.data.gaps import gaps
from headrace.data.levels import levels_of
from headrace.data.scan import collect, in_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.data.levels import Levels
    from headrace.data.schema import Schema

__all__ = ["Sample", "draw"]


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


def draw(frame: pl.LazyFrame, schema: Schema, rows: int, *, seed: int) -> Sample:
    """Draw rows at random in one scan; the same seed draws the same rows.

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
    place = "__place__" + "_" * max(len(name) for name in schema.names)
    order = "__order__" + "_" * max(len(name) for name in schema.names)
    spread = frame.with_row_index(place).with_columns(pl.col(place).hash(seed=seed).alias(order))
    chosen = spread.bottom_k(rows, by=order).drop(order)
    held = collect(chosen, streaming=not in_memory(frame)).sort(place)
    return Sample(held.drop(place), held[place].to_numpy().astype(np.int64), schema)
