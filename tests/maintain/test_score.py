from __future__ import annotations

from types import SimpleNamespace

import pytest

from headrace.maintain.score import Score, in_figures


def auc(value: float, half: float, rows: int = 500) -> Score:
    return Score("roc_auc", value, value - half, value + half, rows)


def test_worse_needs_proof() -> None:
    assert auc(0.80, 0.02).worse_than(auc(0.90, 0.02))
    assert not auc(0.88, 0.02).worse_than(auc(0.90, 0.02))
    assert not auc(0.95, 0.01).worse_than(auc(0.90, 0.01))


def test_the_doubts_of_both_scores_add_up_in_squares() -> None:
    assert auc(0.80, 0.03).worse_than(auc(0.8501, 0.04))
    assert not auc(0.80, 0.03).worse_than(auc(0.8499, 0.04))


def test_an_allowed_drop_is_a_share_of_the_other_score() -> None:
    assert not auc(0.85, 0.0).worse_than(auc(0.90, 0.0), allowed=0.06)
    assert auc(0.84, 0.0).worse_than(auc(0.90, 0.0), allowed=0.06)


def test_for_errors_larger_is_worse() -> None:
    before = Score("rmse", 10.0, 9.5, 10.5, 500, higher_is_better=False)
    assert Score("rmse", 12.0, 11.5, 12.5, 500, higher_is_better=False).worse_than(before)
    assert not Score("rmse", 8.0, 7.5, 8.5, 500, higher_is_better=False).worse_than(before)


def test_an_undefined_score_proves_nothing() -> None:
    nan = float("nan")
    assert not Score("roc_auc", nan, nan, nan, 5).worse_than(auc(0.9, 0.01))
    assert not auc(0.5, 0.01).worse_than(Score("roc_auc", nan, nan, nan, 5))


def test_of_reads_the_metric_of_an_evaluation() -> None:
    metric = SimpleNamespace(name="rmse", value=3.0, low=2.0, high=4.0, higher_is_better=False)
    assert Score.of(metric, 70) == Score("rmse", 3.0, 2.0, 4.0, 70, higher_is_better=False)


def test_a_comparison_in_figures() -> None:
    verdict = SimpleNamespace(
        metric="rmse",
        value=48_123.4,
        reference=47_000.0,
        difference=1_123.4,
        low=-20.0,
        high=2_300.0,
    )
    assert in_figures(verdict) == ("rmse 48,123 against 47,000, difference +1,123 (-20 to +2,300)")


@pytest.mark.parametrize("score", [auc(0.9, 0.01), Score("rmse", 1, 0, 2, 3, False)])
def test_round_trip(score: Score) -> None:
    assert Score.from_dict(score.to_dict()) == score
