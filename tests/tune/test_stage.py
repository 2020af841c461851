"""Tuning a pipeline: tried, judged, resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.preprocessing.space import Choice, Real
from headrace.tune.search import Search

if TYPE_CHECKING:
    from pathlib import Path


def pipeline(learning_rate: float) -> hr.Pipeline:
    return hr.Pipeline(
        [
            hr.clean.Impute(),
            hr.normalize.Standardize(),
            hr.Network([8], epochs=8, learning_rate=learning_rate, batch_size=32),
        ],
        target="rich",
    )


def quick() -> hr.Pipeline:
    """The same steps before a network that trains in a moment."""
    network = hr.Network("linear", epochs=2, embedding=None, batch_size=128)
    return hr.Pipeline([hr.clean.Impute(), hr.normalize.Standardize(), network], target="rich")


@pytest.mark.slow
def test_the_better_settings_are_kept_on_a_verdict(table: pl.DataFrame) -> None:
    pipe = pipeline(1e-7)
    rows = pl.concat([table.select("age", "hours", "rich")] * 3)
    result = pipe.tune(rows, trials=4, space={"network_2__learning_rate": Real(0.01, 0.03)})
    assert result.kept, result.summary()
    assert result.comparison is not None
    assert result.comparison.verdict == "better"
    assert (
        pipe.get_params()["network_2__learning_rate"]
        == result.parameters["network_2__learning_rate"]
    )
    assert pipe.is_trained
    assert result.estimate is not None
    assert (result.estimate.rows, result.estimate.validation_rows) == (360, 288)
    assert result.estimate.low < result.estimate.value < result.estimate.high


def test_equal_settings_change_nothing(table: pl.DataFrame) -> None:
    pipe = quick()
    rows = table.select("age", "hours", "rich")
    result = pipe.tune(rows, trials=2, space={"impute_0__strategy": Choice(["mean", "median"])})
    assert result.kept is False
    assert not pipe.is_trained
    assert "stay" in result.summary()


def test_a_study_goes_on_from_its_file(table: pl.DataFrame, tmp_path: Path) -> None:
    rows = table.select("age", "hours", "rich")
    settings = {
        "storage": tmp_path / "study.db",
        "space": {"network_2__learning_rate": Real(1e-3, 1e-2)},
    }
    first = quick().tune(rows, trials=1, **settings)
    second = quick().tune(rows, trials=2, **settings)
    assert [trial.number for trial in second.trials] == [0, 1]
    assert second.trials[0].value == first.trials[0].value
    with pytest.raises(hr.SettingError, match="another identity"):
        quick().tune(rows.head(300), trials=3, **settings)


def test_the_settings_in_use_come_first_then_strong_ones(table: pl.DataFrame) -> None:
    search = searched(table, pipeline(0.01))
    first, *strong = search.start
    assert first["network_2__learning_rate"] == 0.01
    assert first["impute_0__strategy"] == "median"
    assert len(strong) == 2
    assert all(one.keys() == first.keys() for one in strong)
    rates = [one["network_2__learning_rate"] for one in search.start]
    assert len(set(rates)) == 3


def searched(table: pl.DataFrame, pipe: hr.Pipeline, **settings: Any) -> Search:
    usual: dict[str, Any] = {"space": None, "objectives": ("loss",), "validation": None}
    rows = table.select("age", "hours", "joined", "rich")
    return Search(pipe, rows, **{**usual, "held_out": 0.2, "cache": None, **settings})


def test_rows_are_held_out_twice_and_never_shared(table: pl.DataFrame) -> None:
    rows = table.with_row_index("place")
    pipe = pipeline(0.01)
    usual: dict[str, Any] = {"space": None, "objectives": ("loss",), "cache": None}
    search = Search(pipe, rows, validation=None, held_out=0.25, **usual)
    parts = [search.ground.learn, search.ground.validation, search._judged]
    assert [part.height for part in parts] == [360, 90, 150]
    assert sorted(pl.concat([part["place"] for part in parts])) == list(range(600))
    by_time = Search(pipe, rows, validation=hr.Split(time="joined"), held_out=0.2, **usual)
    parts = [by_time.ground.learn, by_time.ground.validation, by_time._judged]
    ends = [(part["joined"].min(), part["joined"].max()) for part in parts]
    assert ends[0][1] <= ends[1][0] <= ends[1][1] <= ends[2][0]


@pytest.mark.slow
def test_steps_are_searched_with_the_network_by_two_objectives(table: pl.DataFrame) -> None:
    pipe = quick()
    rows = table.select("age", "hours", "rich")
    scales = Choice([hr.normalize.Standardize(), hr.normalize.Robust(), None])
    space = {"standardize_1": scales, "standardize_1__squash": Choice([None, 3.0])}
    result = pipe.tune(rows, trials=4, space=space, objectives=("roc_auc", "latency"))
    assert len({trial.parameters["standardize_1"] for trial in result.trials}) > 1
    assert all(len(trial.values) == 2 for trial in result.trials)
    assert result.best in result.front
    assert "was chosen" in result.reason
    assert result.to_dict()["front"] == [one.number for one in result.front]
    assert result.plot().get_xlabel() == "latency in ms"


@pytest.mark.slow
def test_another_trial_can_be_taken_from_the_stored_study(
    table: pl.DataFrame, tmp_path: Path
) -> None:
    pipe = quick()
    rows = table.select("age", "hours", "rich")
    scales = Choice([hr.normalize.Standardize(), hr.normalize.Robust()])
    settings = {"storage": tmp_path / "study.db", "space": {"standardize_1": scales}, "trials": 2}
    found = pipe.tune(rows, **settings)
    number = next(one.number for one in found.trials if "Robust" in one.parameters["standardize_1"])
    pipe = quick()
    again = pipe.tune(rows, choose=number, **settings)
    assert len(again.trials) == 2
    assert again.kept
    assert pipe.is_trained
    assert repr(pipe.steps[1]) == "normalize.Robust()"
    assert again.reason == f"Trial {number} was asked for."


def test_ten_rows_are_enough_to_say_that_they_are_too_few_to_tell(table: pl.DataFrame) -> None:
    rows = table.select("age", "hours", "rich").head(10)
    result = quick().tune(rows, trials=1, space={"network_2__learning_rate": Real(1e-3, 1e-2)})
    assert result.kept is False
    assert result.estimate is not None
    assert result.estimate.high - result.estimate.low > 0.5
    assert "too few for any verdict" in result.summary()


def test_rows_that_nothing_can_be_learnt_from_are_refused(table: pl.DataFrame) -> None:
    rows = table.select("age", "hours", "rich")
    with pytest.raises(hr.DataError, match="needs 10 rows with a label at least, received 9"):
        quick().tune(rows.head(9))
    with pytest.raises(hr.DataError, match="all rows have the same label.*received 'yes'"):
        quick().tune(rows.filter(pl.col("rich") == "yes"))
    with pytest.raises(hr.SettingError, match="Did you mean 'network_2__learning_rate'"):
        quick().tune(rows, space={"network_2__lerning_rate": Real(0.0, 1.0)})
    with pytest.raises(hr.SettingError, match="perhaps 'latency' is meant"):
        quick().tune(rows, objectives=("loss", "latency"), choose="latncy")


def test_the_first_reason_of_trials_that_all_fail_is_told(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline([hr.clean.Impute(), hr.Network([8], epochs=1)], target="rich")
    space = {"network_1__activation": Choice(["rellu", "geluu", "elluu"])}
    with pytest.raises(
        hr.SettingError, match="3 trials in a row failed, the first one with .*is not known"
    ):
        pipe.tune(table.select("age", "rich"), space=space)


def test_all_equal_scores_choose_no_one(table: pl.DataFrame) -> None:
    """A table that says nothing of its labels: validation flatters, the honest figure does not."""
    random = np.random.default_rng(0)
    noise = pl.DataFrame({"x": random.normal(size=400), "y": random.choice(["a", "b"], 400)})
    pipe = hr.Pipeline([hr.Network("linear", epochs=2, embedding=None)], target="y")
    result = pipe.tune(
        noise, trials=3, space={"network_0__learning_rate": Real(1e-4, 1e-1, log=True)}
    )
    assert result.kept is False
    assert result.estimate is not None
    assert result.estimate.low < 0.5 < result.estimate.high
