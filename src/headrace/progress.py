"""Progress bars for long work: shown on a terminal or in a notebook, silent elsewhere."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Bar", "bar", "set_progress"]

_state = {"enabled": os.environ.get("HEADRACE_PROGRESS", "1") != "0"}


class Bar(Protocol):
    """What long work tells its progress to."""

    def advance(self, steps: float = 1, note: str = "") -> None:
        """Move on by some steps; the note is shown behind the bar."""


def set_progress(enabled: bool) -> None:
    """Turn all progress bars on or off; `HEADRACE_PROGRESS=0` does the same from outside.

    Example:
        >>> set_progress(False)
        >>> set_progress(True)
    """
    _state["enabled"] = enabled


@contextmanager
def bar(title: str, total: float | None) -> Iterator[Bar]:
    """Show a progress bar while the block runs.

    Args:
        title: What is being done.
        total: How many steps there are; None when that is not known.

    Example:
        >>> with bar("counting", 2) as progress:
        ...     progress.advance()
        ...     progress.advance(note="done")
    """
    if not (_state["enabled"] and _watched()):
        yield _Silent()
        return
    with _rich_bar(title, total) as shown:
        yield shown


class _Silent:
    def advance(self, steps: float = 1, note: str = "") -> None:
        del steps, note


def _watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def _rich_bar(title: str, total: float | None) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total, note="")

        class Shown:
            def advance(self, steps: float = 1, note: str = "") -> None:
                progress.update(task, advance=steps, note=note)

        yield Shown()
