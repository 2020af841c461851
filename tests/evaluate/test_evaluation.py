from __future__ import annotations

import numpy as np
import pytest

from headrace.errors import DataError, SettingError
from headrace.evaluate.evaluation import evaluate
from headrace.metrics.measure import Measure, measures
from headrace.model.target import TargetSpec

RANDOM = np.random.default_rng(0)
BINARY = TargetSpec("income", "binary", classes=("low", "high"))
THREE = TargetSpec("kind", "multiclass", classes=("a", "b", "c"))
PRICE = TargetSpec("price", "regression", mean=100.0, scale=10.0)

TRUTH = RANDOM.integers(0, 2, 500)
SAYS = np.clip(0.3 + 0.4 * TRUTH + RANDOM.normal(0, 0.25, 500), 0, 1)[:, np.newaxis]


def test_every_metric_of_the_task_has_an_interval() -> None:
    found = evaluate(BINARY, TRUTH, SAYS)
    assert list(found.metrics) == [measure.name for measure in measures("binary")]
    for metric in found.metrics.values():
        assert metric.low < metric.value < metric.high, metric.name
        assert metric.note == ""
    assert found.primary == "roc_auc"
    assert (found.rows, found.notes, found.comparisons) == (500, (), {})
    assert found.metrics["accuracy"].method == "Wilson"


def test_multiclass() -> None:
    truth = RANDOM.integers(0, 3, 300)
    output = np.eye(3)[truth] * 0.5 + RANDOM.dirichlet(np.ones(3), 300) * 0.5
    dummy = np.full((300, 3), 1 / 3)
    found = evaluate(THREE, truth, output, baselines={"dummy": dummy})
    assert found.primary == "accuracy"
    assert list(found.metrics) == [measure.name for measure in measures("multiclass")]
    assert found.comparisons["dummy"].verdict == "better"
    assert found.output.shape == (300, 3)


def test_regression_is_judged_in_the_units_of_the_target() -> None:
    truth = RANDOM.normal(100, 10, 300)
    standardised = (truth + RANDOM.normal(0, 5, 300) - 100) / 10
    found = evaluate(PRICE, truth, standardised, baselines={"dummy": np.zeros(300)})
    assert found.metrics["rmse"].value == pytest.approx(5, abs=0.7)
    assert found.metrics["rmse"].low < 5 < found.metrics["rmse"].high
    comparison = found.comparisons["dummy"]
    assert comparison.verdict == "better"
    assert comparison.reference == pytest.approx(10, abs=1)


def test_the_comparison_uses_the_primary_metric_of_choice() -> None:
    worse = 1 - SAYS
    found = evaluate(BINARY, TRUTH, SAYS, baselines={"upside down": worse}, primary="log_loss")
    assert found.comparisons["upside down"].metric == "log_loss"
    assert found.comparisons["upside down"].value == found.metrics["log_loss"].value


def test_metrics_of_choice_and_of_the_user() -> None:
    share = Measure.from_score(
        "share",
        lambda truth, output, weight: float(weight @ (output > 0.9) / weight.sum()),
        tasks=["binary"],
        higher_is_better=True,
        lowest=0,
        highest=1,
    )
    found = evaluate(BINARY, TRUTH, SAYS, metrics=["f1", share], primary="share")
    assert list(found.metrics) == ["f1", "share"]
    assert found.metrics["share"].value == pytest.approx((SAYS > 0.9).mean())
    with pytest.raises(SettingError, match=r"reported ones \(f1\), received 'roc_auc'"):
        evaluate(BINARY, TRUTH, SAYS, metrics=["f1"])


def test_one_class_only_gives_reasons_and_no_bare_nan() -> None:
    found = evaluate(BINARY, np.ones(40, int), SAYS[:40], baselines={"dummy": np.full(40, 0.5)})
    auc = found.metrics["roc_auc"]
    assert np.isnan(auc.value)
    assert (auc.low, auc.high) == (0, 1)
    assert auc.note == "undefined: the rows hold one class only"
    assert found.metrics["accuracy"].note == ""
    assert "no test row is of class 'low'" in found.notes[0]
    assert found.comparisons["dummy"].verdict == "not enough data to tell"
    for metric in found.metrics.values():
        assert metric.note or np.isfinite(metric.value)


def test_three_rows_give_wide_intervals() -> None:
    found = evaluate(BINARY, np.array([0, 1, 1]), np.array([0.2, 0.8, 0.9]))
    assert found.metrics["accuracy"].low < 0.5
    assert (found.metrics["roc_auc"].low, found.metrics["roc_auc"].high) == (0, 1)
    assert "few test rows of class 'low' (1), 'high' (2)" in found.notes[0]
    found = evaluate(PRICE, np.array([100.0, 90.0, 110.0]), np.array([0.1, -0.5, 0.3]))
    rmse = found.metrics["rmse"]
    assert rmse.high > 2 * rmse.value
    assert rmse.low < rmse.value / 2
    assert found.notes == ("with 3 rows the intervals are rough",)


def test_one_row() -> None:
    found = evaluate(PRICE, np.array([100.0]), np.array([0.1]))
    assert (found.metrics["rmse"].low, found.metrics["rmse"].high) == (0, np.inf)
    assert "1 row cannot tell" in found.metrics["rmse"].note


def test_constant_scores() -> None:
    found = evaluate(BINARY, TRUTH, np.full(500, 0.3))
    assert found.metrics["roc_auc"].value == 0.5
    assert (
        found.metrics["precision"].note
        == "undefined: no row is predicted to be of the positive class"
    )
    assert found.metrics["f1"].value == 0


def test_a_perfect_regression() -> None:
    found = evaluate(PRICE, np.arange(20.0), (np.arange(20.0) - 100) / 10, metrics=["rmse", "r2"])
    assert found.metrics["rmse"].value == pytest.approx(0, abs=1e-9)
    assert found.metrics["r2"].value == pytest.approx(1)


def test_missing_classes_are_named_but_not_all_of_them() -> None:
    many = TargetSpec("kind", "multiclass", classes=tuple(range(12)))
    truth = RANDOM.integers(0, 2, 60)
    found = evaluate(many, truth, RANDOM.dirichlet(np.ones(12), 60), metrics=["accuracy"])
    assert found.notes == (
        "no test row is of class 2, 3, 4, 5, 6 and 5 more: averages over classes leave it out",
    )


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="baseline 'other' has 499 rows"):
        evaluate(BINARY, TRUTH, SAYS, baselines={"other": SAYS[1:]})
    with pytest.raises(DataError, match="the output must be a probability"):
        evaluate(BINARY, TRUTH, 3 * SAYS)
    with pytest.raises(SettingError, match="confidence"):
        evaluate(BINARY, TRUTH, SAYS, confidence=95)
    with pytest.raises(DataError, match="there are no rows to evaluate"):
        evaluate(BINARY, TRUTH[:0], SAYS[:0])


def test_the_same_seed_gives_the_same_intervals() -> None:
    first, again, other = (
        evaluate(BINARY, TRUTH, SAYS, seed=seed, resamples=100).to_dict() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
