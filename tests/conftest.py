"""Tables and pipelines that many tests share."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

import headrace as hr
from headrace.storage.files import Disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed import Client

os.environ.setdefault("HEADRACE_PROGRESS", "0")
# A busy machine is no failure.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")


def people(rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """A small table with every kind of column, gaps, and a target that can be learnt."""
    random = np.random.default_rng(seed)
    age = random.uniform(18, 80, rows)
    job = random.choice(["nurse", "smith", "größer", "中文", "baker"], rows)
    joined = np.datetime64("2020-01-01") + random.integers(-20_000, 900, rows)
    member = random.random(rows) < 0.4
    signal = (age - 50) / 15 + 1.5 * (job == "smith") + member + random.normal(0, 0.5, rows)
    frame = pl.DataFrame(
        {
            "age": age,
            "hours": random.normal(40, 8, rows),
            "job": job,
            "member": member,
            "joined": joined.astype("datetime64[us]"),
            "rich": np.where(signal > 0.7, "yes", "no"),
            "wage": 1000 + 200 * signal,
            "grade": np.digitize(signal, [0.0, 1.0]),
        }
    )
    gap = pl.Series(random.random(rows) < 0.1)
    return frame.with_columns(
        pl.when(gap).then(None).otherwise("age").alias("age"),
        pl.when(gap.reverse()).then(None).otherwise("job").alias("job"),
    )


@pytest.fixture(scope="session")
def table() -> pl.DataFrame:
    """600 people; targets `rich` (two words), `grade` (three numbers), `wage` (a number)."""
    return people()


@pytest.fixture(scope="session")
def fresh() -> pl.DataFrame:
    """300 other people."""
    return people(300, seed=1)


def quick(**settings: object) -> hr.Network:
    """A network that trains in a second."""
    return hr.Network([16], **{"epochs": 15, "patience": 5, "batch_size": 32} | settings)


def quick_pipeline(target: str, others: tuple[str, ...]) -> hr.Pipeline:
    """Steps of every room before a quick network."""
    return hr.Pipeline(
        [
            hr.transform.Drop(others),
            hr.transform.Dates(),
            hr.transform.Encode(),
            hr.clean.Impute(),
            hr.normalize.Standardize(),
            quick(),
        ],
        target=target,
    )


@pytest.fixture(scope="session")
def trained(table: pl.DataFrame) -> hr.Pipeline:
    """A trained pipeline for `rich`; tests must not change it."""
    pipe = quick_pipeline("rich", ("wage", "grade"))
    pipe.train(table)
    return pipe


@pytest.fixture(scope="session")
def regression(table: pl.DataFrame) -> hr.Pipeline:
    """A trained pipeline for `wage`; tests must not change it."""
    pipe = quick_pipeline("wage", ("rich", "grade"))
    pipe.train(table)
    return pipe


@pytest.fixture(scope="session")
def graded(table: pl.DataFrame) -> hr.Pipeline:
    """A trained pipeline for `grade`; tests must not change it."""
    pipe = quick_pipeline("grade", ("rich", "wage"))
    pipe.train(table)
    return pipe


def with_intervals(pipe: hr.Pipeline, rows: object, **settings: object) -> hr.Pipeline:
    """A copy of a trained pipeline that these rows have calibrated."""
    copy = pipe.copy()
    copy.adopt(pipe.fitted, None)
    copy.calibrate(rows, **settings)
    return copy


@pytest.fixture(scope="session")
def spare() -> pl.DataFrame:
    """700 more people, to calibrate with."""
    return people(700, seed=2)


@pytest.fixture(scope="session")
def many() -> pl.DataFrame:
    """3,000 more people, to count coverage on."""
    return people(3000, seed=9)


@pytest.fixture(scope="session")
def ranged(regression: hr.Pipeline, spare: pl.DataFrame) -> hr.Pipeline:
    """A calibrated pipeline for `wage`; tests must not change it."""
    return with_intervals(regression, spare)


@pytest.fixture(scope="session")
def grouped(graded: hr.Pipeline, spare: pl.DataFrame) -> hr.Pipeline:
    """A pipeline for `grade` with sets by `job`, drawn by lot; tests must not change it."""
    return with_intervals(graded, spare, by="job", method="aps", randomized=True)


class FailingDisk(Disk):
    """A disk that fails at the n-th call, and counts the calls."""

    def __init__(self, step: int | None = None, *, torn: bool = False) -> None:
        self.step = step
        self.torn = torn
        self.calls = 0

    def _count(self) -> bool:
        self.calls += 1
        return self.calls == self.step

    def create(self, path: Path) -> int:
        self._fail(self._count())
        return super().create(path)

    def write(self, descriptor: int, data: bytes) -> None:
        fails = self._count()
        super().write(descriptor, data[: len(data) // 2] if fails and self.torn else b"")
        self._fail(fails)
        super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._fail(self._count())

    def rename(self, source: Path, target: Path) -> None:
        self._fail(self._count())
        super().rename(source, target)

    def exchange(self, left: Path, right: Path) -> None:
        self._fail(self._count())
        super().exchange(left, right)

    def truncate(self, path: Path, size: int) -> None:
        self._fail(self._count())
        super().truncate(path, size)

    def unlink(self, path: Path) -> None:
        self._fail(self._count())
        super().unlink(path)

    def _fail(self, now: bool) -> None:
        if now:
            raise OSError(errno.ENOSPC, "no space left on device")


@pytest.fixture
def failing_disk() -> type[FailingDisk]:
    return FailingDisk


@pytest.fixture(scope="session")
def cluster() -> Iterator[Client]:
    """A Dask client with two worker processes of one thread each."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as started,
        Client(started) as client,
    ):
        yield client
