from __future__ import annotations

import json

import numpy as np
import pytest

from headrace.errors import DataError, SettingError
from headrace.evaluate.comparison import compare

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 2, 400)
GOOD = np.clip(0.3 + 0.4 * TRUTH + RANDOM.normal(0, 0.2, 400), 0.02, 0.98)
POOR = np.clip(0.45 + 0.1 * TRUTH + RANDOM.normal(0, 0.2, 400), 0.02, 0.98)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier", "accuracy", "f1"])
def test_the_verdict_knows_the_direction_of_the_metric(metric: str) -> None:
    better = compare(TRUTH, GOOD, POOR, task="binary", metric=metric)
    worse = compare(TRUTH, POOR, GOOD, task="binary", metric=metric)
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.difference == pytest.approx(better.value - better.reference)
    assert better.difference == pytest.approx(-worse.difference)
    assert better.low < better.difference < better.high
    assert (better.difference > 0) == better.higher_is_better


def test_the_difference_is_tested_on_the_same_rows() -> None:
    """Two errors that share nearly all of their noise are told apart; unpaired they were not."""
    noise = RANDOM.normal(0, 1, 200)
    shift = RANDOM.normal(0, 0.05, 200)
    found = compare(np.zeros(200), noise, 1.1 * noise + shift, task="regression")
    assert found.verdict == "better"
    assert found.metric == "rmse"


def test_too_little_data_is_an_answer() -> None:
    middling = (GOOD + POOR) / 2
    found = compare(TRUTH[:12], GOOD[:12], middling[:12], task="binary", metric="accuracy")
    assert found.verdict == "not enough data to tell"


def test_equal_outputs_are_not_told_apart() -> None:
    found = compare(TRUTH, GOOD, GOOD.copy(), task="binary")
    assert (found.difference, found.low, found.high) == (0, 0, 0)
    assert found.verdict == "not enough data to tell"
    assert found.note == "no row tells the two apart"


def test_a_handful_of_rows_gives_no_verdict_even_when_all_agree() -> None:
    truth = np.array([0, 1, 0, 1, 1])
    found = compare(truth, truth * 1.0, 1.0 - truth, task="binary", metric="accuracy")
    assert found.verdict == "not enough data to tell"
    assert found.note == "5 rows that decide are too few for any verdict, at least 6"
    assert (found.low, found.high) == (-1, 1)


def test_for_a_ranking_the_rows_of_the_rarer_class_decide() -> None:
    truth = np.array([1] * 5 + [0] * 100)
    found = compare(truth, truth * 1.0, np.full(105, 0.5), task="binary")
    assert found.verdict == "not enough data to tell"
    assert "5 rows that decide are too few" in found.note


def test_one_class_only_says_so() -> None:
    found = compare(np.ones(50, int), GOOD[:50], POOR[:50], task="binary")
    assert np.isnan(found.difference)
    assert found.note == "the rows hold one class only"
    assert found.verdict == "not enough data to tell"
    assert json.loads(json.dumps(found.to_dict()))["difference"] is None


def test_the_smallest_effect_must_be_exceeded() -> None:
    plain = compare(TRUTH, GOOD, POOR, task="binary")
    assert plain.low > 0.1
    strict = compare(TRUTH, GOOD, POOR, task="binary", smallest_effect=plain.difference)
    assert strict.verdict == "not enough data to tell"
    strict = compare(TRUTH, POOR, GOOD, task="binary", smallest_effect=plain.low / 2)
    assert strict.verdict == "worse"


def test_a_difference_that_does_not_matter_is_an_answer_too() -> None:
    nudged = GOOD + RANDOM.normal(0, 1e-4, 400)
    nudged = np.clip(nudged, 0, 1)
    found = compare(TRUTH, GOOD, nudged, task="binary", smallest_effect=0.01)
    assert found.verdict == "no relevant difference"


def test_the_summary_is_a_sentence() -> None:
    text = compare(TRUTH, GOOD, POOR, task="binary", metric="log_loss").summary("the champion")
    assert text.startswith("Better than the champion: log_loss 0.")
    assert "difference -0." in text
    assert "(95 % interval -0." in text


def test_multiclass_and_a_metric_of_choice() -> None:
    truth = RANDOM.integers(0, 3, 300)
    sure = np.eye(3)[truth] * 0.7 + 0.1
    found = compare(truth, sure, np.full((300, 3), 1 / 3), task="multiclass", metric="roc_auc")
    assert found.verdict == "better"
    assert (found.value, found.reference) == (1, 0.5)


def test_bad_input_is_refused() -> None:
    with pytest.raises(SettingError, match="smallest_effect is a size and must be 0 or more"):
        compare(TRUTH, GOOD, POOR, task="binary", smallest_effect=-1)
    with pytest.raises(SettingError, match="confidence must be"):
        compare(TRUTH, GOOD, POOR, task="binary", confidence=95)
    with pytest.raises(DataError, match="the second output has 399 rows"):
        compare(TRUTH, GOOD, POOR[1:], task="binary")


@pytest.mark.parametrize(
    ("metric", "rows", "share"),
    [("roc_auc", 200, 0.5), ("roc_auc", 200, 0.05), ("accuracy", 200, 0.5), ("log_loss", 100, 0.3)],
)
def test_equal_models_are_called_better_in_at_most_5_of_100_cases(
    metric: str, rows: int, share: float
) -> None:
    """Half of what a 95 % interval leaves is 2.5; 300 tables move that by 0.9 points."""
    random = np.random.default_rng(0)
    verdicts = []
    for seed in range(300):
        truth = (random.random(rows) < share).astype(int)
        shared = random.normal(size=rows)
        says = [
            1 / (1 + np.exp(-1.5 * truth - (shared + random.normal(size=rows)) / 2 + 1))
            for _ in range(2)
        ]
        settings = {"task": "binary", "metric": metric, "resamples": 200, "seed": seed}
        verdicts.append(compare(truth, *says, **settings).verdict)
    assert verdicts.count("better") <= 0.05 * 300
    assert verdicts.count("worse") <= 0.05 * 300


def test_a_difference_that_rows_cannot_show_is_told_without_figures() -> None:
    truth = np.ones(30)
    answer = compare(truth, np.full(30, 0.4), np.full(30, 0.6), task="binary")
    assert answer.verdict == "not enough data to tell"
    assert answer.rows_to_settle is None
    assert "nan" not in answer.summary()
    assert "the rows hold one class only" in answer.summary()


def test_one_row_promises_no_number_of_rows() -> None:
    answer = compare(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.7]), np.zeros(3), task="binary")
    assert not answer.measured
    assert answer.rows_to_settle is None
