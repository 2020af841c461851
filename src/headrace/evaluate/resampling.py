"""Drawing rows again: metrics of the same rows with other weights, block by block.

Each block of draws depends on the seed and its own number alone. So a block can be computed
anywhere, by any worker in any order, and kept: work that was killed goes on where it was, to the
same interval to the bit.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.evaluate.drawing import Drawing, Singly
from headrace.evaluate.intervals import FEWEST_DRAWS, Resampled
from headrace.metrics.measure import find, known_by_name
from headrace.model.target import TargetSpec
from headrace.partitions.crew import map_tasks
from headrace.partitions.message import pack
from headrace.partitions.task import task
from headrace.progress import bar
from headrace.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headrace.metrics.measure import Kernel, Measure

__all__ = ["Scored", "drawn_weights", "resample", "resample_blocks"]

_BLOCK = 400_000
"""Weights that are drawn at a time: a block stays in the processor's cache."""

_GROUPS = 200
"""Groups of rows that are left out in turn to find out how unequal the rows' influence is."""

_LONG_WORK = 10_000_000
"""Drawn rows from which on a progress bar and workers are worth it: about a tenth of a second."""

_TASK = 4_000_000
"""Weights that a worker draws at a time: beside some tenths of a second the scheduler's
milliseconds do not count."""

_THREADS = 8
"""More would wait for the memory."""

_DRAWS, _LEFT_OUT = "draws", "left-out"


