"""What the trials say about the validation rows: kept in the study's own file, as plain arrays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.storage.arrays import array_bytes, array_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Predictions"]

_TABLE = "headrace_predictions"
_TABLE_IS_THERE = f"CREATE TABLE IF NOT EXISTS {_TABLE} (trial INTEGER PRIMARY KEY, output BLOB)"
_PATIENCE = 60.0
"""Seconds to wait for the study's own writing."""


class Predictions:
    """The outputs of trials, by the number of the trial.

    They lie in a table of their own beside Optuna's, so that a study is one file.

    Args:
        path: The SQLite file; None for memory.

    Example:
        >>> kept = Predictions(None)
        >>> kept.save(3, np.array([0.25, 0.75]))
        >>> {number: array.tolist() for number, array in kept.load([2, 3]).items()}
        {3: [0.25, 0.75]}
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path = path
        self._held: dict[int, NDArray[Any]] = {}

    def save(self, number: int, output: NDArray[Any]) -> None:
        """Keep what a trial says, (rows,) or (rows, classes); whole or not at all."""
        array = np.asarray(output, dtype=np.float32)
        if self._path is None:
            self._held[number] = array
            return
        with closing(self._connected()) as file, file:
            file.execute(_TABLE_IS_THERE)
            file.execute(
                f"INSERT OR REPLACE INTO {_TABLE} VALUES (?, ?)",  # noqa: S608 - a constant
                (number, array_bytes(array)),
            )

    def load(self, numbers: Iterable[int]) -> dict[int, NDArray[Any]]:
        """Answer what is kept of some trials."""
        wanted = set(numbers)
        if self._path is None:
            return {number: self._held[number] for number in sorted(wanted & self._held.keys())}
        with closing(self._connected()) as file:
            file.execute(_TABLE_IS_THERE)
            rows = file.execute(f"SELECT trial, output FROM {_TABLE} ORDER BY trial")  # noqa: S608
            return {
                number: array_from_bytes(output, f"{self._path}: trial {number}")
                for number, output in rows
                if number in wanted
            }

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(str(self._path), timeout=_PATIENCE)
