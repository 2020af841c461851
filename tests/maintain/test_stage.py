"""Maintaining a deployed pipeline: keep, retrain and promote, roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import headrace as hr
from headrace.deploy.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ["age", "hours", "job", "rich"]


@pytest.fixture
def deployed(table: pl.DataFrame, fresh: pl.DataFrame, tmp_path: Path) -> hr.Pipeline:
    pipe = hr.Pipeline(
        [
            hr.transform.Encode(),
            hr.clean.Impute(),
            hr.normalize.Standardize(),
            hr.Network([16], epochs=15, patience=5, batch_size=32),
        ],
        target="rich",
    )
    pipe.train(table.select(COLUMNS))
    pipe.evaluate(fresh.select(COLUMNS), compare=(), importance=False)
    pipe.deploy(tmp_path / "registry")
    return pipe


def turned(rows: pl.DataFrame) -> pl.DataFrame:
    """The world turned round: who was rich is poor now."""
    return rows.with_columns(
        pl.when(pl.col("rich") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")).alias("rich")
    )


def test_unchanged_rows_keep_the_champion(deployed: hr.Pipeline, fresh: pl.DataFrame) -> None:
    result = deployed.maintain(fresh.select(COLUMNS))
    assert result.action == "keep"
    assert result.before == result.after == deployed.version
    assert not result.drift.alarmed


def test_a_changed_world_is_learnt_and_promoted(deployed: hr.Pipeline, fresh: pl.DataFrame) -> None:
    new = turned(pl.concat([fresh.select(COLUMNS)] * 3))
    before = deployed.predict(new)
    result = deployed.maintain(new.drop("rich"), labels=new["rich"])
    assert result.action == "promote", result.summary()
    assert result.after != result.before
    assert deployed.home is not None
    assert Registry(deployed.home).alias("champion") == result.after == deployed.version
    after = deployed.predict(new)
    assert (after == new["rich"]).mean() > (before == new["rich"]).mean() + 0.3
    assert hr.load(deployed.home).predict(new).equals(after)


def test_a_promotion_that_was_wrong_is_rolled_back(
    deployed: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    rows = pl.concat([fresh.select(COLUMNS)] * 3)
    first = deployed.version
    assert deployed.maintain(turned(rows)).action == "promote"
    result = deployed.maintain(rows)
    assert result.action == "rollback", result.summary()
    assert result.after == first == deployed.version
    assert (deployed.predict(rows) == rows["rich"]).mean() > 0.6


def test_drift_without_labels_is_told_and_nothing_done(
    deployed: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    new = fresh.select("age", "job", pl.col("hours") * 10)
    result = deployed.maintain(new)
    assert result.drift.alarmed == ("hours",)
    assert result.action == "keep"
    assert "labels" in result.summary()


def test_damaged_and_empty_batches_are_answered(deployed: hr.Pipeline, fresh: pl.DataFrame) -> None:
    rows = fresh.select("age", "hours", "job")
    assert deployed.maintain(rows.head(0)).action == "keep"
    assert deployed.maintain(rows.head(1)).action == "keep"
    result = deployed.maintain(rows.drop("hours").with_columns(pl.lit("old").alias("age")))
    assert result.action == "keep"
    assert {finding.column for finding in result.quality.findings} >= {"age", "hours"}
    with pytest.raises(hr.DataError, match="300 rows came with 2 labels"):
        deployed.maintain(rows, labels=["yes", "no"])


def test_another_process_sees_the_champion_of_the_registry(
    deployed: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    """A pipeline that was trained further is not what is deployed: the registry decides."""
    deployed.train(turned(fresh.select(COLUMNS)))
    result = deployed.maintain(fresh.select(COLUMNS))
    assert result.score is not None
    assert result.score.value > 0.7
