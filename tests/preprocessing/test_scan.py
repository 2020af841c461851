"""Statistics over partitions: the same to the bit, whoever learns them."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.engine import HERE, Engine
from headrace.partitions import partition
from headrace.partitions.message import pack
from headrace.plan.counts import FOLD, TARGET
from headrace.plan.plan import ColumnInfo, Node
from headrace.plan.statistic import Mean
from headrace.preprocessing import scan
from headrace.preprocessing.fit import fit_steps
from headrace.preprocessing.partial import Lesson
from headrace.preprocessing.scan import TrainingRows

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import Client

    from headrace.preprocessing.fit import FittedSteps

COLUMNS = {
    "x": ColumnInfo("x", "number", "number"),
    "y": ColumnInfo("y", "number", "number"),
    "w": ColumnInfo("w", "string", "category"),
    "many": ColumnInfo("many", "string", "category"),
}
STEPS = [
    hr.clean.Impute(),
    hr.clean.Clip(),
    hr.transform.TargetMean(columns="many"),
    hr.transform.Encode(),
    hr.normalize.Quantile(),
]


def rows(count: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    x = random.lognormal(size=count)
    x[::17] = np.nan
    return pl.DataFrame(
        {
            "x": x,
            "y": random.normal(size=count),
            "w": random.choice(["", "a", "é"], count),
            "many": random.integers(0, 50, count).astype(str),
            FOLD: np.arange(count, dtype=np.int32) % 5,
            TARGET: random.normal(size=count),
        }
    )


@pytest.fixture
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> int:
    """Partitions of 3,000 rows instead of 250,000."""
    monkeypatch.setattr(partition, "ROWS", 3_000)
    return 3_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows(20_000).write_parquet(tmp_path / "rows.parquet", row_group_size=1_000)
    return tmp_path / "rows.parquet"


def learnt(fitted: FittedSteps) -> bytes:
    """All that was learnt, to the bit."""
    nodes = tuple(node for node in fitted.plan.nodes if isinstance(node, Node))
    return pack([Lesson(nodes, (), ()).to_dict(), fitted.learnt])


def fit(table: Any, executor: Any = None) -> FittedSteps:
    return fit_steps(table, COLUMNS, STEPS, engine=Engine.of(executor=executor))


def test_a_file_is_learnt_the_same_by_whom_ever(
    file: Path, small_partitions: int, cluster: Client
) -> None:
    here = fit(pl.scan_parquet(file))
    assert here.scans > 1  # later waves send the operations of earlier ones
    with ThreadPoolExecutor(3) as threads:
        assert learnt(fit(pl.scan_parquet(file), threads)) == learnt(here)
    assert learnt(fit(pl.scan_parquet(file), cluster)) == learnt(here)


@pytest.mark.slow
def test_workers_with_other_numbers_of_threads_learn_the_same(
    file: Path, small_partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = learnt(fit(pl.scan_parquet(file)))
    for threads in ("1", "3"):
        monkeypatch.setitem(os.environ, "POLARS_MAX_THREADS", threads)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert learnt(fit(pl.scan_parquet(file), pool)) == here


def test_a_table_in_memory_of_several_partitions_is_shared(small_partitions: int) -> None:
    table = rows(10_000)
    with ThreadPoolExecutor(2) as threads:
        shared = learnt(fit(table, threads))
    assert shared == learnt(fit(table.lazy()))


class Forbidden(Executor):
    """An executor that must not be asked."""

    def submit(self, *args: Any, **settings: Any) -> Any:
        raise AssertionError((args, settings))


def test_a_table_of_one_partition_stays_here_and_is_exact() -> None:
    table = rows(2_000)
    assert learnt(fit(table, Forbidden())) == learnt(fit(table))


@dataclass(frozen=True)
class Own(Mean):
    """A statistic of the user's."""


def test_a_statistic_of_the_users_own_is_learnt_here(file: Path, small_partitions: int) -> None:
    found = TrainingRows(pl.scan_parquet(file), Engine(executor=Forbidden())).learn(
        [(Own(), ["y"])]
    )
    assert found == TrainingRows(pl.scan_parquet(file)).learn([(Mean(), ["y"])])


def test_less_memory_makes_smaller_partitions() -> None:
    table = rows(2_000)
    assert TrainingRows(table)._partition_rows() == partition.ROWS
    little = TrainingRows(table, Engine.of(memory="10MB"))._partition_rows()
    assert 1_000 <= little < 10_000
    assert HERE.memory is None
    assert scan.partition_rows is partition.partition_rows


@pytest.mark.slow
def test_a_pipeline_trains_with_an_executor(
    table: pl.DataFrame, cluster: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "ROWS", 100)
    steps = [hr.transform.Drop(("wage", "grade")), hr.clean.Impute(), hr.transform.Encode()]
    steps += [hr.transform.Drop("joined"), hr.Network([8], epochs=2)]
    pipe = hr.Pipeline(steps, target="rich", executor=cluster)
    pipe.train(table)
    assert len(pipe.predict(table)) == table.height
