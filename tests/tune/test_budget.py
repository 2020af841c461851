"""The time of a search, on a clock that moves when it is told to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from headrace.tune import budget as module
from headrace.tune.budget import Budget
from headrace.tune.space import Real
from headrace.tune.study import run_study


@dataclass
class Clock:
    """A clock for the code under test."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "clock", clock)
    return clock


def test_what_comes_after_the_search_is_set_aside(clock: Clock) -> None:
    budget = Budget(100.0, share=1.25)
    assert budget.left() == 100
    assert budget.for_trial() == pytest.approx(100 / 2.25)
    budget.best_took(20)
    clock.now += 30
    assert budget.left() == 100 - 30 - 25
    assert budget.whole_left() == 70
    assert budget.spent() == 30


def test_a_trial_that_may_become_the_best_leaves_time_for_itself(clock: Clock) -> None:
    budget = Budget(90.0, share=1.25)
    budget.begin_trial()
    clock.now += 39.9
    assert not budget.is_over()
    clock.now += 0.2  # 40 of 90 seconds: what follows takes 50
    assert budget.is_over()


@pytest.mark.parametrize(("epoch", "seconds"), [(0.5, 30.0), (1.0, 60.0), (3.0, 60.0)])
def test_search_and_last_training_together_end_in_time(
    clock: Clock, epoch: float, seconds: float
) -> None:
    """However long epochs take, and whatever trial is the best one."""
    random = np.random.default_rng(0)
    budget = Budget(seconds, share=1.25)
    took: list[float] = []

    def objective(parameters: dict[str, Any], report: Any) -> float:
        began = clock.now
        for place in range(int(random.integers(5, 40))):
            clock.now += epoch
            if report(place, parameters["x"] + 1 / (place + 1)):
                break
        took.append(clock.now - began)
        return float(parameters["x"])

    found = run_study(objective, {"x": Real(0.0, 1.0)}, time=seconds, budget=budget)
    assert found.best is not None
    # The last training is told what is left, and ends with the epoch in which that is over.
    last = 1.25 * took[found.best.number]
    left = math.ceil(max(budget.whole_left(), 0.0) / epoch) * epoch
    assert last <= left + 3 * epoch  # nearly all of it had room
    assert 0.6 * seconds <= budget.spent() + min(last, left) <= 1.1 * seconds
