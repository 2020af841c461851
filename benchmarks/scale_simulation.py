"""A cluster on paper: what `scale.py` measures on one machine, carried on to many workers.

Events in the order of their time, on a heap: a task is handed out by the one scheduler, which can
do one thing at a time; a worker computes it; what is ready then waits for the scheduler again.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Network", "Outcome", "Training", "Tree", "ring_seconds", "run_tree", "train_seconds"]

FAN_IN = 8
"""States that one merge takes in."""


@dataclass(frozen=True)
class Network:
    """What lies between the workers; stated, not measured.

    Attributes:
        bandwidth: Bytes a second of each worker.
        latency: Seconds of a message.
        spread: Standard deviation of the logarithm of a task's seconds: how much workers straggle.
    """

    bandwidth: float = 1.25e9
    latency: float = 50e-6
    spread: float = 0.1


@dataclass(frozen=True)
class Tree:
    """Tasks over partitions, whose results are merged in a tree.

    Attributes:
        partitions: How many.
        task: Seconds of one, on one worker.
        dispatch: Seconds that the scheduler spends on one task.
        merge: Seconds of merging one state into another; 0 for results that are not merged.
        state: Bytes of a state.
    """

    partitions: int
    task: float
    dispatch: float
    merge: float = 0.0
    state: int = 0


@dataclass(frozen=True)
class Outcome:
    """How it went.

    Attributes:
        seconds: From the first task handed out to the last one done.
        scheduler: The share of that time in which the scheduler was busy.
        workers: The share in which the workers were, on average.
    """

    seconds: float
    scheduler: float
    workers: float


def run_tree(tree: Tree, workers: int, network: Network, seed: int = 0) -> Outcome:
    """Run tasks and merges on some workers with one scheduler."""
    chance = np.random.default_rng(seed)
    ready: deque[tuple[int, int]] = deque((0, place) for place in range(tree.partitions))
    widths = _levels(tree.partitions) if tree.merge else [tree.partitions]
    done = [[0] * width for width in [*widths[1:], 1]]
    idle, running = list(range(workers)), list[tuple[float, int, tuple[int, int]]]()
    now = scheduler_free = scheduler_busy = workers_busy = 0.0
    while ready or running:
        while ready and idle:
            task, worker = ready.popleft(), idle.pop()
            scheduler_free = max(now, scheduler_free) + tree.dispatch
            scheduler_busy += tree.dispatch
            seconds = _seconds(tree, task, widths, network) * math.exp(
                network.spread * chance.standard_normal()
            )
            workers_busy += seconds
            heapq.heappush(running, (scheduler_free + seconds, worker, task))
        now, worker, (level, place) = heapq.heappop(running)
        idle.append(worker)
        if level + 1 < len(widths):
            above = place // FAN_IN
            done[level][above] += 1
            if done[level][above] == _children(widths[level], above):
                ready.append((level + 1, above))
    return Outcome(now, scheduler_busy / now, workers_busy / now / workers)


@dataclass(frozen=True)
class Training:
    """Synchronous training.

    Attributes:
        fixed: Seconds of a step that do not depend on its rows.
        row: Seconds of a row in a step.
        gradients: Bytes that are added up over all workers in each step.
        width: Answers how many rows a worker computes in a step, by the number of workers.
    """

    fixed: float
    row: float
    gradients: int
    width: Callable[[int], int]


def train_seconds(
    training: Training, workers: int, network: Network, *, steps: int = 50, seed: int = 0
) -> tuple[float, float]:
    """Answer the mean seconds of a step: all of it, and the part of it that is the sum.

    All workers wait for the last one in each step, then add up the gradients in a ring.
    """
    chance = np.random.default_rng(seed)
    own = training.fixed + training.row * training.width(workers)
    ring = ring_seconds(training.gradients, workers, network)
    now = 0.0
    for _ in range(steps):
        factors = np.exp(network.spread * chance.standard_normal(workers))
        waiting = [now + own * float(factor) for factor in factors]
        heapq.heapify(waiting)
        while waiting:
            now = heapq.heappop(waiting)
        now += ring
    return now / steps, ring


def ring_seconds(size: int, workers: int, network: Network) -> float:
    """Answer the seconds of a ring all-reduce: 2 (n - 1) messages of a n-th of the bytes each.

    Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations"
    (2009).
    """
    rounds = 2 * (workers - 1)
    return rounds * (network.latency + size / workers / network.bandwidth)


def _seconds(tree: Tree, task: tuple[int, int], widths: list[int], network: Network) -> float:
    level, place = task
    if not level:
        return tree.task
    taken = _children(widths[level - 1], place)
    moved = network.latency + tree.state / network.bandwidth
    return taken * (moved + tree.merge)


def _levels(partitions: int) -> list[int]:
    """Answer how many states there are on each level of the tree."""
    widths = [partitions]
    while widths[-1] > 1:
        widths.append(-(-widths[-1] // FAN_IN))
    return widths


def _children(width: int, above: int) -> int:
    return min(FAN_IN, width - above * FAN_IN)
