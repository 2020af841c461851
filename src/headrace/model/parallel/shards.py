"""Shards: which rows a worker owns, and which of them it takes in each step.

A worker owns a fixed part of the rows and never sees the others. The order of an epoch is that of
a training in one process; the batch of a step is spread over the workers as its rows happen to be
owned. So all workers together take the very batch that one process would take, and the parts of a
batch differ in size: each is padded to a common width, and the padding counts nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headrace.model.feed import steps_an_epoch

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Division", "OwnSteps"]

_SPREADS = 4.0
"""Standard deviations of a part's size that the width of the parts leaves room for."""

_EVEN = 8
"""Widths are multiples of this."""


@dataclass(frozen=True, eq=False)
class OwnSteps:
    """What one worker takes in the steps of an epoch.

    Attributes:
        rows: (steps, width) places of the rows in the worker's shard; behind the last one, zeros.
        counts: (steps,) how many of them are rows.
        batches: (steps,) rows of the whole batch, over all workers.
    """

    rows: NDArray[np.int32]
    counts: NDArray[np.int32]
    batches: NDArray[np.int32]


@dataclass(frozen=True)
class Division:
    """How rows and batches are divided among workers.

    Attributes:
        rows: All rows.
        batch: Rows of a batch, over all workers.
        workers: How many workers there are.

    Example:
        >>> division = Division(rows=10, batch=4, workers=2)
        >>> division.steps, division.owned(0), division.owned(1)
        (3, slice(0, 5, None), slice(5, 10, None))
    """

    rows: int
    batch: int
    workers: int

    @property
    def steps(self) -> int:
        """Steps an epoch, those of one process."""
        return steps_an_epoch(self.rows, self.batch)

    @property
    def usual_width(self) -> int:
        """How many rows a worker computes in a step, padding included, in almost every epoch."""
        share = self.batch / self.workers
        room = _SPREADS * math.sqrt(share * (1 - 1 / self.workers))
        return _rounded(math.ceil(share + room), self.batch)

    def owned(self, worker: int) -> slice:
        """Answer the rows that a worker owns."""
        return _part(self.rows, worker, self.workers)

    def width(self, order: NDArray[np.int32]) -> int:
        """Answer the width that the parts of batches are padded to, the same for all workers.

        It has room for almost every epoch, so that the program is compiled once; an epoch with a
        larger part needs a greater one.
        """
        return max(self.usual_width, _rounded(int(self._sizes(order).max()), self.batch))

    def own_steps(self, order: NDArray[np.int32], worker: int, width: int) -> OwnSteps:
        """Answer what a worker takes in the steps of an epoch.

        Args:
            order: (rows,) the order of all rows in this epoch.
            worker: Its number, from 0.
            width: From `width`.
        """
        part = self.owned(worker)
        used = self._used(order)
        places = np.flatnonzero((used >= part.start) & (used < part.stop))
        steps = places // self.batch
        counts = np.bincount(steps, minlength=self.steps).astype(np.int32)
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        rows = np.zeros((self.steps, width), dtype=np.int32)
        rows[steps, np.arange(len(places)) - first[steps]] = used[places] - part.start
        return OwnSteps(rows, counts, self._batches())

    def _used(self, order: NDArray[np.int32]) -> NDArray[np.int32]:
        """Answer the order without the few rows that wait for the next epoch."""
        return order[: self.steps * self.batch]

    def _batches(self) -> NDArray[np.int32]:
        sizes = np.full(self.steps, self.batch, dtype=np.int32)
        sizes[-1] = min(self.batch, self.rows - (self.steps - 1) * self.batch)
        return sizes

    def _sizes(self, order: NDArray[np.int32]) -> NDArray[np.int64]:
        """Answer how many rows each worker takes in each step, (steps, workers)."""
        used = self._used(order)
        ends = np.array([self.owned(worker).stop for worker in range(self.workers)])
        owners = np.searchsorted(ends, used, side="right")
        cells = np.arange(len(used)) // self.batch * self.workers + owners
        counts: NDArray[np.int64] = np.bincount(cells, minlength=self.steps * self.workers)
        return counts


def _part(rows: int, worker: int, workers: int) -> slice:
    return slice(rows * worker // workers, rows * (worker + 1) // workers)


def _rounded(width: int, most: int) -> int:
    return max(1, min(most, -(-width // _EVEN) * _EVEN))
