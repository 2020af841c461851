from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.evaluate.comparison import compare
from headrace.tune.front import Goal
from headrace.tune.honest import HonestEstimate
from headrace.tune.result import Trial, TuneResult

TRIALS = (
    Trial(0, "complete", 0.5, {"rate": 0.01, "limits": (0.0, 1.0)}, 12.0),
    Trial(1, "pruned", None, {"rate": 0.5, "limits": None}, 2.0),
    Trial(2, "complete", 0.3, {"rate": 0.002, "limits": None}, 11.0, "stopped when time was up"),
    Trial(3, "failed", None, {"rate": 0.9, "limits": None}, 1.0, "ValueError: <too fast>"),
)
RESULT = TuneResult("log_loss", False, TRIALS, 26.0, storage="study.db", notes=("seen once",))


def test_the_best_trial_is_the_one_with_the_best_value() -> None:
    assert RESULT.best is TRIALS[2]
    assert RESULT.parameters == {"rate": 0.002, "limits": None}
    upward = dataclasses.replace(RESULT, higher_is_better=True)
    assert upward.best is TRIALS[0]
    assert (RESULT.direction, upward.direction) == ("minimize", "maximize")


def test_without_a_complete_trial_there_is_no_best() -> None:
    nothing = dataclasses.replace(RESULT, trials=TRIALS[1:2])
    assert nothing.best is None
    assert nothing.parameters == {}
    assert "No trial is complete" in nothing.summary()
    with pytest.raises(SettingError, match="needs a finished trial"):
        nothing.plot()


def test_the_summary_starts_with_the_best() -> None:
    text = RESULT.summary()
    lines = text.splitlines()
    assert lines[0] == "4 trials (2 complete, 1 pruned, 1 failed) in 26 s"
    assert lines[3].split()[:5] == ["2", "0.3000", "11.0", "–", "complete"]
    assert "The study is in study.db." in text
    assert text.endswith("seen once")


def test_the_verdict_is_part_of_it() -> None:
    truth = np.arange(100.0)
    comparison = compare(truth, truth + np.sin(truth), truth + 3 * np.cos(truth), task="regression")
    kept = dataclasses.replace(RESULT, comparison=comparison, kept=True)
    assert "Better than the settings before: rmse" in kept.summary()
    assert "The new settings are kept." in kept.summary()
    assert "The old settings stay." in dataclasses.replace(kept, kept=False).summary()


def test_many_trials_are_cut_short() -> None:
    many = tuple(Trial(n, "complete", float(n), {"n": n}, 1.0) for n in range(15))
    assert "5 more trials are not shown." in dataclasses.replace(RESULT, trials=many).summary()


def test_the_dict_is_json() -> None:
    stored = json.loads(json.dumps(RESULT.to_dict(), allow_nan=False))
    assert stored["best"]["number"] == 2
    assert stored["trials"][0]["parameters"]["limits"] == [0.0, 1.0]
    assert stored["comparison"] is None


def test_the_html_is_escaped() -> None:
    page = RESULT._repr_html_()
    assert page.count("<table") == 2
    assert "&lt;too fast&gt;" in page


def test_the_picture() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    assert RESULT.plot().get_xlabel() == "trial"
    plt.close("all")


def test_importance_and_the_honest_figure_are_part_of_it() -> None:
    estimate = HonestEstimate("roc_auc", True, 0.93, 800, 2, 0.925, 0.921, 0.915, 0.927, 900)
    told = dataclasses.replace(
        RESULT, setting_importance={"limits": 0.75, "rate": 0.25}, estimate=estimate
    )
    lines = told.summary().splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("best settings"))
    assert lines[place].split() == ["best", "settings", "value", "importance"]
    assert lines[place + 1].split() == ["limits", "None", "75%"]
    assert "Honest is 0.9210 (0.9150 to 0.9270" in told.summary()
    assert "75%" in told._repr_html_()
    stored = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    assert stored["estimate"]["corrected"] == 0.925
    assert stored["importance"] == {"limits": 0.75, "rate": 0.25}


def test_of_several_objectives_the_front_and_the_choice_are_told() -> None:
    trials = tuple(
        Trial(n, "complete", score, {"n": n}, 1.0, further=(latency,))
        for n, (score, latency) in enumerate([(0.9, 0.2), (0.8, 0.1), (0.7, 0.3)])
    )
    goals = (Goal("latency", unit="ms"),)
    result = TuneResult("f1", True, trials, 3.0, further=goals, chosen=1, reason="It is quick.")
    assert result.best is trials[1]
    assert [one.number for one in result.front] == [0, 1]
    lines = result.summary().splitlines()
    assert lines[2].split() == ["trial", "f1", "latency,", "ms", "seconds", "epochs", "state"]
    assert lines[3].endswith("complete  on the front")
    assert lines[4].endswith("complete  on the front; chosen")
    assert lines[5].endswith("complete")
    assert "It is quick." in lines
    assert result.plot().get_title(loc="left") == "Front of two goals"
    assert result.plot_history().get_ylabel() == "f1"
