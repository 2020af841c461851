"""Small rows, and networks on several workers."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import psutil
import pytest

import headrace as hr
from headrace.engine import HERE
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = FeatureSpec(("a", "b", "c"), ("kind",), (4,))
TARGET = TargetSpec("bought", "binary", classes=("no", "yes"))


def rows(count: int, seed: int) -> tuple[Features, np.ndarray]:
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, 3)).astype(np.float32)
    kinds = random.integers(0, 4, (count, 1)).astype(np.int32)
    signal = numbers[:, 0] * 2 + numbers[:, 1] * numbers[:, 2] + (kinds[:, 0] == 1)
    signal += random.normal(size=count) / 2
    return Features(numbers, kinds), (signal > 0.3).astype(np.int32)


def fit(count: int = 501, engine: Any = HERE, **settings: Any) -> Any:
    """Train without dropout, by rows with weights and by early stopping."""
    features, target = rows(count, 0)
    network = hr.Network(
        **{"hidden": [12, 8], "dropout": 0.0, "epochs": 6, "batch_size": 50} | settings
    )
    return network.fit(
        features,
        target,
        feature_spec=SPEC,
        target_spec=TARGET,
        validation=rows(101, 1),
        sample_weight=np.random.default_rng(3).uniform(0.5, 2, count),
        seed=5,
        engine=engine,
    )


def assert_the_same(one: Any, several: Any) -> None:
    """Weights and history to float tolerance."""
    assert one.best_epoch == several.best_epoch
    assert one.history.keys() == several.history.keys()
    for name, values in one.history.items():
        np.testing.assert_allclose(several.history[name], values, rtol=1e-4, err_msg=name)
    for left, right in zip(one.weights(), several.weights(), strict=True):
        np.testing.assert_allclose(right, left, rtol=1e-3, atol=1e-5)


@pytest.fixture(name="fit", scope="session")
def fixture_fit() -> Callable[..., Any]:
    return fit


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Any, Any], None]:
    return assert_the_same


class Kill:
    """Kill a process of another process with SIGKILL as soon as it has done something."""

    def __init__(self, find: Callable[[], int | None]) -> None:
        self.killed = False
        self._find, self._over = find, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            found = self._find()
            if found is not None:
                os.kill(found, signal.SIGKILL)
                self.killed = True
                return


@pytest.fixture(scope="session")
def kill() -> type[Kill]:
    return Kill


def worker_process(number: int, above: int) -> int | None:
    """The process of a worker below another process, once it has kept a state."""
    for process in psutil.Process(above).children(recursive=True):
        try:
            command, task = process.cmdline(), process.environ().get("TF_CONFIG", "{}")
        except psutil.Error:
            continue
        if "headrace.model.parallel.worker" not in command or "task" not in task:
            continue
        begun = Path(command[-1], "state.npz").exists()
        if begun and json.loads(task)["task"]["index"] == number:
            return int(process.pid)
    return None


@pytest.fixture(name="worker_process", scope="session")
def fixture_worker_process() -> Callable[[int, int], int | None]:
    return worker_process
