"""How much memory this process takes, and the most that it took while something ran."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Self

__all__ = ["PeakMemory", "most_resident", "resident"]

_STATUS = Path("/proc/self/status")
_EVERY = 0.02


def resident() -> int:
    """Answer the bytes of memory that this process holds now.

    Outside of Linux, where the system does not say it so simply, the most so far is answered.

    Example:
        >>> resident() > 1_000_000
        True
    """
    held = _from_status("VmRSS")
    return most_resident() if held is None else held


def most_resident() -> int:
    """Answer the most bytes of memory that this process has held so far; 0 on Windows.

    On Linux `getrusage` also counts what the parent held when it started this process (`ru_maxrss`
    survives fork and exec), so the system's own mark is read instead.

    Example:
        >>> most_resident() > 1_000_000
        True
    """
    held = _from_status("VmHWM")
    if held is not None:
        return held
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class PeakMemory:
    """Watch the memory of this process while something runs.

    Attributes:
        bytes: The most memory held at a time, beyond what was held at the start.

    Example:
        >>> with PeakMemory() as peak:
        ...     block = bytearray(50_000_000)
        >>> peak.bytes >= 0
        True
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._start = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="peak-memory")

    def __enter__(self) -> Self:
        """Start watching."""
        self._start = resident()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Look a last time."""
        self._look()
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        self.bytes = max(self.bytes, resident() - self._start)


def _from_status(name: str) -> int | None:
    """Answer a figure of the system's about this process in bytes; None outside of Linux."""
    if _STATUS.is_file():
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return None
