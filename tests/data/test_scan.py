from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from headrace.data.scan import collect, in_memory
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
