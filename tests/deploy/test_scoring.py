"""Scoring by partitions: the same answers, whoever gives them."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import headrace as hr
from headrace.cli import app
from headrace.deploy import scoring
from headrace.engine import HERE, Engine
from headrace.errors import DataError, HeadraceError
from headrace.partitions.partition import split_frame
from headrace.train import scoring as answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed import Client


@pytest.fixture
def pipe(trained: hr.Pipeline, tmp_path: Path) -> hr.Pipeline:
    """The trained pipeline, loaded again: tests may give it an executor."""
    return hr.load(trained.save(tmp_path / "pipe"))


@pytest.fixture
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "PARTITION_ROWS", 70)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.slow
def test_a_cluster_gives_the_same_answers_to_the_bit(
    pipe: hr.Pipeline, fresh: pl.DataFrame, cluster: Client, small_partitions: None, tmp_path: Path
) -> None:
    here, chances = pipe.predict(fresh), pipe.predict_proba(fresh)
    pipe.set_params(executor=cluster)
    assert pipe.predict(fresh).equals(here)
    assert pipe.predict_proba(fresh).tobytes() == chances.tobytes()
    pandas = pipe.predict(fresh.to_pandas().set_index("hours", drop=False))
    assert pandas.tolist() == here.to_list()
    assert pandas.index.tolist() == fresh["hours"].to_list()
    fresh.write_parquet(tmp_path / "fresh.parquet", row_group_size=100)
    assert pipe.predict(tmp_path / "fresh.parquet").tolist() == here.to_list()


def test_any_cut_gives_the_same_output(
    trained: hr.Pipeline, fresh: pl.DataFrame, threads: ThreadPoolExecutor
) -> None:
    whole = trained.fitted.output(trained.fitted.conform(fresh))
    for rows in (33, 100, 300):
        for engine in (HERE, Engine.of(executor=threads)):
            parts = scoring.score_partitions(trained.fitted, split_frame(fresh, rows), engine)
            assert np.concatenate(list(parts)).tobytes() == whole.tobytes()


def test_an_error_names_the_row_of_the_whole_table(
    pipe: hr.Pipeline, fresh: pl.DataFrame, threads: ThreadPoolExecutor, small_partitions: None
) -> None:
    wrong = fresh.with_columns(age=pl.col("age").cast(pl.String))
    wrong[200, "age"] = "old"
    with pytest.raises(DataError) as here:
        pipe.predict(wrong)
    pipe.set_params(executor=threads)
    with pytest.raises(DataError) as there:
        pipe.predict(wrong)
    assert "column 'age', row 200" in str(here.value)
    assert str(there.value) == str(here.value)


def test_unknown_and_missing_columns_are_told_of_here(
    pipe: hr.Pipeline, fresh: pl.DataFrame, threads: ThreadPoolExecutor, small_partitions: None
) -> None:
    pipe.set_params(executor=threads)
    with pytest.warns(UserWarning, match="stranger"):
        pipe.predict(fresh.with_columns(stranger=1))
    with pytest.raises(DataError, match="'age'"):
        pipe.predict(fresh.drop("age"))


def test_clusters_are_scored_too(
    fresh: pl.DataFrame, threads: ThreadPoolExecutor, small_partitions: None
) -> None:
    pipe = hr.Pipeline([hr.clean.Impute(), hr.KMeans(3, random_state=0)])
    numbers = fresh.select("age", "hours", "wage")
    pipe.train(numbers)
    here = pipe.predict(numbers)
    pipe.set_params(executor=threads)
    assert pipe.predict(numbers).equals(here)


def files(fresh: pl.DataFrame, folder: Path) -> pl.LazyFrame:
    """The rows in two files, scanned."""
    for place in (0, 1):
        part = fresh.slice(150 * place, 150)
        part.write_parquet(folder / f"in-{place}.parquet", row_group_size=40)
    return pl.scan_parquet(folder / "in-*.parquet")


@pytest.fixture
def small_lazy_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "partition_rows", lambda *_: 70)
    monkeypatch.setattr(answering, "_FEW", 10)


@pytest.mark.usefixtures("small_lazy_partitions")
def test_lazy_rows_are_answered_by_workers_to_the_bit(
    pipe: hr.Pipeline, fresh: pl.DataFrame, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    scan = files(fresh, tmp_path)
    filtered = scan.filter(pl.col("hours") > 40)
    here = [pipe.predict(rows).collect() for rows in (scan, filtered)]
    chances = pipe.predict_distribution(scan).collect()
    pipe.set_params(executor=Counting(threads))
    lazy = pipe.predict(scan)
    assert not pipe.executor.given
    assert lazy.collect().equals(here[0])
    assert pipe.executor.given == 6  # read by the workers, at row groups
    assert pipe.predict(filtered).collect().equals(here[1])
    assert pipe.predict_distribution(scan).collect().equals(chances)
    assert lazy.head(20).collect().equals(here[0].head(20))
    assert pipe.predict(scan.head(0)).collect().height == 0


class Counting(Executor):
    """Threads that count what they are given."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self.given = 0

    def submit(self, *args: Any, **settings: Any) -> Any:
        self.given += 1
        return self.pool.submit(*args, **settings)


