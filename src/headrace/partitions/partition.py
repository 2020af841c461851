"""The partition: a part of a table as plain data, opened where it is worked on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.files import from_paths, list_files
from headrace.data.plans import plain_scan
from headrace.data.scan import batches, collect, of_exactly
from headrace.data.source import read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "ROWS",
    "Partition",
    "partition_rows",
    "row_size",
    "split_frame",
    "split_lazy",
    "split_source",
]

ROWS = 250_000
"""Rows of a partition, unless memory is short."""

_FEWEST_ROWS = 1_000
_COPIES = 32
"""Partitions' worth of memory that is in use at a time: read, changed, counted, and waiting."""

_TEXT_BYTES = 32

_FORMATS = {"Parquet": "Parquet", "Ipc": "Arrow IPC"}
"""What `headrace.data.files` calls the formats of which rows can be read without those before."""


@dataclass(frozen=True, eq=False)
class Partition:
    """Some rows of a table: held, or in a file that the worker can read.

    Attributes:
        rows: How many; None for all of a file whose rows have not been counted.
        first: The place of its first row in the whole table; None where that is not known.
        frame: The rows themselves; None where they are read from the file.
        path: The file.
        format: Of the file, as `headrace.data.files` calls it.
        skip: Rows of the file in front of these.

    Example:
        >>> held, = split_frame(pl.DataFrame({"x": [1, 2]}))
        >>> Partition.from_dict(held.to_dict()).open().collect()["x"].to_list()
        [1, 2]
    """

    rows: int | None = None
    first: int | None = None
    frame: pl.DataFrame | None = None
    path: str = ""
    format: str = ""
    skip: int = 0

    def open(self) -> pl.LazyFrame:
        """Answer the rows, lazily.

        Raises:
            DataError: The file cannot be read.
        """
        if self.frame is not None:
            return self.frame.lazy()
        if self.format in _FORMATS.values():
            scan = pl.scan_parquet if self.format == "Parquet" else pl.scan_ipc
            return scan(self.path, glob=False).slice(self.skip, self.rows)
        return from_paths([self.path])

    def to_dict(self) -> dict[str, Any]:
        """Answer the partition as plain values and a table, as messages hold them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Partition:
        """Rebuild a partition from `to_dict`."""
        return cls(**data)


def partition_rows(memory: int | None, row_bytes: float) -> int:
    """Answer how many rows a partition should have.

    Args:
        memory: Bytes that the process may hold; None for enough.
        row_bytes: Bytes of a row.

    Example:
        >>> partition_rows(None, 100), partition_rows(64_000_000, 100)
        (250000, 20000)
    """
    if memory is None:
        return ROWS
    return max(_FEWEST_ROWS, min(ROWS, int(memory / _COPIES / max(row_bytes, 1.0))))


def row_size(kinds: Iterable[pl.DataType]) -> float:
    """Answer the bytes of a row of these types, about: how long texts are is not known.

    Example:
        >>> row_size([pl.Float64(), pl.String()])
        40.0
    """
    return float(sum(_TEXT_BYTES if kind == pl.String else 8 for kind in kinds))


def split_frame(frame: pl.DataFrame, rows: int = ROWS) -> Iterator[Partition]:
    """Cut a table in memory; a table without rows is one partition."""
    for first in range(0, max(frame.height, 1), rows):
        part = frame.slice(first, rows)
        yield Partition(part.height, first, part)


def split_source(data: object, rows: int = ROWS) -> Iterator[Partition]:
    """Cut any source of rows (see `headrace.data.source.read`).

    Parquet and Arrow IPC files are cut into ranges of rows, Parquet at its row groups; other files
    are a partition each. Whatever has no files is read here and cut.

    Raises:
        DataError: The source cannot be read.
    """
    paths = _paths(data)
    if paths:
        yield from _split_files(*list_files(paths), rows)
        return
    yield from split_lazy(read(data, empty=True), rows)


def split_lazy(
    table: pl.LazyFrame, rows: int = ROWS, columns: Collection[str] | None = None
) -> Iterator[Partition]:
    """Cut a lazy table.

    A plain scan of Parquet or Arrow IPC files is cut by files and rows, which workers read
    themselves. Anything else is run here, streaming, and cut into tables of exactly so many rows.

    Args:
        table: The table.
        rows: Of a partition, at most.
        columns: Columns that are wanted; a partition that is a part of a file has the others too.
    """
    scanned = plain_scan(table)
    if scanned is not None:
        kind, files = scanned
        yield from _split_files(_FORMATS[kind], files, rows)
        return
    if columns is not None:
        table = table.select(name for name in table.collect_schema().names() if name in columns)
    first = 0
    for chunk in of_exactly(rows, batches(table, rows)):
        yield Partition(chunk.height, first, chunk)
        first += chunk.height
    if not first:
        yield from split_frame(collect(table.head(0)))


def _paths(data: object) -> list[str | Path]:
    if isinstance(data, str | Path):
        return [data]
    if isinstance(data, list | tuple) and data and all(isinstance(p, str | Path) for p in data):
        return list(data)
    return []


def _split_files(kind: str, files: Sequence[Path], rows: int) -> Iterator[Partition]:
    first = 0
    for file in files:
        path = str(file.resolve())
        if kind not in _FORMATS.values():
            yield Partition(path=path, format=kind, first=0 if len(files) == 1 else None)
            continue
        edges = _edges(kind, path, rows)
        for skip, end in pairwise(edges):
            yield Partition(end - skip, first + skip, path=path, format=kind, skip=skip)
        first += edges[-1]


def _edges(kind: str, path: str, rows: int) -> list[int]:
    """Answer where to cut the rows of a file: at the ends of row groups, where there are any."""
    if kind == "Parquet":
        import pyarrow.parquet

        held = pyarrow.parquet.read_metadata(path)
        groups = [held.row_group(place).num_rows for place in range(held.num_row_groups)]
    else:
        groups = [int(pl.scan_ipc(path, glob=False).select(pl.len()).collect().item())]
    edges, end = [0], 0
    for group in groups:
        if end > edges[-1] and end + group - edges[-1] > rows:
            edges.append(end)
        end += group
        while end - edges[-1] > rows:
            edges.append(edges[-1] + rows)
    return [*edges, end] if end > edges[-1] or end == 0 else edges
