from __future__ import annotations

from typing import Any

from headrace.tune.front import Goal
from headrace.tune.space import Choice, Real
from headrace.tune.study import Tried, run_study

SPACE = {"rate": Real(0.0, 1.0), "width": Real(0.0, 1.0), "kind": Choice(["a", "b"])}


def test_the_setting_that_decides_is_the_most_important() -> None:
    for sign in (1, -1):
        found = run_study(
            lambda parameters, report, sign=sign: sign * abs(parameters["rate"] - 0.3),
            SPACE,
            trials=30,
            goals=[Goal("score", higher_is_better=sign < 0)],
        )
        assert next(iter(found.setting_importance)) == "rate"
        assert (
            sum(found.setting_importance.values()) == 1
            or abs(sum(found.setting_importance.values()) - 1) < 1e-9
        )


def test_of_several_goals_the_first_counts() -> None:
    def objective(parameters: dict[str, Any], report: Any) -> Tried:
        return Tried(abs(parameters["width"] - 0.5), (parameters["rate"],))

    found = run_study(objective, SPACE, trials=30, goals=[Goal("loss"), Goal("latency")])
    assert next(iter(found.setting_importance)) == "width"


def test_where_no_setting_makes_a_difference_that_is_said() -> None:
    found = run_study(lambda parameters, report: 0.5, SPACE, trials=6)
    assert found.setting_importance == {}
    assert "all 6 complete trials have the same value" in found.summary()


def test_few_trials_say_nothing() -> None:
    found = run_study(lambda parameters, report: parameters["rate"], SPACE, trials=3)
    assert found.setting_importance == {}
    assert "value" in found.summary()
