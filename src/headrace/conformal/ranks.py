"""Scores of calibration rows as ranks, from which the reach of any level is read.

With n scores of exchangeable rows, the k-th smallest of them is at least as large as the score of
one more row with the chance k / (n + 1) or more. The reach of a level is therefore the score with
the rank ceil((n + 1) * level); without so many scores it is infinite (Vovk, Gammerman and Shafer,
"Algorithmic learning in a random world", 2005). Weighted scores take the place of ranks by sums of
weights, the new row with the weight 1 among them (Barber, Candès, Ramdas and Tibshirani,
"Conformal prediction beyond exchangeability", 2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Ranks", "packed", "rows_needed", "unpacked"]

_MOST = 20_000
_TOP = 4_000
"""Of many scores the largest are all kept, of the others every so-manieth."""

_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Ranks:
    """Rising scores, each with the weight of all rows up to it.

    Attributes:
        scores: (scores,) rising; of more than 20,000 some are left out, and a reach is then that of
            the next one that is kept: larger by less than one rank in 16,000.
        weights: (scores,) the sum of the weights up to and including each.
        total: The sum of all weights, that of the new row included.
        rows: How many rows there were.

    Example:
        >>> ranks = Ranks.of(np.arange(1.0, 20.0))
        >>> ranks.reach(0.9), ranks.reach(0.95), ranks.reach(0.96)
        (18.0, 19.0, inf)
    """

    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    total: float
    rows: int

    @classmethod
    def of(cls, scores: NDArray[Any], weights: NDArray[Any] | None = None) -> Ranks:
        """Answer the ranks of scores.

        Args:
            scores: (rows,) in any order.
            weights: (rows,) how much each counts, 1 for as much as a new row; None for 1.
        """
        order = np.argsort(scores, kind="stable")
        rising = np.asarray(scores, dtype=np.float64)[order]
        each = np.ones(len(rising)) if weights is None else np.asarray(weights, float)[order]
        summed = np.cumsum(each)
        total = 1.0 + (float(summed[-1]) if len(summed) else 0.0)
        kept = _kept(len(rising))
        return cls(rising[kept], summed[kept], total, len(rising))

    @classmethod
    def merged(cls, parts: Sequence[Ranks]) -> Ranks:
        """Answer the ranks of the rows of several together."""
        each = [np.diff(one.weights, prepend=0.0) for one in parts]
        whole = cls.of(np.concatenate([one.scores for one in parts]), np.concatenate(each))
        return replace(whole, rows=sum(one.rows for one in parts))

    def reach(self, level: float) -> float:
        """Answer the score that so large a share of rows does not exceed; infinite for too few."""
        wanted = level * self.total * (1 - _ROUNDING)
        place = int(np.searchsorted(self.weights, wanted))
        return float(self.scores[place]) if place < len(self.scores) else math.inf


def rows_needed(level: float) -> int:
    """Answer how many rows must calibrate at least, so that a level has a finite reach.

    Example:
        >>> rows_needed(0.9), rows_needed(0.99)
        (9, 99)
    """
    return math.ceil(level / (1 - level) * (1 - _ROUNDING))


def packed(tables: Sequence[Ranks]) -> dict[str, Any]:
    """Answer many ranks as a few arrays, so that they need few files."""
    lengths = [len(one.scores) for one in tables]
    return {
        "scores": np.concatenate([one.scores for one in tables]),
        "weights": np.concatenate([one.weights for one in tables]),
        "lengths": np.asarray(lengths, dtype=np.int64),
        "totals": np.asarray([one.total for one in tables]),
        "rows": np.asarray([one.rows for one in tables], dtype=np.int64),
    }


def unpacked(stored: Mapping[str, Any]) -> list[Ranks]:
    """Read what `packed` wrote.

    Raises:
        ReleaseError: The arrays do not fit each other.
    """
    lengths, totals, rows = (stored[name] for name in ("lengths", "totals", "rows"))
    ends = np.cumsum(lengths)
    size = int(ends[-1]) if len(ends) else 0
    if np.any(np.asarray(lengths) < 0) or size != len(stored["scores"]):
        raise ReleaseError(
            f"the calibration scores should be {size:,}, received {len(stored['scores']):,}"
        )
    parts = zip(ends, lengths, totals, rows, strict=True)
    return [
        _checked(stored["scores"][end - length : end], stored["weights"][end - length : end], *rest)
        for end, length, *rest in parts
    ]


def _checked(scores: NDArray[Any], weights: NDArray[Any], total: float, rows: int) -> Ranks:
    rising, summed = np.asarray(scores, np.float64), np.asarray(weights, np.float64)
    falls = [np.any(values[1:] < values[:-1]) for values in (rising, summed)]
    if rising.shape != summed.shape or np.isnan(rising).any() or any(falls):
        raise ReleaseError(
            "the calibration scores should be rising numbers, each with a rising weight; "
            f"received {rising.size:,} scores and {summed.size:,} weights that are not"
        )
    return Ranks(rising, summed, float(total), int(rows))


def _kept(count: int) -> NDArray[np.intp]:
    if count <= _MOST:
        return np.arange(count)
    rest = np.linspace(0, count - _TOP - 1, _MOST - _TOP).round().astype(np.intp)
    return np.concatenate([rest, np.arange(count - _TOP, count)])
