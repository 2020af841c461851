from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from headrace.data.plans import plain_scan, plan_files, query_plan

if TYPE_CHECKING:
    from pathlib import Path


def test_the_files_behind_a_query_are_found(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pl.DataFrame({"x": [1, 2]}).write_parquet(tmp_path / f"{name}.parquet")
    scan = pl.scan_parquet(tmp_path / "*.parquet")
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    assert plain_scan(scan) == ("Parquet", files)
    assert plain_scan(scan.filter(pl.col("x") > 1)) is None
    assert plan_files(query_plan(scan.filter(pl.col("x") > 1))) == files


def test_a_query_that_calls_python_has_no_files_to_be_known_by(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    scan = pl.scan_parquet(tmp_path / "a.parquet")
    changed = scan.map_batches(lambda frame: frame)
    plan = query_plan(changed)
    assert plan is None or plan_files(plan) is None


def test_files_without_rows_of_their_own_are_no_plain_scan(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n", encoding="utf-8")
    assert plain_scan(pl.scan_csv(tmp_path / "a.csv")) is None
