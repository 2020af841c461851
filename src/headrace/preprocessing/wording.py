"""How steps say what they learnt: short lists of columns, with figures that people can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["counted", "figure", "listed", "paired"]

_SHOWN = 5


def figure(value: float) -> str:
    """Answer a number with four significant digits.

    Example:
        >>> figure(39.0), figure(0.123456), figure(1234567.0)
        ('39', '0.1235', '1.235e+06')
    """
    return f"{value:.4g}"


def counted(count: int, noun: str) -> str:
    """Answer a count with its noun.

    Example:
        >>> counted(1, "column"), counted(2000, "column")
        ('1 column', '2,000 columns')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(items: Sequence[str]) -> str:
    """Answer the first few items, and how many more there are.

    Example:
        >>> listed(["a", "b"]), listed(list("abcdefgh"))
        ('a, b', 'a, b, c, d, e and 3 more')
    """
    hidden = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {hidden:,} more" if hidden > 0 else "")


def paired(names: Iterable[str], values: Iterable[object]) -> str:
    """Answer the first few names, each with its value.

    Example:
        >>> paired(["age", "hours"], [39.0, 40.0])
        'age: 39, hours: 40'
    """
    pairs = zip(names, values, strict=True)
    return listed([f"{n}: {figure(v) if isinstance(v, float) else v}" for n, v in pairs])
