"""Counts of partitions, merged, are those of all rows at once."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.data.profile import profile
from headrace.data.schema import MISSING_TIME, Column, Schema
from headrace.engine import HERE, Engine
from headrace.errors import HeadraceError
from headrace.maintain import counts as module
from headrace.maintain.counting import count
from headrace.maintain.counts import Question
from headrace.maintain.drift import drift
from headrace.maintain.repair import repair
from headrace.partitions.partition import split_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed import Client

    from headrace.maintain.counting import Counted

KINDS = {"x": "number", "flag": "boolean", "city": "category", "at": "datetime", "note": "text"}
SCHEMA = Schema(tuple(Column(name, kind) for name, kind in KINDS.items()))

ROW = st.tuples(
    st.sampled_from([0.0, -1.5, 1e9, 7.25, np.nan, np.inf, -np.inf]),
    st.sampled_from([0.0, 1.0, np.nan]),
    st.sampled_from(["a", "b", "größer", ""]),
    st.sampled_from([0, 10**15, MISSING_TIME]),
    st.sampled_from(["", "words"]),
)


def raw(rows: int, seed: int = 0) -> pl.DataFrame:
    """Rows as they come: gaps, a number that is none, and a column that nobody asked for."""
    random = np.random.default_rng(seed)
    x = pl.Series("x", random.normal(1_000 * seed, 1, rows)).cast(pl.String)
    wrong = pl.Series(random.random(rows) < 0.03)
    return pl.DataFrame(
        {
            "x": x.zip_with(~wrong, pl.Series(["old"] * rows)),
            "flag": random.random(rows) < 0.4,
            "city": random.choice([*"abcdefg", f"only {seed}"], rows),
            "at": np.datetime64("2020-01-01", "us") + random.integers(0, 10**12, rows),
            "note": random.choice(["", "words"], rows),
            "stranger": range(rows),
        }
    )


REFERENCE = profile(repair(raw(2_000).lazy(), SCHEMA), SCHEMA)


def assert_same(found: list[Counted], expected: list[Counted]) -> None:
    """Counts exactly, moments to rounding."""
    for one, other in zip(found, expected, strict=True):
        for field in dataclasses.fields(one):
            left, right = getattr(one, field.name), getattr(other, field.name)
            if field.name in ("mean", "deviation"):
                np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-9)
            else:
                np.testing.assert_equal(left, right)


@given(st.lists(ROW, max_size=30), st.integers(1, 9))
def test_merged_counts_are_those_of_all_rows(rows: list[Any], size: int) -> None:
    kinds = {"x": pl.Float64, "flag": pl.Float64, "city": pl.String, "at": pl.Int64}
    table = pl.DataFrame(rows, schema=kinds | {"note": pl.String}, orient="row")
    question = Question(REFERENCE, SCHEMA)
    whole = question.count(table.lazy())
    first, *others = [question.count(part.open()) for part in split_frame(table, size)]
    merged = first
    for other in others:
        merged = merged.merge(other)
    assert merged.rows == whole.rows
    for name, expected in whole.columns.items():
        found = dict(merged.columns[name])
        for key in ("mean", "deviation"):
            left, right = found.pop(key, None), expected.get(key)
            assert (left is None) == (right is None)
            np.testing.assert_allclose(left or 0.0, right or 0.0, rtol=1e-12, atol=1e-6)
        np.testing.assert_equal(found, {key: expected[key] for key in found})
    for name, values in whole.values.items():
        assert dict(merged.values[name].rows()) == dict(values.rows())


@pytest.fixture
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "partition_rows", lambda *_: 400)


def sources(tmp_path: Path) -> Iterator[pl.LazyFrame]:
    """The same raw rows in memory, in two files, and behind an operation."""
    table = raw(1_500, seed=3)
    yield table.lazy()
    for place in (0, 1):
        table.slice(750 * place, 750).write_parquet(tmp_path / f"{place}.parquet")
    scan = pl.scan_parquet(tmp_path / "*.parquet")
    yield scan
    yield scan.filter(pl.col("stranger") >= 0)


def test_partitions_are_counted_by_workers_as_the_whole_is_here(
    tmp_path: Path, small_partitions: None, cluster: Client
) -> None:
    for rows in sources(tmp_path):
        expected = count(rows, REFERENCE, SCHEMA, raw=True)
        assert expected[0].missing > 0
        assert expected[2].unseen
        with ThreadPoolExecutor(2) as pool:
            for executor in (pool, cluster):
                engine = Engine.of(executor=executor)
                assert_same(count(rows, REFERENCE, SCHEMA, raw=True, engine=engine), expected)
        assert_same(count(repair(rows, SCHEMA), REFERENCE, SCHEMA, engine=engine), expected)


def test_drift_is_the_same_whoever_counts(small_partitions: None) -> None:
    rows = raw(1_500, seed=3).lazy()
    here = drift(REFERENCE, rows, SCHEMA, raw=True)
    with ThreadPoolExecutor(2) as pool:
        there = drift(REFERENCE, rows, SCHEMA, raw=True, engine=Engine.of(executor=pool))
    assert "x" in here.alarmed
    assert there.columns == here.columns


class Forbidden(ThreadPoolExecutor):
    """An executor that must not be asked."""

    def submit(self, *args: Any, **settings: Any) -> Any:
        raise HeadraceError(repr((args, settings)))


def test_few_rows_and_none_that_are_known_are_counted_here() -> None:
    asked = Engine.of(executor=Forbidden())
    strangers = raw(1_500).lazy().select("stranger").filter(pl.col("stranger") > 4)
    for rows in (raw(1_500).lazy(), strangers):
        for engine in (HERE, asked):
            found = count(rows, REFERENCE, SCHEMA, raw=True, engine=engine)
            assert found[0].rows == rows.collect().height


def test_no_rows_are_counted_too(small_partitions: None) -> None:
    none = raw(1_500).lazy().filter(pl.col("stranger") < 0)
    with ThreadPoolExecutor(2) as pool:
        found = count(none, REFERENCE, SCHEMA, raw=True, engine=Engine.of(executor=pool))
    assert_same(found, count(none, REFERENCE, SCHEMA, raw=True))
