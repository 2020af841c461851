"""Edges of bins: increasing, covering the column, and where the values are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from headrace.model.bins import find_edges

COLUMN = arrays.arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.one_of(
        st.floats(-(2.0**100), 2.0**100, width=32), st.sampled_from([0.0, 0.0, 0.0, 7.0])
    ),
)


@given(COLUMN, st.integers(2, 24))
def test_edges_increase_and_cover_the_column(column: np.ndarray, most: int) -> None:
    [edges] = find_edges(column[:, None], most=most)
    assert edges.dtype == np.float32
    assert 2 <= len(edges) <= most + 1
    assert (np.diff(edges) > 0).all()
    assert edges[0] == column.min()
    assert edges[-1] == column.max() or len(np.unique(column)) == 1
    assert np.isfinite(1 / np.diff(edges)).all()


def test_a_column_of_zeros_with_a_few_values_gets_its_bins_at_the_values() -> None:
    column = np.zeros(1000, dtype=np.float32)
    column[:80] = np.repeat([100, 200, 300, 400, 500, 600, 700, 800], 10)
    [edges] = find_edges(column[:, None], most=24)
    assert {100, 200, 300, 400, 500, 600, 700, 800} <= set(edges.tolist())
    [plain] = [np.unique(np.quantile(column, np.linspace(0, 1, 25)))]
    assert len(plain) < 4  # what quantiles of the rows alone would see of it


def test_evenly_spread_values_get_even_bins() -> None:
    [edges] = find_edges(np.arange(1001, dtype=np.float32)[:, None], most=10)
    assert np.diff(edges).max() == pytest.approx(100, rel=0.5)


def test_columns_do_not_look_at_each_other() -> None:
    numbers = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    together = find_edges(numbers, most=8)
    for place, edges in enumerate(together):
        assert np.array_equal(edges, find_edges(numbers[:, [place]], most=8)[0])


def test_no_columns_have_no_edges() -> None:
    assert find_edges(np.zeros((5, 0), dtype=np.float32), most=8) == []
