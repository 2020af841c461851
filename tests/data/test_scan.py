from __future__ import annotations

import os
from typing import TYPE_CHECKING

import polars as pl
import pytest

from headrace.data.scan import batches, bounded_scans, collect, count_values, in_memory
from headrace.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_in_memory() -> None:
    frame = pl.LazyFrame({"a": [1]})
    assert in_memory(frame)
    assert not in_memory(frame.with_columns(b=1))
    assert not in_memory(pl.concat([frame, frame]))


@pytest.mark.parametrize("streaming", [False, True])
def test_errors_name_the_file(tmp_path: Path, streaming: bool) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(b"a,b\n" + b"x,y\n" * 5 + b"\xfcber,1\n")
    with pytest.raises(DataError, match=r"'latin.csv' is not UTF-8: byte 24 \(line 7\) is 0xfc"):
        collect(pl.scan_csv(path, infer_schema=False), streaming=streaming)


def test_a_character_cut_in_two_by_the_chunks_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"a\n" + b"x" * (2**20 - 3) + "é".encode() + b"\n\xff\n")
    with pytest.raises(DataError, match=r"byte 1,048,578 \(line 3\) is 0xff"):
        collect(pl.scan_csv(path, infer_schema=False))


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        collect(pl.LazyFrame({"a": [1]}).select("b"))
    with pytest.raises(pl.exceptions.InvalidOperationError):
        collect(pl.LazyFrame({"a": ["x"]}).select(pl.col("a").cast(pl.Int8)))


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    frame = pl.scan_csv(path)
    frame.collect_schema()
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        collect(frame)


def test_batches_hold_all_rows_in_order(tmp_path: Path) -> None:
    for part in range(3):
        values = range(part * 700, (part + 1) * 700)
        pl.DataFrame({"a": values}).write_parquet(tmp_path / f"{part}.parquet", row_group_size=100)
    parts = list(batches(pl.scan_parquet(tmp_path), 250))
    assert pl.concat(parts)["a"].to_list() == list(range(2_100))
    assert max(part.height for part in parts) <= 250
    (tmp_path / "1.parquet").write_bytes(b"PAR1 no more PAR1")
    with pytest.raises(DataError, match="cut off or damaged"):
        list(batches(pl.scan_parquet(tmp_path)))


def test_values_of_scans_are_counted_as_those_in_memory(tmp_path: Path) -> None:
    words = ["b", "a", None, "b", "c", "a", "", "b"] * 40_000
    table = pl.DataFrame({"w": words})
    table.write_parquet(tmp_path / "w.parquet")
    asked = {"all": pl.col("w"), "known": pl.when(pl.col("w") != "").then(pl.col("w"))}
    scanned = count_values(pl.scan_parquet(tmp_path / "w.parquet"), asked)
    assert scanned == count_values(table.lazy(), asked)
    assert scanned["known"] == [("b", 120_000), ("a", 80_000), ("c", 40_000)]
    assert count_values(table.lazy(), {}) == {}


def test_scans_in_bounds_leave_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_MAX_CONCURRENT_SCANS", "3")
    monkeypatch.delenv("POLARS_ROW_GROUP_PREFETCH_SIZE", raising=False)
    before = dict(os.environ)
    with bounded_scans():
        assert os.environ["POLARS_ROW_GROUP_PREFETCH_SIZE"] == "1"
        assert os.environ["POLARS_MAX_CONCURRENT_SCANS"] == "3"
    assert dict(os.environ) == before
