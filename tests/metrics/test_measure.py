from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.metrics.measure import PRIMARY, Measure, find, measures, register, unregister

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from headrace.model.target import Task


def cost(y_true: NDArray[Any], output: NDArray[Any], weight: NDArray[Any]) -> float:
    """A missed positive costs ten, a false alarm costs one."""
    predicted = output > 0.5
    missed, alarms = (y_true == 1) & ~predicted, (y_true == 0) & predicted
    return float(weight @ (10 * missed + alarms) / weight.sum())


@pytest.fixture
def registered() -> Iterator[Measure]:
    measure = Measure.from_score("cost", cost, tasks=["binary"], higher_is_better=False, lowest=0.0)
    yield register(measure)
    unregister("cost")


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_primary_metric_comes_first(task: Task) -> None:
    assert measures(task)[0].name == PRIMARY[task]


def test_a_metric_of_the_user_is_found_by_its_name(registered: Measure) -> None:
    assert registered in measures("binary")
    assert find(["cost"], "binary") == (registered,)
    assert registered(np.array([0, 1]), np.array([0.9, 0.1])) == 5.5


def test_a_plain_function_is_asked_once_for_each_weighting() -> None:
    measure = Measure.from_score("cost", cost, tasks=["binary"], higher_is_better=False)
    kernel = measure.prepare(np.array([0, 1]), np.array([0.9, 0.1]))
    assert kernel(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [1, 10]


def test_a_name_is_given_once(registered: Measure) -> None:
    twin = Measure.from_score("cost", cost, tasks=["binary"], higher_is_better=False)
    with pytest.raises(SettingError, match="the name 'cost' exists already"):
        register(twin)
    assert register(registered) is registered


def test_an_unknown_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(SettingError, match=r"received 'roc-auc'; perhaps 'roc_auc' is meant"):
        find(["roc-auc"], "binary")


def test_a_metric_of_another_task_is_refused() -> None:
    with pytest.raises(SettingError, match="the task 'regression' has the metrics rmse, mae"):
        find(["f1"], "regression")
    with pytest.raises(SettingError, match="received 'f1'"):
        find([find(["f1"], "binary")[0]], "regression")


def test_rows_must_be_the_same() -> None:
    (rmse,) = find(["rmse"], "regression")
    with pytest.raises(SettingError, match="2 true values, 3 outputs"):
        rmse(np.zeros(2), np.zeros(3))
    with pytest.raises(SettingError, match=r"weights of shape \(3,\)"):
        rmse(np.zeros(2), np.zeros(2), np.ones(3))


def test_the_rarer_class_decides_for_ranking_only() -> None:
    truth, score = np.array([0, 0, 0, 1]), np.linspace(0, 1, 4)
    deciding = {
        measure.name: measure.deciding_rows(truth, score)
        for measure in find(["roc_auc", "average_precision", "log_loss"], "binary")
    }
    assert deciding == {"roc_auc": 1, "average_precision": 1, "log_loss": 4}
