"""Evaluating a trained pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import headrace as hr

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"resamples": 200}


def test_metrics_have_intervals_and_baselines_verdicts(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    result = trained.evaluate(fresh, **QUICK)
    auc = result.metrics["roc_auc"]
    assert auc.low < auc.value < auc.high
    assert result.comparisons["dummy"].verdict == "better"
    assert "gradient_boosting" in result.comparisons
    assert result.importance is not None
    assert {one.column for one in result.importance.columns[:2]} & {"age", "job"}


def test_regression_and_classes(
    regression: hr.Pipeline, graded: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    plain = {"compare": (), "importance": False, **QUICK}
    rmse = regression.evaluate(fresh, **plain).metrics["rmse"]
    assert 0 < rmse.low < rmse.value < rmse.high < 1000
    assert graded.evaluate(fresh, **plain).metrics["accuracy"].value > 0.5


@pytest.mark.slow
def test_stability_over_seeds(table: pl.DataFrame, fresh: pl.DataFrame) -> None:
    pipe = hr.Pipeline(
        [hr.transform.Select(["age", "hours"]), hr.clean.Impute(), hr.Network([4], epochs=2)],
        target="rich",
    )
    pipe.train(table)
    result = pipe.evaluate(fresh, compare=(), importance=False, stability=2, **QUICK)
    assert result.stability is not None
    assert "Between two of 2 trainings" in result.summary()


def test_rows_without_labels_are_counted(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    gaps = fresh.with_columns(
        pl.when(pl.int_range(pl.len()) < 40).then(None).otherwise("rich").alias("rich")
    )
    result = trained.evaluate(gaps, compare=(), importance=False, **QUICK)
    assert result.rows == 260
    assert "40 of 300 rows have no label" in result.summary()
    with pytest.raises(hr.DataError, match="the target is not among the columns"):
        trained.evaluate(fresh.drop("rich"))


def test_a_loaded_pipeline_says_that_it_has_no_baselines(
    trained: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    trained.save(tmp_path / "saved")
    result = hr.load(tmp_path / "saved").evaluate(fresh, importance=False, **QUICK)
    assert not result.comparisons
    assert "no baselines" in result.summary()


def test_clusters(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline([hr.clean.Impute(), hr.KMeans(2, columns=["age", "hours"])])
    pipe.train(table)
    result = pipe.evaluate(table)
    assert sum(result.sizes) == 600
    assert result.metrics["silhouette"].value > 0
