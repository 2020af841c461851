"""What the converter is told: choices stay choices, logarithms stay exact, hashes are native."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest

from headrace.errors import ReleaseError
from headrace.plan.murmur import hash_tensor
from headrace.plan.to_onnx import DOMAINS, prepared, settings

if TYPE_CHECKING:
    from pathlib import Path

NAN, INF = float("nan"), float("inf")
NUMBERS = np.array([[1e-17, 1.0], [-1e-12, INF], [NAN, -1.0], [-2.0, 0.0], [0.5, 1e300]])
STRINGS = np.array([["", "a"], ["é", "a\0"], ["x" * 500, "abcd"], ["", ""], ["abc", " "]], object)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    import tensorflow as tf
    from tf2onnx import tf_loader

    folder: Path = tmp_path_factory.mktemp("graph")

    @tf.function(autograph=False)
    def answer(numbers: Any, strings: Any, unused: Any) -> dict[str, Any]:
        del unused
        large = numbers > 0.5
        return {
            "chosen": tf.where(large, numbers, tf.math.log(numbers)),
            "flags": tf.where(large, tf.math.is_inf(numbers), tf.math.is_nan(numbers)),
            "log1p": tf.math.log1p(numbers),
            "hash": hash_tensor(strings) % tf.constant([7, 11], tf.int64),
            "again": hash_tensor(strings[:, :1]),
        }

    concrete = answer.get_concrete_function(
        tf.TensorSpec((None, 2), tf.float64, "numbers"),
        tf.TensorSpec((None, 2), tf.string, "strings"),
        tf.TensorSpec((None, 1), tf.float64, "unused"),
    )
    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": concrete})
    wanted = concrete(tf.constant(NUMBERS), tf.constant(STRINGS), tf.constant(NUMBERS[:, :1]))
    loaded = tf_loader.from_saved_model(
        str(folder), None, None, "serve", ["serving_default"],
        return_initialized_tables=True, return_tensors_to_rename=True,
    )  # fmt: skip
    return {name: value.numpy() for name, value in wanted.items()}, *loaded


def test_the_converted_graph_answers_what_tensorflow_answers(frozen: tuple[Any, ...]) -> None:
    from tf2onnx import convert

    wanted, graph, inputs, outputs, tables, rename = frozen
    model, _ = convert._convert_common(
        prepared(graph, outputs), opset=18, input_names=inputs, output_names=outputs,
        initialized_tables=tables, tensors_to_rename=rename, **settings(),
    )  # fmt: skip
    assert {node.domain for node in model.graph.node} <= set(DOMAINS)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    blocks = {"numbers": NUMBERS, "strings": STRINGS, "unused": NUMBERS[:, :1]}
    given = {entry.name: blocks[entry.name] for entry in session.get_inputs()}
    found = dict(zip(names, session.run(names, given), strict=True))
    for name in ("flags", "hash", "again"):
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
    for name in ("chosen", "log1p"):
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-15, err_msg=name)


def test_nothing_of_the_computed_hash_is_left_and_the_graph_given_is_not_changed(
    frozen: tuple[Any, ...],
) -> None:
    _, graph, _, outputs, *_ = frozen
    before = graph.SerializeToString(deterministic=True)
    found = prepared(graph, outputs)
    assert graph.SerializeToString(deterministic=True) == before
    assert not {"StringLength", "StatelessWhile"} & {node.op for node in found.node}
    assert sum(node.op == "StringToHashBucketStrong" for node in found.node) == 2
    assert len(found.library.function) == 0


def test_a_hash_that_cannot_be_recognised_is_an_error(frozen: tuple[Any, ...]) -> None:
    _, graph, _, outputs, *_ = frozen
    strange = type(graph)()
    strange.CopyFrom(graph)
    for node in strange.node:
        if node.op == "StringLength":
            node.op = "StringLower"
    with pytest.raises(ReleaseError, match="text hash cannot be found again"):
        prepared(strange, outputs)
