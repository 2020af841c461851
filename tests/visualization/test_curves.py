from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.visualization import learning_rates, training_curves, tuning

HISTORY = {"loss": [0.9, 0.5, 0.4, 0.3], "val_loss": [0.8, 0.5, 0.6, 0.7], "accuracy": [0.5] * 4}


def names(ax: object) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[attr-defined]


def test_the_best_epoch_is_marked() -> None:
    result = SimpleNamespace(history=HISTORY, best_epoch=2)
    ax = training_curves(result)
    assert names(ax) == ["training", "validation", "best: 0.5 in epoch 2"]
    assert ax.lines[-1].get_xydata().tolist() == [[2, 0.5]]
    assert names(training_curves(HISTORY)) == names(ax)


def test_without_validation_the_training_decides() -> None:
    assert names(training_curves({"loss": [3.0, 2.0]})) == ["training", "best: 2 in epoch 2"]


def test_one_epoch_another_metric_and_a_steep_fall() -> None:
    training_curves({"loss": [0.5]}).figure.savefig(BytesIO())
    assert training_curves(HISTORY, metric="accuracy").get_ylabel() == "accuracy"
    assert training_curves({"loss": [1000.0, 1.0]}).get_yscale() == "log"
    assert training_curves({"loss": [1000.0, -1.0]}).get_yscale() == "linear"


def test_an_unknown_metric_names_those_there_are() -> None:
    with pytest.raises(SettingError, match="holds loss, val_loss, accuracy, not 'auc'"):
        training_curves(HISTORY, metric="auc")


def make_search(suggestion: float | None, *smoothed: float) -> SimpleNamespace:
    rates = 10.0 ** np.arange(-4, len(smoothed) - 4)
    return SimpleNamespace(rates=rates, losses=smoothed, smoothed=smoothed, suggestion=suggestion)


def test_the_suggested_learning_rate_is_marked() -> None:
    ax = learning_rates(make_search(0.002, 0.9, 0.6, 0.4, 1e6))
    assert names(ax) == ["each step", "smoothed", "suggestion: 0.002"]
    assert ax.get_xscale() == "log"
    assert 0.9 < ax.get_ylim()[1] < 2  # the end presses nothing together
    assert names(learning_rates(make_search(None, 0.9, 1.2))) == ["each step", "smoothed"]


def test_trials_and_the_best_so_far() -> None:
    trials = [
        SimpleNamespace(number=0, value=0.5, state="COMPLETE"),
        SimpleNamespace(number=1, value=0.9, state="TrialState.PRUNED"),
        SimpleNamespace(number=2, value=None, state="FAIL"),
        SimpleNamespace(number=3, value=0.3, state="COMPLETE"),
        SimpleNamespace(number=4, value=0.4, state="COMPLETE"),
    ]
    ax = tuning(SimpleNamespace(trials=trials, metric="log loss"))
    assert names(ax) == ["trial", "best: 0.3"]
    assert ax.lines[-1].get_ydata().tolist() == [0.5, 0.3, 0.3]
    assert ax.get_title(loc="right") == "3 finished, 1 stopped early"
    assert ax.get_ylabel() == "log loss"


def test_a_larger_value_may_be_the_better_one() -> None:
    result = SimpleNamespace(trials=[0.5, 0.9, 0.7], direction="maximize")
    assert names(tuning(result)) == ["trial", "best: 0.9"]


def test_a_disastrous_trial_stays_out_of_sight() -> None:
    ax = tuning([0.5, 0.4, 1e6, 0.45, 0.41])
    assert ax.get_ylim()[1] < 2


def test_no_finished_trial_is_an_error() -> None:
    with pytest.raises(SettingError, match="needs a finished trial"):
        tuning([np.nan])
