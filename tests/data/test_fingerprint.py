"""Fingerprints: the same rows have the same one, whatever holds them; other rows have another."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.data import fingerprint as module
from headrace.data.fingerprint import fingerprint
from headrace.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

EVERY_KIND: dict[str, Any] = {
    "number": [1.5, float("nan"), None],
    "whole": [1, -2, None],
    "flag": [True, None, False],
    "text": ["größer", "", None],
    "bytes": [b"a\x00", None, b""],
    "day": [dt.date(1969, 12, 31), None, dt.date(2020, 2, 29)],
    "time": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), None, None],
    "span": [dt.timedelta(seconds=-1), None, dt.timedelta(0)],
    "money": [Decimal("1.10"), None, Decimal("-0.01")],
    "list": [[1, None], [], None],
    "record": [{"a": 1, "b": "x"}, {"a": None, "b": None}, None],
    "empty": [None, None, None],
}


def every_kind() -> pl.DataFrame:
    table = pl.DataFrame(EVERY_KIND)
    return table.with_columns(
        pl.col("text").cast(pl.Categorical).alias("category"),
        pl.col("text").cast(pl.Enum(["", "größer"])).alias("enum"),
        pl.Series("array", [[1, 2], [3, None], None], dtype=pl.Array(pl.Int16, 2)),
        pl.Series("large", [2**100, None, -1], dtype=pl.Int128),
    )


# ---------------------------------------------------------------- values


@given(
    st.lists(st.tuples(st.none() | st.integers(-9, 9), st.none() | st.text(max_size=20))),
    st.lists(st.integers(0, 30), max_size=4),
)
def test_how_the_memory_is_cut_does_not_count(
    rows: list[tuple[int | None, str | None]], cuts: list[int]
) -> None:
    table = pl.DataFrame(rows, {"a": pl.Int64, "b": pl.String}, orient="row")
    places = sorted({0, *(min(cut, table.height) for cut in cuts), table.height})
    pieces = [table.slice(a, b - a) for a, b in pairwise(places)]
    cut = pl.concat([table.clear(), *pieces], rechunk=False)
    assert fingerprint(cut) == fingerprint(table)


def test_blocks_of_rows_are_cut_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 4)
    table = pl.DataFrame({"a": range(11), "b": [str(i) * i for i in range(11)]})
    pieces = [table.slice(0, 3), table.slice(3, 6), table.slice(9)]
    assert fingerprint(pl.concat(pieces, rechunk=False)) == fingerprint(table)
    assert fingerprint(table.lazy().filter(pl.col("a") < 99)) == fingerprint(table)


@pytest.mark.parametrize("name", every_kind().columns)
def test_every_kind_of_column_counts(name: str) -> None:
    table = every_kind().select(name)
    found = {fingerprint(table), fingerprint(table.reverse()), fingerprint(table.head(2))}
    assert len(found) == (2 if name == "empty" else 3)
    assert fingerprint(table) == fingerprint(pl.concat([table.head(1), table.tail(2)]))


def test_what_lies_under_a_gap_does_not_count() -> None:
    gap = pl.DataFrame({"a": [None, 1.0, 2.0]})
    computed = pl.DataFrame({"a": [7.0, 1.0, 2.0]}).select(
        pl.when(pl.col("a") != 7).then("a").alias("a")
    )
    assert fingerprint(gap) == fingerprint(computed)


def test_names_dtypes_and_order_count() -> None:
    table = pl.DataFrame({"a": [1, 2], "b": [3, 4]})
    others = [
        table.rename({"a": "c"}),
        table.select("b", "a"),
        table.cast({"a": pl.Int32}),
        table.with_columns(pl.col("a").cast(pl.Float64)),
        pl.DataFrame({"a": [1, 2, 3], "b": [3, 4, 5]}),
        pl.DataFrame({"ab": [1, 2], "": [3, 4]}),
        table.clear(),
    ]
    assert len({fingerprint(one) for one in [table, *others]}) == 1 + len(others)


def test_texts_are_not_run_together() -> None:
    assert fingerprint(pl.DataFrame({"a": ["ab", "c"]})) != fingerprint(
        pl.DataFrame({"a": ["a", "bc"]})
    )
    assert fingerprint(pl.DataFrame({"a": [[1, 2], [3]]})) != fingerprint(
        pl.DataFrame({"a": [[1], [2, 3]]})
    )


def test_another_process_finds_the_same() -> None:
    code = (
        "import polars as pl; from headrace.data.fingerprint import fingerprint; "
        "print(fingerprint(pl.DataFrame({'a': ['x', None], 'b': [1.5, 2.0]})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    table = pl.DataFrame({"a": ["x", None], "b": [1.5, 2.0]})
    assert done.stdout.strip() == fingerprint(table)


def test_python_objects_are_refused() -> None:
    table = pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)})
    with pytest.raises(DataError, match="column 'a': a column of Python objects has no content"):
        fingerprint(table)


# ---------------------------------------------------------------- files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    table(0).write_parquet(path, compression="uncompressed")
    return path


def table(change: int) -> pl.DataFrame:
    """600 KB of numbers that differ in one row in the middle."""
    return pl.DataFrame({"a": [float(i) for i in range(75_000)]}).with_columns(
        pl.when(pl.int_range(pl.len()) == 40_000).then(change).otherwise("a").alias("a")
    )


def test_files_are_known_without_reading_their_rows(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> str:
        raise RuntimeError("the rows were read")

    lazy = pl.scan_parquet(file).filter(pl.col("a") > 3)
    before = fingerprint(lazy)
    monkeypatch.setattr(module, "_of_values", refuse)
    assert fingerprint(pl.scan_parquet(file).filter(pl.col("a") > 3)) == before
    assert fingerprint(pl.scan_parquet([file], glob=False)) != before


@pytest.mark.parametrize("whole", [False, True])
def test_a_file_that_is_written_again_with_other_rows_is_noticed(file: Path, whole: bool) -> None:
    lazy = pl.scan_parquet(file)
    before = fingerprint(lazy, whole=whole)
    table(1).write_parquet(file, compression="uncompressed")
    assert fingerprint(lazy, whole=whole) != before


def test_only_a_change_that_hides_behind_the_old_time_needs_every_byte(tmp_path: Path) -> None:
    file = tmp_path / "rows.ndjson"
    file.write_bytes(b'{"a":1}\n' * 500_000)
    lazy = pl.scan_ndjson(file)
    before, before_whole = fingerprint(lazy), fingerprint(lazy, whole=True)
    times = file.stat()
    content = bytearray(file.read_bytes())
    content[200_005] = ord("2")  # between two blocks that are looked at
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint(lazy) == before
    assert fingerprint(lazy, whole=True) != before_whole


def test_a_later_time_is_a_change_unless_every_byte_is_read(file: Path) -> None:
    lazy = pl.scan_parquet(file)
    before, before_whole = fingerprint(lazy), fingerprint(lazy, whole=True)
    os.utime(file, ns=(1, 1))
    assert fingerprint(lazy) != before
    assert fingerprint(lazy, whole=True) == before_whole


def test_the_footer_of_parquet_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "wide.parquet"
    columns = {f"column {i}": [i] for i in range(2_000)}
    pl.DataFrame(columns).write_parquet(file)
    before, times = fingerprint(pl.scan_parquet(file)), file.stat()
    size = times.st_size
    content = bytearray(file.read_bytes())
    footer = size - 8 - int.from_bytes(content[-8:-4], "little")
    assert footer < size - 2 * module._SAMPLE  # more than the last block
    content[footer + 10] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint(pl.scan_parquet(file)) != before


def test_what_is_done_on_the_way_counts(file: Path) -> None:
    lazy = pl.scan_parquet(file)
    words = [float(i) for i in range(200)]
    plans = [
        lazy,
        lazy.filter(pl.col("a") > 1),
        lazy.filter(pl.col("a") > 2),
        lazy.filter(pl.col("a").is_in([*words, 7.25])),
        lazy.filter(pl.col("a").is_in([*words, 7.5])),
        lazy.select(b="a"),
    ]
    assert len({fingerprint(one) for one in plans}) == len(plans)


def test_a_query_that_was_looked_at_is_the_same(file: Path) -> None:
    first = fingerprint(pl.scan_parquet(file))
    for _ in range(3):
        scan = pl.scan_parquet(file)
        scan.collect_schema()
        scan.head(1).collect()
        assert fingerprint(scan) == first


def test_patterns_and_folders_notice_a_new_file(file: Path) -> None:
    pattern, folder = pl.scan_parquet(file.parent / "*.parquet"), pl.scan_parquet(file.parent)
    before = fingerprint(pattern), fingerprint(folder)
    assert before == (fingerprint(pattern), fingerprint(folder))
    table(2).write_parquet(file.with_name("more.parquet"))
    after = fingerprint(pattern), fingerprint(folder)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_plan_that_cannot_be_looked_into_is_known_by_its_rows(file: Path) -> None:
    rows = fingerprint(pl.read_parquet(file))
    lazy = pl.scan_parquet(file)
    same = lazy.with_columns(pl.col("a").map_batches(lambda s: s, return_dtype=pl.Float64))
    assert fingerprint(same) == rows
    more = lazy.with_columns(pl.col("a").map_batches(lambda s: s + 1, return_dtype=pl.Float64))
    assert fingerprint(more) != rows
    joined = lazy.join(pl.LazyFrame({"a": [3.0]}), on="a")
    assert fingerprint(joined) == fingerprint(joined.collect())
    memory = pl.read_parquet(file).lazy().filter(pl.col("a") >= 0)
    assert fingerprint(memory) == rows


def test_a_file_that_went_away_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "plan_files", lambda plan: [file.with_name("gone.parquet")])
    with pytest.raises(DataError, match=r"'gone\.parquet' cannot be read: No such file"):
        fingerprint(pl.scan_parquet(file))
