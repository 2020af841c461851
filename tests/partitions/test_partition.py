"""Tables are cut into parts that are together the whole table, in order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import DataError
from headrace.partitions.message import pack, unpack
from headrace.partitions.partition import (
    ROWS,
    Partition,
    partition_rows,
    split_frame,
    split_lazy,
    split_source,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

ROW_COUNT = 10_000
TABLE = pl.DataFrame({"x": range(ROW_COUNT), "w": [str(n % 7) for n in range(ROW_COUNT)]})


def together(partitions: Iterable[Partition]) -> pl.DataFrame:
    """Each partition sent and opened, one behind the other."""
    sent = [Partition.from_dict(unpack(pack(one.to_dict()))) for one in partitions]
    return pl.concat([one.open().collect() for one in sent])


def sizes(partitions: Iterable[Partition]) -> list[tuple[int | None, int | None]]:
    return [(one.first, one.rows) for one in partitions]


@given(st.integers(0, 40), st.integers(1, 50))
def test_a_table_in_memory_is_cut_by_rows(height: int, rows: int) -> None:
    parts = list(split_frame(TABLE.head(height), rows))
    assert together(parts).equals(TABLE.head(height))
    assert all(one.rows is not None and one.rows <= rows for one in parts)
    assert sum(one.rows or 0 for one in parts) == height


def test_parquet_is_cut_at_its_row_groups_and_only_inside_of_large_ones(tmp_path: Path) -> None:
    TABLE.write_parquet(tmp_path / "a.parquet", row_group_size=1_500)
    TABLE.write_parquet(tmp_path / "b.parquet")
    scan = pl.scan_parquet([tmp_path / "a.parquet", tmp_path / "b.parquet"], glob=False)
    parts = list(split_lazy(scan, 4_000))
    assert all(one.frame is None for one in parts)
    assert sizes(parts)[:3] == [(0, 3_000), (3_000, 3_000), (6_000, 4_000)]
    assert together(parts).equals(pl.concat([TABLE, TABLE]))
    assert together(split_source(f"{tmp_path}/*.parquet", 4_000)).equals(scan.collect())


def test_arrow_ipc_is_cut_by_rows(tmp_path: Path) -> None:
    TABLE.write_ipc(tmp_path / "a.arrow")
    parts = list(split_source(tmp_path / "a.arrow", 6_000))
    assert sizes(parts) == [(0, 6_000), (6_000, 4_000)]
    assert together(parts).equals(TABLE)


def test_text_files_are_a_partition_each(tmp_path: Path) -> None:
    for number in range(3):
        TABLE.slice(10 * number, 10).write_csv(tmp_path / f"{number}.csv")
    parts = list(split_source([tmp_path / "0.csv", tmp_path / "1.csv", tmp_path / "2.csv"]))
    assert sizes(parts) == [(None, None)] * 3
    assert together(parts).equals(TABLE.head(30).cast(pl.String))
    assert sizes(split_source(tmp_path / "1.csv")) == [(0, None)]


@pytest.mark.parametrize(
    "changed",
    [
        lambda scan: scan.filter(pl.col("x") >= 0),
        lambda scan: scan.with_row_index("n").drop("n"),
        lambda scan: scan.head(ROW_COUNT),
    ],
)
def test_any_other_lazy_table_is_cut_into_tables_of_exactly_so_many_rows(
    changed: object, tmp_path: Path
) -> None:
    TABLE.write_parquet(tmp_path / "a.parquet", row_group_size=700)
    assert callable(changed)
    parts = list(split_lazy(changed(pl.scan_parquet(tmp_path / "a.parquet")), 4_000))
    assert sizes(parts) == [(0, 4_000), (4_000, 4_000), (8_000, 2_000)]
    assert together(parts).equals(TABLE)


def test_a_scan_that_adds_or_leaves_out_rows_is_not_taken_for_the_whole_file(
    tmp_path: Path,
) -> None:
    TABLE.write_parquet(tmp_path / "a.parquet")
    for scan in (
        pl.scan_parquet(tmp_path / "a.parquet", n_rows=10),
        pl.scan_parquet(tmp_path / "a.parquet", row_index_name="n"),
    ):
        assert together(split_lazy(scan)).equals(scan.collect())


def test_only_wanted_columns_are_read_here() -> None:
    (part,) = split_lazy(TABLE.lazy().head(5), columns={"w"})
    assert part.open().collect().columns == ["w"]


def test_a_table_without_rows_is_one_partition() -> None:
    (part,) = split_lazy(TABLE.lazy().head(0))
    assert part.rows == 0
    assert part.open().collect().equals(TABLE.head(0))


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(DataError, match="there is no file"):
        list(split_source("no such file.parquet"))


def test_the_rows_of_a_partition_follow_the_memory() -> None:
    assert partition_rows(None, 1e9) == ROWS
    assert partition_rows(2_000_000_000, 100) == ROWS
    assert partition_rows(64_000_000, 100) == 20_000
    assert partition_rows(1, 100) == 1_000


def test_many_files_of_a_scan_are_read_where_the_work_is(tmp_path: Path) -> None:
    for part in range(9):
        pl.DataFrame({"x": range(part, part + 3)}).write_parquet(tmp_path / f"{part}.parquet")
    for scan in (
        pl.scan_parquet(sorted(tmp_path.iterdir())),
        pl.scan_parquet(tmp_path),
        pl.scan_parquet(tmp_path / "*.parquet"),
    ):
        parts = list(split_lazy(scan))
        assert [Path(part.path).name for part in parts] == [f"{part}.parquet" for part in range(9)]
        assert together(parts).equals(scan.collect())


def test_columns_that_come_from_paths_are_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "year=2026").mkdir()
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "year=2026" / "a.parquet")
    for scan in (
        pl.scan_parquet(tmp_path / "year=2026" / "*.parquet", include_file_paths="from"),
        pl.scan_parquet(tmp_path),
    ):
        assert together(split_lazy(scan)).equals(scan.collect())
