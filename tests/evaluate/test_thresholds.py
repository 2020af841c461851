from __future__ import annotations

import json

import numpy as np
import pytest

from headrace.errors import DataError, SettingError
from headrace.evaluate.thresholds import thresholds

RANDOM = np.random.default_rng(0)
STATED = RANDOM.random(3_000)
POSITIVE = RANDOM.random(3_000) < STATED


def test_every_line_counts_the_rows_as_one_would_by_hand() -> None:
    found = thresholds(POSITIVE, STATED, most=30)
    for one in found.table:
        chosen = one.threshold < STATED
        assert one.true_positive == (chosen & POSITIVE).sum()
        assert one.false_positive == (chosen & ~POSITIVE).sum()
        assert one.false_negative == (~chosen & POSITIVE).sum()
        assert one.true_negative == (~chosen & ~POSITIVE).sum()
        assert one.cost == pytest.approx((one.false_positive + one.false_negative) / 3_000)
        assert one.low <= one.cost <= one.high
    assert found.cost == min(one.cost for one in found.table)


@pytest.mark.parametrize(("miss", "best"), [(1, 0.5), (4, 0.2), (0.25, 0.8)])
def test_the_cheapest_threshold_follows_the_costs(miss: float, best: float) -> None:
    """Of true probabilities it is cost(false positive) / sum of both costs (Elkan, 2001)."""
    found = thresholds(POSITIVE, STATED, costs={"false_positive": 1, "false_negative": miss})
    assert found.best_low <= best <= found.best_high
    assert found.best == pytest.approx(best, abs=0.12)


def test_a_gain_makes_it_worth_choosing_more() -> None:
    gains = thresholds(POSITIVE, STATED, costs={"true_positive": -3, "false_positive": 1})
    assert gains.cost < 0
    assert gains.best == pytest.approx(0.25, abs=0.12)


def test_intervals_of_a_lines_cost_hold_the_truth() -> None:
    truth = 0.25  # a quarter of the rows is wrong at one half: E min(p, 1 - p)
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        stated = random.random(400)
        found = thresholds(random.random(400) < stated, stated, most=20, resamples=300, seed=seed)
        (line,) = [one for one in found.table if one.threshold == 0.5]
        held += line.low <= truth <= line.high
    assert 0.9 <= held / 200 <= 0.99


def test_few_and_equal_rows_are_answered() -> None:
    for positive, stated in (([1], [0.4]), ([1, 1], [0.5, 0.5]), ([0, 0, 0], [0.1, 0.2, 0.3])):
        found = thresholds(np.array(positive), np.array(stated))
        json.dumps(found.to_dict())
        assert "cheapest at" in found.summary()


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({"false_positives": 1}, "received 'false_positives'; perhaps 'false_positive' is meant"),
        ({"false_positive": float("nan")}, "the cost of false_positive must be a finite number"),
        ({"false_positive": True}, "the cost of false_positive must be a finite number"),
    ],
)
def test_costs_that_make_no_sense_are_refused(costs: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        thresholds(POSITIVE, STATED, costs=costs)


def test_no_row_is_refused() -> None:
    with pytest.raises(DataError, match="there is no row"):
        thresholds(np.array([]), np.array([]))


def test_the_luck_of_the_choice_is_taken_out_of_the_cost() -> None:
    """Of even probabilities "above t" costs (1 - t)^2 / 2 + 5 t^2 / 2 a row."""
    held, seen, expected, true = 0, 0.0, 0.0, 0.0
    for seed in range(200):
        random = np.random.default_rng([seed, 3])
        stated = random.random(300)
        hit = random.random(300) < stated
        found = thresholds(hit, stated, costs={"false_positive": 1, "false_negative": 5}, seed=seed)
        cost = ((1 - found.best) ** 2 + 5 * found.best**2) / 2
        held += found.cost_low <= cost <= found.cost_high
        seen, expected, true = seen + found.cost, expected + found.expected, true + cost
    assert held / 200 >= 0.88
    assert seen < expected
    assert abs(expected - true) < 0.5 * abs(seen - true)


def test_a_class_that_no_row_is_of_widens_the_cost_by_what_it_could_be() -> None:
    found = thresholds(np.zeros(50), np.linspace(0.05, 0.4, 50), costs={"false_negative": 10.0})
    assert found.cost == 0
    share = 1 - 0.025 ** (1 / 50)
    assert found.cost_high == pytest.approx(10 * share)
    assert (found.best_low, found.best_high) == (0.0, 0.5)
    assert "no row is positive: up to 7.1 % of all rows may be" in found.summary()
