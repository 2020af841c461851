"""Bins for the values of a column: about equally full, with frequent single values set apart."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["BINS", "inner_edges", "outer_edges"]

BINS = 20
"""The largest number of bins."""

_ATOM_WIDTH = 0.005  # of the range, on each side of a value that fills a bin by itself
_MOST_ATOMS = 6
_CONSTANT_WIDTH = 0.5


def inner_edges(values: NDArray[np.float64]) -> list[float]:
    """Answer the edges between bins for a sample of values, without the two outer ones.

    Up to 20 different values get a bin each, divided half-way. Otherwise each value that would
    fill a bin by itself (at most six) gets a narrow one, and the other values share the rest
    about equally.

    Args:
        values: (rows,) finite values.

    Example:
        >>> import numpy as np
        >>> inner_edges(np.array([0.0, 1.0, 1.0, 3.0]))
        [0.5, 2.0]
    """
    distinct, rows = np.unique(values, return_counts=True)
    if len(distinct) <= BINS:
        return _increasing((distinct[:-1] / 2 + distinct[1:] / 2).tolist())  # cannot overflow
    full = np.argsort(-rows, kind="stable")[:_MOST_ATOMS]
    atoms = sorted(full[rows[full] * BINS >= len(values)].tolist())
    edges = sorted({edge for i in atoms for edge in _around(distinct, i)})
    others = np.repeat(np.delete(distinct, atoms), np.delete(rows, atoms))
    places = np.linspace(0, len(others) - 1, BINS + 1 - len(edges))[1:-1]
    points = others[np.round(places).astype(np.intp)].tolist()
    held = [tuple(_around(distinct, i)) for i in atoms]
    edges += [point for point in points if not any(low <= point <= high for low, high in held)]
    return _increasing(sorted(edge for edge in edges if distinct[0] < edge < distinct[-1]))


def _around(distinct: NDArray[np.float64], i: int) -> list[float]:
    """Answer two edges close around a value, at most half-way to its neighbours."""
    value, reach = distinct[i], distinct[-1] * _ATOM_WIDTH - distinct[0] * _ATOM_WIDTH
    below = value / 2 - distinct[i - 1] / 2 if i > 0 else np.inf
    above = distinct[i + 1] / 2 - value / 2 if i < len(distinct) - 1 else np.inf
    with np.errstate(over="ignore"):  # an infinite edge is left out later
        return [float(value - min(reach, below)), float(value + min(reach, above))]


def outer_edges(inner: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    """Complete the edges with the extremes of all rows.

    Args:
        inner: What `inner_edges` answered for a sample.
        low: The smallest value of all.
        high: The largest.

    Returns:
        At least two strictly increasing edges that enclose every value.

    Example:
        >>> outer_edges([0.5, 2.0], 0.0, 3.0), outer_edges([], 7.0, 7.0)
        ((0.0, 0.5, 2.0, 3.0), (6.5, 7.5))
    """
    inside = [edge for edge in inner if low < edge < high]
    if low < high:
        return tuple(_increasing([low, *inside, high]))
    width = max(_CONSTANT_WIDTH, abs(low) * 1e-12)
    return max(low - width, -sys.float_info.max), min(low + width, sys.float_info.max)


def _increasing(edges: Iterable[float]) -> list[float]:
    """Leave out edges that are not above the one before."""
    kept: list[float] = []
    for edge in edges:
        if np.isfinite(edge) and (not kept or edge > kept[-1]):
            kept.append(edge)
    return kept
