"""How far a predicted number is off, and the interval that reaches so far.

A measure turns what the network answers for a row, and the truth, into a score; and it turns the
answers and the reach, a score that is not exceeded as often as the level says, into an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Answers = Mapping[str, NDArray[Any]]
    Ends = tuple[NDArray[np.float64], NDArray[np.float64]]

__all__ = ["Absolute", "Count", "Normalized", "NumberMeasure", "Quantiles"]

_ANSCOMBE = 3 / 8
_WHOLE = 1e-6  # a count at the very end of an interval is in it, whatever was rounded


class NumberMeasure(Protocol):
    """How far off a predicted number is.

    Attributes:
        variants: How many scores a row has; each level reads one of them.
    """

    @property
    def variants(self) -> int:
        """How many scores a row has."""

    def variant(self, level: float) -> int:
        """Answer which of the scores a level reads."""

    def scores(self, answers: Answers, truth: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the scores of rows whose truth is known, (variants, rows)."""

    def interval(self, answers: Answers, reach: NDArray[Any], variant: int) -> Ends:
        """Answer the lower and the upper ends of rows, (rows,) each."""


class _OneScore:
    @property
    def variants(self) -> int:
        """How many scores a row has: one."""
        return 1

    def variant(self, level: float) -> int:
        """Answer the only one."""
        del level
        return 0


@dataclass(frozen=True)
class Absolute(_OneScore):
    """`|y - prediction|`: intervals of the same width everywhere.

    Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-free predictive inference for
    regression" (2018).

    Example:
        >>> answers = {"prediction": np.array([1.0, 5.0])}
        >>> Absolute().scores(answers, np.array([2.0, 5.0])).tolist()
        [[1.0, 0.0]]
    """

    def scores(self, answers: Answers, truth: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the absolute errors, (1, rows)."""
        return np.abs(_wide(truth) - _wide(answers["prediction"]))[np.newaxis]

    def interval(self, answers: Answers, reach: NDArray[Any], variant: int) -> Ends:
        """Answer the prediction less and plus the reach."""
        del variant
        middle = _wide(answers["prediction"])
        return middle - reach, middle + reach


@dataclass(frozen=True)
class Normalized(_OneScore):
    """`|y - mean| / deviation`, of a network that answers both: wider where it is less sure.

    Lei et al. (2018), section 5.2.
    """

    def scores(self, answers: Answers, truth: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the errors in deviations, (1, rows)."""
        error = np.abs(_wide(truth) - _wide(answers["prediction"]))
        return (error / _wide(answers["deviation"]))[np.newaxis]

    def interval(self, answers: Answers, reach: NDArray[Any], variant: int) -> Ends:
        """Answer the mean less and plus so many deviations."""
        del variant
        middle, reach = _wide(answers["prediction"]), reach * _wide(answers["deviation"])
        return middle - reach, middle + reach


@dataclass(frozen=True)
class Quantiles:
    """`max(q_low - y, y - q_high)`, of a network that answers quantiles (CQR).

    Each level reads the pair of quantiles that promises the share nearest to it. Romano, Patterson
    and Candès, "Conformalized quantile regression" (2019).

    Attributes:
        levels: Of the quantiles, rising; two or more.

    Example:
        >>> measure = Quantiles((0.05, 0.25, 0.75, 0.95))
        >>> measure.variants, measure.variant(0.9), measure.variant(0.5)
        (2, 0, 1)
    """

    levels: tuple[float, ...]

    @property
    def variants(self) -> int:
        """How many pairs of quantiles there are, from the outermost inwards."""
        return len(self.levels) // 2

    def variant(self, level: float) -> int:
        """Answer the pair whose share is nearest to the level."""
        return min(range(self.variants), key=lambda place: abs(self._share(place) - level))

    def scores(self, answers: Answers, truth: NDArray[Any]) -> NDArray[np.float64]:
        """Answer how far outside of each pair the truth is; inside is below 0; (pairs, rows)."""
        y = _wide(truth)
        pairs = (self._pair(answers, place) for place in range(self.variants))
        return np.stack([np.maximum(low - y, y - high) for low, high in pairs])

    def interval(self, answers: Answers, reach: NDArray[Any], variant: int) -> Ends:
        """Answer the pair, widened by the reach; what it narrows to nothing is the middle."""
        low, high = self._pair(answers, variant)
        return _uncrossed(low - reach, high + reach)

    def _share(self, place: int) -> float:
        return self.levels[-1 - place] - self.levels[place]

    def _pair(self, answers: Answers, place: int) -> Ends:
        quantiles = _wide(answers["quantiles"])
        return quantiles[:, place], quantiles[:, quantiles.shape[1] - 1 - place]


@dataclass(frozen=True)
class Count(_OneScore):
    """`|a(y) - a(rate)|` with `a(x) = 2 sqrt(x + 3/8)`: for counts, whose spread grows.

    The deviation of a(y) is near 1 for any rate of a Poisson distribution: Anscombe, "The
    transformation of Poisson, binomial and negative-binomial data" (1948). The ends are whole.
    """

    def scores(self, answers: Answers, truth: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the distances on that scale, (1, rows)."""
        return np.abs(_anscombe(truth) - _anscombe(answers["prediction"]))[np.newaxis]

    def interval(self, answers: Answers, reach: NDArray[Any], variant: int) -> Ends:
        """Answer the least and the largest count within reach of the rate."""
        del variant
        rate = _wide(answers["prediction"])
        middle = _anscombe(rate)
        least = np.maximum(middle - reach, 2 * np.sqrt(_ANSCOMBE))
        low = np.ceil((least / 2) ** 2 - _ANSCOMBE - _WHOLE)
        high = np.floor(((middle + reach) / 2) ** 2 - _ANSCOMBE + _WHOLE)
        nearest = np.round(rate)
        none = low > high
        return np.where(none, nearest, low) + 0.0, np.where(none, nearest, high)


def _anscombe(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(2 * np.sqrt(_wide(values) + _ANSCOMBE))


def _uncrossed(low: NDArray[np.float64], high: NDArray[np.float64]) -> Ends:
    crossed = low > high
    low, high = low.copy(), high.copy()
    low[crossed] = high[crossed] = low[crossed] / 2 + high[crossed] / 2
    return low, high


def _wide(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)
