"""What should not count, and how much it does."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError


def test_noise_flips_few_predictions_and_none_where_there_is_none(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    still = hr.stability(trained, fresh, noise=0).sources["input noise"]
    assert (still.flips, still.wobble) == (0.0, 0.0)
    little, much = (
        hr.stability(trained, fresh, noise=size).sources["input noise"] for size in (0.02, 1.0)
    )
    assert 0 <= little.flips < 0.1 < much.flips
    assert little.seeds == (0, 1, 2, 3)
    assert "4 copies with noise" in little.sentence()


def test_the_figure_of_each_part_of_the_time(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    turned = fresh.with_columns(
        day=pl.datetime(2026, 1, 1) + pl.duration(days=pl.int_range(pl.len())),
        rich=pl.when(pl.int_range(pl.len()) >= 200)
        .then(pl.when(pl.col("rich") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")))
        .otherwise("rich"),
    )
    found = hr.stability(trained, turned, time="day", periods=3)
    assert [one.rows for one in found.periods] == [100, 100, 100]
    assert found.periods[0].metric.low > 0.5 > found.periods[2].metric.high
    assert "time: roc_auc is worst in day above 2026-07-19" in found.summary()
    json.dumps(found.to_dict())
    assert len(found.plot().figure.axes) == 3


@pytest.mark.slow
def test_trainings_with_other_seeds_and_rows(table: pl.DataFrame, fresh: pl.DataFrame) -> None:
    drop = hr.transform.Drop(("wage", "grade"))
    steps = [drop, hr.transform.Dates(), hr.transform.Encode(), hr.clean.Impute()]
    network = hr.Network([16], epochs=10, patience=None)
    pipe = hr.Pipeline([*steps, hr.normalize.Standardize(), network], target="rich")
    pipe.train(table)
    before = pipe.predict_proba(fresh)
    found = hr.stability(pipe, fresh, train=table, repeats=2)
    assert list(found.sources) == ["seeds", "training rows", "input noise"]
    assert all(one.flips > 0 for one in found.sources.values())
    assert found.sources["seeds"].over == "trainings"
    np.testing.assert_array_equal(pipe.predict_proba(fresh), before)


def test_numbers_have_no_flips(regression: hr.Pipeline, fresh: pl.DataFrame) -> None:
    found = hr.stability(regression, fresh)
    one = found.sources["input noise"]
    assert math.isnan(one.flips)
    assert one.wobble > 0
    assert "<table" in found._repr_html_()
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"repeats": 1}, SettingError, "repeats must be 2 or more, received 1"),
        ({"noise": -1}, SettingError, "noise is a size and must be 0 or more, received -1"),
        ({"time": "job"}, SettingError, "time must be a column of dates or numbers, and 'job'"),
        ({"time": "dey"}, DataError, "the groups or time is not among the columns"),
        ({"metric": "rmse"}, SettingError, "the task 'binary' has the metrics"),
    ],
)
def test_bad_settings_are_named(
    trained: hr.Pipeline, fresh: pl.DataFrame, settings: dict[str, object], kind: type, message: str
) -> None:
    with pytest.raises(kind, match=message):
        hr.stability(trained, fresh, **settings)
