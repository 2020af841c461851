"""The sketch keeps every value while there are few, and is the same for the same chunks."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.plan.sketch import is_exact, merge_sketches, quantiles, sketch


def of_chunks(values: np.ndarray, chunks: int, k: int = 100) -> dict[str, object]:
    parts = [sketch(part, k) for part in np.array_split(values, chunks)]
    return reduce(lambda left, right: merge_sketches(left, right, k), parts)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200), st.integers(1, 5))
def test_up_to_two_k_values_are_all_kept(values: list[float], chunks: int) -> None:
    held = of_chunks(np.array(values), chunks)
    assert is_exact(held)
    assert held["levels"][0].tolist() == sorted(values)


def test_the_same_chunks_give_the_same_sketch() -> None:
    values = np.random.default_rng(0).normal(size=30_000)
    one, other = of_chunks(values, 7), of_chunks(values, 7)
    assert not is_exact(one)
    assert all(map(np.array_equal, one["levels"], other["levels"]))


@pytest.mark.parametrize("chunks", [1, 10, 300])
def test_no_value_is_lost_or_counted_twice(chunks: int) -> None:
    values = np.random.default_rng(1).normal(size=50_001)
    held = of_chunks(values, chunks)
    assert sum(len(level) * 2**h for h, level in enumerate(held["levels"])) == 50_001
    assert (held["count"], held["low"], held["high"]) == (50_001, values.min(), values.max())


@pytest.mark.parametrize("order", ["random", "sorted", "the same"])
def test_ranks_are_as_near_as_stated_in_any_order(order: str) -> None:
    values = np.random.default_rng(2).lognormal(0, 3, 400_000)
    if order == "sorted":
        values.sort()
    if order == "the same":
        values[:] = 7.0
    levels = np.linspace(0, 1, 51)
    found = quantiles(of_chunks(values, 50, k=400), levels)
    ordered = np.sort(values)
    low = np.searchsorted(ordered, found, side="left") / len(values)
    high = np.searchsorted(ordered, found, side="right") / len(values)
    off = np.maximum(np.maximum(low - levels, levels - high), 0)
    assert off.max() <= 0.0067


def test_merging_leaves_the_parts_as_they_are() -> None:
    left, right = sketch(np.arange(500.0), 100), sketch(np.arange(300.0), 100)
    before = [level.copy() for level in left["levels"]]
    merge_sketches(left, right, 100)
    assert all(map(np.array_equal, left["levels"], before))