@pytest.mark.usefixtures("small_lazy_partitions")
def test_what_is_wrong_with_lazy_rows_is_told_with_the_row_of_the_whole_table(
    pipe: hr.Pipeline, fresh: pl.DataFrame, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    wrong = fresh.with_columns(age=pl.col("age").cast(pl.String))
    wrong[200, "age"] = "old"
    scan = files(wrong, tmp_path)
    pipe.set_params(executor=threads)
    with pytest.raises(DataError, match="column 'age', row 200"):
        pipe.predict(scan).collect()
    with pytest.raises(DataError, match="'age'"):
        pipe.predict(scan.drop("age"))
    with pytest.warns(UserWarning, match="stranger"):
        pipe.predict(scan.with_columns(age=1.0, stranger=1)).collect()


@pytest.mark.slow
@pytest.mark.usefixtures("small_lazy_partitions")
def test_files_are_scored_by_a_cluster(
    pipe: hr.Pipeline, fresh: pl.DataFrame, cluster: Client, tmp_path: Path
) -> None:
    files(fresh, tmp_path)
    pipe.save(tmp_path / "saved")
    line = [str(tmp_path / "saved"), str(tmp_path / "in-*.parquet")]
    for out, more in (("here", []), ("there", ["--cluster", cluster.scheduler.address])):
        command = ["score", *line, str(tmp_path / f"{out}.parquet"), *more]
        done = CliRunner().invoke(app, command, catch_exceptions=False)
        assert "300 rows answered" in done.output
    here, there = (pl.read_parquet(tmp_path / f"{out}.parquet") for out in ("here", "there"))
    assert there.equals(here)


def test_a_scheduler_that_is_not_there_is_told(
    trained: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    fresh.write_csv(tmp_path / "in.csv")
    line = [str(trained.save(tmp_path / "p")), str(tmp_path / "in.csv"), str(tmp_path / "o.csv")]
    done = CliRunner().invoke(app, ["score", *line, "--cluster", "nowhere"])
    assert done.exit_code == 2
    assert "no scheduler answers at nowhere" in done.output
    assert not (tmp_path / "o.csv").exists()


class Doubled(hr.PythonTransformer):
    """A step of the user's, which workers do not know."""

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("age") * 2)


class Forbidden(ThreadPoolExecutor):
    """An executor that must not be asked."""

    def submit(self, *args: Any, **settings: Any) -> Any:
        raise HeadraceError(repr((args, settings)))


def test_what_needs_the_users_code_is_scored_here(
    fresh: pl.DataFrame, small_partitions: None
) -> None:
    numbers = fresh.select("age", "hours")
    pipe = hr.Pipeline([hr.clean.Impute(), Doubled(), hr.KMeans(2, random_state=0)])
    pipe.train(numbers)
    assert not scoring.travels(pipe.fitted)
    here = pipe.predict(numbers)
    assert pipe.set_params(executor=Forbidden()).predict(numbers).equals(here)
    assert pipe.predict(numbers.lazy()).collect()["cluster"].equals(here)


def test_few_rows_stay_here(pipe: hr.Pipeline, fresh: pl.DataFrame) -> None:
    here = pipe.predict(fresh)
    assert pipe.set_params(executor=Forbidden()).predict(fresh).equals(here)
