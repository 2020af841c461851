from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.clustering.matching import match_clusters
from headrace.errors import DataError


@given(st.permutations(range(5)), st.integers(0, 2**32 - 1))
def test_renumbered_clusters_are_found_again(order: list[int], seed: int) -> None:
    before = np.concatenate([np.arange(5), np.random.default_rng(seed).integers(0, 5, 200)])
    match = match_clusters(before, np.argsort(order)[before], 5, 5)
    numbers = np.argsort(match.order)
    assert np.array_equal(numbers[np.argsort(order)[before]], before)
    assert match.overlaps == (1.0,) * 5
    assert not match.renamed
    assert not match.vanished


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_every_new_cluster_gets_one_number(old: int, new: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    before, after = random.integers(-1, old, 60), random.integers(-1, new, 60)
    match = match_clusters(before, after, old, new)
    assert sorted(match.order) == list(range(new))
    assert all(0 <= share <= 1 for share in match.overlaps)
    kept = set(range(new)) - set(match.appeared)
    assert len(kept) == old - len(match.vanished)


def test_what_appeared_and_vanished_is_named() -> None:
    before = np.repeat([0, 1, 2], 100)
    after = np.concatenate(
        [np.repeat(1, 100), np.repeat([0, 2, 3], [34, 33, 33]), np.repeat(4, 100)]
    )
    match = match_clusters(before, after, 3, 5)
    assert match.vanished == (1,)
    assert match.order[0] == 1
    assert match.order[2] == 4
    assert match.appeared == (1, 3, 4)
    assert str(match).endswith("the former cluster 1 is not found again")


def test_fewer_clusters_name_what_had_a_higher_number() -> None:
    before = np.repeat([0, 1, 2], 50)
    after = np.repeat([0, 0, 1], 50)
    match = match_clusters(before, after, 3, 2)
    assert match.renamed == {2: 1}
    assert str(match) == (
        "cluster 0 is as before (50 % of its rows), cluster 1 was 2 (100 %); "
        "the former cluster 1 is not found again"
    )


def test_noise_belongs_to_no_cluster() -> None:
    before, after = np.array([-1, -1, 0, 0, 0]), np.array([-1, 0, 0, 0, 0])
    assert match_clusters(before, after, 1, 1).overlaps == (0.75,)


def test_the_same_rows_are_needed() -> None:
    with pytest.raises(DataError, match="expected the same rows twice, received 2 and 3"):
        match_clusters(np.zeros(2, int), np.zeros(3, int), 1, 1)
