"""The luck of having been chosen, and how it is taken off."""

from __future__ import annotations

import json

import numpy as np
import pytest

from headrace.metrics.measure import find
from headrace.tune.honest import HonestEstimate, bias_corrected, standing

(AUC,) = find(["roc_auc"], "binary")
(LOG_LOSS,) = find(["log_loss"], "binary")
(RMSE,) = find(["rmse"], "regression")


def rivals(
    random: np.random.Generator, rows: int, quality: list[float]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels, and what models of some quality say of them, each with noise of its own."""
    truth = random.integers(0, 2, rows)
    said = [random.normal(truth * one) for one in quality]
    return truth, [1 / (1 + np.exp(-one)) for one in said]


def area(quality: float) -> float:
    """The area under the ROC curve of a model of this quality on all rows there could be."""
    from scipy.stats import norm

    return float(norm.cdf(quality / np.sqrt(2)))


@pytest.mark.parametrize(
    ("quality", "rows"), [([0.0] * 30, 200), ([1.0] * 30, 200), ([0.8, 1.0, 1.2] * 8, 300)]
)
def test_the_bias_of_the_best_of_many_is_removed(quality: list[float], rows: int) -> None:
    """On average over 30 searches; uncorrected the best of 30 equal ones is 0.04 to 0.08 too good."""
    random = np.random.default_rng(5)
    bias, left = [], []
    for seed in range(30):
        truth, said = rivals(random, rows, quality)
        values = [AUC(truth, one) for one in said]
        best = int(np.argmax(values))
        corrected = bias_corrected(truth, said, AUC, draws=60, seed=seed)
        assert corrected is not None
        bias.append(values[best] - area(quality[best]))
        left.append(corrected - area(quality[best]))
    assert np.mean(bias) > 0.02
    assert abs(np.mean(left)) < 0.45 * np.mean(bias)


def test_one_trial_has_no_luck() -> None:
    truth, said = rivals(np.random.default_rng(0), 300, [1.0])
    assert bias_corrected(truth, said, AUC) == pytest.approx(AUC(truth, said[0]), abs=1e-12)


def test_a_clear_winner_is_hardly_corrected() -> None:
    truth, said = rivals(np.random.default_rng(0), 2000, [2.5, 0.5, 0.4, 0.3])
    corrected = bias_corrected(truth, said, AUC)
    assert corrected == pytest.approx(AUC(truth, said[0]), abs=1e-6)


def test_the_choice_may_go_by_another_metric() -> None:
    truth, said = rivals(np.random.default_rng(1), 300, [1.0] * 40)
    told = bias_corrected(truth, said, AUC, choice=LOG_LOSS)
    best = min(said, key=lambda one: LOG_LOSS(truth, one))
    assert told is not None
    assert told < AUC(truth, best)


def test_small_errors_are_good_ones() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=150)
    said = [truth + random.normal(size=150) for _ in range(60)]
    best = min(RMSE(truth, one) for one in said)
    told = bias_corrected(truth, said, RMSE)
    assert told is not None
    assert best < 0.97 < told < 1.06


def test_without_trials_or_with_one_class_nothing_is_told() -> None:
    assert bias_corrected(np.zeros(5, dtype=int), [], AUC) is None
    assert bias_corrected(np.zeros(5, dtype=int), [np.linspace(0, 1, 5)] * 2, AUC) is None


def test_a_trial_has_an_interval() -> None:
    truth, said = rivals(np.random.default_rng(0), 500, [1.0])
    value, (low, high, _) = standing(truth, said[0], AUC)
    assert low < value < high
    assert low < area(1.0) < high


ESTIMATE = HonestEstimate("roc_auc", True, 0.93, 8000, 30, 0.924, 0.921, 0.915, 0.927, 9769)


def test_it_reads_as_a_sentence() -> None:
    assert ESTIMATE.summary() == (
        "Validation said roc_auc 0.9300 on 8,000 rows; corrected for being the best of 30, 0.9240. "
        "Honest is 0.9210 (0.9150 to 0.9270, 95 % interval), on 9,769 rows that no trial has seen."
    )
    assert ESTIMATE.optimism == pytest.approx(0.006)
    errors = HonestEstimate("rmse", False, 1.0, 9, 3, 1.2, 1.3, 1.1, 1.5, 9, note="9 rows")
    assert errors.optimism == pytest.approx(0.2)
    assert errors.summary().endswith("seen (9 rows).")


def test_the_dict_is_json() -> None:
    stored = json.loads(json.dumps(ESTIMATE.to_dict(), allow_nan=False))
    assert stored["optimism"] == pytest.approx(0.006)
    unknown = HonestEstimate("auc", True, 0.9, 9, 1, None, float("nan"), 0.0, 1.0, 2)
    assert unknown.to_dict()["value"] is None
    assert unknown.optimism is None
