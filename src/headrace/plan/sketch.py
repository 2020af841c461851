"""A sketch of many numbers that quantiles are read off, the same for the same chunks every time.

After Karnin, Lang and Liberty, "Optimal quantile approximation in streams" (2016), with levels of
equal size as in Manku, Rajagopalan and Lindsay (1998). Which half of a full level goes on is not
drawn but computed from the number of values seen: the same chunks merged in the same order give
the same sketch, in any process and on any machine.

A sketch is plain data: `count`, `low`, `high` (the exact ends) and `levels`, sorted arrays of
values; each value of level h stands for 2^h values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sketch", "is_exact", "merge_sketches", "quantiles", "sketch"]

Sketch: TypeAlias = "dict[str, Any]"
"""See the module's description."""

_MASK = (1 << 64) - 1


def sketch(values: NDArray[np.float64], k: int) -> Sketch:
    """Sketch some values.

    Args:
        values: (values,) none of them NaN.
        k: A level holds up to 2 k values.

    Example:
        >>> found = sketch(np.arange(100_000.0), 400)
        >>> sum(len(level) for level in found["levels"]) < 2_000
        True
        >>> bool(abs(quantiles(found, np.array([0.25]))[0] - 25_000) < 100)
        True
    """
    ordered = np.sort(values)
    ends = (float(ordered[0]), float(ordered[-1])) if len(ordered) else (np.inf, -np.inf)
    return _compacted(len(ordered), *ends, [ordered], k)


def merge_sketches(left: Sketch, right: Sketch, k: int) -> Sketch:
    """Answer the sketch of both parts' values together; the two stay as they are."""
    levels = [
        np.sort(np.concatenate([part["levels"][h] for part in (left, right) if h < _height(part)]))
        for h in range(max(_height(left), _height(right)))
    ]
    return _compacted(
        left["count"] + right["count"],
        min(left["low"], right["low"]),
        max(left["high"], right["high"]),
        levels,
        k,
    )


def is_exact(held: Sketch) -> bool:
    """Answer whether every value is still there."""
    return _height(held) == 1


def quantiles(held: Sketch, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer the values below which given shares of all values lie; the ends are exact.

    Args:
        held: A sketch of at least one value.
        levels: (levels,) between 0 and 1.
    """
    values = np.concatenate(held["levels"])
    weights = np.concatenate(
        [np.full(len(level), 2**h, dtype=np.int64) for h, level in enumerate(held["levels"])]
    )
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    place = np.searchsorted(below, levels * below[-1], side="left")
    found = values[order][np.minimum(place, len(values) - 1)]
    found[levels == 0] = held["low"]
    found[levels == 1] = held["high"]
    return np.asarray(found, dtype=np.float64)


def _height(held: Sketch) -> int:
    return len(held["levels"])


def _compacted(
    count: int, low: float, high: float, levels: list[NDArray[np.float64]], k: int
) -> Sketch:
    """Halve the levels that hold more than 2 k values, from below."""
    h = 0
    while h < len(levels):
        if len(levels[h]) > 2 * k:
            even = len(levels[h]) // 2 * 2
            promoted = levels[h][_coin(count, h) : even : 2]
            levels[h] = levels[h][even:]
            if h + 1 == len(levels):
                levels.append(np.empty(0))
            levels[h + 1] = np.sort(np.concatenate([levels[h + 1], promoted]))
        h += 1
    return {"count": count, "low": low, "high": high, "levels": levels}


def _coin(count: int, h: int) -> int:
    """Answer 0 or 1, as good as drawn: a bit of SplitMix64 (Steele, Lea and Flood, 2014)."""
    mixed = (count * 64 + h + 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return (mixed ^ (mixed >> 31)) & 1