@dataclass(frozen=True, eq=False)
class Scored:
    """A measure of known rows: a kernel that says what it is made of, so that it can travel.

    Attributes:
        measure: The measure.
        target: What was predicted.
        y_true: (rows,) as the measure reads it.
        output: (rows,) or (rows, …) as the measure reads it.
    """

    measure: Measure
    target: TargetSpec
    y_true: NDArray[Any]
    output: NDArray[Any]

    @cached_property
    def kernel(self) -> Kernel:
        """The measure, prepared for the rows."""
        return self.measure.prepare(self.y_true, self.output)

    @property
    def travels(self) -> bool:
        """Whether the measure is one of headrace's own, which a worker finds by its name."""
        return known_by_name(self.measure, self.target)

    def __call__(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Answer the values of (resamples, rows) weights, (resamples,)."""
        return self.kernel(weights)


@dataclass(frozen=True)
class _Block:
    """Some resamples that are computed at a time."""

    kind: str
    number: int
    first: int
    size: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.number:06d}"


@dataclass(frozen=True)
class _Draws:
    """All draws of some rows.

    Attributes:
        drawing: How the rows are drawn.
        resamples: How many times.
        seed: Of the draws.
    """

    drawing: Drawing
    resamples: int
    seed: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.drawing.rows

    @property
    def groups(self) -> int:
        """How many groups of rows are left out in turn."""
        units = self.drawing.units
        return min(units, _GROUPS) if units > 1 else 0

    def blocks(self) -> list[_Block]:
        """Answer all blocks, those of the draws first."""
        size = max(1, _BLOCK // max(self.rows, 1))
        return [
            _Block(kind, number, first, min(size, total - first))
            for kind, total in ((_DRAWS, self.resamples), (_LEFT_OUT, self.groups))
            for number, first in enumerate(range(0, total, size))
        ]

    def weights(self, block: _Block) -> NDArray[np.float64]:
        """Answer the weights of a block, (resamples, rows)."""
        if block.kind == _LEFT_OUT:
            left_out = np.arange(block.first, block.first + block.size)
            return np.asarray(self._group != left_out[:, np.newaxis], dtype=np.float64)
        random = np.random.default_rng((self.seed, block.number))
        weights = np.empty((block.size, self.rows))
        for row in weights:
            row[:] = self.drawing.weights(random)
        return weights

    @cached_property
    def _group(self) -> NDArray[np.intp]:
        """The group of each row."""
        return self.drawing.parts(max(self.groups, 1), self.seed)

    def to_dict(self) -> dict[str, Any]:
        """Answer the draws as plain values and arrays."""
        about = {"resamples": self.resamples, "seed": self.seed}
        return {"drawing": self.drawing.to_dict(), **about}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> _Draws:
        """Rebuild the draws from `to_dict`."""
        return cls(**{**data, "drawing": Drawing.from_dict(data["drawing"])})


@dataclass(frozen=True)
class _Work:
    """What a worker has to know to compute any block."""

    draws: _Draws
    kernels: Sequence[Kernel] = field(repr=False)

    def values(self, block: _Block) -> NDArray[np.float64]:
        """Answer (metrics, resamples of the block)."""
        weights = self.draws.weights(block)
        return np.stack([kernel(weights) for kernel in self.kernels])

    def to_dict(self) -> dict[str, Any]:
        """Answer the work of kernels that travel as plain values; each array once."""
        arrays: dict[int, NDArray[Any]] = {}
        scored = [kernel for kernel in self.kernels if isinstance(kernel, Scored)]
        for one in scored:
            arrays |= {id(one.y_true): one.y_true, id(one.output): one.output}
        places = {key: place for place, key in enumerate(arrays)}
        return {
            "draws": self.draws.to_dict(),
            "arrays": list(arrays.values()),
            "metrics": [
                {
                    "name": one.measure.name,
                    "target": one.target.to_dict(),
                    "y_true": places[id(one.y_true)],
                    "output": places[id(one.output)],
                }
                for one in scored
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> _Work:
        """Rebuild the work from `to_dict`."""
        kernels = []
        for metric in data["metrics"]:
            target = TargetSpec.from_dict(metric["target"])
            (measure,) = find([metric["name"]], target)
            y_true, output = (data["arrays"][metric[name]] for name in ("y_true", "output"))
            kernels.append(measure.prepare(y_true, output))
        return cls(_Draws.from_dict(data["draws"]), kernels)


@task(prepare=_Work.from_dict)
def resample_blocks(blocks: Sequence[Mapping[str, Any]], work: _Work) -> list[NDArray[np.float64]]:
    """Answer the metrics of some blocks, each (metrics, resamples of the block)."""
    return [work.values(_Block(**block)) for block in blocks]


def resample(
    kernels: Sequence[Kernel],
    rows: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
    deciding: Sequence[int] | None = None,
    drawing: Drawing | None = None,
    engine: Engine = HERE,
    checkpoint: Path | None = None,
) -> list[Resampled]:
    """Answer metrics of the same rows, drawn again and again, the same draws for all of them.

    Args:
        kernels: The metrics, prepared for the rows; those that are `Scored` with a measure of
            headrace's own can be computed by workers.
        rows: How many rows there are.
        resamples: How many times all rows are drawn.
        seed: The same seed gives the same draws.
        deciding: For each metric how many rows (or groups, or blocks) decide, if not all of them.
        drawing: How the rows are drawn; None for one by one.
        engine: Who computes the blocks, if there are enough for that.
        checkpoint: A folder that keeps finished blocks; they are not computed again.

    Raises:
        SettingError: There are too few resamples for an interval.
        CheckpointError: The folder belongs to other work, or cannot be written.

    Example:
        >>> values = np.arange(100.0)
        >>> mean, = resample([lambda weights: weights @ values / 100], 100)
        >>> low, high, note = mean.interval(0.95)
        >>> mean.value, bool(42 < low < 45), bool(54 < high < 57)
        (49.5, True, True)
    """
    if resamples < FEWEST_DRAWS:
        raise SettingError(f"resamples must be {FEWEST_DRAWS} or more, received {resamples}")
    whole = np.ones((1, rows))
    values = [float(kernel(whole)[0]) for kernel in kernels]
    way = Singly(rows) if drawing is None else drawing
    work = _Work(_Draws(way, resamples, seed), kernels)
    kept = None if checkpoint is None else Checkpoint.of_work(checkpoint, _about(work, values))
    found = _computed(work, engine, kept)
    parts = [np.concatenate([np.empty((len(kernels), 0)), *found[kind]], axis=1) for kind in found]
    counts = deciding or [way.units] * len(kernels)
    return [Resampled(*one) for one in zip(values, *parts, counts, strict=True)]


def drawn_weights(rows: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Give blocks of weights (some resamples, rows): how often each row was drawn.

    Example:
        >>> [block.sum(axis=1).tolist() for block in drawn_weights(5, 3, seed=0)]
        [[5.0, 5.0, 5.0]]
    """
    draws = _Draws(Singly(rows), resamples, seed)
    return (draws.weights(block) for block in draws.blocks() if block.kind == _DRAWS)


def _computed(
    work: _Work, engine: Engine, kept: Checkpoint | None
) -> dict[str, list[NDArray[np.float64]]]:
    """Answer the values of all blocks by their kind, kept ones as they are."""
    blocks = work.draws.blocks()
    known = {} if kept is None else _known(kept, blocks, len(work.kernels))
    missing = [block for block in blocks if block.name not in known]
    is_long = work.draws.rows * work.draws.resamples > _LONG_WORK
    total = work.draws.resamples + work.draws.groups
    with bar("resampling", total) if is_long else nullcontext() as progress:
        for block, values in zip(
            missing, _values(work, missing, engine if is_long else HERE), strict=True
        ):
            known[block.name] = values
            if kept is not None:
                kept.save(block.name, asdict(block), {"values": values})
            if progress:
                progress.advance(block.size)
    return {
        kind: [known[block.name] for block in blocks if block.kind == kind]
        for kind in (_DRAWS, _LEFT_OUT)
    }


def _values(work: _Work, blocks: Sequence[_Block], engine: Engine) -> Iterator[NDArray[np.float64]]:
    """Give the values of each block; a metric that cannot travel is computed here."""
    away = [isinstance(kernel, Scored) and kernel.travels for kernel in work.kernels]
    if engine.executor is None and all(away):
        yield from _threaded(work, blocks)
        return
    if engine.executor is None or not any(away):
        yield from map(work.values, blocks)
        return
    sent, own = (
        _Work(work.draws, [k for k, there in zip(work.kernels, away, strict=True) if there is side])
        for side in (True, False)
    )
    together = max(1, _TASK // (work.draws.rows * max(block.size for block in blocks)))
    tasks = (
        [asdict(block) for block in blocks[first : first + together]]
        for first in range(0, len(blocks), together)
    )
    answers = map_tasks(engine, resample_blocks, tasks, shared=sent.to_dict())
    for block, answer in zip(blocks, chain.from_iterable(answers), strict=True):
        values = np.empty((len(away), block.size))
        values[away] = answer
        if own.kernels:
            values[~np.array(away)] = own.values(block)
        yield values


def _threaded(work: _Work, blocks: Sequence[_Block]) -> Iterator[NDArray[np.float64]]:
    """Give the values of each block; NumPy lets threads draw and sum side by side."""
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        begun = [pool.submit(work.values, block) for block in blocks]
        try:
            for values in begun:
                yield values.result()
        finally:
            for values in begun:
                values.cancel()


def _known(
    kept: Checkpoint, blocks: Sequence[_Block], metrics: int
) -> dict[str, NDArray[np.float64]]:
    """Answer the values of the blocks that are kept whole."""
    known = {}
    for block in blocks:
        piece = kept.load(block.name)
        if piece is not None and piece.arrays["values"].shape == (metrics, block.size):
            known[block.name] = piece.arrays["values"]
    return known


def _about(work: _Work, values: Sequence[float]) -> dict[str, Any]:
    """Answer what decides the draws, to know the same work again."""
    return {
        "work": "resampling",
        "rows": work.draws.rows,
        "resamples": work.draws.resamples,
        "seed": work.draws.seed,
        "metrics": len(values),
        "content": hashlib.sha256(pack([list(values), work.to_dict()])).hexdigest(),
    }
