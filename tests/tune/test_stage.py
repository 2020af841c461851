"""Tuning a pipeline: tried, judged, resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import headrace as hr
from headrace.preprocessing.space import Choice, Real

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


def test_equal_settings_change_nothing(table: pl.DataFrame) -> None:
    pipe = pipeline(0.01)
    rows = table.select("age", "hours", "rich")
    result = pipe.tune(rows, trials=2, space={"impute_0__strategy": Choice(["mean", "median"])})
    assert result.kept is False
    assert not pipe.is_trained
    assert "stay" in result.summary()


def test_a_study_goes_on_from_its_file(table: pl.DataFrame, tmp_path: Path) -> None:
    rows = table.select("age", "hours", "rich")
    settings = {"storage": tmp_path / "study.db", "space": {"network_2__dropout": Real(0.0, 0.5)}}
    first = pipeline(0.01).tune(rows, trials=1, **settings)
    second = pipeline(0.01).tune(rows, trials=2, **settings)
    assert [trial.number for trial in second.trials] == [0, 1]
    assert second.trials[0].value == first.trials[0].value
    with pytest.raises(hr.SettingError, match="another identity"):
        pipeline(0.02).tune(rows.head(300), trials=3, **settings)
