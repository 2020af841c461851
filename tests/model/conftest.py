"""Small tables that networks can be trained on in a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.model.target import TargetSpec, Task
from headrace.plan.features import Features, FeatureSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.model.network import FittedNetwork, Network


@dataclass
class Table:
    """Rows with what describes them."""

    features: Features
    target: NDArray[Any]
    feature_spec: FeatureSpec
    target_spec: TargetSpec

    def fit(self, network: Network, **more: Any) -> FittedNetwork:
        return network.fit(
            self.features,
            self.target,
            feature_spec=self.feature_spec,
            target_spec=self.target_spec,
            **more,
        )

    def part(self, rows: slice) -> tuple[Features, NDArray[Any]]:
        return self.features.take(rows), self.target[rows]


def make_table(
    task: Task = "binary",
    *,
    rows: int = 200,
    numbers: int = 3,
    cardinalities: tuple[int, ...] = (4, 90),
) -> Table:
    """A table whose target follows from its columns."""
    random = np.random.default_rng(0)
    values = random.normal(size=(rows, numbers)).astype(np.float32)
    codes = (
        np.stack([random.integers(size, size=rows) for size in cardinalities], axis=1)
        if cardinalities
        else np.zeros((rows, 0))
    )
    signal = np.sin(values).sum(axis=1) + (codes % 2).sum(axis=1)
    signal = (signal - signal.mean()) / max(signal.std(), 1e-9)
    if task == "regression":
        target, classes = signal.astype(np.float32), ()
    elif task == "binary":
        target, classes = (signal > 0).astype(np.int32), ("no", "yes")
    else:
        target = np.digitize(signal, [-0.5, 0.5]).astype(np.int32)
        classes = ("low", "middle", "high")
    return Table(
        Features(values, codes.astype(np.int32)),
        target,
        FeatureSpec(
            tuple(f"n{place}" for place in range(numbers)),
            tuple(f"c{place}" for place in range(len(cardinalities))),
            cardinalities,
        ),
        TargetSpec("y", task, classes=classes, mean=2.0 if task == "regression" else 0.0),
    )


@pytest.fixture(scope="session")
def table() -> Any:
    """The function that makes tables."""
    return make_table
