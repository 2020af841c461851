"""Levels: any column as a few groups of rows, so that groups can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.data.gaps import gaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.data.schema import Kind

__all__ = ["Levels", "levels_of"]

_MISSING, _OTHER = "missing", "other values"
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, eq=False)
class Levels:
    """A column as groups of rows.

    Attributes:
        column: The column.
        codes: (rows,) the group of each row.
        names: What each group is, in words: "age 28 to 37", "job = nurse", "age missing".
    """

    column: str
    codes: NDArray[np.intp]
    names: tuple[str, ...]

    @property
    def rows(self) -> NDArray[np.intp]:
        """How many rows each group has."""
        return np.bincount(self.codes, minlength=len(self.names))


def levels_of(
    values: pl.Series,
    kind: Kind,
    *,
    bins: int = 4,
    fewest: int = 1,
    most: int = 50,
    learn: NDArray[np.bool_] | None = None,
) -> Levels:
    """Answer a canonical column as groups of rows.

    Numbers and times are cut at quantiles, categories are taken as they are, rare ones joined.
    Missing values are a group of their own.

    Args:
        values: (rows,) a canonical column (see `headrace.data.conform`).
        kind: Its kind.
        bins: Parts of numbers and times.
        fewest: Rows of a category below which it joins the others.
        most: Categories, the most frequent ones.
        learn: (rows,) the rows that quantiles and frequent categories are learnt from; None for
            all.

    Example:
        >>> found = levels_of(pl.Series("job", ["a", "b", "a", ""]), "category")
        >>> found.names, found.codes.tolist()
        (('job = a', 'job = b', 'job missing'), [0, 1, 0, 2])
    """
    chosen = np.ones(len(values), dtype=bool) if learn is None else learn
    if kind in {"number", "datetime"}:
        return _of_numbers(values, kind, bins, chosen)
    if kind == "boolean":
        numbers = values.to_numpy()
        codes = np.where(np.isnan(numbers), 2, numbers == 1).astype(np.intp)
        names = [f"{values.name} = no", f"{values.name} = yes", f"{values.name} {_MISSING}"]
        return _present(values.name, codes, names)
    return _of_words(values, fewest, most, chosen)


def _of_numbers(values: pl.Series, kind: Kind, bins: int, chosen: NDArray[np.bool_]) -> Levels:
    raw = values.to_numpy()
    missing = gaps(values)
    numbers = np.where(missing, 0, raw).astype(np.float64)
    known = numbers[chosen & ~missing]
    if not len(known):
        return _present(values.name, np.zeros(len(raw), np.intp), [f"{values.name} {_MISSING}"])
    distinct = np.unique(known)
    if len(distinct) <= bins:
        edges = distinct[:-1]
    else:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
        edges = edges[edges < distinct[-1]]
    codes = np.searchsorted(edges, numbers, side="left")
    codes[missing] = len(edges) + 1
    ends = [float(distinct[0]), *map(float, edges), float(distinct[-1])]
    names = [_range(values.name, ends, place, kind) for place in range(len(ends) - 1)]
    return _present(values.name, codes, [*names, f"{values.name} {_MISSING}"])


def _range(name: str, ends: Sequence[float], place: int, kind: Kind) -> str:
    low, high = (_shown(value, kind) for value in (ends[place], ends[place + 1]))
    if len(ends) == 2:
        return f"{name} {low} to {high}" if low != high else f"{name} = {low}"
    if place == 0:
        return f"{name} to {high}" if low != high else f"{name} = {low}"
    return f"{name} above {low}" if place == len(ends) - 2 else f"{name} above {low} to {high}"


def _shown(value: float, kind: Kind) -> str:
    if kind == "datetime":
        return str(np.datetime64(int(value), "us").astype("datetime64[s]")).replace("T", " ")
    return f"{value:.6g}"


def _of_words(values: pl.Series, fewest: int, most: int, chosen: NDArray[np.bool_]) -> Levels:
    words = values.alias("word")
    counted = words.filter(pl.Series(chosen)).value_counts(name="rows")
    counted = counted.filter(pl.col("word") != "", pl.col("rows") >= fewest)
    frequent = counted.sort(["rows", "word"], descending=[True, False])["word"].head(most)
    place = pl.DataFrame([frequent, pl.int_range(len(frequent), eager=True).alias("code")])
    codes = (
        words.to_frame()
        .join(place, on="word", how="left", maintain_order="left")["code"]
        .fill_null(len(frequent))
        .to_numpy()
        .astype(np.intp)
    )
    codes[(values == "").to_numpy()] = len(frequent) + 1
    names = [f"{values.name} = {word}" for word in frequent.to_list()]
    tail = [f"{values.name}: {_OTHER}", f"{values.name} {_MISSING}"]
    return _present(values.name, codes, [*names, *tail])


def _present(column: str, codes: NDArray[np.intp], names: Sequence[str]) -> Levels:
    """Leave out groups without rows."""
    found, places = np.unique(codes, return_inverse=True)
    return Levels(column, np.asarray(places, np.intp), tuple(names[code] for code in found))
