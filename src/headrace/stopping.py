"""Being asked to end: SIGTERM lets long work save what is done, and says how to go on."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Stopped", "Stopping", "saves_when_stopped"]

_STATUS = 128 + signal.SIGTERM


class Stopped(SystemExit):
    """The process was asked to end by SIGTERM, and what was done is kept."""

    def __init__(self, message: str) -> None:
        super().__init__(_STATUS)
        self.message = message

    def __str__(self) -> str:
        return self.message


class Stopping:
    """Whether the process was asked to end, and whether the work can wait for a good moment.

    Attributes:
        asked: Whether SIGTERM came.
    """

    def __init__(self, folder: Path) -> None:
        self.asked = False
        self._folder = folder
        self._waits = 0

    @contextmanager
    def later(self) -> Iterator[None]:
        """Let SIGTERM wait while the block runs; the block looks at `asked` and calls `leave`."""
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
        if self.asked and not self._waits:
            self.leave()

    def leave(self) -> None:
        """End the process, after saying how to go on.

        Raises:
            Stopped: Always.
        """
        message = (
            f"headrace: stopped by SIGTERM; what is done so far is in {self._folder}, and the same "
            "call goes on from there"
        )
        sys.stderr.write(f"{message}\n")
        raise Stopped(message)

    def _handle(self, number: int, frame: Any) -> None:
        del number, frame
        self.asked = True
        if not self._waits:
            self.leave()


@contextmanager
def saves_when_stopped(folder: Path) -> Iterator[Stopping]:
    """Let SIGTERM end the work in the block at a moment when what is done is saved.

    Outside of the main thread, where Python takes no signals, nothing changes.

    Args:
        folder: Where what is done is kept, for the message.

    Example:
        >>> from pathlib import Path
        >>> with saves_when_stopped(Path("work")) as stopping:
        ...     stopping.asked
        False
    """
    stopping = Stopping(folder)
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = signal.signal(signal.SIGTERM, stopping._handle)  # noqa: SLF001 - its own handler
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGTERM, before)
