"""Pipelines are compared on the same rows, whatever columns each of them reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def poorer(table: pl.DataFrame) -> hr.Pipeline:
    """Knows the hours alone, which say nothing."""
    steps = [
        hr.transform.Drop(("wage", "grade", "age", "job", "member", "joined")),
        hr.clean.Impute(),
        hr.normalize.Standardize(),
        hr.Network([4], epochs=2),
    ]
    pipe = hr.Pipeline(steps, target="rich")
    pipe.train(table)
    return pipe


@pytest.mark.parametrize(
    ("metric", "test"),
    [
        (None, "DeLong"),
        ("accuracy", "McNemar"),
        ("f1", "paired bootstrap"),
        ("log_loss", "paired bootstrap"),
    ],
)
def test_the_better_pipeline_is_found(
    trained: hr.Pipeline, poorer: hr.Pipeline, fresh: pl.DataFrame, metric: str | None, test: str
) -> None:
    found = hr.compare(trained, poorer, fresh, metric=metric)
    assert (found.verdict, found.test) == ("better", test)
    assert (found.p_value is None) == (test == "paired bootstrap")
    turned = hr.compare(poorer, trained, fresh, metric=metric)
    assert turned.verdict == "worse"
    assert turned.difference == pytest.approx(-found.difference)


def test_a_loaded_pipeline_is_no_different(
    trained: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    loaded = hr.load(trained.save(tmp_path / "pipe"))
    found = hr.compare(trained, loaded, fresh)
    assert (found.difference, found.verdict) == (0.0, "not enough data to tell")
    assert found.rows_to_settle is None


def test_baselines_and_plain_answers_can_be_the_second(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    assert hr.compare(trained, "dummy", fresh).verdict == "better"
    truth = (fresh["rich"] == "yes").to_numpy().astype(float)
    assert hr.compare(trained, truth, fresh).verdict == "worse"


def test_rows_without_a_label_are_left_out_of_both(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    holes = fresh.with_columns(
        pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise("rich").alias("rich")
    )
    said = trained.predict_proba(fresh)[:, 1]
    found = hr.compare(trained, said, holes)
    assert found.rows == 240
    assert found.difference == 0.0


def test_rows_of_a_group_are_drawn_together(
    trained: hr.Pipeline, poorer: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    grouped = fresh.with_columns(house=pl.int_range(pl.len()) // 10)
    found = hr.compare(trained, poorer, grouped, groups="house", resamples=200)
    assert found.test == "paired bootstrap"
    assert found.note == "intervals draw 30 groups with all of their rows"
    by_day = hr.compare(
        trained, poorer, fresh.with_columns(day=pl.int_range(pl.len())), time="day", resamples=200
    )
    assert by_day.note.startswith("intervals draw blocks of ")


def test_an_open_question_says_how_many_rows_would_settle_it(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    random = np.random.default_rng(0)
    chances = trained.predict_proba(fresh)[:, 1]
    said = np.clip(chances + random.normal(0, 0.05, len(chances)), 0, 1)
    found = hr.compare(trained, said, fresh, metric="brier")
    if found.verdict != "not enough data to tell":
        pytest.fail(f"the case should be open, and is {found.verdict}")
    assert found.rows_to_settle is not None
    assert found.rows_to_settle > found.rows
    assert "rows like these would settle it" in found.summary()
    assert found.to_dict()["rows_to_settle"] == found.rows_to_settle


def test_a_difference_that_does_not_matter_is_called_so(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    said = trained.predict_proba(fresh)[:, 1] * 0.999
    found = hr.compare(trained, said, fresh, metric="brier", smallest_effect=0.05)
    assert found.verdict == "no relevant difference"


def test_each_decides_at_its_own_threshold(fresh: pl.DataFrame, table: pl.DataFrame) -> None:
    settings = {"epochs": 3, "patience": None}
    steps = [hr.transform.Drop(("wage", "grade", "joined", "job")), hr.clean.Impute()]
    usual, low = (
        hr.Pipeline([*steps, hr.normalize.Standardize(), network], target="rich")
        for network in (hr.Network([4], **settings), hr.Network([4], threshold=0.01, **settings))
    )
    for pipe in (usual, low):
        pipe.train(table)
    found = hr.compare(usual, low, fresh, metric="recall")
    assert found.reference == 1.0
    assert found.value < 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "rmse"}, "the task 'binary' has the metrics"),
        ({"test": "delong"}, "test must be one of 'bootstrap', 'DeLong', 'McNemar', or None"),
        (
            {"test": "McNemar"},
            "the test 'McNemar' is one of 'accuracy', and the metric is 'roc_auc'",
        ),
        ({"smallest_effect": -1}, "smallest_effect is a size and must be 0 or more"),
        ({"confidence": 1.5}, "confidence must be at least 0.5 and below 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    trained: hr.Pipeline, fresh: pl.DataFrame, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        hr.compare(trained, "dummy", fresh, **settings)


def test_pipelines_of_other_targets_are_refused(
    trained: hr.Pipeline, regression: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    with pytest.raises(SettingError, match="both must predict the same: the first predicts 'rich'"):
        hr.compare(trained, regression, fresh)
    with pytest.raises(SettingError, match="must be a pipeline, what a model says, or a baseline"):
        hr.compare(trained, "boosting", fresh)
    with pytest.raises(DataError, match="the groups or time is not among the columns"):
        hr.compare(trained, "dummy", fresh, groups="hous")


def test_one_class_is_an_answer_and_no_verdict(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    rich = fresh.filter(pl.col("rich") == "yes")
    found = hr.compare(trained, "dummy", rich)
    assert found.verdict == "not enough data to tell"
    assert found.note == "the rows hold one class only"


@pytest.mark.slow
def test_two_ways_to_train_are_compared_over_splits(table: pl.DataFrame) -> None:
    def pipe(*steps: object) -> hr.Pipeline:
        drop = hr.transform.Drop(("wage", "grade", "joined"))
        network = hr.Network([16], epochs=20, patience=None, batch_size=64)
        common = [hr.transform.Encode(), hr.clean.Impute(), hr.normalize.Standardize(), network]
        return hr.Pipeline([drop, *steps, *common], target="rich")

    both, poorer = pipe(), pipe(hr.transform.Drop(("age", "job")))
    found = hr.compare_splits(both, poorer, table, splits=4, stratify="rich")
    assert found.verdict == "better"
    assert found.test == "Nadeau-Bengio"
    assert found.note == "4 splits"
    assert not both.is_trained
    with pytest.raises(SettingError, match="splits must be 3 or more, received 2"):
        hr.compare_splits(both, poorer, table, splits=2)
