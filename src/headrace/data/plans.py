"""What a lazy table is made of: the files that it reads, and what is done to their rows."""

from __future__ import annotations

import glob
import json
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["plain_scan", "plan_files", "query_plan"]

_OPAQUE = re.compile("Python|Anonymous|Opaque|Plugin|DataFrameScan")

_PLAIN = {"Parquet": pl.read_parquet_schema, "Ipc": pl.read_ipc_schema}
"""Scans of which any rows of a file can be read alone."""


def plain_scan(frame: pl.LazyFrame) -> tuple[str, list[Path]] | None:
    """Answer the format and the files of a lazy table that is nothing but a scan of them.

    Args:
        frame: The table.

    Returns:
        "Parquet" or "Ipc" with the files in the order of their rows; None where anything is done to
        the rows (a slice, a filter, a row index, columns made of paths), or for other files.

    Example:
        >>> plain_scan(pl.LazyFrame({"x": [1]})) is None
        True
    """
    plan = query_plan(frame)
    if not isinstance(plan, dict) or set(plan) != {"Scan"}:
        return None
    scan = plan["Scan"]
    (kind,) = scan["scan_type"]
    arguments = scan["unified_scan_args"]
    if kind not in _PLAIN or arguments["pre_slice"] is not None or _has_nested_folders(scan):
        return None
    files = _scanned(scan)
    # Columns that come from elsewhere (paths, folder names, a row index) are not in the files.
    if not files or _PLAIN[kind](files[0]) != frame.collect_schema():
        return None
    return kind, files


def _has_nested_folders(scan: Any) -> bool:
    """Answer whether a folder is read that holds others: their order is Polars's own matter."""
    paths = [Path(str(source["inner"])) for source in scan["sources"].get("Paths", ())]
    return any(inner.is_dir() for path in paths if path.is_dir() for inner in path.iterdir())


def query_plan(frame: pl.LazyFrame) -> Any:
    """Answer what is done to the rows as plain values; None where the plan does not say it all."""
    if "DF [" in frame.explain(optimized=False):  # a table in memory is part of it
        return None
    try:
        with warnings.catch_warnings():
            # The binary form, which is to stay, cannot be looked into.
            warnings.filterwarnings("ignore", message=".*'json' serialization format")
            return _query(json.loads(frame.serialize(format="json")))
    except (pl.exceptions.PolarsError, TypeError, ValueError):
        return None


def _query(plan: Any) -> Any:
    """Answer a plan without what Polars remembers of having looked at it in this process."""
    if isinstance(plan, list):
        return [_query(part) for part in plan]
    if not isinstance(plan, dict):
        return plan
    if set(plan) == {"IR"} and {"dsl", "version"} <= set(plan["IR"]):
        return _query(plan["IR"]["dsl"])
    return {key: _query(part) for key, part in plan.items()}


def plan_files(plan: Any) -> list[Path] | None:
    """Answer the files that a plan reads, in order; None if it does more than read files."""
    files: list[Path] = []
    for key, value in _entries(plan):
        if _OPAQUE.search(key):
            return None
        if key == "Scan":
            found = _scanned(value)
            if found is None:
                return None
            files += found
    return files or None


def _entries(plan: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(plan, dict):
        for key, value in plan.items():
            yield key, value
            yield from _entries(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from _entries(value)


def _scanned(scan: Any) -> list[Path] | None:
    sources = scan.get("sources", {})
    if list(sources) != ["Paths"]:
        return None
    pattern = bool(scan.get("unified_scan_args", {}).get("glob", True))
    found = [_found(str(source["inner"]), pattern=pattern) for source in sources["Paths"]]
    return [file for files in found for file in files] if all(found) else None


def _found(path: str, *, pattern: bool) -> list[Path]:
    """Answer the files of a path: itself, those of a folder, or those that fit a pattern."""
    if Path(path).is_file():
        return [Path(path)]
    if Path(path).is_dir():
        return sorted(file for file in Path(path).rglob("*") if file.is_file())
    names = sorted(glob.glob(path, recursive=True)) if pattern else []  # noqa: PTH207 - Path.glob takes no absolute pattern
    return [Path(name) for name in names if Path(name).is_file()]
