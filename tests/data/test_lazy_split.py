from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.data.lazy_split import held_out, row_hash, split_lazy
from headrace.data.split import Split
from headrace.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def reference(row: int, seed: int) -> int:
    """SplitMix64, as its authors write it."""
    mask = 2**64 - 1
    word = (row * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15 * (2 * seed + 1)) & mask
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
    return word ^ (word >> 31)


@given(rows=st.lists(st.integers(0, 2**32 - 1), min_size=1), seed=st.integers(0, 2**31))
def test_the_hash_is_splitmix(rows: list[int], seed: int) -> None:
    table = pl.LazyFrame({"r": pl.Series(rows, dtype=pl.UInt32)})
    found = table.select(row_hash(pl.col("r"), seed)).collect()["r"].to_list()
    assert found == [reference(row, seed) for row in rows]


@given(share=st.floats(0.02, 0.98), seed=st.integers(0, 1000))
def test_the_share_is_met_up_to_chance(share: float, seed: int) -> None:
    rows = 20_000
    train, test = split_lazy(pl.LazyFrame({"x": range(rows)}), Split(share=share), seed=seed)
    learn, held = train.collect()["x"], test.collect()["x"]
    assert abs(len(held) - share * rows) < 5 * np.sqrt(share * (1 - share) * rows) + 1
    assert sorted([*learn, *held]) == list(range(rows))
    assert learn.is_sorted()
    assert held.is_sorted()


def test_files_and_batches_change_nothing(tmp_path: Path) -> None:
    table = pl.DataFrame({"x": range(5_000)})
    table.write_parquet(tmp_path / "one.parquet", row_group_size=700)
    for at in range(0, 5_000, 1_700):
        table.slice(at, 1_700).write_parquet(tmp_path / f"part-{at:05}.parquet")
    sides = [
        split_lazy(pl.scan_parquet(tmp_path / name), Split(), seed=3)[1].collect()["x"].to_list()
        for name in ("one.parquet", "part-*.parquet")
    ]
    assert sides[0] == sides[1]
    train, _ = split_lazy(table.lazy(), Split(), seed=4)
    assert sides[0] != train.collect()["x"].to_list()


def test_groups_stay_together() -> None:
    table = pl.LazyFrame({"g": [f"g{i % 97}" for i in range(3_000)]})
    train, test = split_lazy(table, Split(share=0.3, group="g"))
    learn, held = set(train.collect()["g"]), set(test.collect()["g"])
    assert learn
    assert held
    assert not learn & held


@pytest.mark.parametrize("text", [False, True])
def test_the_latest_rows_are_held_out(text: bool) -> None:
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2022, 9, 26), eager=True).alias("day")
    table = days.sample(fraction=1, shuffle=True, seed=1).to_frame()
    if text:
        table = table.select(pl.col("day").cast(pl.String))
    train, test = split_lazy(table.lazy(), Split(share=0.25, time="day"))
    assert test.collect().height == pytest.approx(250, abs=1)
    assert train.collect()["day"].max() < test.collect()["day"].min()


def test_rows_that_belong_nowhere_are_refused() -> None:
    table = pl.LazyFrame({"g": ["a", None, "b"], "t": [1, 1, 1]}).with_row_index("row")
    with pytest.raises(DataError, match="1 rows have no group, so that nothing says"):
        held_out(table, Split(group="g"), row="row", seed=0)
    with pytest.raises(DataError, match="all rows have the same value"):
        held_out(table, Split(time="t"), row="row", seed=0)
    with pytest.raises(DataError, match="'G': the column is missing"):
        held_out(table, Split(group="G"), row="row", seed=0)
