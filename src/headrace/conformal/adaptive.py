"""Adaptive conformal inference: a level that is corrected by what comes true, row by row.

Where rows drift, those that calibrated once say too little of those that come now. After each row
whose truth is known the level that is asked of the scores is moved,

    miss_{t+1} = miss_t + rate * (1 - level - missed_t),

so that over time the share of misses comes to 1 - level, whatever the rows do: over T rows it is
off by at most (max(miss_1, 1 - miss_1) + rate) / (rate * T). Gibbs and Candès, "Adaptive conformal
inference under distribution shift" (2021). The scores are those of the newest rows.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headrace.conformal.ranks import Ranks

__all__ = ["AdaptiveReach"]

_ROUNDING = 1e-9


class AdaptiveReach:
    """How far intervals must reach, by the newest scores and by how often they missed.

    Args:
        level: How often the truth shall be inside.
        rate: How far the level moves after each row.
        window: How many of the newest scores count; calibration scores fill it up at first.
        scores: Scores to begin with, in their order, the oldest first.
        miss: The share of misses that is allowed at first; None for 1 - level.

    Attributes:
        miss: The share of misses that is asked of the scores now; it may leave 0 to 1.

    Example:
        >>> reach = AdaptiveReach(0.9, rate=0.05, window=100, scores=range(100))
        >>> before = reach.reach
        >>> for _ in range(5):
        ...     _ = reach.learn(1000.0)
        >>> before, reach.reach
        (90.0, 1000.0)
    """

    def __init__(
        self,
        level: float,
        *,
        rate: float,
        window: int,
        scores: Iterable[float] = (),
        miss: float | None = None,
    ) -> None:
        """Fill the window."""
        if not 0 < rate < 1:
            raise SettingError(f"rate must lie between 0 and 1, received {rate!r}")
        if window < 1:
            raise SettingError(f"window must be 1 or more, received {window!r}")
        self.level = level
        self.rate = rate
        self.window = window
        self.miss = 1 - level if miss is None else miss
        self._newest = deque((float(score) for score in scores), maxlen=window)
        self._rising = sorted(self._newest)

    @classmethod
    def of(cls, ranks: Ranks, level: float, *, rate: float, window: int) -> AdaptiveReach:
        """Answer the reach that starts from calibration scores; of many every so-manieth."""
        scores = ranks.scores
        if len(scores) > window:
            scores = scores[np.linspace(0, len(scores) - 1, window).round().astype(np.intp)]
        # What leaves the window first shall be any of them, not the smallest.
        mixed = np.random.default_rng(0).permutation(scores)
        return cls(level, rate=rate, window=window, scores=mixed.tolist())

    @property
    def reach(self) -> float:
        """The score that is not exceeded as often as is asked now; infinite for "always"."""
        count = len(self._rising)
        rank = math.ceil((count + 1) * (1 - self.miss) * (1 - _ROUNDING))
        if rank > count:
            return math.inf
        return self._rising[max(rank, 1) - 1]

    def learn(self, score: float) -> bool:
        """Take the score of a row whose truth is known, and answer whether it was within reach."""
        inside = score <= self.reach
        self.miss += self.rate * (1 - self.level - (not inside))
        if len(self._newest) == self.window:
            del self._rising[bisect_left(self._rising, self._newest[0])]
        self._newest.append(score)
        insort(self._rising, score)
        return inside

    def to_dict(self) -> dict[str, Any]:
        """Answer the state as plain values."""
        return {"miss": self.miss, "scores": list(self._newest)}

    @classmethod
    def from_dict(
        cls, stored: Mapping[str, Any], level: float, *, rate: float, window: int
    ) -> AdaptiveReach:
        """Read what `to_dict` wrote."""
        return cls(
            level, rate=rate, window=window, scores=stored["scores"], miss=float(stored["miss"])
        )
