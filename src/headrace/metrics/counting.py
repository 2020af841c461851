"""Weighted counts: the sums over rows that most metrics are made of, for many weightings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["drawn_counts", "ratio", "sum_by_class", "weighted_mean"]


def drawn_counts(rows: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Answer how often each row comes when as many are drawn as there are, (resamples, rows).

    Example:
        >>> drawn_counts(4, 2, seed=0).sum(axis=1).tolist()
        [4.0, 4.0]
    """
    random = np.random.default_rng(seed)
    return random.multinomial(rows, np.full(rows, 1 / rows), size=resamples).astype(np.float64)


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer part / whole, NaN where the whole is not above 0.

    Example:
        >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
        [0.5, nan]
    """
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer the mean of row values (rows,) for each weighting (resamples, rows)."""
    return ratio(weights @ values, weights.sum(axis=1))


def sum_by_class(
    codes: NDArray[Any], classes: int
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Answer a function from weights (resamples, rows) to their sums (resamples, classes).

    Args:
        codes: (rows,) the class of each row; rows with a negative code are left out.
        classes: How many classes there are.

    Example:
        >>> sum_by_class(np.array([1, 0, 1]), 3)(np.array([[1.0, 2.0, 3.0]])).tolist()
        [[2.0, 4.0, 0.0]]
    """
    order = np.argsort(codes, kind="stable")
    order = order[np.searchsorted(codes[order], 0) :]
    present, starts = np.unique(codes[order], return_index=True)

    def sums(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        answer = np.zeros((len(weights), classes))
        if len(present):
            by_class = weights.take(order, axis=1)
            answer[:, present] = np.add.reduceat(by_class, starts, axis=1)
        return answer

    return sums
