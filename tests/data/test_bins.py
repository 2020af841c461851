from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.data.bins import BINS, inner_edges, outer_edges

numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(st.lists(numbers | st.sampled_from([0.0, 1.0, -1e300, 1e308]), min_size=1, max_size=200))
def test_edges_increase_and_enclose(values: list[float]) -> None:
    edges = outer_edges(inner_edges(np.array(values)), min(values), max(values))
    assert 2 <= len(edges) <= BINS + 1
    assert all(a < b for a, b in itertools.pairwise(edges))
    assert edges[0] <= min(values)
    assert max(values) <= edges[-1]
    assert all(map(math.isfinite, edges))


def test_few_values_get_a_bin_each() -> None:
    assert inner_edges(np.array([0.0, 1.0] * 5)) == [0.5]
    assert len(inner_edges(np.arange(20.0))) == 19


def test_bins_are_about_equally_full() -> None:
    values = np.random.default_rng(0).normal(size=10_000)
    edges = outer_edges(inner_edges(values), values.min(), values.max())
    counts, _ = np.histogram(values, edges)
    assert len(counts) == BINS
    assert counts.min() >= 490
    assert counts.max() <= 510


@pytest.mark.parametrize("place", [0.0, 5.0, 100.0])
def test_a_frequent_value_is_set_apart(place: float) -> None:
    rest = np.random.default_rng(0).uniform(0, 100, 2_000)
    values = np.r_[np.full(8_000, place), rest]
    edges = outer_edges(inner_edges(values), values.min(), values.max())
    counts, _ = np.histogram(values, edges)
    assert 8_000 <= counts.max() <= 8_050
    assert len(counts) >= BINS - 2


def test_no_value_no_edge() -> None:
    assert inner_edges(np.array([])) == []


@pytest.mark.parametrize("value", [0.0, 7.0, -1e300, 1.7e308, 1e20])
def test_a_constant_has_one_bin(value: float) -> None:
    low, high = outer_edges([], value, value)
    assert low < value or value < high
    assert low < high
