from __future__ import annotations

import math
from typing import Any

import optuna
import pytest

from headrace.errors import SettingError
from headrace.tune.pruning import FIRST_RUNG, STARTUP_TRIALS, check_pruning, limits, pruner


def study_of(rows: list[list[float]], *, direction: str = "minimize") -> optuna.Study:
    """A study whose complete trials told these losses."""
    study = optuna.create_study(direction=direction)
    sign = -1 if direction == "maximize" else 1
    for losses in rows:
        trial = study.ask()
        for epoch, loss in enumerate(losses):
            trial.report(sign * loss, epoch)
        study.tell(trial, sign * losses[-1])
    return study


def stopped_at(study: optuna.Study, losses: list[float], sign: int = 1) -> int | None:
    """The epoch in which the study stops a trial with these losses."""
    trial = study.ask()
    for epoch, loss in enumerate(losses):
        trial.report(sign * loss, epoch)
        if trial.should_prune():
            return epoch
    return None


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_trial_outside_of_the_best_third_ends_at_a_rung(direction: str) -> None:
    study = optuna.create_study(direction=direction, pruner=pruner("asha"))
    sign = -1 if direction == "maximize" else 1
    for level in range(6):
        assert stopped_at(study, [level] * 14, sign) == (None if level < STARTUP_TRIALS else 4)
        if level < STARTUP_TRIALS:
            study.tell(study.trials[-1].number, sign * level)
    assert stopped_at(study, [-1.0] * 14, sign) is None


def test_the_first_trials_run_to_their_end() -> None:
    study = optuna.create_study(pruner=pruner("asha"))
    assert [stopped_at(study, [level] * 14) for level in range(5)] == [None] * 5


def test_without_pruning_all_run_to_their_end() -> None:
    study = optuna.create_study(pruner=pruner(None))
    assert stopped_at(study, [math.inf] * 50) is None


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_workers_are_told_the_last_loss_that_goes_on(direction: str) -> None:
    study = study_of([[float(level)] * 14 for level in range(8)], direction=direction)
    told = limits(study, "asha")
    assert [epoch for epoch, limit in enumerate(told) if math.isfinite(limit)] == [4, 12]
    assert told[4] == 2.0  # the third of nine, the new one included
    medians = limits(study, "median")
    assert math.isinf(medians[FIRST_RUNG - 2])
    assert medians[FIRST_RUNG - 1] == 3.0


def test_workers_are_told_nothing_before_trials_are_complete() -> None:
    assert limits(study_of([[1.0] * 9] * (STARTUP_TRIALS - 1)), "asha") == []
    assert limits(study_of([[1.0] * 9] * 9), None) == []


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"pruning": "ahsa"}, "one of asha, hyperband, median or None.*perhaps 'asha' is meant"),
        ({"pruning": "hyperband", "parallel": True}, "use pruning='asha' with an executor"),
    ],
)
def test_ways_that_are_not_there_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        check_pruning(**settings)
