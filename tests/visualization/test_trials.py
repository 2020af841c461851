"""Pictures of trials: settings, fronts and lines."""

from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from headrace.errors import SettingError
from headrace.tune.front import Goal
from headrace.tune.result import Trial, TuneResult
from headrace.visualization import pareto, tuning_importance, tuning_parallel, tuning_slices
from headrace.visualization.page import report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SETTINGS: tuple[dict[str, Any], ...] = (
    {
        "scale_1": "normalize.Robust()",
        "scale_1__squash": None,
        "network_2__rate": 0.001,
        "deep": True,
    },
    {
        "scale_1": "normalize.Robust()",
        "scale_1__squash": 3.0,
        "network_2__rate": 0.1,
        "deep": False,
    },
    {"scale_1": "(clean.Clip(), normalize.Quantile())", "network_2__rate": 0.01, "deep": True},
    {"scale_1": "None", "network_2__rate": 0.03, "deep": True},
)
TRIALS = tuple(
    Trial(
        n,
        "complete",
        value,
        settings,
        2.0,
        further=(latency,),
        score=(value, value - 0.02, value + 0.02),
    )
    for n, (value, latency, settings) in enumerate(
        zip((0.90, 0.93, 0.94, 0.50), (0.1, 0.2, 0.9, 0.3), SETTINGS, strict=True)
    )
)
ONE = TuneResult(
    "roc_auc", True, TRIALS, 8.0, setting_importance={"network_2__rate": 0.7, "deep": 0.3}
)
TWO = TuneResult("roc_auc", True, TRIALS, 8.0, further=(Goal("latency", unit="ms"),), chosen=1)


def panels(ax: Axes) -> list[Axes]:
    ax.figure.savefig(BytesIO())
    return [one for one in [*ax.child_axes, *ax.figure.axes] if one is not ax]


def texts(labels: Any) -> list[str]:
    return [one.get_text() for one in labels]


def test_importance_is_shown_with_shares() -> None:
    ax = tuning_importance(ONE)
    assert texts(ax.get_yticklabels()) == ["network: rate", "deep"]
    assert texts(ax.texts) == [" 70%", " 30%"]
    with pytest.raises(SettingError, match="at least 4 complete trials that differ"):
        tuning_importance(TWO)


def test_a_slice_for_each_setting_the_important_ones_first() -> None:
    found = panels(tuning_slices(ONE))
    assert [ax.get_xlabel() for ax in found] == ["network: rate", "deep", "scale", "scale: squash"]
    assert found[0].get_xscale() == "log"
    assert texts(found[1].get_xticklabels()) == ["False", "True"]
    assert texts(found[2].get_xticklabels()) == ["Clip + Quantile", "None", "Robust"]
    assert len(found[3].collections[0].get_offsets()) == 2  # the others have no such setting


def test_lines_through_the_settings() -> None:
    ax = tuning_parallel(ONE)
    assert texts(ax.get_xticklabels())[:2] == ["network:\nrate", "deep"]
    thick = [line for line in ax.get_lines() if line.get_linewidth() > 2]
    assert len(thick) == 1
    assert "roc_auc 0.94" in ax.get_title(loc="right")


def test_the_front_and_the_choice() -> None:
    ax = pareto(TWO)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("latency in ms", "roc auc")
    assert texts(ax.get_legend().get_texts()) == ["other trials", "front", "chosen: trial 1"]
    assert texts(ax.texts) == ["2", "1", "0"]
    with pytest.raises(SettingError, match="needs two objectives"):
        pareto(ONE)


def test_without_a_finished_trial_there_is_no_picture() -> None:
    nothing = TuneResult(
        "loss", False, (Trial(0, "failed", None, {}, 1.0),), 1.0, further=TWO.further
    )
    for draw in (tuning_slices, tuning_parallel, pareto):
        with pytest.raises(SettingError, match="finished trial"):
            draw(nothing)


def test_one_trial_and_constant_settings_are_drawn() -> None:
    single = SimpleNamespace(trials=TRIALS[:1], metric="loss")
    assert panels(tuning_slices(single))
    assert tuning_parallel(single).get_lines()


def test_the_report_shows_them() -> None:
    page = report({"tune": ONE})
    assert "Importance of settings" in page
    assert "Trials by setting" in page
    assert "Front of two goals" in report({"tune": TWO})
