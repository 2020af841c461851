"""Rows that lie on disk: read a window or a chunk at a time, in the form in which Keras reads them.

The arrays are maps of files. What was read of a map counts as memory of the process until it is
given back, so each reading ends with that.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from headrace.plan.features import Features

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from headrace.model.labelled import Labelled, Window
    from headrace.model.rows import Rows

__all__ = ["AnyRows", "StoredRows", "give_back", "mixing", "sample"]

_CHUNK = 1 << 18


AnyRows: TypeAlias = "Rows | StoredRows"
"""Rows in the form in which Keras reads them, in memory or on disk."""


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows on disk.

    Attributes:
        labelled: The rows, their arrays maps of files.
        window: How many are read at a time.
        convert: Makes some of them the rows that Keras reads.
    """

    labelled: Labelled
    window: Window
    convert: Callable[[Labelled], Rows]

    def __len__(self) -> int:
        return len(self.labelled)

    @property
    def inputs(self) -> Mapping[str, NDArray[Any]]:
        """The feature blocks by name."""
        features = self.labelled.features
        return {"numbers": features.numbers, "categories": features.categories}

    @property
    def nbytes(self) -> int:
        """How many bytes of memory are held at a time: a window that is learnt from, and a next."""
        shown = self.convert(self.labelled.take(slice(0, min(self.window.block, len(self)))))
        return 2 * int(shown.nbytes / max(len(shown), 1) * min(self.window.rows, len(self)))

    def keras(self, chosen: slice) -> tuple[Any, ...]:
        """Answer inputs, target and, if there is one, weight of some rows, read now."""
        part = self.labelled.take(chosen)
        held = _copied(part)
        give_back(self.labelled)
        return self.convert(held).keras()

    def gather(self, places: NDArray[np.int64], size: int) -> tuple[Any, ...]:
        """Answer the rows at some places in Keras's form, filled up to a size with the first row.

        Args:
            places: Where they lie: whole blocks, the last may be shorter.
            size: How many rows to answer; those beyond the places are never looked at.
        """
        block = self.window.block
        starts = places[::block]
        runs = [slice(int(start), int(start) + block) for start in starts]
        held = _joined([self.labelled.take(run) for run in runs], size)
        give_back(self.labelled)
        return self.convert(held).keras()


def sample(labelled: Labelled, rows: int, seed: int) -> Labelled:
    """Answer so many rows on disk (or all) in memory, in blocks chosen at random.

    Args:
        labelled: Rows with a window.
        rows: How many, rounded up to whole blocks.
        seed: Of the choice.
    """
    if labelled.window is None:
        return labelled
    block = labelled.window.block
    blocks = -(-len(labelled) // block)
    chosen = np.random.default_rng(seed).permutation(blocks)[: -(-rows // block)]
    runs = [slice(int(one) * block, (int(one) + 1) * block) for one in np.sort(chosen)]
    parts = [labelled.take(run) for run in runs]
    held = _joined(parts, sum(len(part) for part in parts))
    give_back(labelled)
    return held


def mixing(target: NDArray[Any], window: Window, batch_size: int) -> float:
    """Answer how much more the batches differ from each other than after a shuffle of all rows.

    It is the variance of a batch's mean target over that of as many rows drawn from all: with the
    variance s within blocks, t between the means of blocks (beyond what chance gives them) and k
    blocks a window, 1 + batch / k * t / (s + t). 1 is as good as a full shuffle.

    Args:
        target: (rows,) encoded target, as it lies on disk.
        window: How rows are read.
        batch_size: Rows a step.

    Example:
        >>> from headrace.model.labelled import Window
        >>> mixed = np.random.default_rng(0).normal(size=100_000)
        >>> bool(mixing(mixed, Window(20_000, 100), 256) < 1.05)
        True
        >>> bool(mixing(np.sort(mixed), Window(20_000, 100), 256) > 2)
        True
    """
    block, rows = window.block, len(target) // window.block * window.block
    if rows < 2 * block or target.ndim > 1:
        return 1.0
    means, squares = [], []
    for first in range(0, rows, max(1, _CHUNK // block) * block):
        part = np.asarray(target[first : first + max(1, _CHUNK // block) * block], dtype=np.float64)
        table = part[: len(part) // block * block].reshape(-1, block)
        means.append(table.mean(axis=1))
        squares.append(table.var(axis=1))
    _advise(target)
    within = float(np.concatenate(squares).mean()) * block / max(block - 1, 1)
    between = max(0.0, float(np.concatenate(means).var()) - within / block)
    if within + between == 0:
        return 1.0
    blocks = max(1, window.rows // block)
    return 1 + batch_size / blocks * between / (within + between)


def give_back(labelled: Labelled) -> None:
    """Let the system forget the pages of mapped arrays; the next reading fetches them again."""
    features = labelled.features
    for array in (features.numbers, features.categories, labelled.target, labelled.weight):
        if array is not None:
            _advise(array)


def _advise(array: NDArray[Any]) -> None:
    held: Any = array
    while held is not None and not isinstance(held, mmap.mmap):
        held = getattr(held, "base", None)
    if held is not None and hasattr(mmap, "MADV_DONTNEED"):
        held.madvise(mmap.MADV_DONTNEED)


def _copied(part: Labelled) -> Labelled:
    return _joined([part], len(part))


def _joined(parts: list[Labelled], size: int) -> Labelled:
    """Answer parts one behind the other, in memory, filled up with the first row."""
    from headrace.model.labelled import Labelled

    features = Features(
        _filled([part.features.numbers for part in parts], size),
        _filled([part.features.categories for part in parts], size),
    )
    weights = [part.weight for part in parts if part.weight is not None]
    return Labelled(
        features,
        _filled([part.target for part in parts], size),
        _filled(weights, size) if weights else None,
    )


def _filled(arrays: list[NDArray[Any]], size: int) -> NDArray[Any]:
    first = arrays[0]
    made = np.empty((size, *first.shape[1:]), dtype=first.dtype)
    place = 0
    for array in arrays:
        made[place : place + len(array)] = array
        place += len(array)
    made[place:] = made[0] if place else 0
    return made
