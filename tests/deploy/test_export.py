from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.data.schema import Column, Schema
from headrace.deploy.export import export_onnx, export_saved_model, graph_module, onnx_of
from headrace.deploy.release import write_release
from headrace.deploy.session import open_session
from headrace.errors import ReleaseError

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.deploy.release import Release

tf = pytest.importorskip("tensorflow")

NUMBERS = Schema((Column("a", "number"), Column("b", "number")))


def test_saved_model_and_onnx_answer_the_same(
    wide_release: Release, wide_rows: list[dict[str, Any]]
) -> None:
    from headrace.data.rows import RowDoor
    from headrace.deploy.runtime import Runtime

    runtime = Runtime(wide_release.path)
    loaded = tf.saved_model.load(str(wide_release.path / "saved_model"))
    blocks = RowDoor(runtime.schema)(wide_rows)
    graph = loaded.signatures["serving_default"](
        **{name: tf.constant(block) for name, block in blocks._asdict().items()}
    )
    np.testing.assert_allclose(runtime.run(blocks), graph["probabilities"].numpy(), atol=1e-6)


def test_the_same_graph_gives_the_same_bytes_and_version(
    wide_module: Any, wide_parts: dict[str, Any], wide_release: Release, tmp_path: Path
) -> None:
    again = onnx_of(wide_module())
    assert again == wide_parts["model.onnx"]
    assert write_release(tmp_path / "x", wide_parts).version == wide_release.version


def test_a_block_without_columns_is_left_out() -> None:
    module = graph_module(NUMBERS, lambda blocks: {"prediction": blocks["numbers"][:, 0]})
    session = open_session(onnx_of(module))
    assert [value.name for value in session.get_inputs()] == ["numbers"]
    assert session.get_inputs()[0].shape == ["rows", 2]
    with pytest.raises(ReleaseError, match="the schema has none"):
        graph_module(Schema(()), dict)


def test_variables_and_models_come_along(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    extra = tf.Variable(3.0)

    def call(blocks: dict[str, Any]) -> dict[str, Any]:
        return {"prediction": model(tf.cast(blocks["numbers"], tf.float32))[:, 0] * extra}

    module = graph_module(NUMBERS, call, tracked=[model])
    x = np.array([[1.0, 2.0], [-3.0, 0.5]])
    expected = module.signature(numbers=tf.constant(x))["prediction"].numpy()
    export_saved_model(module, tmp_path / "saved")
    (answer,) = open_session(export_onnx(tmp_path / "saved")).run(None, {"numbers": x})
    np.testing.assert_allclose(answer, expected, rtol=1e-6)


def test_a_module_of_ones_own_is_taken_too() -> None:
    class Own(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float64, "numbers")])
        def __call__(self, numbers: Any) -> Any:
            return {"prediction": tf.reduce_sum(numbers, axis=1)}

    session = open_session(onnx_of(Own()))
    assert session.run(None, {"numbers": np.array([[1.0, 2.0]])})[0].tolist() == [3.0]


def test_the_text_hash_becomes_one_operation_of_onnx_runtime() -> None:
    from headrace.plan.murmur import hash_series, hash_tensor

    schema = Schema((Column("s", "category"),))
    module = graph_module(schema, lambda blocks: {"prediction": hash_tensor(blocks["strings"])})
    words = np.array([["a"], ["é日本"], [""], ["word " * 9]], dtype=object)
    (answer,) = open_session(onnx_of(module)).run(None, {"strings": words})
    import polars as pl

    assert answer[:, 0].tolist() == hash_series(pl.Series(words[:, 0].tolist())).tolist()


def test_an_operation_that_onnx_does_not_have_is_named() -> None:
    schema = Schema((Column("s", "category"),))

    def call(blocks: dict[str, Any]) -> dict[str, Any]:
        return {"prediction": tf.strings.to_hash_bucket_fast(blocks["strings"], 10)}

    with pytest.raises(ReleaseError, match="StringToHashBucketFast"):
        onnx_of(graph_module(schema, call))


def test_conversion_is_silent_and_leaves_the_loggers_alone(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = logging.getLogger("tf2onnx").level
    onnx_of(graph_module(NUMBERS, lambda blocks: {"prediction": blocks["numbers"][:, 0]}))
    assert logging.getLogger("tf2onnx").level == before
    assert not [record for record in caplog.records if record.name.startswith("tf2onnx")]
    assert "tf2onnx" not in "".join(capfd.readouterr())


def test_tables_from_elsewhere_come_along() -> None:
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(["a"]), tf.constant([1], tf.int64))
    table = tf.lookup.StaticHashTable(pairs, 0)
    schema = Schema((Column("s", "category"),))
    module = graph_module(schema, lambda blocks: {"prediction": table.lookup(blocks["strings"])})
    words = np.array([["a"], ["b"]], dtype=object)
    (answer,) = open_session(onnx_of(module)).run(None, {"strings": words})
    assert answer.tolist() == [[1], [0]]


def test_what_cannot_be_saved_says_why(tmp_path: Path) -> None:
    class Forgetful(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(["a"]), tf.constant([1.0]))
            table = tf.lookup.StaticHashTable(pairs, 0.0)
            self._hidden = lambda: table

        @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.string, "strings")])
        def __call__(self, strings: Any) -> Any:
            return {"prediction": self._hidden().lookup(strings)}

    with pytest.raises(ReleaseError, match=r"TensorFlow cannot save the graph: .*untracked"):
        export_saved_model(Forgetful(), tmp_path / "saved")
