"""The threshold of a decision: the best one on the rows, with an honest interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from headrace.errors import SettingError
from headrace.model.target import TargetSpec
from headrace.model.threshold import check_threshold, choose_threshold, recentred

BINARY = TargetSpec("ill", "binary", classes=("no", "yes"))


def calibrated(rows: int, *, seed: int = 0, share: float = 1.0) -> tuple[Any, Any]:
    """Labels that come true as often as their probabilities say."""
    random = np.random.default_rng(seed)
    probability = random.uniform(size=rows) * share
    return (random.uniform(size=rows) < probability).astype(int), probability


@pytest.mark.parametrize(("wrong_yes", "wrong_no"), [(1.0, 4.0), (1.0, 1.0), (9.0, 1.0)])
def test_costs_decide_as_theory_says(wrong_yes: float, wrong_no: float) -> None:
    truth, probability = calibrated(20_000)
    costs = {"false_positive": wrong_yes, "false_negative": wrong_no}
    chosen = choose_threshold(costs, BINARY, truth, probability)
    best = wrong_yes / (wrong_yes + wrong_no)
    assert chosen.value == pytest.approx(best, abs=0.06)
    assert chosen.low <= best <= chosen.high
    assert chosen.score <= chosen.at_half + 1e-12
    cost = np.where(probability > chosen.value, wrong_yes * (truth == 0), wrong_no * (truth == 1))
    assert chosen.score == pytest.approx(cost.mean())


def test_the_best_f1_is_found() -> None:
    truth, probability = calibrated(3000, share=0.4)
    chosen = choose_threshold("f1", BINARY, truth, probability)
    grid = [f1_score(truth, probability > level) for level in np.linspace(0.01, 0.4, 200)]
    assert chosen.score == pytest.approx(max(grid), abs=0.005)
    assert chosen.score == pytest.approx(f1_score(truth, probability > chosen.value))
    assert chosen.low <= chosen.value <= chosen.high
    assert "for the best f1" in chosen.text()
    assert "on 3,000 validation rows" in chosen.text()


def test_the_interval_holds_the_best_threshold() -> None:
    costs = {"false_positive": 1.0, "false_negative": 3.0}
    hits = 0
    for seed in range(40):
        truth, probability = calibrated(400, seed=seed)
        chosen = choose_threshold(costs, BINARY, truth, probability, seed=seed)
        hits += chosen.low <= 0.25 <= chosen.high
    assert hits >= 34  # 38 are expected; fewer than 34 come by chance once in a hundred


def test_more_rows_make_the_interval_narrower() -> None:
    costs = {"false_positive": 1.0, "false_negative": 1.0}
    widths = []
    for rows in (200, 20_000):
        chosen = choose_threshold(costs, BINARY, *calibrated(rows))
        widths.append(chosen.high - chosen.low)
    assert widths[1] < widths[0] / 2


def test_recentring_keeps_the_order_and_moves_the_middle() -> None:
    probability = np.linspace(0, 1, 11)
    moved = recentred(probability, 0.3)
    assert np.all(np.diff(moved) > 0)
    assert (moved[0], moved[3], moved[10]) == (0.0, pytest.approx(0.5), 1.0)
    assert np.array_equal(moved > 0.5, probability > 0.3)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (1.5, "between 0 and 1, received 1.5"),
        ({"false_positive": 1}, "the costs of a threshold must be"),
        ({"false_positive": 0, "false_negative": 0}, "not both 0"),
        ({"false_positive": -1, "false_negative": 1}, "0 or more"),
    ],
)
def test_rules_that_cannot_be_used(rule: Any, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        check_threshold(rule)


def test_a_threshold_needs_two_classes() -> None:
    spec = TargetSpec("y", "multiclass", classes=("a", "b", "c"))
    with pytest.raises(SettingError, match="two classes, and 'y' is multiclass"):
        choose_threshold("f1", spec, np.zeros(5), np.zeros(5))
    with pytest.raises(SettingError, match="perhaps 'recall' is meant"):
        choose_threshold("recal", BINARY, np.zeros(5), np.zeros(5))
