"""Real releases, small ones: written, exported and read like any other."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import pytest

from headrace.data.schema import MISSING_TIME, Column, Schema
from headrace.deploy.card import model_card
from headrace.deploy.release import _digest, _version, write_release
from headrace.model.target import TargetSpec
from headrace.storage.documents import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headrace.deploy.release import Release

WORDS = (*(f"word {i}" for i in range(20)), "Zürich", "日本語")


def make_wide_schema() -> Schema:
    """22 columns: 12 numbers, 8 categories, 2 dates."""
    numbers = [Column(f"number {i}", "number") for i in range(12)]
    strings = [Column(f"category {i}", "category") for i in range(8)]
    times = [Column("joined", "datetime"), Column("left", "datetime", optional=True)]
    return Schema(tuple(numbers + strings + times))


def make_wide_row(seed: int = 0) -> dict[str, Any]:
    """An ordinary row of the wide schema."""
    random = np.random.default_rng(seed)
    row: dict[str, Any] = {f"number {i}": float(random.normal()) for i in range(12)}
    row |= {f"category {i}": WORDS[random.integers(len(WORDS))] for i in range(8)}
    return row | {"joined": "1999-05-01T12:30:00", "left": f"20{10 + seed % 10}-01-31"}


def wide_answer(blocks: dict[str, Any]) -> Any:
    """Fill, look up, split dates and send all of it through a network, in TensorFlow."""
    import tensorflow as tf

    random = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return tf.constant(random.normal(size=shape) / np.sqrt(shape[0]), tf.float32)

    numbers = tf.where(tf.math.is_nan(blocks["numbers"]), tf.zeros_like(blocks["numbers"]),
                       blocks["numbers"])  # fmt: skip
    columns = [tf.cast(numbers, tf.float32)]
    for place in range(8):
        codes = table().lookup(blocks["strings"][:, place])
        columns.append(tf.gather(weights(len(WORDS) + 1, 4), codes))
    times = blocks["times"]
    days = tf.floor(tf.cast(times, tf.float64) / 86_400e6)
    weekday = tf.math.floormod(days + 4.0, 7.0)
    weekday = tf.where(times == MISSING_TIME, -tf.ones_like(weekday), weekday)
    columns.append(tf.cast(weekday, tf.float32))
    hidden = tf.nn.relu(tf.concat(columns, 1) @ weights(46, 64))
    return hidden @ weights(64, 1)


def table() -> Any:
    """A lookup table from words to numbers; 0 stands for all other words."""
    import tensorflow as tf

    with tf.init_scope():
        pairs = tf.lookup.KeyValueTensorInitializer(
            tf.constant(WORDS), tf.constant(np.arange(1, len(WORDS) + 1), tf.int64)
        )
        return tf.lookup.StaticHashTable(pairs, 0)


def make_wide_module() -> Any:
    """The binary graph of the wide schema."""
    import tensorflow as tf

    from headrace.deploy.export import graph_module

    def call(blocks: dict[str, Any]) -> dict[str, Any]:
        probability = tf.sigmoid(wide_answer(blocks))
        return {"probabilities": tf.concat([1 - probability, probability], axis=1)}

    return graph_module(make_wide_schema(), call)


def parts(schema: Schema, module: Any, folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """The parts of a release around a graph."""
    from headrace.deploy.export import export_onnx, export_saved_model

    export_saved_model(module, folder / "saved_model")
    return {
        "schema.json": schema.to_dict(),
        "card.md": model_card(about, schema),
        "weights.npz": {"00000": np.ones((3, 2), np.float32)},
        "model.onnx": export_onnx(folder / "saved_model"),
        "saved_model": folder / "saved_model",
    }


@pytest.fixture
def forge() -> Callable[[Path, Callable[[Any], object]], None]:
    """Changes a manifest as somebody would who knows how its version and digest are made."""

    def change(folder: Path, edit: Callable[[Any], object]) -> None:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        edit(manifest)
        manifest["version"] = _version(manifest)
        manifest["digest"] = _digest(manifest)
        (folder / "manifest.json").write_bytes(canonical_json(manifest))

    return change


@pytest.fixture
def wide_row() -> Callable[[int], dict[str, Any]]:
    return make_wide_row


@pytest.fixture
def wide_rows() -> list[dict[str, Any]]:
    """Ordinary rows, and one in which all is missing."""
    rows = [make_wide_row(seed) for seed in range(20)]
    return [*rows, dict.fromkeys(rows[0])]


@pytest.fixture
def wide_module() -> Callable[[], Any]:
    return make_wide_module


@pytest.fixture(scope="session")
def wide_parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The parts of a binary release of the wide schema."""
    about = {"task": "binary", "target": "bought", "classes": ["no", "yes"]}
    found = parts(make_wide_schema(), make_wide_module(), tmp_path_factory.mktemp("wide"), about)
    target = TargetSpec("bought", "binary", classes=("no", "yes"))
    columns = [{"name": "number 0", "edges": [-1.0, 0.25, 1.0]}]
    columns += [{"name": "category 0", "values": {"Zürich": 7, "word 1": 3}}]
    columns += [{"name": "joined", "edges": [0.0, 925561800e6, 2e15]}]
    return found | {"target.json": target.to_dict(), "profile.json": {"columns": columns}}


@pytest.fixture(scope="session")
def wide_release(wide_parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A binary release of the wide schema."""
    return write_release(tmp_path_factory.mktemp("releases") / "wide", wide_parts)


@pytest.fixture(scope="session")
def price_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A regression release with two number columns: twice the first and the second."""
    import tensorflow as tf

    from headrace.deploy.export import graph_module

    schema = Schema((Column("area", "number"), Column("new", "boolean")))

    def call(blocks: dict[str, Any]) -> dict[str, Any]:
        total = tf.reduce_sum(blocks["numbers"] * tf.constant([[2.0, 1.0]], tf.float64), axis=1)
        return {"prediction": tf.cast(total, tf.float32)}

    found = parts(schema, graph_module(schema, call), tmp_path_factory.mktemp("price"), {})
    target = TargetSpec("price", "regression", mean=5.0, scale=2.0)
    folder = tmp_path_factory.mktemp("releases") / "price"
    return write_release(folder, found | {"target.json": target.to_dict()})


@pytest.fixture(scope="session")
def cluster_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A clustering release: distances to two centres on a line."""
    import tensorflow as tf

    from headrace.deploy.export import graph_module

    schema = Schema((Column("x", "number"),))

    def call(blocks: dict[str, Any]) -> dict[str, Any]:
        distances = tf.abs(blocks["numbers"] - tf.constant([[0.0, 10.0]], tf.float64))
        cluster = tf.argmin(distances, axis=1, output_type=tf.int64)
        return {"cluster": cluster, "distances": distances}

    found = parts(schema, graph_module(schema, call), tmp_path_factory.mktemp("cluster"), {})
    return write_release(tmp_path_factory.mktemp("releases") / "cluster", found)
