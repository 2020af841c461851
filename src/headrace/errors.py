"""The errors that headrace raises: what was expected, what came, and how to fix it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "DataError",
    "HeadraceError",
    "NotTrainedError",
    "ParityError",
    "Problem",
    "ReleaseError",
    "SettingError",
    "WorkerError",
    "nearest",
]

_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with data.

    Attributes:
        text: What was expected and what came, in one sentence.
        column: The column it is about, if any.
        row: The row (counted from 0) where it was first seen, if any.
        value: The value that was received, if any.
        hint: How to fix it, if there is more to say.

    Example:
        >>> print(Problem("expected a number", column="age", row=3, value="old"))
        column 'age', row 3: expected a number, received 'old'
    """

    text: str
    column: str | None = None
    row: int | None = None
    value: object = None
    hint: str | None = None

    def __str__(self) -> str:
        place = [f"column {self.column!r}"] if self.column is not None else []
        place += [f"row {self.row}"] if self.row is not None else []
        received = f", received {_shorten(self.value)}" if self.value is not None else ""
        hint = f". {self.hint}" if self.hint else ""
        return (", ".join(place) + ": " if place else "") + self.text + received + hint


class HeadraceError(Exception):
    """The base of every error that headrace raises on purpose."""


class CheckpointError(HeadraceError):
    """The checkpoint of long work belongs to other work, or cannot be written."""


class DataError(HeadraceError, ValueError):
    """Data that does not fit: every problem that was found, in one error.

    Attributes:
        problems: All of them; the message shows the first twenty.

    Example:
        >>> raise DataError([Problem("the table is empty")])
        Traceback (most recent call last):
        headrace.errors.DataError: the table is empty
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Collect the problems and write the message from them."""
        self.problems = tuple(problems)
        super().__init__(_message(self.problems))


class SettingError(HeadraceError, ValueError):
    """A parameter or setting that cannot be used."""


class NotTrainedError(HeadraceError, RuntimeError):
    """Something was asked of a pipeline that needs training first."""


class ReleaseError(HeadraceError, RuntimeError):
    """A release that cannot be read, trusted or written."""


class WorkerError(HeadraceError, RuntimeError):
    """Workers were lost, again and again, and the work cannot be done without them."""


class ParityError(HeadraceError, RuntimeError):
    """Two paths through the same pipeline gave different answers."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Answer the name that was probably meant.

    Example:
        >>> nearest("incme", ["age", "income"])
        'income'
    """
    close = difflib.get_close_matches(name, list(names), n=1)
    return close[0] if close else None


def _message(problems: tuple[Problem, ...]) -> str:
    if len(problems) == 1:
        return str(problems[0])
    lines = [f"{len(problems)} problems:"] + [f"- {p}" for p in problems[:_SHOWN_PROBLEMS]]
    hidden = len(problems) - _SHOWN_PROBLEMS
    return "\n".join(lines + ([f"- … and {hidden} more"] if hidden > 0 else []))


def _shorten(value: object, width: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"
