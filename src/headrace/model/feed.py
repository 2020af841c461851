"""The feed of the compiled loop: windows of rows, in memory all at once, or from disk in turn.

Rows in memory are one window, in a new order each epoch. Rows on disk are read in windows of
blocks: an epoch takes the blocks in a new order, some at a time, and shuffles the rows within the
window, so that all but two windows stay on the disk; the next one is read while this one is
learnt from. The order depends on the seed and the epoch alone, so that a training can go on from
any step of any epoch.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.backend import tensorflow
from headrace.model.stored import StoredRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from headrace.model.labelled import Labelled, Window
    from headrace.model.rows import Rows

__all__ = ["Feed", "Portion", "epoch_order", "feed_of", "steps_an_epoch", "steps_of"]

_LEAST_LEFT = 0.05
"""Rows left over after the full batches get a batch of their own if they are a larger share."""


def steps_an_epoch(rows: int, batch_size: int) -> int:
    """Answer how many optimiser steps an epoch over rows in memory has.

    A few rows left over behind the full batches wait for the next epoch, whose order is another.

    Example:
        >>> steps_an_epoch(1000, 100), steps_an_epoch(1010, 100), steps_an_epoch(1090, 100)
        (10, 10, 11)
    """
    full, left = divmod(rows, batch_size)
    return full + (left > _LEAST_LEFT * rows)


def steps_of(rows: Labelled, batch_size: int) -> int:
    """Answer how many optimiser steps an epoch over rows in memory or on disk has."""
    if rows.window is None:
        return steps_an_epoch(len(rows), batch_size)
    return sum(len(p) // batch_size for p in _Windows(len(rows), rows.window, batch_size).of(0, 0))


def epoch_order(items: int, seed: int, epoch: int) -> NDArray[np.int32]:
    """Answer the order of rows (or blocks) in an epoch, counted from 0; the same every time.

    Example:
        >>> epoch_order(5, seed=0, epoch=1).tolist()
        [1, 4, 3, 0, 2]
    """
    return np.random.default_rng((seed, epoch)).permutation(items).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Portion:
    """The rows of one window, as the compiled steps take them.

    Attributes:
        rows: Tensors in Keras's form of a batch; of the same shape in every window.
        order: (rows,) int32 tensor: which row comes when.
        full: How many full batches it has.
        places: Where the rows lie among all rows, in the order of the window; None for all rows
            as they are.
    """

    rows: Any
    order: Any
    full: int
    places: NDArray[np.int64] | None = None


class Feed(ABC):
    """Where the compiled steps take their rows from.

    Attributes:
        batch: Rows a step.
        steps: Optimiser steps an epoch.
        left: Rows of a last, smaller batch; 0 for none.
        waited: Seconds that the steps have waited for rows.
    """

    batch: int
    steps: int
    left: int = 0
    waited: float = 0.0

    @abstractmethod
    def epoch(self, number: int, skip: int = 0) -> Iterator[tuple[int, Portion]]:
        """Give the windows of an epoch, each with the number of its first step.

        Args:
            number: The epoch, counted from 0.
            skip: Steps that were taken already; windows before them are left out.
        """

    def batches(self, epoch: int) -> Iterator[Any]:
        """Give the batches of an epoch and of those after it, without end, for Keras's own `fit`.

        Args:
            epoch: The first one, counted from 0.
        """
        tf = tensorflow()
        for number in count(epoch):
            for _, portion in self.epoch(number):
                ends = [*range(0, (portion.full + 1) * self.batch, self.batch)]
                ends += [ends[-1] + self.left] if self.left else []
                for first, last in pairwise(ends):
                    chosen = portion.order[first:last]
                    yield tf.nest.map_structure(partial(_taken, chosen), portion.rows)

    @abstractmethod
    def example(self) -> Portion:
        """Answer a window to compile for."""

    def close(self) -> None:
        """Let go of the rows."""
        return None  # noqa: RET501 - rows in memory need nothing


def _taken(chosen: Any, block: Any) -> NDArray[Any]:
    rows: NDArray[Any] = tensorflow().gather(block, chosen).numpy()
    return rows


def feed_of(rows: Rows | StoredRows, batch_size: int, seed: int) -> Feed:
    """Answer the feed of rows in memory or on disk."""
    if isinstance(rows, StoredRows):
        return _DiskFeed(rows, batch_size, seed)
    return _MemoryFeed(rows, batch_size, seed)


class _MemoryFeed(Feed):
    """All rows in one window; a last batch may be smaller."""

    def __init__(self, rows: Rows, batch_size: int, seed: int) -> None:
        tf = tensorflow()
        self.batch, self._seed, self._count = batch_size, seed, len(rows)
        self._rows = tf.nest.map_structure(tf.constant, rows.keras())
        self._full, left = divmod(self._count, batch_size)
        self.steps = steps_an_epoch(self._count, batch_size)
        self.left = left if self.steps > self._full else 0

    def epoch(self, number: int, skip: int = 0) -> Iterator[tuple[int, Portion]]:
        del skip
        order = epoch_order(self._count, self._seed, number)
        yield 0, Portion(self._rows, tensorflow().constant(order), self._full)

    def example(self) -> Portion:
        return Portion(self._rows, tensorflow().range(self._count), self._full)


class _Windows:
    """Which rows make up the windows of an epoch."""

    def __init__(self, rows: int, window: Window, batch_size: int) -> None:
        self._rows, self._block = rows, window.block
        self._blocks = -(-rows // self._block)
        most = max(window.rows // self._block, -(-batch_size // self._block))
        windows = -(-self._blocks // most)
        each = -(-self._blocks // windows)  # of about one size
        self.count = -(-self._blocks // each)
        self.rows = each * self._block
        self._each = each

    def of(self, seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
        """Give the places of each window's rows; a smaller last block stays in the last one."""
        whole = self._rows // self._block
        order = epoch_order(whole, seed, epoch)
        if self._blocks > whole:
            order = np.append(order, np.int32(whole))
        for first in range(0, self._blocks, self._each):
            starts = order[first : first + self._each].astype(np.int64) * self._block
            places = (starts[:, np.newaxis] + np.arange(self._block)).ravel()
            yield places[places < self._rows]


