from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn import metrics as sk

from headrace.metrics.formulas import predicted_class
from headrace.metrics.measure import find

if TYPE_CHECKING:
    from headrace.model.target import Task

Rows: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""True values, output and weights."""


@st.composite
def binary_rows(draw: st.DrawFn) -> Rows:
    """True classes, probabilities with many ties, and whole or broken weights."""
    rows = draw(st.integers(1, 40))
    truth = draw(arrays(np.int64, rows, elements=st.integers(0, 1)))
    grid = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.50001, 0.8, 1.0])
    score = draw(arrays(np.float64, rows, elements=grid | st.floats(0, 1)))
    weight = draw(arrays(np.float64, rows, elements=st.sampled_from([0.0, 0.5, 1.0, 3.0])))
    return truth, score, weight if weight.sum() else np.ones(rows)


@st.composite
def multiclass_rows(draw: st.DrawFn) -> Rows:
    rows, classes = draw(st.integers(1, 40)), draw(st.integers(2, 5))
    truth = draw(arrays(np.int64, rows, elements=st.integers(0, classes - 1)))
    raw = draw(arrays(np.float64, (rows, classes), elements=st.sampled_from([0.1, 1.0, 2.0, 5.0])))
    weight = draw(arrays(np.float64, rows, elements=st.sampled_from([0.5, 1.0, 3.0])))
    return truth, raw / raw.sum(axis=1, keepdims=True), weight


@st.composite
def regression_rows(draw: st.DrawFn) -> Rows:
    rows = draw(st.integers(1, 40))
    values = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 3))
    weight = draw(arrays(np.float64, rows, elements=st.sampled_from([0.5, 1.0, 3.0])))
    truth = draw(arrays(np.float64, rows, elements=values))
    return truth, draw(arrays(np.float64, rows, elements=values)), weight


def ours(
    name: str, task: Task, truth: NDArray[Any], output: NDArray[Any], weight: NDArray[Any]
) -> float:
    return find([name], task)[0](truth, output, weight)


def agree(value: float, expected: float) -> None:
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def has_both(truth: NDArray[Any], weight: NDArray[Any]) -> bool:
    return len(np.unique(truth[weight > 0])) == 2


@given(binary_rows())
def test_ranking_agrees_with_scikit_learn(case: Rows) -> None:
    truth, score, weight = case
    both = has_both(truth, weight)
    expected = sk.roc_auc_score(truth, score, sample_weight=weight) if both else np.nan
    agree(ours("roc_auc", "binary", truth, score, weight), expected)
    positive = (weight[truth == 1] > 0).any()
    expected = (
        sk.average_precision_score(truth, score, sample_weight=weight) if positive else np.nan
    )
    agree(ours("average_precision", "binary", truth, score, weight), expected)


@given(binary_rows())
def test_binary_losses_agree_with_scikit_learn(case: Rows) -> None:
    truth, score, weight = case
    expected = sk.log_loss(truth, score, sample_weight=weight, labels=[0, 1])
    agree(ours("log_loss", "binary", truth, score, weight), expected)
    expected = sk.brier_score_loss(truth, score, sample_weight=weight, labels=[0, 1])
    agree(ours("brier", "binary", truth, score, weight), expected)


@given(binary_rows())
def test_binary_counts_agree_with_scikit_learn(case: Rows) -> None:
    truth, score, weight = case
    predicted = predicted_class(score)
    expected = sk.accuracy_score(truth, predicted, sample_weight=weight)
    agree(ours("accuracy", "binary", truth, score, weight), expected)
    used = weight > 0
    functions = {"f1": sk.f1_score, "precision": sk.precision_score, "recall": sk.recall_score}
    for name, function in functions.items():
        expected = function(
            truth[used], predicted[used], sample_weight=weight[used], zero_division=np.nan
        )
        agree(ours(name, "binary", truth, score, weight), expected)


@given(multiclass_rows())
def test_multiclass_agrees_with_scikit_learn(case: Rows) -> None:
    truth, output, weight = case
    predicted, classes = output.argmax(axis=1), range(output.shape[1])
    expected = sk.accuracy_score(truth, predicted, sample_weight=weight)
    agree(ours("accuracy", "multiclass", truth, output, weight), expected)
    expected = sk.log_loss(truth, output, sample_weight=weight, labels=list(classes))
    agree(ours("log_loss", "multiclass", truth, output, weight), expected)
    expected = sk.f1_score(truth, predicted, sample_weight=weight, average="macro")
    agree(ours("f1_macro", "multiclass", truth, output, weight), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes that are predicted but never true
        expected = sk.balanced_accuracy_score(truth, predicted, sample_weight=weight)
    agree(ours("balanced_accuracy", "multiclass", truth, output, weight), expected)
    areas = [
        sk.roc_auc_score(truth == code, output[:, code], sample_weight=weight)
        for code in classes
        if len(np.unique(truth == code)) == 2
    ]
    agree(ours("roc_auc", "multiclass", truth, output, weight), np.mean(areas) if areas else np.nan)


@given(regression_rows())
def test_regression_agrees_with_scikit_learn(case: Rows) -> None:
    truth, output, weight = case
    functions = {
        "rmse": sk.root_mean_squared_error,
        "mae": sk.mean_absolute_error,
        "median_absolute_error": sk.median_absolute_error,
    }
    for name, function in functions.items():
        whole = np.round(weight * 2)
        expected = function(truth, output, sample_weight=whole)
        agree(ours(name, "regression", truth, output, whole), expected)
    if len(np.unique(truth)) > 1 and np.ptp(truth) > 1e-3 * np.abs(truth).max():
        expected = sk.r2_score(truth, output, sample_weight=weight)
        found = ours("r2", "regression", truth, output, weight)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
    if (truth != 0).all():
        expected = sk.mean_absolute_percentage_error(truth, output, sample_weight=weight)
        agree(ours("mape", "regression", truth, output, weight), expected)


@given(binary_rows(), st.data())
def test_a_weight_counts_like_so_many_copies_of_a_row(case: Rows, data: st.DataObject) -> None:
    truth, score, _ = case
    copies = data.draw(arrays(np.int64, len(truth), elements=st.integers(0, 3)))
    if not copies.sum():
        return
    for measure in find(["roc_auc", "average_precision", "log_loss", "f1", "recall"], "binary"):
        repeated = measure(np.repeat(truth, copies), np.repeat(score, copies))
        agree(measure(truth, score, copies), repeated)


def test_a_constant_score_ranks_like_chance() -> None:
    truth = np.array([0, 1, 1, 0, 1])
    assert ours("roc_auc", "binary", truth, np.full(5, 0.7), np.ones(5)) == 0.5
    assert ours("average_precision", "binary", truth, np.full(5, 0.7), np.ones(5)) == 0.6


@pytest.mark.parametrize(
    ("name", "task", "truth", "output"),
    [
        ("roc_auc", "binary", [1, 1], [0.2, 0.7]),
        ("average_precision", "binary", [0, 0], [0.2, 0.7]),
        ("precision", "binary", [0, 1], [0.2, 0.3]),
        ("recall", "binary", [0, 0], [0.2, 0.7]),
        ("f1", "binary", [0, 0], [0.2, 0.3]),
        ("r2", "regression", [3.3, 3.3, 3.3], [1.0, 2.0, 3.0]),
        ("mape", "regression", [0.0, 2.0], [1.0, 2.0]),
    ],
)
def test_undefined_metrics_are_not_a_number(
    name: str, task: Task, truth: NDArray[Any], output: NDArray[Any]
) -> None:
    assert np.isnan(ours(name, task, np.array(truth), np.array(output), np.ones(len(truth))))


def test_f1_of_wrong_guesses_is_zero() -> None:
    assert ours("f1", "binary", np.array([0, 1]), np.array([0.9, 0.1]), np.ones(2)) == 0


def test_a_saturated_float32_probability_costs_like_in_scikit_learn() -> None:
    truth, score = np.array([0, 1]), np.array([1.0, 1.0], dtype=np.float32)
    found = ours("log_loss", "binary", truth, score, np.ones(2))
    assert found == pytest.approx(sk.log_loss(truth, score), rel=1e-6)
