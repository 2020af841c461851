"""One trial: what is measured, and what may be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import headrace as hr
from headrace.errors import SettingError
from headrace.metrics.measure import find
from headrace.model.target import TargetSpec
from headrace.tune.attempt import (
    Ground,
    attempt,
    goals_of,
    reported_metric,
    searched_metric,
    shortened,
)
from headrace.tune.front import Goal

if TYPE_CHECKING:
    import polars as pl

RICH = TargetSpec("rich", "binary", classes=("no", "yes"), likelihood="bernoulli")
WAGE = TargetSpec("wage", "regression")


class Watch:
    """Takes note, and stops after some epochs."""

    def __init__(self, most: int = 99, *, pruned: bool = False) -> None:
        self.most, self.losses, self.pruned, self._prunes = most, [], False, pruned

    def __call__(self, epoch: int, loss: float) -> bool:
        self.losses.append(loss)
        stops = len(self.losses) >= self.most
        self.pruned = stops and self._prunes
        return stops


def ground(table: pl.DataFrame, *names: str) -> Ground:
    rows = table.select("age", "hours", "rich")
    learn, held = hr.split(rows, share=0.2, stratify="rich")
    return Ground(learn, held, "rich", goals_of(names, RICH))


def steps() -> list[Any]:
    network = hr.Network([8], epochs=3, batch_size=64, embedding=None)
    return [hr.clean.Impute(), hr.normalize.Standardize(), network]


def test_a_trial_is_measured_by_all_its_goals(table: pl.DataFrame) -> None:
    watch = Watch()
    rows = ground(table, "loss", "roc_auc", "latency", "batch_latency")
    tried, fitted = attempt(steps(), rows, watch)
    assert len(watch.losses) == tried.epochs == 3
    assert tried.value == pytest.approx(min(watch.losses))
    score, row, batch = tried.further
    truth = (rows.validation["rich"] == "yes").to_numpy().astype(int)
    assert tried.output is not None
    assert score == pytest.approx(find(["roc_auc"], RICH)[0](truth, tried.output))
    assert 0 < row < batch < 1000
    assert tried.score is not None
    assert tried.score[0] == pytest.approx(score)
    assert tried.score[1] < score < tried.score[2]
    assert np.allclose(fitted.output(fitted.conform(rows.validation))[:, 0], tried.output)


def test_a_trial_that_is_stopped_is_not_measured(table: pl.DataFrame) -> None:
    tried, _ = attempt(steps(), ground(table, "loss", "latency"), Watch(1, pruned=True))
    assert tried.output is None
    assert tried.further == ()


def test_the_time_of_a_network_is_the_shorter_one() -> None:
    assert shortened(hr.Network(), None).time is None
    assert shortened(hr.Network(), 30.0).time == 30
    assert shortened(hr.Network(time="10s"), 30.0).time == 10
    assert shortened(hr.Network(time="1min"), 30.0).time == 30
    assert shortened(hr.Network(), -5.0).time > 0


def test_goals_know_which_way_is_better() -> None:
    assert goals_of(["f1", "latency"], RICH) == (Goal("f1", True), Goal("latency", unit="ms"))
    assert goals_of(["rmse"], WAGE) == (Goal("rmse", False),)


def test_what_is_told_and_what_decides() -> None:
    assert reported_metric(goals_of(["loss", "latency"], RICH), RICH).name == "roc_auc"
    assert reported_metric(goals_of(["loss", "f1"], RICH), RICH).name == "f1"
    assert searched_metric(Goal("loss"), RICH).name == "log_loss"
    assert searched_metric(Goal("loss"), WAGE).name == "rmse"
    assert searched_metric(Goal("f1", True), RICH).name == "f1"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "must name what to search by"),
        (["loss", "loss"], "each once"),
        (["latency", "loss"], "the first objective is what the pipeline is good at"),
        (["roc_auk"], r"'loss', 'latency', 'batch_latency'; else .*perhaps 'roc_auc' is meant"),
        (["rmse"], "the task 'binary' has the metrics"),
    ],
)
def test_objectives_that_mean_nothing_are_refused(names: list[str], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        goals_of(names, RICH)
