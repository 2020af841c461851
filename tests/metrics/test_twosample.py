from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headrace.metrics.twosample import (
    beyond,
    distance,
    holm,
    pool_adjacent,
    pool_rare,
    same_distribution,
    same_level,
    same_share,
    same_spread,
    unseen,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.metrics.twosample import Outcome

COUNTS = st.lists(st.integers(0, 200), min_size=2, max_size=12)


def pairs_of_counts() -> st.SearchStrategy[Any]:
    return st.integers(2, 12).flatmap(
        lambda cells: st.tuples(
            *[st.lists(st.integers(0, 200), min_size=cells, max_size=cells) for _ in range(2)]
        )
    )


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 40), st.integers(1, 40))
def test_same_share_is_the_exact_hypergeometric_tail(
    having: int, rows: int, drawn: int, new_rows: int
) -> None:
    having, drawn = min(having, rows), min(drawn, new_rows)
    outcome = same_share(having, rows, drawn, new_rows)
    if having + drawn in (0, rows + new_rows):
        assert outcome is None
        return
    law = stats.hypergeom(rows + new_rows, having + drawn, new_rows)
    expected = min(1.0, 2 * min(law.cdf(drawn), law.sf(drawn - 1)))
    assert outcome.p_value == pytest.approx(expected, rel=1e-6)
    assert outcome.statistic == pytest.approx(drawn / new_rows - having / rows)


def test_same_share_of_millions_of_rows_is_exact_too() -> None:
    outcome = same_share(200_000, 1_000_000, 201_500, 1_000_000)
    law = stats.hypergeom(2_000_000, 401_500, 1_000_000)
    assert outcome.p_value == pytest.approx(2 * law.sf(201_499), rel=1e-4)


@pytest.mark.parametrize("rows", [0, 10])
def test_no_rows_mean_no_test(rows: int) -> None:
    assert same_share(0, rows, 0, 0) is None
    assert beyond(0, 0, rows, 0) is None
    assert unseen(np.array([5.0, 5.0]), 0, rows, 0) is None
    empty = np.zeros(3)
    assert same_level(empty, empty) is None
    assert same_distribution(*pool_adjacent(empty, empty)) is None
    assert distance(empty, empty) == 0.0


def test_beyond_is_the_share_of_orders_in_which_the_new_rows_come_first() -> None:
    rows, new_rows = 4, 3
    orders = list(itertools.combinations(range(rows + new_rows), new_rows))
    for k in range(1, new_rows + 1):
        first = sum(set(range(k)) <= set(order) for order in orders) / len(orders)
        assert beyond(k, 0, rows, new_rows).p_value == pytest.approx(min(1.0, 2 * first))
        assert beyond(0, k, rows, new_rows).p_value == beyond(k, 0, rows, new_rows).p_value


def test_unseen_bounds_the_true_chance_and_is_not_far_from_it() -> None:
    pooled = np.array([1.0] * 40 + [2.0] * 10 + [940.0])
    rows, new_rows = 900, 100
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(len(pooled)), pooled.astype(int))
    drawn = []
    for _ in range(20_000):
        new = np.bincount(rng.permutation(places)[:new_rows], minlength=len(pooled))
        drawn.append(new[new == pooled].sum())
    for k in (6, 8, 10):
        chance = np.mean(np.array(drawn) >= k)
        bound = unseen(pooled, k, rows, new_rows).p_value
        assert chance <= bound <= 12 * chance


def test_unseen_values_that_were_to_be_expected_are_no_news() -> None:
    every_row_differs = np.ones(1_100)
    assert unseen(every_row_differs, 100, 1_000, 100).p_value == 1.0


def test_unseen_is_left_out_where_it_could_not_happen() -> None:
    assert unseen(np.array([500.0, 600.0]), 0, 1_000, 100) is None
    assert unseen(np.array([500.0, 600.0, 3.0]), 3, 1_000, 103).p_value < 1e-2


def test_more_unseen_rows_than_there_are_rare_values_are_impossible() -> None:
    assert unseen(np.array([1.0, 1.0, 998.0]), 90, 900, 100).p_value == 0.0


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_agrees_with_its_definition(p_values: list[float]) -> None:
    corrected = holm(p_values)
    order = np.argsort(p_values, kind="stable")
    running = 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, p_values[place] * (len(p_values) - rank)))
        assert corrected[place] == pytest.approx(running)


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]) == []


@settings(deadline=None)
@given(pairs_of_counts())
def test_distance_is_a_distance(counts: tuple[list[int], list[int]]) -> None:
    first, second = (np.array(c, np.float64) for c in counts)
    assert 0.0 <= distance(first, second) <= 1.0
    assert distance(first, second) == pytest.approx(distance(second, first))
    assert distance(first, first) == 0.0


def test_distance_of_large_samples_is_the_jensen_shannon_distance() -> None:
    from scipy.spatial.distance import jensenshannon

    first, second = np.array([0.2, 0.3, 0.5]), np.array([0.5, 0.3, 0.2])
    expected = jensenshannon(first, second, base=2)
    assert distance(first * 1e9, second * 1e9) == pytest.approx(expected, rel=1e-6)
    assert distance(np.array([1e9, 0]), np.array([0, 1e9])) == pytest.approx(1.0, rel=1e-6)


@settings(deadline=None)
@given(pairs_of_counts())
def test_pooling_keeps_the_rows_and_leaves_enough_in_each_cell(
    counts: tuple[list[int], list[int]],
) -> None:
    first, second = (np.array(c, np.float64) for c in counts)
    for pool in (pool_adjacent, pool_rare):
        pooled = pool(first, second)
        for before, after in zip((first, second), pooled, strict=True):
            assert after.sum() == before.sum()
        total = first.sum() + second.sum()
        if len(pooled[0]) > 1:
            smaller = min(first.sum(), second.sum())
            assert (sum(pooled) * smaller / total >= 5 - 1e-9).all()


@settings(deadline=None)
@given(COUNTS)
def test_pooling_looks_at_both_samples_together_only(counts: list[int]) -> None:
    pooled = np.array(counts, np.float64)
    share = np.floor(pooled / 3)
    one, other = pool_rare(share, pooled - share), pool_rare(pooled - share, share)
    assert (one[0] == other[1]).all()
    assert (one[1] == other[0]).all()


def test_two_cells_are_tested_exactly() -> None:
    first, second = np.array([90.0, 10]), np.array([30.0, 12])
    exact = same_share(90, 100, 30, 42)
    assert same_distribution(first, second).p_value == exact.p_value


def test_level_and_spread_name_the_direction() -> None:
    reference = np.full(10, 500.0)
    higher = np.linspace(10, 100, 10).round()
    wider = np.array([100.0, 60, 40, 30, 20, 20, 30, 40, 60, 100])
    assert same_level(reference, higher).statistic > 5
    assert same_level(reference, higher[::-1]).statistic < -5
    assert abs(same_spread(reference, higher).statistic) < 2
    assert same_spread(reference, wider).statistic > 5
    assert same_level(reference, wider).statistic == pytest.approx(0, abs=1e-9)


def test_one_cell_holding_everything_is_no_test() -> None:
    assert same_level(np.array([0.0, 9, 0]), np.array([0.0, 5, 0])) is None
    assert same_spread(np.array([4.0, 9, 0]), np.array([4.0, 5, 0])) is None


@pytest.mark.parametrize(
    ("shares", "rows", "new_rows"),
    [
        ([1] * 20, 5_000, 50),
        ([80, *[1] * 20], 5_000, 200),
        ([1] * 20, 200, 5_000),
        ([50, 30, 15, 5], 5_000, 1_000),
        (list(1 / np.arange(1, 60)), 5_000, 200),
    ],
)
@pytest.mark.parametrize("test", [same_distribution, same_level, same_spread])
def test_p_values_are_what_they_say_when_nothing_has_changed(
    test: Callable[..., Outcome | None], shares: list[float], rows: int, new_rows: int
) -> None:
    shares = np.array(shares) / np.sum(shares)
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(4_000):
        counts = rng.multinomial(rows, shares), rng.multinomial(new_rows, shares)
        outcome = test(*pool_adjacent(*(c.astype(np.float64) for c in counts)))
        p_values.append(1.0 if outcome is None else outcome.p_value)
    for level in (0.1, 0.01):
        alarms = np.sum(np.array(p_values) <= level)
        doubt = 4 * math.sqrt(4_000 * level)
        assert 4_000 * level - doubt <= alarms <= 4_000 * level + doubt