class _DiskFeed(Feed):
    """Windows of blocks, each read while the one before it is learnt from."""

    def __init__(self, rows: StoredRows, batch_size: int, seed: int) -> None:
        self.batch, self._seed, self._stored = batch_size, seed, rows
        self._windows = _Windows(len(rows), rows.window, batch_size)
        self.steps = sum(len(places) // batch_size for places in self._windows.of(seed, 0))
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="headrace-feed")
        self._next: tuple[tuple[int, int], Future[Portion]] | None = None

    def epoch(self, number: int, skip: int = 0) -> Iterator[tuple[int, Portion]]:
        first = 0
        for window, places in enumerate(self._windows.of(self._seed, number)):
            steps = len(places) // self.batch
            if first + steps > skip:
                yield first, self._portion(number, window)
            first += steps

    def example(self) -> Portion:
        return self._portion(0, 0)

    def close(self) -> None:
        self._reader.shutdown(wait=True, cancel_futures=True)
        self._next = None

    def _portion(self, epoch: int, window: int) -> Portion:
        """Answer a window, read ahead if it was foreseen, and foresee the next one."""
        began = time.perf_counter()
        if self._next is None or self._next[0] != (epoch, window):
            self._next = self._foresee(epoch, window)
        portion = self._next[1].result()
        self.waited += time.perf_counter() - began
        ahead = (epoch, window + 1) if window + 1 < self._windows.count else (epoch + 1, 0)
        self._next = self._foresee(*ahead)
        return portion

    def _foresee(self, epoch: int, window: int) -> tuple[tuple[int, int], Future[Portion]]:
        return (epoch, window), self._reader.submit(self._read, epoch, window)

    def _read(self, epoch: int, window: int) -> Portion:
        tf = tensorflow()
        places = next(islice(self._windows.of(self._seed, epoch), window, None))
        rows = self._stored.gather(places, self._windows.rows)
        chance = np.random.default_rng((self._seed, epoch, window))
        order = np.zeros(self._windows.rows, dtype=np.int32)
        order[: len(places)] = chance.permutation(len(places))
        return Portion(
            tf.nest.map_structure(tf.constant, rows),
            tf.constant(order),
            len(places) // self.batch,
            places,
        )
