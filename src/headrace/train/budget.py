"""The memory promise: what a training needs is estimated before, kept to, and measured after."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from headrace.data.scan import collect, in_memory
from headrace.errors import SettingError
from headrace.model.footprint import resident
from headrace.model.labelled import Window
from headrace.sizes import size_text

if TYPE_CHECKING:
    from headrace.engine import Engine
    from headrace.plan.features import FeatureSpec

__all__ = ["Budget", "available_memory", "fits_in_memory", "table_bytes"]

_COMFORT = 0.5
"""The share of the memory that a table and its copies may take to be held."""

_COPIES = 4
"""The raw table, its canonical columns, the features, and what is under way between them."""

_LIBRARIES = 650_000_000
"""TensorFlow, Keras and their first compiled program, where they are not yet there."""

_PROGRAM = 400_000_000
"""A network's weights, their copies, and what its compiled steps hold on their way."""

_SCAN = 300_000_000
"""What streaming scans of a small table leave behind when the network is trained."""

_SCAN_ROW, _MOST_SCAN = 6, 600_000_000
"""What they leave behind of each row, up to the most that was measured (50 million rows)."""

_BLOCK = 4_096
_LEAST_WINDOW = 16 * _BLOCK
_MOST_WINDOW = 512 * _BLOCK
_WINDOW_COPIES = 4
"""The window in use, its tensors, the next window, and what it is put together of."""

_HELD_COPIES = 3
_LEAST_HELD = 10_000
_MOST_HELD = 500_000
"""Validation rows where nothing else is said; more would tell hardly more."""

_SAMPLE_ROWS = 1_000


@dataclass(frozen=True)
class Budget:
    """What a training out of core may take, and how it is divided.

    Attributes:
        promised: The most bytes that the process may hold; None when nothing was promised.
        window: The rows to learn from that are held at a time.
        estimate: Bytes that the process is expected to hold at the most.
    """

    promised: int | None
    window: Window
    estimate: int

    @classmethod
    def of(
        cls, memory: int | None, base: int, spec: FeatureSpec, *, held: int, rows: int
    ) -> Budget:
        """Divide the memory between what is needed anyway, validation rows, and the window.

        Args:
            memory: The most bytes that the process may hold; None for half of what is free.
            base: Bytes that it held before it read anything.
            spec: The features of a row.
            held: Validation rows.
            rows: Rows to learn from.

        Raises:
            SettingError: It cannot be kept with the smallest window.
        """
        limit = base + available_memory() // 2 if memory is None else memory
        row = 4 * (len(spec.numbers) + len(spec.categories)) + 8
        scans = min(_SCAN_ROW * rows, _MOST_SCAN - _SCAN)
        fixed = _needed_anyway(base) + scans + held * row * _HELD_COPIES
        free = limit - fixed
        most = min(_MOST_WINDOW, -(-rows // _BLOCK) * _BLOCK)
        fitting = int(free / (row * _WINDOW_COPIES)) // _BLOCK * _BLOCK
        least = min(_LEAST_WINDOW, most)
        if fitting < least and memory is not None:
            raise SettingError(_refusal(memory, base, fixed + least * row * _WINDOW_COPIES))
        window = max(least, min(most, fitting))
        estimate = fixed + window * row * _WINDOW_COPIES
        return cls(memory, Window(window, _BLOCK), estimate)

    @staticmethod
    def most_held(memory: int | None, base: int, columns: int) -> int:
        """Answer how many validation rows may be held: they get a quarter of what is free.

        Args:
            memory: The most bytes that the process may hold; None for any.
            base: Bytes that it held before it read anything.
            columns: Columns of the table.

        Raises:
            SettingError: The libraries alone need more than that.
        """
        if memory is None:
            return _MOST_HELD
        if _needed_anyway(base) > memory:
            raise SettingError(_refusal(memory, base, _needed_anyway(base)))
        row = (8 * columns + 8) * _HELD_COPIES
        return min(_MOST_HELD, max(_LEAST_HELD, (memory - _needed_anyway(base)) // (4 * row)))

    def report(self) -> dict[str, float]:
        """Answer what was promised and what is expected, in bytes."""
        promised = {} if self.promised is None else {"promised": float(self.promised)}
        return {**promised, "estimate": float(self.estimate)}


def available_memory() -> int:
    """Answer the bytes that this process can still take without pushing others out.

    Example:
        >>> available_memory() > 0
        True
    """
    free = [_from_system(), _from_container()]
    return min(amount for amount in free if amount is not None)


def table_bytes(lazy: pl.LazyFrame) -> int:
    """Answer about how many bytes a lazy table takes when it is held, from its first rows."""
    some = collect(lazy.head(_SAMPLE_ROWS))
    rows = collect(lazy.select(pl.len()), streaming=True).item()
    return int(rows * some.estimated_size() / max(some.height, 1))


def fits_in_memory(lazy: pl.LazyFrame, engine: Engine) -> bool:
    """Answer whether a table, and the copies that a training makes of it, can well be held.

    A table that is in memory already stays there.

    Args:
        lazy: The table.
        engine: With the memory that may be taken.
    """
    if in_memory(lazy):
        return True
    room = available_memory()
    if engine.memory is not None:
        room = min(room, engine.memory - _needed_anyway(resident()))
    return _COPIES * table_bytes(lazy) <= _COMFORT * room


def _needed_anyway(base: int) -> int:
    """Answer the bytes that any training takes, whatever the table."""
    libraries = 0 if "tensorflow" in sys.modules else _LIBRARIES
    return base + libraries + _PROGRAM + _SCAN


def _refusal(memory: int, base: int, needed: int) -> str:
    return (
        f"memory={size_text(memory)!r} cannot be kept: the process holds {size_text(base)} "
        "already, and with the libraries, a scan and the smallest window of rows it would hold "
        f"about {size_text(needed)}. Promise at least that, or start in a fresh process"
    )


def _from_system() -> int:
    status = Path("/proc/meminfo")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 4_000_000_000


def _from_container() -> int | None:
    """Answer what the limit of a container leaves; None without one."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        parts = dict(
            line.split()
            for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        )
        used -= int(parts.get("file", 0))  # pages of files give way
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(int(limit) - used, 0)
