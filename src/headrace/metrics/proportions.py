"""Intervals for shares of counted rows: formulas that hold for few rows too."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["mean_of_shares", "wilson"]


def wilson(successes: float, trials: float, confidence: float) -> tuple[float, float]:
    """Answer the score interval of a proportion (Wilson, 1927).

    It never leaves 0 to 1, and stays honest where every or no trial succeeds.

    Args:
        successes: How many trials succeeded.
        trials: How many trials there were; (0, 1) is the answer when there were none.
        confidence: How often such intervals hold the true proportion, for example 0.95.

    Example:
        >>> low, high = wilson(10, 10, 0.95)
        >>> round(low, 3), high
        (0.722, 1.0)
    """
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = share + z * z / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    scale = 1 + z * z / trials
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def mean_of_shares(
    successes: NDArray[Any], trials: NDArray[Any], confidence: float
) -> tuple[float, float]:
    """Answer the interval of the mean of independent proportions.

    The distance of each proportion to the ends of its own Wilson interval takes the place of its
    standard error (Newcombe, 1998; Zou and Donner, 2008).

    Args:
        successes: (groups,) how many trials succeeded in each group.
        trials: (groups,) how many trials there were; groups without trials are left out.
        confidence: How often such intervals hold the true mean.

    Example:
        >>> low, high = mean_of_shares(np.array([8, 30]), np.array([10, 60]), 0.95)
        >>> round(low, 3), round(high, 3)
        (0.483, 0.744)
    """
    tried = [(s, n) for s, n in zip(successes, trials, strict=True) if n > 0]
    if not tried:
        return 0.0, 1.0
    shares = np.array([s / n for s, n in tried])
    ends = np.array([wilson(float(s), float(n), confidence) for s, n in tried])
    down = math.sqrt(float(((shares - ends[:, 0]) ** 2).sum())) / len(tried)
    up = math.sqrt(float(((ends[:, 1] - shares) ** 2).sum())) / len(tried)
    mean = float(shares.mean())
    return max(0.0, mean - down), min(1.0, mean + up)
