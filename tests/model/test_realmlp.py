"""RealMLP: its parts, its first weights, and that it learns."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.model.architectures import architecture, realmlp
from headrace.model.architectures.realmlp import build, start
from headrace.model.layers import (
    CategoryEmbedding,
    Clamp,
    FlatCosineDropout,
    NTKDense,
    OneHot,
    ParametricActivation,
    SmoothClip,
)
from headrace.model.network import Network
from headrace.plan.features import FeatureSpec


def layers(model: Any, kind: type) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def blocks(given: Any) -> dict[str, Any]:
    return {"numbers": given.features.numbers, "categories": given.features.categories}


def started(given: Any, seed: int = 0, **settings: Any) -> Any:
    keras.utils.set_random_seed(seed)
    model = build(given.feature_spec, given.target_spec, **settings)
    start(model, given.features, given.target, given.target_spec)
    return model


def test_categories_are_ones_up_to_nine_codes_and_vectors_above(table: Any) -> None:
    model = build(
        table(cardinalities=(9, 10, 3)).feature_spec, table().target_spec, hidden=[4], members=2
    )
    assert layers(model, OneHot)[0].columns == [0, 2]
    [vectors] = layers(model, CategoryEmbedding)
    assert (vectors.columns, vectors.width, vectors.stddev) == ([1], 8, 1)
    # Three numbers of width 4, 12 ones, 8 numbers of a vector.
    assert model.get_layer("front_scale").output.shape == (None, 2, 32)


@pytest.mark.parametrize(
    ("task", "expected"), [("regression", "mish"), ("binary", "selu"), ("multiclass", "selu")]
)
def test_the_activation_suits_the_task(table: Any, task: str, expected: str) -> None:
    given = table(task)
    model = build(given.feature_spec, given.target_spec, hidden=[4, 3])
    assert [layer.activation for layer in layers(model, ParametricActivation)] == [expected] * 2
    own = build(given.feature_spec, given.target_spec, hidden=[4], activation="relu", dropout=0)
    assert [layer.activation for layer in layers(own, ParametricActivation)] == ["relu"]
    assert not layers(own, FlatCosineDropout)


def test_each_layer_starts_with_unit_spread_over_the_training_rows(table: Any) -> None:
    given = table("regression", rows=300)
    model = started(given, hidden=[20, 20], members=2)
    for layer in layers(model, NTKDense):
        part = keras.Model({tensor.name: tensor for tensor in model.inputs}, layer.input)
        before = np.asarray(part(blocks(given)))
        outputs = np.asarray(layer(before))
        assert np.allclose(outputs.std(axis=0), 1, atol=1e-3)
    # Numbers and ones are scaled by what the rows hold.
    numbers = layers(model, SmoothClip)[0]
    assert np.allclose(numbers.centre, np.median(given.features.numbers, axis=0), atol=1e-5)


def test_the_start_follows_the_seed_and_looks_at_few_rows(table: Any) -> None:
    given = table(rows=12_000, cardinalities=(4,))
    first, again, other = (started(given, seed, hidden=[6]).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_start_takes_fewer_rows_where_they_are_wide(table: Any, monkeypatch: Any) -> None:
    given = table(rows=500, cardinalities=(4,))
    monkeypatch.setattr(realmlp, "_LARGEST_BLOCK", 48 * 100)  # three numbers with 16 waves each
    taken: list[int] = []
    monkeypatch.setattr(NTKDense, "start", lambda layer, rows, random: taken.append(len(rows)))
    started(given, hidden=[6])
    assert taken == [100, 100]


def test_answers_are_clamped_only_where_that_is_asked_for(table: Any) -> None:
    given = table("regression")
    assert not layers(started(given, hidden=[4]), Clamp)
    model = started(given, hidden=[4], clamp=True)
    [clamp] = layers(model, Clamp)
    assert np.allclose(clamp.low, given.target.min())
    assert np.allclose(clamp.high, given.target.max())
    far = blocks(given)
    outputs = np.asarray(model({**far, "numbers": 50 * far["numbers"]}))
    assert outputs.min() >= given.target.min()
    assert outputs.max() <= given.target.max()
    assert not layers(build(given.feature_spec, table().target_spec, clamp=True), Clamp)


def test_numbers_can_go_in_without_waves(table: Any) -> None:
    given = table(cardinalities=())
    model = started(given, hidden=[4], frequencies=0)
    assert model.get_layer("front_scale").output.shape == (None, 1, 3)


def test_a_network_without_features_is_an_error(table: Any) -> None:
    with pytest.raises(SettingError, match="needs at least one feature column"):
        build(FeatureSpec((), (), ()), table().target_spec)


@pytest.mark.slow
def test_it_learns_what_a_linear_model_cannot_and_to_the_bit(table: Any) -> None:
    given = table("regression", rows=600)
    settings = {"hidden": [32, 32]}
    network = Network("realmlp", epochs=15, batch_size=32, settings=settings)
    first = given.fit(network, validation=given.part(slice(0, 150)), seed=3)
    assert first.notes == ()
    assert min(first.history["val_loss"]) < 0.15
    again = given.fit(network, validation=given.part(slice(0, 150)), seed=3)
    for one, other in zip(first.weights(), again.weights(), strict=True):
        assert np.array_equal(one, other)
    # Dropout has heard how long the training is, and the training of the recipe took place.
    dropout = layers(first.model, FlatCosineDropout)[0]
    assert float(dropout.steps) == pytest.approx(15 * 600 // 32, abs=15)
    assert len(first.history["loss"]) == 15
    assert architecture("realmlp").recipe_for(given.target_spec).schedule == "coslog4"
