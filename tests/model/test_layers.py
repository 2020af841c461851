"""The layers against their formulas, written out in NumPy; and what Keras asks of every layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from headrace.model.layers import (
    CategoryEmbedding,
    FastDropout,
    MemberDense,
    MemberMean,
    MemberScale,
    OneHot,
    PiecewiseLinear,
)

RANDOM = np.random.default_rng(0)


def numpy(tensor: Any) -> Any:
    return keras.ops.convert_to_numpy(tensor)


CODES = np.array([[0, 5, 1], [2, 3, 0]], dtype=np.int32)
LAYERS = [
    (PiecewiseLinear(bins=4, width=3), RANDOM.normal(size=(5, 2)).astype(np.float32)),
    (OneHot([3, 6, 2]), CODES),
    (OneHot([3, 2], columns=[0, 2]), CODES),
    (CategoryEmbedding([3, 6, 2], width=4), CODES),
    (CategoryEmbedding([6], width=4, columns=[1]), CODES),
    (FastDropout(0.5), np.ones((4, 3), dtype=np.float32)),
    (MemberScale(3, chunks=[2, 1]), RANDOM.normal(size=(4, 3)).astype(np.float32)),
    (MemberDense(2, "relu"), RANDOM.normal(size=(4, 3, 5)).astype(np.float32)),
    (MemberMean(), RANDOM.normal(size=(4, 3, 2)).astype(np.float32)),
]


@pytest.mark.parametrize(("layer", "inputs"), LAYERS, ids=lambda value: type(value).__name__)
def test_a_layer_tells_its_shape_and_can_be_made_again(layer: Any, inputs: Any) -> None:
    outputs = layer(inputs)
    assert tuple(layer.compute_output_shape(inputs.shape)) == tuple(outputs.shape)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    again(inputs)
    if layer.weights:
        again.set_weights(layer.get_weights())
    assert np.array_equal(numpy(again(inputs)), numpy(outputs))


def piecewise_by_hand(layer: PiecewiseLinear, x: Any, edges: list[list[float]]) -> Any:
    a, c, v = (numpy(w) for w in (layer.linear, layer.bias, layer.bends))
    rows = []
    for row in x:
        parts = []
        for column, value in enumerate(row):
            filled = np.zeros(layer.bins)
            last = len(edges[column]) - 2
            for t in range(last + 1):
                low, high = edges[column][t : t + 2]
                share = (value - low) / (high - low)
                filled[t] = np.clip(share, -1 if t == 0 else 0, 2 if t == last else 1)
            parts.append(value * a[column] + c[column] + filled @ v[column])
        rows.append(np.concatenate(parts))
    return np.array(rows)


def test_piecewise_linear_is_its_formula() -> None:
    edges = [[-1.0, 0.0, 0.5, 2.0, 3.0], [0.0, 1.0]]
    layer = PiecewiseLinear(bins=4, width=3)
    x = np.array([[-9, -9], [-1, 0], [-0.3, 0.4], [0.5, 1], [2.7, 1.5], [99, 99]], dtype=np.float32)
    layer(x)
    layer.set_edges([np.array(values, dtype=np.float32) for values in edges])
    layer.bends.assign(RANDOM.normal(size=(2, 4, 3)))
    assert np.allclose(numpy(layer(x)), piecewise_by_hand(layer, x, edges), atol=1e-5)


def test_piecewise_linear_starts_as_a_straight_line() -> None:
    layer = PiecewiseLinear(bins=2, width=1)
    x = np.linspace(-3, 3, 7, dtype=np.float32)[:, None]
    layer(x)
    layer.set_edges([np.array([-1, 0, 1], dtype=np.float32)])
    steps = np.diff(numpy(layer(x))[:, 0])
    assert np.allclose(steps, steps[0], atol=1e-6)


def test_the_edges_are_weights_but_not_trained() -> None:
    layer = PiecewiseLinear(bins=2, width=1)
    layer.build((None, 1))
    assert [weight.name for weight in layer.non_trainable_weights] == [
        *("left", "slope", "low", "high")
    ]


def test_one_hot_is_its_formula() -> None:
    expected = [[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1], [0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0]]
    assert numpy(OneHot([3, 6, 2])(CODES)).tolist() == expected
    assert numpy(OneHot([2], columns=[2])(CODES)).tolist() == [[0, 1], [1, 0]]


def test_category_embedding_is_its_formula() -> None:
    layer = CategoryEmbedding([6, 2], width=2, columns=[1, 2])
    outputs = numpy(layer(CODES))
    table = numpy(layer.table)
    expected = [np.concatenate([table[b], table[6 + c]]) for _, b, c in CODES]
    assert np.array_equal(outputs, expected)


def test_member_layers_are_their_formulas() -> None:
    x = RANDOM.normal(size=(4, 3)).astype(np.float32)
    scale = MemberScale(2, chunks=[2, 1])
    scaled = numpy(scale(x))
    r = numpy(scale.scale)
    assert np.array_equal(r[:, 0], r[:, 1])  # one factor a chunk
    assert len(np.unique(r)) == 4
    assert np.allclose(scaled, [[row * r[member] for member in range(2)] for row in x])
    dense = MemberDense(2)
    answers = numpy(dense(scaled))
    w, b = numpy(dense.kernel), numpy(dense.bias)
    for member in range(2):
        assert np.allclose(answers[:, member], scaled[:, member] @ w[member] + b[member], atol=1e-5)
    mean = MemberMean()
    assert np.allclose(numpy(mean(answers)), answers.mean(axis=1), atol=1e-6)
    assert np.array_equal(numpy(mean(answers, training=True)), answers)


def test_dropout_drops_the_stated_share_and_keeps_the_mean() -> None:
    keras.utils.set_random_seed(0)
    layer = FastDropout(0.25)
    x = np.ones((400, 101), dtype=np.float32)
    outputs = numpy(layer(x, training=True))
    assert set(np.unique(outputs)) == {0.0, np.float32(4 / 3)}
    assert (outputs == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert outputs.mean() == pytest.approx(1, abs=0.02)
    assert np.corrcoef(outputs[:, :-1].ravel(), outputs[:, 1:].ravel())[0, 1] < 0.03
    assert not np.array_equal(outputs, numpy(layer(x, training=True)))
    assert np.array_equal(numpy(layer(x)), x)
