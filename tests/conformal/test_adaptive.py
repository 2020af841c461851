from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.conformal.adaptive import AdaptiveReach
from headrace.conformal.ranks import Ranks
from headrace.errors import SettingError


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.floats(0.005, 0.2))
def test_misses_come_to_what_is_allowed_whatever_comes(errors: list[float], rate: float) -> None:
    reach = AdaptiveReach(0.9, rate=rate, window=50, scores=[1.0] * 50)
    missed = np.mean([not reach.learn(error) for error in errors])
    bound = (0.9 + rate) / (rate * len(errors))
    assert abs(missed - 0.1) <= bound + 1e-9


def test_it_starts_where_the_calibration_ended() -> None:
    ranks = Ranks.of(np.random.default_rng(0).exponential(size=500))
    reach = AdaptiveReach.of(ranks, 0.9, rate=0.02, window=1000)
    assert reach.reach == ranks.reach(0.9)


def test_the_window_holds_the_newest_scores() -> None:
    reach = AdaptiveReach(0.5, rate=0.001, window=11, scores=np.arange(11.0))
    for score in range(100, 111):
        reach.learn(float(score))
    assert 100 <= reach.reach <= 110


def test_many_calibration_scores_are_thinned_to_the_window() -> None:
    ranks = Ranks.of(np.random.default_rng(1).normal(size=5000))
    reach = AdaptiveReach.of(ranks, 0.9, rate=0.02, window=500)
    assert abs(reach.reach - ranks.reach(0.9)) < 0.1


def test_misses_in_a_row_end_in_no_end() -> None:
    reach = AdaptiveReach(0.9, rate=0.2, window=10, scores=[1.0] * 10)
    for _ in range(3):
        reach.learn(1e9)
    assert math.isinf(reach.reach)
    assert reach.miss < 0


def test_the_state_comes_back() -> None:
    reach = AdaptiveReach(0.9, rate=0.05, window=20, scores=np.arange(20.0))
    for score in (3.0, 30.0, 1.0):
        reach.learn(score)
    again = AdaptiveReach.from_dict(reach.to_dict(), 0.9, rate=0.05, window=20)
    assert (again.reach, again.miss) == (reach.reach, reach.miss)
    assert again.learn(7.0) == reach.learn(7.0)
    assert again.reach == reach.reach


@pytest.mark.parametrize(
    ("given", "text"),
    [({"rate": 0}, "rate must lie between 0 and 1"), ({"window": 0}, "window must be 1 or more")],
)
def test_settings_are_checked(given: dict[str, float], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        AdaptiveReach(0.9, **{"rate": 0.1, "window": 10} | given)  # type: ignore[arg-type]
