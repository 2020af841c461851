"""Metrics of how well a score ranks the positive rows above the others, for many weightings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.metrics.counting import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.metrics.measure import Kernel

__all__ = ["area_under_roc", "average_precision"]


def area_under_roc(positive: NDArray[np.bool_], score: NDArray[Any]) -> Kernel:
    """Answer the area under the ROC curve as a function of row weights.

    It is the share of (positive, negative) pairs that the score orders rightly; a tie counts one
    half. Both groups are sorted once; a weighting then costs one running sum over the negatives.

    Args:
        positive: (rows,) which rows are of the positive class.
        score: (rows,) larger for rows more likely to be positive.
    """
    above, below = _sorted_rows(positive, score), _sorted_rows(~positive, score)
    lower = np.searchsorted(score[below], score[above], side="left")
    upper = np.searchsorted(score[below], score[above], side="right")
    tied = bool((lower != upper).any())

    def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        won = weights.take(above, axis=1)
        beaten = _running_sums(weights.take(below, axis=1))
        pairs = won.sum(axis=1) * beaten[:, -1]
        wins = beaten.take(lower, axis=1)
        if tied:
            wins += beaten.take(upper, axis=1)
            wins /= 2
        return ratio(np.einsum("ij,ij->i", won, wins), pairs)

    return kernel


def average_precision(positive: NDArray[np.bool_], score: NDArray[Any]) -> Kernel:
    """Answer the average precision as a function of row weights.

    It is the precision at the score of each positive row (rows with an equal score included),
    averaged over the positive rows: the step-wise area under the precision–recall curve.

    Args:
        positive: (rows,) which rows are of the positive class.
        score: (rows,) larger for rows more likely to be positive.
    """
    hits, others = _sorted_rows(positive, -score), _sorted_rows(~positive, -score)
    hits_so_far = np.searchsorted(-score[hits], -score[hits], side="right")
    others_so_far = np.searchsorted(-score[others], -score[hits], side="right")

    def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        weight = weights.take(hits, axis=1)
        true = _running_sums(weight).take(hits_so_far, axis=1)
        false = _running_sums(weights.take(others, axis=1)).take(others_so_far, axis=1)
        chosen = true + false
        precision = np.divide(true, chosen, out=np.zeros_like(true), where=chosen > 0)
        return ratio(np.einsum("ij,ij->i", weight, precision), weight.sum(axis=1))

    return kernel


def _sorted_rows(chosen: NDArray[np.bool_], key: NDArray[Any]) -> NDArray[np.intp]:
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(key[rows], kind="stable")]


def _running_sums(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer (resamples, rows + 1): the sum of the weights before each position."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums
