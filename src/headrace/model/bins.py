"""Edges of the bins in which number columns are embedded, learnt from the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_edges"]

_NARROWEST = 1e-4
"""Edges closer than this share of a column's range are one: else slopes would be too steep."""

_LEAST_RANGE = 1e-30
"""A column whose values differ by less does not vary: its slopes would be beyond 32 bits."""

_LEAF = 32
"""Rows on each side of an edge that the target asks for: fewer would be chance."""

_MOST_CLASSES = 64
_MOST_LOOKED_AT = 2_000_000
"""Values that are compared with the target, of all columns together: about a second's work."""

_FEWEST_ROWS = 256


def find_edges(
    numbers: NDArray[np.float32], *, most: int, target: NDArray[Any] | None = None
) -> list[NDArray[np.float32]]:
    """Answer the edges of the bins of each column.

    Up to half of the edges are where the target changes: the cuts of a decision tree of this
    column alone, as in Gorishniy et al., "On embeddings for numerical features in tabular deep
    learning" (2022). Half of the others are quantiles of the rows, so that each bin has its share
    of them, and the rest are quantiles of the *distinct* values: a column that is 0 in nine rows
    of ten has almost all its quantiles at 0, and there the distinct values get nearly all edges.
    With few distinct values each of them is an edge.

    Args:
        numbers: (rows, columns), finite, at least one row.
        most: The most bins of a column, 1 or more.
        target: (rows,) class numbers, whole, or values. None, or more than 64 classes, for edges
            that do not look at it. Of very many rows or columns a part of the rows is looked at.

    Returns:
        For each column strictly increasing edges from its least to its greatest value, at least
        two. A column that does not vary gets one bin that begins at its value.

    Example:
        >>> column = np.array([[0], [0], [0], [0], [1], [5]], dtype=np.float32)
        >>> find_edges(column, most=4)[0].tolist()
        [0.0, 1.0, 5.0]
    """
    looked_at = _looked_at(numbers, target)
    return [
        _edges(np.asarray(column, dtype=np.float64), most, place, looked_at)
        for place, column in enumerate(numbers.T)
    ]


def _edges(
    column: NDArray[np.float64], most: int, place: int, looked_at: _LookedAt | None
) -> NDArray[np.float32]:
    values = np.unique(column)
    if values[-1] - values[0] < _LEAST_RANGE:
        width = max(1.0, abs(values[0]))
        return np.asarray([values[0], values[0] + width], dtype=np.float32)
    if len(values) > most + 1:
        cuts = np.empty(0) if looked_at is None else looked_at.cuts(place, most // 2)
        of_rows, of_values = _quantile_edges(column, values, most - 1 - len(cuts))
        values = np.concatenate([values[:1], cuts, of_rows, of_values, values[-1:]])
    # Rounded to 32 bits a cut may come to lie on an end.
    edges = np.unique(values.astype(np.float32))
    return _apart(edges, _NARROWEST * (edges[-1] - edges[0]))


def _quantile_edges(
    column: NDArray[np.float64], values: NDArray[np.float64], left: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answer so many inner edges: half of them quantiles of the rows, the others of the values."""
    half = (left + 1) // 2
    of_rows = np.unique(_quantiles(column, np.arange(1, half) / max(half, 1)))
    # Halves between the steps, so that in an evenly spread column the two kinds interleave.
    left -= len(of_rows)
    return of_rows, _quantiles(values, (np.arange(left) + 0.5) / max(left, 1))


def _quantiles(values: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.quantile(values, shares, method="nearest")


class _LookedAt:
    """Rows of all columns with their target, in which cuts are sought."""

    def __init__(self, numbers: NDArray[np.float32], target: NDArray[Any]) -> None:
        self._numbers = numbers
        self._target = target

    def cuts(self, place: int, most: int) -> NDArray[np.float64]:
        """Answer where a column's best tree with at most so many leaves cuts it."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        if most < 2:
            return np.empty(0)
        # The trees of two classes are those of their numbers 0 and 1, which take less time.
        classes = self._target.dtype.kind in "iu" and self._target.max() > 1
        kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
        tree = kind(max_leaf_nodes=most, min_samples_leaf=_LEAF, random_state=0)
        tree.fit(self._numbers[:, [place]], self._target)
        cuts: NDArray[np.float64] = tree.tree_.threshold[tree.tree_.feature >= 0]
        return np.sort(cuts)


def _looked_at(numbers: NDArray[np.float32], target: NDArray[Any] | None) -> _LookedAt | None:
    """Answer the rows in which cuts are sought; None where there are none to be found."""
    rows, columns = numbers.shape
    if target is None or target.ndim != 1 or columns == 0:
        return None
    if target.dtype.kind in "iu" and target.max() >= _MOST_CLASSES:
        return None
    most = min(rows, _MOST_LOOKED_AT // columns)
    if most < _FEWEST_ROWS:
        return None
    if most < rows:
        chosen = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
        return _LookedAt(numbers[chosen], target[chosen])
    return _LookedAt(numbers, target)


def _apart(edges: NDArray[np.float32], least: float) -> NDArray[np.float32]:
    """Answer the edges without those that lie too close behind another; the ends stay."""
    kept = [edges[0]]
    for edge in edges[1:-1]:
        if edge - kept[-1] >= least and edges[-1] - edge >= least:
            kept.append(edge)
    return np.asarray([*kept, edges[-1]], dtype=np.float32)
