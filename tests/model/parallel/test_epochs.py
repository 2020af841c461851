"""The epochs of a worker, with one worker in this process: no processes, the same program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import headrace as hr
from headrace.errors import SettingError
from headrace.model.assembly import assemble
from headrace.model.loop import seeded
from headrace.model.parallel import epochs
from headrace.model.parallel.compiling import build_training, compile_for_workers
from headrace.model.parallel.job import Job, Shard
from headrace.model.parallel.shards import Division
from headrace.model.parallel.state import Progress, state_of
from headrace.model.presets import preset
from headrace.model.rows import Rows
from headrace.model.target import TargetSpec
from headrace.plan.features import FeatureSpec
from headrace.storage.checkpoint import Checkpoint, Piece

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROWS = 1_000
SPEC = FeatureSpec(("a", "b"))
TARGET = TargetSpec("bought", "binary", classes=("no", "yes"))


class Alone:
    """Sums over one worker."""

    workers = 1

    def of(self, block: Any) -> Any:
        return block

    def of_array(self, block: np.ndarray) -> np.ndarray:
        return block

    def of_variables(self, variables: Iterable[Any]) -> None:
        del variables


class Dies(Checkpoint):
    """A checkpoint whose owner dies after some states."""

    def __init__(self, folder: Path, states: int) -> None:
        super().__init__(folder)
        self._left = states

    def save(self, *arguments: Any) -> None:
        super().save(*arguments)
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


def numbers(count: int, seed: int) -> Rows:
    values = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)
    return Rows({"numbers": values}, (values[:, :1] * values[:, 1:] > 0).astype(np.float32))


def worker(kept: Checkpoint, **settings: Any) -> tuple[epochs.Worker, Piece]:
    """A worker with its state of the very start."""
    network = hr.Network([8], **{"batch_size": 10, "epochs": 3, "dropout": 0.2} | settings)
    job = Job(network, preset("fast").members[0], SPEC, TARGET, ROWS, 100, 10, 3, seed=4)
    assert Job.from_dict(job.to_dict()).to_dict() == job.to_dict()
    shard = Shard.of_arrays(Shard(numbers(ROWS, 0), numbers(100, 1)).arrays())
    with seeded(4):
        assembly = assemble(network, job.member, SPEC, TARGET)
        compile_for_workers(assembly, 3 * Division(ROWS, 10, 1).steps)
        build_training(assembly.model, shard.own)
        sums: Any = Alone()
        made = epochs.Worker(0, job, shard, assembly=assembly, sums=sums, kept=kept)
        return made, state_of(assembly.model, Progress())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("states", "dropout"), [(1, 0.0), (2, 0.2)], ids=["within an epoch", "between epochs"]
)
def test_going_on_from_a_state_gives_the_same_bits(
    tmp_path: Path, states: int, dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A state after each call within an epoch (100 steps are two calls), and after each epoch.
    monkeypatch.setattr(epochs, "EVERY", 0.0)
    whole, start = worker(Checkpoint(tmp_path / "whole"), dropout=dropout)
    expected = whole.train(start)
    killed, _ = worker(Dies(tmp_path / "killed", states), dropout=dropout)
    with pytest.raises(KeyboardInterrupt):
        killed.train(start)
    kept = Checkpoint(tmp_path / "killed").load("state")
    assert kept is not None
    assert (kept.document["progress"]["step"] > 0) == (states == 1)
    answer = worker(Checkpoint(tmp_path / "again"), dropout=dropout)[0].train(kept)
    assert answer.document == expected.document
    assert answer.arrays.keys() == expected.arrays.keys()
    assert all(np.array_equal(answer.arrays[n], a) for n, a in expected.arrays.items())


def test_a_broken_loss_is_told_with_the_learning_rate(tmp_path: Path) -> None:
    broken, start = worker(Checkpoint(tmp_path), learning_rate=1e30, optimizer="sgd")
    with pytest.raises(SettingError, match=r"the loss became (nan|inf) in epoch 1.*lower learning"):
        broken.train(start)
