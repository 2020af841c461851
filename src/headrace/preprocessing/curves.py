"""The curve from values to ranks: from quantiles to the knots of straight pieces."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["quantile_curve"]

_HUGE = 1e150  # distances between knots stay finite
_STEP = 1e-3  # share of the gap to the neighbour in which a frequent value's level is reached
_SAME = 1e-9  # what is closer together, relative to its size, is one value with rounding errors
_TINY = 1e-270  # what is closer to 0 is 0: slopes stay finite


def quantile_curve(
    levels: NDArray[np.float64],
    quantiles: NDArray[np.float64],
    *,
    rows: int,
    normal: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answer strictly increasing knots and the height of the curve at each.

    A value that several levels share is *frequent*: it gets the middle of its levels, and right
    beside it the curve drops to the first and rises to the last of them. The ends stay away from
    the levels 0 and 1, which the normal distribution does not have: by half a row, or by a tenth
    of the distance between two levels, for nothing finer is known about the smallest and largest.

    Args:
        levels: (k,) increasing from 0 to 1.
        quantiles: (k,) the quantiles at the levels; NaN when there are no values.
        rows: How many values the quantiles are made of.
        normal: Whether the heights are those of the normal distribution, else the levels.

    Returns:
        Knots and heights, at least two of each.

    Example:
        >>> x, y = quantile_curve(
        ...     np.array([0, 0.5, 1]), np.array([0.0, 0.0, 8.0]), rows=3, normal=False
        ... )
        >>> x.tolist(), y.round(3).tolist()
        ([0.0, 0.008, 8.0], [0.25, 0.5, 0.833])
    """
    values = np.clip(np.where(np.abs(quantiles) < _TINY, 0.0, quantiles), -_HUGE, _HUGE)
    values = _settled(np.maximum.accumulate(values))
    if np.isnan(values).any() or values[0] == values[-1]:
        centre = 0.0 if np.isnan(values).any() else float(values[0])
        x, y = np.array([centre, np.nextafter(centre, np.inf) + 1.0]), np.array([0.5, 0.5])
    else:
        x, y = _knots(levels, values)
    edge = min(max(0.5 / max(rows, 1), 0.1 / (len(levels) - 1)), 0.5)
    heights = np.clip(y, edge, 1 - edge)
    return x, _normal(heights) if normal else heights


def _knots(
    levels: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    distinct, first, times = np.unique(values, return_index=True, return_counts=True)
    low, high = levels[first], levels[first + times - 1]
    frequent = high > low
    reach = np.diff(distinct) * _STEP
    left = distinct - np.concatenate([[0.0], reach])
    right = distinct + np.concatenate([reach, [0.0]])
    # No step where there is no neighbour, or where rounding leaves no room for one.
    before, after = frequent & (left < distinct), frequent & (right > distinct)
    before[0] = after[-1] = False
    x = np.concatenate([left[before], distinct, right[after]])
    y = np.concatenate([low[before], (low + high) / 2, high[after]])
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    apart = np.concatenate([[True], np.diff(x) > 0])
    return x[apart], y[apart]


def _settled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer increasing values without differences that come of rounding alone.

    The sine of a month, say, has such twins. A step between them would be so steep that the last
    bit of a value, which differs between libraries, decided on which side it falls.
    """
    size = np.maximum(np.abs(values), np.median(np.abs(values)))
    apart = np.diff(values) > _SAME * size[1:]
    first = np.maximum.accumulate(
        np.where(np.concatenate([[True], apart]), np.arange(len(values)), 0)
    )
    return values[first]


def _normal(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse = NormalDist().inv_cdf
    return np.array([inverse(level) for level in levels.tolist()])
