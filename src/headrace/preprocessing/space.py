"""What tuning may try for a setting: one of several, a whole number, or a real number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Choice", "Integer", "Range", "Real"]


@dataclass(frozen=True)
class Choice:
    """One of several values.

    Attributes:
        options: The values.

    Example:
        >>> Choice(["mean", "median"]).options
        ('mean', 'median')
    """

    options: tuple[Any, ...]

    def __init__(self, options: Sequence[Any]) -> None:
        """Hold the values as a tuple.

        Raises:
            SettingError: If there is none.
        """
        if not options:
            raise SettingError("a Choice needs at least one option")
        object.__setattr__(self, "options", tuple(options))


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`, both included.

    Attributes:
        low: The smallest.
        high: The largest.
        log: Whether steps are taken in proportion, as befits counts and sizes.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        _check(self)


@dataclass(frozen=True)
class Real:
    """A real number from `low` to `high`.

    Attributes:
        low: The smallest.
        high: The largest.
        log: Whether steps are taken in proportion, as befits rates and strengths.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        _check(self)


Range: TypeAlias = Choice | Integer | Real
"""What a setting may be."""


def _check(space: Integer | Real) -> None:
    if not space.low <= space.high:
        raise SettingError(f"low must not be above high, received {space!r}")
    if space.log and space.low <= 0:
        raise SettingError(f"with log=True low must be above 0, received {space!r}")
