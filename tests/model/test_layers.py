"""The layers against their formulas, written out in NumPy; and what Keras asks of every layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from headrace.model.layers import (
    CategoryEmbedding,
    Clamp,
    FastDropout,
    FlatCosineDropout,
    FrontScale,
    MemberDense,
    MemberMean,
    MemberScale,
    NTKDense,
    OneHot,
    ParametricActivation,
    Periodic,
    PiecewiseLinear,
    SmoothClip,
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
    (CategoryEmbedding([6], width=4, columns=[1], stddev=1), CODES),
    (FlatCosineDropout(0.5), np.ones((4, 3), dtype=np.float32)),
    (FrontScale(2), RANDOM.normal(size=(4, 3)).astype(np.float32)),
    (NTKDense(2, "sigmoid"), RANDOM.normal(size=(4, 3, 5)).astype(np.float32)),
    (ParametricActivation("selu"), RANDOM.normal(size=(4, 3, 5)).astype(np.float32)),
    (Periodic(3, width=3), RANDOM.normal(size=(4, 2)).astype(np.float32)),
    (SmoothClip(), RANDOM.normal(size=(4, 2)).astype(np.float32)),
    (Clamp(), RANDOM.normal(size=(4, 2)).astype(np.float32)),
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


def test_codes_that_training_never_saw_are_no_ones() -> None:
    layer = OneHot([3, 2], columns=[0, 2])
    layer.build((None, 3))
    layer.set_counts(CODES)
    assert numpy(layer.seen).tolist() == [1, 0, 1, 1, 1]
    new = np.array([[1, 0, 0], [2, 0, 1]], dtype=np.int32)
    assert numpy(layer(new)).tolist() == [[0, 0, 0, 1, 0], [0, 0, 1, 0, 1]]


def test_category_embedding_is_its_formula() -> None:
    layer = CategoryEmbedding([6, 2], width=2, columns=[1, 2])
    outputs = numpy(layer(CODES))
    table = numpy(layer.table)
    expected = [np.concatenate([table[b], table[6 + c]]) for _, b, c in CODES]
    assert np.array_equal(outputs, expected)


def test_rare_codes_are_believed_less_and_unseen_ones_not_at_all() -> None:
    codes = np.array([[0, 0], [0, 1], [0, 1], [0, 1], [0, 1]], dtype=np.int32)
    layer = CategoryEmbedding([3, 2], width=2, prior=1)
    plain = numpy(layer(codes))
    layer.set_counts(codes)
    assert numpy(layer.trust).tolist() == pytest.approx([5 / 6, 0, 0, 1 / 2, 4 / 5])
    expected = plain * np.repeat(numpy(layer.trust)[codes + np.array([0, 3])], 2, axis=1)
    assert numpy(layer(codes)) == pytest.approx(expected)
    sure = CategoryEmbedding([3, 2], width=2)
    sure.build((None, 2))
    sure.set_counts(codes)
    assert numpy(sure.trust).tolist() == [1, 0, 0, 1, 1]


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


def test_flat_cosine_dropout_ends_with_the_training() -> None:
    keras.utils.set_random_seed(0)
    layer = FlatCosineDropout(0.5)
    x = np.ones((300, 100), dtype=np.float32)
    layer.set_steps(8)
    shares = [(numpy(layer(x, training=True)) == 0).mean() for _ in range(9)]
    falling = [0.5 * 0.5 * (1 + np.cos(np.pi * (t / 8 - 0.5) / 0.5)) for t in range(4, 9)]
    assert np.allclose(shares, [0.5] * 4 + falling, atol=0.01)
    assert shares[8] == 0
    outputs = numpy(layer(x, training=True))
    assert np.array_equal(outputs, x)
    layer.set_steps(0)  # a training without an end
    for _ in range(3):
        outputs = numpy(layer(x, training=True))
        assert (outputs == 0).mean() == pytest.approx(0.5, abs=0.01)
        assert outputs.mean() == pytest.approx(1, abs=0.02)
    assert np.array_equal(numpy(layer(x)), x)


def test_front_scale_and_ntk_dense_are_their_formulas() -> None:
    x = RANDOM.normal(size=(6, 3)).astype(np.float32)
    front = FrontScale(2)
    assert np.array_equal(numpy(front(x)), np.stack([x, x], axis=1))
    front.scale.assign(RANDOM.normal(size=(2, 3)))
    scaled = numpy(front(x))
    assert np.allclose(scaled, x[:, None] * numpy(front.scale))
    dense = NTKDense(4)
    dense(scaled)
    dense.bias.assign(RANDOM.normal(size=(2, 4)))
    outputs, w, b = numpy(dense(scaled)), numpy(dense.kernel), numpy(dense.bias)
    for member in range(2):
        expected = scaled[:, member] @ w[member] / np.sqrt(3) + b[member]
        assert np.allclose(outputs[:, member], expected, atol=1e-5)


def test_ntk_dense_starts_with_unit_spread_and_its_zeros_amidst_the_rows() -> None:
    x = RANDOM.normal(3, 5, size=(500, 2, 4)).astype(np.float32)
    x[:, 1, 0] = 7  # a constant input
    layer = NTKDense(50)
    layer(x)
    layer.start(x, np.random.default_rng(1))
    outputs = numpy(layer(x))
    assert np.allclose(outputs.std(axis=0), 1, atol=1e-4)
    assert (outputs.min(axis=0) < 0).all()
    assert (outputs.max(axis=0) > 0).all()
    kernel, bias = numpy(layer.kernel), numpy(layer.bias)
    layer.start(x, np.random.default_rng(1))
    assert np.array_equal(numpy(layer.kernel), kernel)
    assert np.array_equal(numpy(layer.bias), bias)
    layer.start(np.ones((9, 2, 4)), np.random.default_rng(1))
    assert np.abs(numpy(layer.kernel)).max() < 6  # nothing is divided by a spread of 0


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("mish", lambda x: x * np.tanh(np.log1p(np.exp(x)))),
        ("selu", lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(x))),
    ],
)
def test_parametric_activation_is_its_formula(name: str, function: Any) -> None:
    x = np.linspace(-30, 30, 60, dtype=np.float32).reshape(12, 5)
    layer = ParametricActivation(name)
    wide = x.astype(np.float64)
    assert np.allclose(numpy(layer(x)), function(wide), atol=1e-5)
    alpha = RANDOM.normal(size=5)
    layer.alpha.assign(alpha)
    expected = wide + alpha * (function(wide) - wide)
    assert np.allclose(numpy(layer(x)), expected, atol=1e-4)


def test_mish_stays_finite_far_out() -> None:
    x = keras.ops.convert_to_tensor(np.array([[-1e4, -100, 100, 1e4]], dtype=np.float32))
    assert numpy(ParametricActivation("mish")(x)).tolist() == [[0, 0, 100, 1e4]]


def test_periodic_is_its_formula() -> None:
    x = RANDOM.normal(size=(5, 2)).astype(np.float32)
    layer = Periodic(frequencies=4, width=3, sigma=0.5)
    outputs = numpy(layer(x))
    w, b = numpy(layer.frequency), numpy(layer.phase)
    mix, bias = numpy(layer.mix), numpy(layer.bias)
    waves = [np.cos(2 * np.pi * x[:, [f]] * w[f] + b[f]) @ mix[f] + bias[f] for f in range(2)]
    assert np.allclose(outputs, np.concatenate([*waves, x], axis=1), atol=1e-5)
    names = {weight.name for weight in layer.weights}
    assert layer.learning_rate_factors == dict.fromkeys(names, 0.1)


def test_smooth_clip_is_its_formula() -> None:
    rows = np.array([[0, 5, 1], [1, 5, 1], [2, 5, 1], [3, 5, 1], [100, 5, 9]], dtype=np.float32)
    layer = SmoothClip()
    assert np.allclose(numpy(layer(rows)), rows / np.sqrt(1 + (rows / 3) ** 2), atol=1e-6)
    layer.adapt(rows)
    # Quartiles 1 and 3 around the median 2; a constant; equal quartiles, so half of the range 8.
    z = np.stack([(rows[:, 0] - 2) / 2, np.zeros(5), (rows[:, 2] - 1) / 4], axis=1)
    assert np.allclose(numpy(layer(rows)), z / np.sqrt(1 + (z / 3) ** 2), atol=1e-5)
    assert np.abs(numpy(layer(1e9 * rows))).max() <= 3


def test_clamp_keeps_answers_within_the_training_range_but_not_in_training() -> None:
    layer = Clamp()
    x = np.array([[-9.0], [0.5], [9.0]], dtype=np.float32)
    assert np.array_equal(numpy(layer(x)), x)
    layer.adapt(np.array([2.0, -1.0, 0.0]))
    assert numpy(layer(x)).tolist() == [[-1], [0.5], [2]]
    assert np.array_equal(numpy(layer(x, training=True)), x)
