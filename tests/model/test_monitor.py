"""What training watches on the validation rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from headrace.errors import SettingError
from headrace.metrics.measure import Measure
from headrace.model.monitor import Monitor
from headrace.model.target import TargetSpec

BINARY = TargetSpec("y", "binary", classes=("no", "yes"))
NUMBER = TargetSpec("y", "regression", mean=10.0, scale=4.0)


def test_the_loss_falls_and_has_no_measure() -> None:
    monitor = Monitor.of("loss", BINARY)
    assert (monitor.figure, monitor.worst, monitor.better(0.1, 0.2)) == ("val_loss", math.inf, True)
    assert math.isnan(monitor.value(BINARY, np.array([0]), np.array([[0.5]])))


def test_a_ranking_metric_rises() -> None:
    random = np.random.default_rng(0)
    truth, output = random.integers(0, 2, 200), random.uniform(size=(200, 1))
    monitor = Monitor.of("roc_auc", BINARY)
    assert monitor.worst == -math.inf
    assert monitor.better(0.9, 0.8)
    assert not monitor.better(math.nan, 0.8)
    assert monitor.value(BINARY, truth, output) == pytest.approx(roc_auc_score(truth, output[:, 0]))


def test_errors_of_numbers_are_in_their_own_units() -> None:
    truth, output = np.array([0.0, 1.0]), np.array([[0.5], [1.0]])
    assert Monitor.of("mae", NUMBER).value(NUMBER, truth, output) == pytest.approx(1.0)


def test_rows_can_weigh_more() -> None:
    truth, output = np.array([0.0, 1.0]), np.array([[0.5], [1.0]])
    weighed = Monitor.of("mae", NUMBER).value(NUMBER, truth, output, np.array([3.0, 1.0]))
    assert weighed == pytest.approx(1.5)


def test_a_metric_of_ones_own() -> None:
    def hits(y_true: np.ndarray, output: np.ndarray, weight: np.ndarray) -> float:
        return float(weight @ ((output > 0.5) == y_true))

    own = Measure.from_score("hits", hits, tasks=["binary"], higher_is_better=True)
    monitor = Monitor.of(own, BINARY)
    assert monitor.figure == "val_hits"
    assert monitor.value(BINARY, np.array([0, 1]), np.array([[0.2], [0.3]])) == 1.0


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(SettingError, match="perhaps 'roc_auc' is meant"):
        Monitor.of("roc_auk", BINARY)
    with pytest.raises(SettingError, match="'regression' has the metrics"):
        Monitor.of("f1", NUMBER)
