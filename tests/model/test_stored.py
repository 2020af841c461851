"""A network learns from rows on disk as from rows in memory, and holds only a part of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from headrace.model.labelled import Window
from headrace.model.network import Network
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = FeatureSpec(("a", "b", "c"), ("d",), (7,))
TARGET = TargetSpec("y", "binary", classes=("no", "yes"))


def table(rows: int, seed: int = 0) -> tuple[Features, Any]:
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 3)).astype(np.float32)
    codes = random.integers(0, 7, size=(rows, 1)).astype(np.int32)
    target = (numbers[:, 0] + 0.5 * (codes[:, 0] == 3) > 0.3).astype(np.int32)
    return Features(numbers, codes), target


def mapped(folder: Path, features: Features, target: Any) -> tuple[Features, Any]:
    folder.mkdir()
    blocks = {}
    given = {
        "numbers": features.numbers,
        "categories": features.categories.astype(np.uint8),
        "target": target,
    }
    for name, block in given.items():
        block.tofile(folder / name)
        blocks[name] = np.memmap(folder / name, block.dtype, mode="r", shape=block.shape)
    return Features(blocks["numbers"], blocks["categories"]), blocks["target"]


def fit(rows: Any, held: Any, **settings: Any) -> Any:
    network = Network([16], epochs=4, batch_size=64, patience=3, learning_rate=0.02)
    features, target = rows
    return network.set_params(**settings.pop("network", {})).fit(
        features, target, feature_spec=SPEC, target_spec=TARGET, validation=held, **settings
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        {},
        {"class_weight": "balanced", "monitor": "roc_auc"},
        {"calibrate": "temperature", "threshold": "f1"},
        {"hidden": None, "preset": "fast"},
    ],
)
def test_rows_on_disk_teach_as_much(tmp_path: Path, network: Any) -> None:
    rows, held = table(4000), table(1000, seed=1)
    fresh, truth = table(2000, seed=2)
    on_disk = fit(
        mapped(tmp_path / "rows", *rows),
        mapped(tmp_path / "held", *held),
        window=Window(1024, 64),
        network=network,
    )
    in_memory = fit(rows, held, network=network)
    accuracies = [
        np.mean((one.predict(fresh)[:, 0] > 0.5) == truth) for one in (on_disk, in_memory)
    ]
    assert min(accuracies) > 0.9
    assert abs(accuracies[0] - accuracies[1]) < 0.05
    [note] = [note for note in on_disk.notes if "read from disk" in note]
    assert "1,024 at a time in blocks of 64" in note
    assert "the steps waited" in note
    assert 0 <= on_disk.training.waited <= on_disk.training.seconds["epochs"]


def test_the_same_seed_gives_the_same_weights_from_disk(tmp_path: Path) -> None:
    rows, held = mapped(tmp_path / "rows", *table(1000)), mapped(tmp_path / "held", *table(300))
    one, two = (fit(rows, held, window=Window(256, 32), seed=5) for _ in range(2))
    for mine, hers in zip(one.weights(), two.weights(), strict=True):
        assert np.array_equal(mine, hers)


def test_weights_of_rows_on_disk_count(tmp_path: Path) -> None:
    (features, target), held = table(1000), table(300, seed=1)
    weights = np.where(target == 1, 1.0, 0.0)
    fitted = fit(
        mapped(tmp_path / "rows", features, target),
        mapped(tmp_path / "held", *held),
        window=Window(256, 32),
        sample_weight=weights,
    )
    assert fitted.predict(held[0]).mean() > 0.8


def test_a_model_that_xla_cannot_compile_learns_from_disk_too(tmp_path: Path) -> None:
    def through_python(block: Any) -> Any:
        return tf.ensure_shape(tf.py_function(lambda x: 2 * x, [block], tf.float32), block.shape)

    def build(features: Any, target: Any) -> Any:
        numbers = keras.Input((3,), name="numbers")
        block = keras.layers.Dense(8, activation="relu")(numbers)
        block = keras.layers.Lambda(through_python, output_shape=(8,))(block)
        return keras.Model({"numbers": numbers}, keras.layers.Dense(1, activation="sigmoid")(block))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warning is the note's, tested with rows in memory
        fitted = fit(
            mapped(tmp_path / "rows", *table(600)),
            mapped(tmp_path / "held", *table(200, seed=1)),
            window=Window(256, 32),
            network={"hidden": build},
        )
    assert fitted.history["val_loss"][-1] < fitted.history["val_loss"][0]
    assert any("XLA cannot compile this model" in note for note in fitted.notes)
