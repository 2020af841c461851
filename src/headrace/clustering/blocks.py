"""Rows that are not held: blocks of them, read as often as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["BLOCK_ROWS", "Blocks", "SpilledBlocks", "spill"]

BLOCK_ROWS = 65_536


class Blocks(Protocol):
    """Rows, block by block; every reading gives the same blocks.

    Attributes:
        rows: How many rows there are.
        columns: How many columns.
    """

    @property
    def rows(self) -> int: ...  # noqa: D102

    @property
    def columns(self) -> int: ...  # noqa: D102

    def __iter__(self) -> Iterator[NDArray[np.float64]]: ...


@dataclass(frozen=True)
class SpilledBlocks:
    """Rows in a flat file of float64 values, read in plain portions.

    The file is read, not mapped: pages of a mapped file count as memory of the process.

    Attributes:
        path: The file.
        rows: How many rows are in it.
        columns: How many values a row has.
        block_rows: Rows that are read at a time.
    """

    path: Path
    rows: int
    columns: int
    block_rows: int = BLOCK_ROWS

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        with self.path.open("rb", buffering=0) as stream:
            for start in range(0, self.rows, self.block_rows):
                rows = min(self.block_rows, self.rows - start)
                yield _read(stream, rows * self.columns).reshape(rows, self.columns)


def spill(path: Path, parts: Iterable[NDArray[np.float64]], columns: int) -> SpilledBlocks:
    """Write rows to a flat file as they come.

    Args:
        path: The file to write.
        parts: The rows, (any number, columns) each.
        columns: How many values a row has.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "rows"
        ...     blocks = spill(file, [np.ones((2, 3)), np.zeros((1, 3))], 3)
        ...     blocks.rows, [block.shape for block in blocks]
        (3, [(3, 3)])
    """
    rows = 0
    with path.open("wb") as stream:
        for part in parts:
            stream.write(np.ascontiguousarray(part, dtype="<f8").data)
            rows += len(part)
    return SpilledBlocks(path, rows, columns)


def _read(stream: BinaryIO, count: int) -> NDArray[np.float64]:
    values = np.fromfile(stream, dtype="<f8", count=count)
    if len(values) != count:
        raise OSError(f"{stream.name} was cut off while it was read")
    return values
