"""One writer at a time: a lock on a file, which the system frees when its holder dies.

POSIX systems use `flock`; Windows locks the first byte of the file with `msvcrt.locking`. Network
file systems that know neither give no protection. Readers never need the lock.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headrace.errors import ReleaseError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["locked"]

_PAUSE = 0.02


@contextmanager
def locked(path: Path, *, patience: float = 60.0) -> Iterator[None]:
    """Hold the lock of a file while the block runs.

    Args:
        path: The lock file; made when it is missing, and never removed.
        patience: How many seconds to wait for another writer.

    Raises:
        ReleaseError: Another writer held the lock for all that time.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _wait_for(descriptor, path, time.monotonic() + patience, patience)
        yield
    finally:
        os.close(descriptor)  # frees the lock


def _wait_for(descriptor: int, path: Path, until: float, patience: float) -> None:
    while not _try(descriptor):
        if time.monotonic() >= until:
            raise ReleaseError(
                f"another process has been writing to {path.parent} for {patience:g} seconds; "
                "wait for it, or end it, and try again"
            )
        time.sleep(_PAUSE)


def _try(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
