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
    assert edges[-1] == column.max() or np.ptp(column) < 1e-30
    assert np.isfinite(1 / np.diff(edges)).all()


def test_values_that_hardly_differ_are_one() -> None:
    [edges] = find_edges(np.array([[0], [1e-40]], dtype=np.float32), most=4)
    assert edges.tolist() == [0, 1]


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


def test_a_part_of_the_edges_is_where_the_target_changes() -> None:
    column = np.linspace(0, 1, 4000, dtype=np.float32)[:, None]
    changes = np.array([0.2222, 0.5678], dtype=np.float32)
    for target in (
        (column[:, 0] > changes[0]).astype(np.int32),
        np.digitize(column[:, 0], changes),
    ):
        [edges] = find_edges(column, most=8, target=target)
        [plain] = find_edges(column, most=8)
        steps = changes[: target.max()]
        assert all(np.abs(edges - step).min() < 1e-3 for step in steps)
        assert any(np.abs(plain - step).min() > 1e-2 for step in steps)
        assert len(edges) <= 9


def test_values_as_a_target_find_the_bend() -> None:
    column = np.linspace(-1, 1, 4001, dtype=np.float32)
    target = np.where(column > 0.3337, 5 * column, 0).astype(np.float32)
    [edges] = find_edges(column[:, None], most=16, target=target)
    assert np.abs(edges - 0.3337).min() < 1e-2


@given(COLUMN, st.integers(2, 24))
def test_edges_increase_with_a_target_too(column: np.ndarray, most: int) -> None:
    many = np.tile(column, 300 // len(column) + 1)
    target = np.random.default_rng(0).integers(0, 2, len(many)).astype(np.int32)
    [edges] = find_edges(many[:, None], most=most, target=target)
    assert 2 <= len(edges) <= most + 1
    assert (np.diff(edges) > 0).all()
    assert edges[0] == column.min()


def test_many_classes_wide_tables_and_several_targets_do_without_the_target() -> None:
    numbers = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    plain = find_edges(numbers, most=8)
    classes = np.arange(400, dtype=np.int32)
    for target in (classes, numbers):
        for edges, expected in zip(find_edges(numbers, most=8, target=target), plain, strict=True):
            assert np.array_equal(edges, expected)
    wide = np.broadcast_to(numbers[:, :1], (400, 8000))
    [first, *_] = find_edges(wide, most=8, target=classes % 2)
    assert np.array_equal(first, plain[0])


def test_a_part_of_very_many_rows_is_looked_at() -> None:
    column = np.linspace(0, 1, 2_100_000, dtype=np.float32)
    target = (column > 0.4321).astype(np.int32)
    [edges] = find_edges(column[:, None], most=8, target=target)
    assert np.abs(edges - 0.4321).min() < 1e-3
