"""The layers that make answers, against written-out NumPy formulas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.model.answers import (
    MeanDeviation,
    MemberMixture,
    OrderedClasses,
    OrderedQuantiles,
    Rate,
)
from headrace.model.architectures.ends import answer
from headrace.model.target import TargetSpec
from headrace.model.targets import Targets

RANDOM = np.random.default_rng(0)
SPECS = [
    TargetSpec("y", "binary", classes=(0, 1)),
    TargetSpec("y", "multiclass", classes=(0, 1, 2)),
    TargetSpec("y", "multiclass", classes=(0, 1, 2, 3), likelihood="ordinal"),
    TargetSpec("y", "regression"),
    TargetSpec("y", "regression", likelihood="poisson"),
    TargetSpec("y", "regression", likelihood="normal"),
    TargetSpec("y", "regression", likelihood="quantiles", quantiles=(0.1, 0.2, 0.5, 0.9)),
]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softplus(x: Any) -> Any:
    return np.log1p(np.exp(x))


def test_ordered_classes_are_the_cumulative_logit_model() -> None:
    layer, scores = OrderedClasses(4), RANDOM.normal(size=(6, 1)).astype(np.float32)
    np.testing.assert_allclose(layer(np.zeros((1, 1)))[0], [0.25] * 4, rtol=1e-5)
    layer.set_weights([np.array([-1.0]), np.array([0.3, 2.0])])
    thresholds = -1 + np.array([0, softplus(0.3), softplus(0.3) + softplus(2.0)])
    below = sigmoid(thresholds - scores)
    edges = np.column_stack([np.zeros(6), below, np.ones(6)])
    np.testing.assert_allclose(np.asarray(layer(scores)), np.diff(edges, axis=1), rtol=1e-4)


def test_ordered_classes_far_away_keep_a_probability() -> None:
    layer = OrderedClasses(3)
    found = np.asarray(layer(np.array([[40.0], [-40.0]], dtype=np.float32)))
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_ordered_classes_start_at_the_shares_of_the_rows() -> None:
    layer = OrderedClasses(4)
    layer.build((None, 3, 1))
    layer.set_shares([0.1, 0.2, 0.3, 0.4])
    found = np.asarray(layer(np.zeros((1, 3, 1), dtype=np.float32)))
    np.testing.assert_allclose(found[0], [[0.1, 0.2, 0.3, 0.4]] * 3, rtol=1e-5)


@given(st.lists(st.floats(-50, 50, width=32), min_size=5, max_size=5), st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_quantiles_never_cross(raw: list[float], middle: int) -> None:
    inputs = np.asarray([raw], dtype=np.float32)
    found = np.asarray(OrderedQuantiles(middle)(inputs))[0]
    assert (np.diff(found) >= 0).all()
    assert found[middle] == inputs[0, middle]


def test_quantiles_are_steps_from_the_middle() -> None:
    raw = RANDOM.normal(size=(3, 4)).astype(np.float32)
    step = softplus(raw)
    middle = raw[:, 1]
    expected = np.column_stack(
        [middle - step[:, 0], middle, middle + step[:, 2], middle + step[:, 2] + step[:, 3]]
    )
    np.testing.assert_allclose(np.asarray(OrderedQuantiles(1)(raw)), expected, rtol=1e-5)


def test_rate_and_deviation() -> None:
    np.testing.assert_allclose(
        np.asarray(Rate()(np.array([[-1.0], [100.0]], dtype=np.float32))),
        np.exp([[-1.0], [15.0]]),
        rtol=1e-5,
    )
    found = np.asarray(MeanDeviation()(np.array([[2.0, -90.0]], dtype=np.float32)))
    np.testing.assert_allclose(found, [[2.0, 1e-3]], rtol=1e-5)


def test_a_mixture_has_the_moments_of_its_members() -> None:
    members = np.abs(RANDOM.normal(size=(4, 3, 2))).astype(np.float32)
    found = np.asarray(MemberMixture()(members))
    mean = members[..., 0].mean(axis=1)
    second = (members[..., 1] ** 2 + members[..., 0] ** 2).mean(axis=1)
    np.testing.assert_allclose(found, np.column_stack([mean, np.sqrt(second - mean**2)]), rtol=1e-5)
    assert MemberMixture()(members, training=True).shape == (4, 3, 2)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.likelihood)
@pytest.mark.parametrize("members", [0, 3])
def test_every_likelihood_has_an_output_layer(spec: TargetSpec, members: int) -> None:
    block = keras.Input((members, 5) if members else (5,))
    model = keras.Model(block, answer(block, spec))
    inputs = RANDOM.normal(size=(7, *block.shape[1:])).astype(np.float32)
    found = np.asarray(model(inputs))
    assert found.shape == (7, spec.outputs)
    if members:
        assert model(inputs, training=True).shape == (7, members, spec.outputs)
    if spec.task == "multiclass":
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(np.asarray(again(inputs)), found)


@pytest.mark.parametrize("members", [0, 1, 3])
def test_every_answer_is_the_same_in_onnx(members: int) -> None:
    targets = Targets.of([replace(spec, name=str(place)) for place, spec in enumerate(SPECS)])
    block = keras.Input((members, 5) if members else (5,))
    model = keras.Model(block, answer(block, targets))
    inputs = 3 * RANDOM.normal(size=(7, *block.shape[1:])).astype(np.float32)
    signature = [tf.TensorSpec([None, *block.shape[1:]], tf.float32, name="block")]
    graph, _ = tf2onnx.convert.from_function(
        tf.function(model.__call__), input_signature=signature, opset=18
    )
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    [found] = session.run(None, {"block": inputs})
    np.testing.assert_allclose(found, np.asarray(model(inputs)), rtol=1e-4, atol=1e-5)


def test_the_linear_layer_may_be_an_own_one() -> None:
    made = []

    def dense(units: int, activation: str, name: str) -> Any:
        made.append((units, activation, name))
        return keras.layers.Dense(units, activation=activation, name=name)

    answer(keras.Input((5,)), SPECS[1], dense=dense)
    answer(keras.Input((5,)), SPECS[2], dense=dense)
    assert made == [(3, "softmax", "answer"), (1, "linear", "answer")]
