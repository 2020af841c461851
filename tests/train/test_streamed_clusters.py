from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError

if TYPE_CHECKING:
    from pathlib import Path

INIT = [[-1.0, -1.0], [0.0, 1.0], [1.0, 0.0]]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    random = np.random.default_rng(0)
    middles = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 40.0]])
    rows = middles[random.integers(0, 3, 20_000)] + random.normal(size=(20_000, 2))
    frame = pl.DataFrame(rows, schema=["x", "y"], orient="row")
    gap = pl.int_range(pl.len()) % 50 == 0
    return frame.with_columns(pl.when(gap).then(None).otherwise("x").alias("x"))


def pipeline(*, memory: str | None = None, seed: int = 0) -> hr.Pipeline:
    steps = [hr.clean.Impute(), hr.normalize.Standardize(), hr.KMeans(3, init=INIT, n_init=1)]
    return hr.Pipeline(steps, memory=memory, seed=seed)


def test_a_table_on_disk_gives_the_clusters_of_one_in_memory(
    tmp_path: Path, table: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.write_parquet(tmp_path / "rows.parquet")
    held = pipeline()
    held.train(table)
    monkeypatch.setattr("headrace.train.training.fits_in_memory", lambda *_: False)
    streamed = pipeline()
    result = streamed.train(pl.scan_parquet(tmp_path / "rows.parquet"))
    one, other = held.fitted.clusters, streamed.fitted.clusters
    # The steps learn medians of a sketch out of core: close, not equal.
    assert other.centres == pytest.approx(one.centres, abs=0.02)
    assert (held.predict(table) == streamed.predict(table)).mean() > 0.999
    assert result.model == "kmeans"
    assert result.rows == 20_000
    assert result.memory["peak"] > 0


def test_training_again_keeps_the_numbers(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline([hr.clean.Impute(), hr.normalize.Standardize(), hr.KMeans(3)])
    pipe.train(table)
    before = pipe.predict(table)
    moved = table.with_columns(pl.col("x") * 3 + 100)  # the steps learn something else, too
    again = pipe.train(pl.concat([table, table.sample(fraction=0.3, seed=1)]))
    assert (pipe.predict(table) == before).mean() > 0.999
    assert any("cluster 0 is as before" in note for note in again.notes)
    pipe.train(moved)
    assert len(pipe.predict(moved).unique()) == 3


def test_other_columns_begin_new_numbers(table: pl.DataFrame) -> None:
    pipe = hr.Pipeline([hr.clean.Impute(), hr.KMeans(3)])
    pipe.train(table)
    result = pipe.train(table.rename({"y": "z"}))
    assert any("the columns are others than before" in note for note in result.notes)


def test_what_needs_the_whole_table_is_refused(
    table: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.train.training.fits_in_memory", lambda *_: False)
    with pytest.raises(DataError, match="column 'x'.*is missing"):
        hr.Pipeline([hr.KMeans(3)]).train(table.lazy())
    with pytest.raises(SettingError, match="steps that remove rows"):
        hr.Pipeline([hr.clean.DropDuplicates(), hr.KMeans(3)]).train(table.lazy())
