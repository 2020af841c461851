"""Tests of two models on the same rows that need no resampling: DeLong and McNemar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PairedTest", "delong", "mcnemar"]


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A difference between two models with its interval and the p-value of no difference.

    Attributes:
        name: Of the test.
        difference: First minus second.
        low: The lower end of the interval.
        high: The upper end of the interval.
        p_value: How often so large a difference would come by chance.
    """

    name: str
    difference: float
    low: float
    high: float
    p_value: float


def delong(
    positive: NDArray[np.bool_], first: NDArray[Any], second: NDArray[Any], confidence: float
) -> PairedTest | None:
    """Compare the areas under two ROC curves (DeLong, DeLong and Clarke-Pearson, 1988).

    The variance of the difference comes from the ranks of the rows (Sun and Xu, 2014). Student's t
    takes the place of the normal distribution, with one degree less than the rarer class has rows.

    Args:
        positive: (rows,) which rows are of the positive class.
        first: (rows,) scores of the first model.
        second: (rows,) scores of the second model.
        confidence: Of the interval.

    Returns:
        The test; None where a class has fewer than two rows, or the ranks show no spread.

    Example:
        >>> truth = np.array([0, 0, 0, 1, 1, 1], dtype=bool)
        >>> good, bad = np.array([1, 2, 4, 3, 5, 6.0]), np.array([6, 2, 5, 1, 3, 4.0])
        >>> found = delong(truth, good, bad, 0.95)
        >>> round(found.difference, 3), found.p_value > 0.05
        (0.667, True)
    """
    from scipy.special import stdtr, stdtrit

    rarer = min(int(positive.sum()), int((~positive).sum()))
    if rarer < 2:
        return None
    wins = [_placements(positive, score) for score in (first, second)]
    above = wins[0][0] - wins[1][0]
    below = wins[0][1] - wins[1][1]
    variance = above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)
    if not variance > 0:
        return None
    difference, error = float(above.mean()), math.sqrt(variance)
    reach = float(stdtrit(rarer - 1, (1 + confidence) / 2)) * error
    p_value = 2 * float(stdtr(rarer - 1, -abs(difference) / error))
    return PairedTest("DeLong", difference, difference - reach, difference + reach, p_value)


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_], confidence: float) -> PairedTest:
    """Compare the shares of rows that two models get right (McNemar, 1947).

    Only rows that one of the two gets right tell them apart; the p-value is exact, a binomial one.
    The interval of the difference is the adjusted one of Bonett and Price (2012).

    Args:
        first: (rows,) what the first model gets right.
        second: (rows,) what the second model gets right.
        confidence: Of the interval.

    Example:
        >>> first = np.array([True] * 9 + [False])
        >>> found = mcnemar(first, ~first, 0.95)
        >>> found.difference, round(found.p_value, 4)
        (0.8, 0.0215)
    """
    from scipy.special import ndtri
    from scipy.stats import binomtest

    rows = len(first)
    won, lost = int((first & ~second).sum()), int((second & ~first).sum())
    up, down = (won + 1) / (rows + 2), (lost + 1) / (rows + 2)
    error = math.sqrt((up + down - (up - down) ** 2) / (rows + 2))
    reach = float(ndtri((1 + confidence) / 2)) * error
    p_value = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    low, high = max(-1.0, up - down - reach), min(1.0, up - down + reach)
    return PairedTest("McNemar", (won - lost) / rows, low, high, p_value)


def _placements(
    positive: NDArray[np.bool_], score: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answer for each row of a class the share of the other class that it is on the right side of.

    Equal scores count one half.
    """
    above, below = np.sort(score[positive]), np.sort(score[~positive])
    won = (
        np.searchsorted(below, score[positive], "left")
        + np.searchsorted(below, score[positive], "right")
    ) / (2 * len(below))
    lost = (
        np.searchsorted(above, score[~positive], "left")
        + np.searchsorted(above, score[~positive], "right")
    ) / (2 * len(above))
    return won, 1 - lost
