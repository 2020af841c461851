from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from headrace.metrics.proportions import mean_of_shares, wilson


@given(st.integers(1, 300), st.data())
def test_wilson_agrees_with_scipy(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson(successes, trials, 0.95) == pytest.approx((expected.low, expected.high))


def test_no_trial_says_nothing() -> None:
    assert wilson(0, 0, 0.95) == (0, 1)
    assert mean_of_shares(np.zeros(2), np.zeros(2), 0.95) == (0, 1)


def test_one_share_keeps_its_own_interval() -> None:
    found = mean_of_shares(np.array([7, 0]), np.array([10, 0]), 0.95)
    assert found == pytest.approx(wilson(7, 10, 0.95))


@pytest.mark.parametrize(("rare", "common"), [(10, 190), (100, 100)])
def test_the_mean_of_two_shares_is_covered(rare: int, common: int) -> None:
    """Exact coverage: every possible table, weighed by its probability."""
    first, second = np.arange(rare + 1), np.arange(common + 1)
    covered = 0.0
    for hits in first:
        chance = binom.pmf(hits, rare, 0.6)
        for others in second[(second > 0.75 * common)]:
            low, high = mean_of_shares(np.array([hits, others]), np.array([rare, common]), 0.95)
            covered += chance * binom.pmf(others, common, 0.9) * (low <= 0.75 <= high)
    assert 0.93 < covered < 0.98
