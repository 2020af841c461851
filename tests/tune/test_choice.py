"""Which trial of a front is taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.metrics.measure import find
from headrace.model.target import TargetSpec
from headrace.tune.choice import Validation, check_choice, chosen_trial
from headrace.tune.front import Goal
from headrace.tune.result import Trial, TuneResult

SPEC = TargetSpec("rich", "binary", classes=("no", "yes"))
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 2, 600)
SURE = np.clip(0.3 + 0.4 * TRUTH + RANDOM.normal(0, 0.2, 600), 0.01, 0.99)
AUC = find(["roc_auc"], SPEC)[0]

# A good slow one, one that cannot be told from it and is quicker, and a quick and clearly worse one.
OUTPUTS = {
    0: SURE,
    1: np.clip(SURE + RANDOM.normal(0, 0.01, 600), 0.01, 0.99),
    2: np.clip(0.45 + 0.1 * TRUTH + RANDOM.normal(0, 0.3, 600), 0.01, 0.99),
}
SCORES = {number: AUC(TRUTH, output) for number, output in OUTPUTS.items()}


def found(*latencies: float) -> TuneResult:
    trials = [
        Trial(number, "complete", SCORES[number], {"n": number}, 1.0, further=(latency,))
        for number, latency in enumerate(latencies)
    ]
    trials.append(Trial(9, "failed", None, {}, 1.0))
    return TuneResult("roc_auc", True, tuple(trials), 3.0, further=(Goal("latency", unit="ms"),))


def chosen(result: TuneResult, choose: Any = "balanced", outputs: Any = OUTPUTS) -> tuple[Any, str]:
    return chosen_trial(result, choose, Validation(TRUTH, outputs, AUC, SPEC))


def test_the_quickest_that_is_as_good_is_taken_and_the_reason_told() -> None:
    number, reason = chosen(found(3.0, 1.0, 0.1))
    assert number == 1
    assert "best latency of the 2 on the front that the validation rows cannot tell" in reason
    assert "in trial 0). choose=... takes another one." in reason


def test_a_clear_winner_stays() -> None:
    slow_copy = chosen(found(3.0, 5.0, 0.1))
    assert slow_copy[0] == 0
    assert "all others are worse for sure" in slow_copy[1]


def test_an_objective_or_a_number_can_be_asked_for() -> None:
    result = found(3.0, 1.0, 0.1)
    assert chosen(result, "latency")[0] == 2
    assert chosen(result, "roc_auc")[0] == max(SCORES, key=lambda number: SCORES[number])
    assert chosen(result, 2) == (2, "Trial 2 was asked for.")
    with pytest.raises(
        SettingError, match="no complete trial of this number; complete are 0, 1, 2"
    ):
        chosen(result, 9)


def test_trials_whose_outputs_are_unknown_are_not_taken_for_equal() -> None:
    assert chosen(found(3.0, 1.0, 0.1), outputs={})[0] == 0


def test_with_one_objective_the_best_is_taken() -> None:
    single = TuneResult("roc_auc", True, found(3.0, 1.0, 0.1).trials, 1.0)
    assert chosen(single) == (None, "")


def test_what_means_nothing_is_refused() -> None:
    goals = found(1.0).goals
    check_choice("balanced", goals)
    check_choice(3, goals)
    with pytest.raises(SettingError, match="'roc_auc' or the number of a trial|perhaps 'latency'"):
        check_choice("latncy", goals)
    with pytest.raises(SettingError, match="received True"):
        check_choice(True, goals)
