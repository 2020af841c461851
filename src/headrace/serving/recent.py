"""What happened lately: requests, rows and answers, for the dashboard and the monitor."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Recent", "Seen"]

_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Seen:
    """One row that was answered.

    Attributes:
        id: Of the prediction.
        time: When, in seconds since 1970.
        version: Who answered.
        row: As it came.
        prediction: What was answered.
        probability: Of the answered class; None where there are none.
    """

    id: str
    time: float
    version: str
    row: Any
    prediction: Any
    probability: float | None


class Recent:
    """Keeps the last rows and the traffic of the last minutes.

    Args:
        rows: How many rows are kept.
    """

    def __init__(self, rows: int = 2_000) -> None:
        self.seen: deque[Seen] = deque(maxlen=rows)
        self._durations: deque[tuple[float, float]] = deque(maxlen=20_000)

    def add(self, identity: str, rows: Sequence[Any], says: dict[str, Any]) -> None:
        """Keep rows and what was answered."""
        now, version = time.time(), says["version"]
        sure = says.get("probabilities")
        for place, (row, prediction) in enumerate(zip(rows, says["predictions"], strict=True)):
            probability = max(sure[place]) if sure else None
            name = prediction_id(identity, place)
            self.seen.append(Seen(name, now, version, row, prediction, probability))

    def timed(self, seconds: float) -> None:
        """Keep how long a request took."""
        self._durations.append((time.time(), seconds))

    def traffic(self) -> dict[str, Any]:
        """Answer requests by second over the last minutes, and quantiles of the time."""
        now = int(time.time())
        counts = np.zeros(_SECONDS, int)
        taken = []
        for when, seconds in list(self._durations):
            age = now - int(when)
            if 0 <= age < _SECONDS:
                counts[_SECONDS - 1 - age] += 1
                taken.append(seconds)
        quantiles = np.quantile(taken, [0.5, 0.9, 0.99]).tolist() if taken else [None] * 3
        return {
            "counts": counts.tolist(),
            "seconds": dict(zip(("p50", "p90", "p99"), quantiles, strict=True)),
        }

    def shares(self) -> dict[str, int]:
        """Answer how many of the recent rows got each prediction; of numbers, nothing."""
        found: dict[str, int] = {}
        for one in list(self.seen):
            if isinstance(one.prediction, str | bool | int):
                found[str(one.prediction)] = found.get(str(one.prediction), 0) + 1
        return dict(sorted(found.items(), key=lambda pair: -pair[1])[:20])


def prediction_id(identity: str, place: int) -> str:
    """Answer the name of the prediction for one row of a request.

    Example:
        >>> prediction_id("a1b2-7", 0)
        'a1b2-7/0'
    """
    return f"{identity}/{place}"
