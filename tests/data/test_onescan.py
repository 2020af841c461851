"""One scan serves a query and its readers, with the answers that separate scans would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import headrace as hr
from headrace.data.onescan import Hashes, Tally, scan_once
from headrace.data.scan import ValueCounts
from headrace.errors import Problem

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("scanned", [False, True])
def test_the_query_and_the_readers_see_all_rows(tmp_path: Path, scanned: bool) -> None:
    table = pl.DataFrame({"a": np.arange(250_000) % 7, "b": np.arange(250_000) % 3})
    table.write_parquet(tmp_path / "t.parquet")
    frame = pl.scan_parquet(tmp_path / "t.parquet") if scanned else table.lazy()
    tally, words = Tally({"two": pl.col("a") == 2}), ValueCounts({"b": pl.col("b")})
    pairs = Hashes(pl.struct("a", "b").hash(seed=0), most=100)
    found = scan_once(frame, lambda rows: rows.select(pl.col("a").sum()), [tally, words, pairs])
    assert found.item() == table["a"].sum()
    assert tally.counts == {"two": int((table["a"] == 2).sum())}
    assert dict(words.counts()["b"]) == {0: 83_334, 1: 83_333, 2: 83_333}
    assert (pairs.rows, pairs.distinct, pairs.part) == (250_000, 21, 1)


def test_a_damaged_file_is_said_in_our_words(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 1000 + "1,2,3\n")
    frame = pl.scan_csv(path)
    with pytest.raises(hr.DataError, match=r"'t\.csv': a row has more fields than the header"):
        scan_once(frame, lambda rows: rows.select(pl.len()), [Tally({"a": pl.col("a") == 1})])


def test_what_a_reader_raises_comes_as_it_is() -> None:
    class Refuses:
        def take(self, part: pl.DataFrame) -> None:
            raise hr.DataError([Problem(f"{part.width} columns are too many")])

    frame = pl.LazyFrame({"a": [1, 2]}).head(2)
    with pytest.raises(hr.DataError, match="1 columns are too many"):
        scan_once(frame, lambda rows: rows.select(pl.len()), [Refuses()])


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 20))
def test_hashes_do_not_depend_on_the_parts(values: list[int], size: int) -> None:
    column = pl.DataFrame({"a": values}, schema={"a": pl.Int64})
    whole = Hashes(pl.col("a").hash(seed=0), most=10)
    parted = Hashes(pl.col("a").hash(seed=0), most=10)
    whole.take(column)
    for start in range(0, len(values), size):
        parted.take(column[start : start + size])
    assert (whole.rows, whole.distinct, whole.part) == (parted.rows, parted.distinct, parted.part)
    assert whole.distinct <= 10
    if whole.part == 1:
        assert (whole.rows, whole.distinct) == (len(values), len(set(values)))


def test_a_part_of_many_hashes_tells_how_many_repeat() -> None:
    values = np.random.default_rng(0).permutation(np.repeat(np.arange(200_000), 2))
    found = Hashes(pl.col("a").hash(seed=0), most=10_000)
    for part in np.split(values, 8):
        found.take(pl.DataFrame({"a": part}))
    assert found.part > 1
    assert found.rows == 2 * found.distinct
    assert found.distinct * found.part == pytest.approx(200_000, rel=0.06)
