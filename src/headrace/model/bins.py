"""Edges of the bins in which number columns are embedded, learnt from the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_edges"]

_NARROWEST = 1e-4
"""Edges closer than this share of a column's range are one: else slopes would be too steep."""


def find_edges(numbers: NDArray[np.float32], *, most: int) -> list[NDArray[np.float32]]:
    """Answer the edges of the bins of each column.

    Half of the edges are quantiles of the rows, so that each bin has its share of them; the rest
    are quantiles of the *distinct* values. A column that is 0 in nine rows of ten has almost all
    its quantiles at 0: there the distinct values get nearly all edges. With few distinct values
    each of them is an edge.

    Args:
        numbers: (rows, columns), finite, at least one row.
        most: The most bins of a column, 2 or more.

    Returns:
        For each column strictly increasing edges from its least to its greatest value, at least
        two. A column that does not vary gets one bin that begins at its value.

    Example:
        >>> column = np.array([[0], [0], [0], [0], [1], [5]], dtype=np.float32)
        >>> find_edges(column, most=4)[0].tolist()
        [0.0, 1.0, 5.0]
    """
    return [_edges(np.asarray(column, dtype=np.float64), most) for column in numbers.T]


def _edges(column: NDArray[np.float64], most: int) -> NDArray[np.float32]:
    values = np.unique(column)
    if len(values) == 1:
        width = max(1.0, abs(values[0]))
        return np.asarray([values[0], values[0] + width], dtype=np.float32)
    if len(values) > most + 1:
        of_rows = np.unique(_quantiles(column, np.arange(1, most // 2) / (most // 2)))
        # Halves between the steps, so that in an evenly spread column the two kinds interleave.
        left = most - 1 - len(of_rows)
        of_values = _quantiles(values, (np.arange(left) + 0.5) / max(left, 1))
        values = np.concatenate([values[:1], of_rows, of_values, values[-1:]])
    edges = np.unique(values.astype(np.float32))
    return _apart(edges, _NARROWEST * (edges[-1] - edges[0]))


def _quantiles(values: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.quantile(values, shares, method="nearest")


def _apart(edges: NDArray[np.float32], least: float) -> NDArray[np.float32]:
    """Answer the edges without those that lie too close behind another; the ends stay."""
    kept = [edges[0]]
    for edge in edges[1:-1]:
        if edge - kept[-1] >= least and edges[-1] - edge >= least:
            kept.append(edge)
    return np.asarray([*kept, edges[-1]], dtype=np.float32)
