"""How the features come in: what each column gets, and that wide tables keep within bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.model.architectures import architecture
from headrace.model.architectures.ends import enter, fix_edges
from headrace.model.layers import CategoryEmbedding, OneHot, PiecewiseLinear
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec


def spec(numbers: int = 0, cardinalities: tuple[int, ...] = ()) -> FeatureSpec:
    names = tuple(f"n{place}" for place in range(numbers))
    return FeatureSpec(names, tuple(f"c{p}" for p in range(len(cardinalities))), cardinalities)


def layers(features: FeatureSpec, **settings: Any) -> dict[type, Any]:
    import keras

    entrance = enter(features, embedding="piecewise", **settings)
    model = keras.Model(entrance.inputs, entrance.block)
    assert model.output_shape == (None, sum(entrance.chunks))
    return {type(layer): layer for layer in model.layers}


@pytest.mark.parametrize(
    ("numbers", "bins", "width"), [(1, 48, 8), (512, 48, 8), (1000, 24, 4), (5000, 4, 1)]
)
def test_the_more_number_columns_the_less_each_one_gets(
    numbers: int, bins: int, width: int
) -> None:
    layer = layers(spec(numbers))[PiecewiseLinear]
    assert (layer.bins, layer.width) == (bins, width)


def test_stated_sizes_are_upper_bounds() -> None:
    layer = layers(spec(3), bins=6, width=2)[PiecewiseLinear]
    assert (layer.bins, layer.width) == (6, 2)
    assert PiecewiseLinear not in layers(spec(30_000))


def test_small_categories_become_zeros_and_ones_and_large_ones_vectors() -> None:
    found = layers(spec(cardinalities=(3, 65, 64)))
    assert found[OneHot].cardinalities == [3, 64]
    assert (found[CategoryEmbedding].cardinalities, found[CategoryEmbedding].width) == ([65], 16)


@pytest.mark.parametrize(
    ("cardinalities", "inputs", "table"),
    [
        ((64,) * 500, 500 * 8, 64 * 500 * 8),
        ((8,) * 400 + (64,) * 10, 400 * 8 + 10 * 64, 0),
        ((8,) * 500 + (64,) * 10, 500 * 8 + 10 * 16, 64 * 10 * 16),
        ((3,) * 5000, 5000, 15_000),
        ((1_000_000,), 16, 16_000_000),
        ((1_000_000,) * 20, 20, 20_000_000),
    ],
)
def test_many_categories_and_many_codes_keep_within_bounds(
    cardinalities: tuple[int, ...], inputs: int, table: int
) -> None:
    entrance = enter(spec(cardinalities=cardinalities), embedding="piecewise")
    assert sum(entrance.chunks) == inputs
    found = layers(spec(cardinalities=cardinalities)) if table < 10**6 else {}
    if CategoryEmbedding in found:
        assert found[CategoryEmbedding].table.shape[0] * found[CategoryEmbedding].width == table


@pytest.mark.parametrize("name", ["mlp", "tabm", "linear"])
def test_five_thousand_columns_make_a_network_of_bearable_size(name: str) -> None:
    target = TargetSpec("t", "binary", classes=("a", "b"))
    model = architecture(name).build(spec(5000), target)
    assert model.count_params() < 3_000_000


def test_ten_thousand_classes_make_a_network_of_bearable_size() -> None:
    target = TargetSpec("t", "multiclass", classes=tuple(range(10_000)))
    model = architecture("tabm").build(spec(5), target)
    assert model.count_params() < 5_000_000
    assert model.output_shape == (None, 10_000)


def test_the_rows_fix_bins_and_the_belief_in_codes() -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(600, 2)).astype(np.float32)
    codes = random.integers(0, 70, (600, 1)).astype(np.int32)
    codes[codes == 3] = 4
    target = TargetSpec("t", "binary", classes=("a", "b"))
    model = architecture("tabm").build(spec(2, (70,)), target)
    fix_edges(model, Features(numbers, codes), (numbers[:, 0] > 0.77).astype(np.int32), target)
    bins, table = model.get_layer("embedding"), model.get_layer("vectors")
    left = np.asarray(bins.left)
    assert np.abs(left[0] - 0.77).min() < 0.02
    trust = np.asarray(table.trust)
    assert trust[3] == 0
    counts = np.bincount(codes[:, 0], minlength=70)
    assert trust == pytest.approx(counts / (counts + table.prior))
