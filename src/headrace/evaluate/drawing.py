"""How rows are drawn again: one by one, by group, or in blocks of time.

Rows of one patient, one machine or one week are alike, so a thousand of them say less than a
thousand strangers. Drawn one by one they would make intervals that are far too narrow; drawn with
all of their group, or with their neighbours in time, they do not.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_LONGER = 2
"""The usual length estimates a variance best; intervals of longer blocks hold the truth as often as
they say (Sun, Phillips and Jin, 2008)."""

_FEWEST_BLOCKS = 4

__all__ = ["Blocks", "Drawing", "Groups", "Singly", "block_length", "drawing_of"]

_CORRELATED = 2.0
"""Standard errors from which on an autocorrelation counts as one (Politis and White, 2004)."""


@dataclass(frozen=True, eq=False)
class Drawing(ABC):
    """A way to draw rows again.

    Attributes:
        rows: How many rows there are.
    """

    rows: int

    @property
    @abstractmethod
    def units(self) -> int:
        """How many independent units the rows make: what is drawn."""

    @abstractmethod
    def units_of(self, chosen: NDArray[np.bool_]) -> int:
        """Answer how many units have a chosen row."""

    @abstractmethod
    def weights(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Answer how often each row is drawn when as many units are drawn as there are, (rows,)."""

    @abstractmethod
    def parts(self, count: int, seed: int) -> NDArray[np.intp]:
        """Answer a part of `count` for each row, (rows,), so that no unit is torn apart."""

    @property
    def sentence(self) -> str:
        """What the user should know of it, "" for the usual way."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Answer the way as plain values and arrays."""
        return {"way": type(self).__name__, **vars_of(self)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Drawing:
        """Rebuild a way from `to_dict`."""
        ways: dict[str, type[Drawing]] = {way.__name__: way for way in (Singly, Groups, Blocks)}
        values = dict(data)
        return ways[values.pop("way")](**values)


def vars_of(way: Drawing) -> dict[str, Any]:
    """Answer the fields of a way, without what it has remembered."""
    return {name: getattr(way, name) for name in way.__dataclass_fields__}


@dataclass(frozen=True, eq=False)
class Singly(Drawing):
    """Each row by itself: rows that have nothing to do with each other.

    Example:
        >>> Singly(4).weights(np.random.default_rng(0)).tolist()
        [0.0, 1.0, 2.0, 1.0]
    """

    @property
    def units(self) -> int:
        """As many as rows."""
        return self.rows

    def units_of(self, chosen: NDArray[np.bool_]) -> int:
        """Answer how many rows are chosen."""
        return int(np.count_nonzero(chosen))

    def weights(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw rows."""
        drawn = random.integers(0, self.rows, self.rows)
        return np.bincount(drawn, minlength=self.rows).astype(np.float64)

    def parts(self, count: int, seed: int) -> NDArray[np.intp]:
        """Answer parts of rows at random."""
        return np.asarray(np.random.default_rng(seed).permutation(self.rows) % count)


@dataclass(frozen=True, eq=False)
class Groups(Drawing):
    """All rows of a group together (the cluster bootstrap).

    Attributes:
        codes: (rows,) the group of each row, numbered from 0.

    Example:
        >>> Groups(4, np.array([0, 0, 1, 1])).weights(np.random.default_rng(1)).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    codes: NDArray[np.intp]

    @cached_property
    def _count(self) -> int:
        return int(self.codes.max()) + 1

    @property
    def units(self) -> int:
        """The groups."""
        return self._count

    def units_of(self, chosen: NDArray[np.bool_]) -> int:
        """Answer how many groups have a chosen row."""
        return len(np.unique(self.codes[chosen]))

    def weights(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw groups."""
        drawn = np.bincount(random.integers(0, self.units, self.units), minlength=self.units)
        return drawn.astype(np.float64)[self.codes]

    def parts(self, count: int, seed: int) -> NDArray[np.intp]:
        """Answer parts of groups at random."""
        return np.asarray((np.random.default_rng(seed).permutation(self.units) % count)[self.codes])

    @property
    def sentence(self) -> str:
        """What was drawn."""
        return f"intervals draw {self.units:,} groups with all of their rows"


@dataclass(frozen=True, eq=False)
class Blocks(Drawing):
    """Rows with their neighbours in time (the circular block bootstrap; Politis and Romano, 1992).

    Attributes:
        places: (rows,) the place of each row in the order of time.
        length: Rows of a block.

    Example:
        >>> Blocks(6, np.arange(6), 3).weights(np.random.default_rng(0)).tolist()
        [1.0, 1.0, 0.0, 1.0, 1.0, 2.0]
    """

    places: NDArray[np.intp]
    length: int

    @property
    def units(self) -> int:
        """The blocks that the rows make."""
        return max(1, math.ceil(self.rows / self.length))

    def units_of(self, chosen: NDArray[np.bool_]) -> int:
        """Answer how many blocks have a chosen row."""
        return len(np.unique(self.places[chosen] // self.length))

    def weights(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw blocks, each beginning anywhere; together they count as much as all rows."""
        begun = np.bincount(random.integers(0, self.rows, self.units), minlength=self.rows)
        around = np.concatenate([begun[self.rows - self.length + 1 :], begun])
        sums = np.concatenate([[0], np.cumsum(around)])
        covered = sums[self.length :] - sums[: -self.length]
        counted: NDArray[np.float64] = covered * (self.rows / (self.units * self.length))
        return counted[self.places]

    def parts(self, count: int, seed: int) -> NDArray[np.intp]:
        """Answer parts that follow each other in time."""
        del seed
        return np.asarray(self.places * count // self.rows)

    @property
    def sentence(self) -> str:
        """What was drawn."""
        return f"intervals draw blocks of {self.length:,} rows that follow each other in time"


def drawing_of(
    rows: int,
    *,
    groups: NDArray[Any] | None = None,
    time: NDArray[Any] | None = None,
    series: NDArray[np.float64] | None = None,
) -> Drawing:
    """Answer how rows should be drawn.

    Args:
        rows: How many there are.
        groups: (rows,) equal for rows that belong together; None for no groups.
        time: (rows,) when each row was; None for rows without an order.
        series: (rows,) what the block length is chosen by, such as the errors of a model.

    Raises:
        SettingError: Both are given, one has other rows, or a value is missing.

    Example:
        >>> drawing_of(4, groups=np.array(["a", "b", "a", "c"])).units
        3
    """
    if groups is not None and time is not None:
        raise SettingError("rows are drawn by groups or by blocks of time: give one of the two")
    if groups is not None:
        _, codes = np.unique(_complete("groups", groups, rows), return_inverse=True)
        return Groups(rows, codes)
    if time is not None:
        order = np.argsort(_complete("time", time, rows), kind="stable")
        places = np.empty(rows, dtype=np.intp)
        places[order] = np.arange(rows)
        errors = np.zeros(rows) if series is None else np.asarray(series, dtype=np.float64)
        length = _LONGER * block_length(errors[order])
        return Blocks(rows, places, max(1, min(length, rows // _FEWEST_BLOCKS)))
    return Singly(rows)


def block_length(series: NDArray[np.float64]) -> int:
    """Answer how many rows that follow each other a block needs, so that blocks are independent.

    Chosen from the series' autocorrelations (Politis and White, 2004, corrected by Patton, Politis
    and White, 2009); never more than a third of the rows.

    Args:
        series: (rows,) in the order of time.

    Example:
        >>> random = np.random.default_rng(0)
        >>> noise = random.normal(size=2000)
        >>> slow = np.convolve(noise, np.ones(50), "same")
        >>> block_length(noise) < 5, block_length(slow) > 30
        (True, True)
    """
    rows = len(series)
    centred = series - series.mean()
    longest = max(1, min(rows // 3, math.ceil(3 * math.sqrt(rows))))
    if rows < 4 or not centred.any():
        return 1
    reach = min(rows - 1, math.ceil(math.sqrt(rows)) + max(5, math.ceil(math.log10(rows))))
    covariances = _autocovariances(centred, reach)
    significant = _CORRELATED * math.sqrt(math.log10(rows) / rows)
    small = np.abs(covariances[1:] / covariances[0]) < significant
    run = max(5, math.ceil(math.sqrt(math.log10(rows))))
    width = min(2 * _first_run(small, run), reach)
    if not width:
        return 1
    lags = np.arange(-width, width + 1)
    window = np.minimum(1.0, 2 * (1 - np.abs(lags) / width))
    held = window * covariances[np.abs(lags)]
    long_run = float(held.sum())
    if long_run <= 0:
        return 1
    bend = float((np.abs(lags) * held).sum())
    best = (2 * bend**2 / (4 / 3 * long_run**2)) ** (1 / 3) * rows ** (1 / 3)
    return int(min(longest, max(1, math.ceil(best))))


def _autocovariances(centred: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Answer the autocovariances of lags 0 to `reach`, by the Fourier transform."""
    rows = len(centred)
    spectrum = np.fft.rfft(centred, 2 * rows)
    return np.asarray(np.fft.irfft(np.abs(spectrum) ** 2)[: reach + 1] / rows)


def _first_run(small: NDArray[np.bool_], run: int) -> int:
    """Answer after how many lags so many small ones follow each other; all if none do."""
    counts = np.convolve(small, np.ones(run), "valid") if len(small) >= run else np.array([])
    found = np.flatnonzero(counts > run - 0.5)
    return int(found[0]) if len(found) else len(small)


def _complete(name: str, values: NDArray[Any], rows: int) -> NDArray[Any]:
    values = np.asarray(values)
    if values.shape != (rows,):
        raise SettingError(
            f"{name} must have one value for each of {rows} rows, received {values.shape}"
        )
    kind = values.dtype.kind
    missing = (
        np.isnan(values)
        if kind == "f"
        else np.isnat(values)
        if kind in "mM"
        else np.array([value is None for value in values])
        if kind == "O"
        else np.zeros(rows, dtype=bool)
    )
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise SettingError(
            f"{name} is missing in {int(missing.sum()):,} of {rows:,} rows, the first of them row "
            f"{row}: leave these rows out, or give them a value of their own"
        )
    return values.astype(str) if kind == "O" else values
