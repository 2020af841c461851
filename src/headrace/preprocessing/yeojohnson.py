"""The exponent of Yeo and Johnson's power, by maximum likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["best_exponent", "likelihood", "transformed"]

_WIDEST = 10.0
_LEAST_SPREAD = 1e-7  # deviation by mean; below it half of the digits are lost
_GOLDEN = (np.sqrt(5) - 1) / 2
_NEAR_ZERO = 1e-9


def transformed(values: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Answer the transformed values.

    Example:
        >>> transformed(np.array([-1.0, 0.0, 3.0]), 0.5).round(3).tolist()
        [-1.219, 0.0, 2.0]
    """
    log = np.log1p(np.abs(values))
    power = np.where(values >= 0, exponent, 2 - exponent)
    logarithmic = np.abs(power) < _NEAR_ZERO
    safe = np.where(logarithmic, 1.0, power)
    with np.errstate(over="ignore"):
        grown = np.where(logarithmic, log, np.expm1(safe * log) / safe)
    return np.where(values >= 0, grown, -grown)


def likelihood(values: NDArray[np.float64], exponent: float) -> float:
    """Answer the mean log-likelihood of the exponent, up to a constant.

    -log(variance of the transformed values) / 2 + (exponent - 1) * mean(sign(x) log(1 + |x|)).
    """
    made = transformed(values, exponent)
    with np.errstate(over="ignore", invalid="ignore"):
        variance, mean = np.var(made), np.mean(made)
    # Where rounding has a part in the variance, it says nothing.
    if not np.isfinite(variance) or np.sqrt(variance) <= _LEAST_SPREAD * np.abs(mean):
        return -np.inf
    slope = np.mean(np.sign(values) * np.log1p(np.abs(values)))
    return float(-np.log(variance) / 2 + (exponent - 1) * slope)


def best_exponent(values: NDArray[np.float64]) -> float:
    """Answer the most likely exponent, between -10 and 10, to 0.0001; 1 for a constant column.

    Args:
        values: (k,) a sample, such as quantiles at even levels.
    """
    if not np.isfinite(values).all() or values.min() == values.max():
        return 1.0
    grid = np.linspace(-_WIDEST, _WIDEST, 41)
    heights = [likelihood(values, exponent) for exponent in grid]
    if not np.isfinite(heights).any():
        return 1.0
    best, step = float(grid[int(np.argmax(heights))]), grid[1] - grid[0]
    return _highest(lambda p: likelihood(values, p), best - step, best + step)


def _highest(height: Callable[[float], float], low: float, high: float) -> float:
    """Search the top of a hill by the golden section."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = height(left), height(right)
    while high - low > 1e-4:
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = height(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = height(left)
    return float((low + high) / 2)
