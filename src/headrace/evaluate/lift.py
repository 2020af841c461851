"""Lift and gain: how many of the positive rows are among those with the highest probabilities."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import DataError, Problem, SettingError
from headrace.evaluate.calibration import checked_probabilities
from headrace.metrics.proportions import wilson
from headrace.result import Result
from headrace.table import figure, html_table, text_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["Lift", "LiftPart", "lift"]

_HEADER = ("part", "rows", "share", "lift", "low", "high", "gain", "low", "high")


@dataclass(frozen=True, slots=True)
class LiftPart:
    """Some rows in the order of their probability, the highest first.

    Attributes:
        rows: How many.
        share: The share of them that is positive.
        lift: That share over the share of all rows.
        low: The lower end of the interval of the lift.
        high: The upper end.
        gain: The share of all positive rows that this part and those before it hold.
        gain_low: The lower end of its interval.
        gain_high: The upper end.
    """

    rows: int
    share: float
    lift: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class Lift(Result):
    """What is found by looking at the highest probabilities first.

    Attributes:
        rows: How many rows were looked at.
        positive: How many of them are positive.
        parts: The rows by probability, the highest first.
        confidence: Of the intervals.
    """

    rows: int
    positive: int
    parts: tuple[LiftPart, ...]
    confidence: float = 0.95

    def summary(self) -> str:
        """Answer a line for each part."""
        title = f"{self.positive:,} of {self.rows:,} rows are positive"
        return f"{title}\n\n{text_table(_HEADER, self._cells())}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values."""
        return {**asdict(self), "parts": [asdict(one) for one in self.parts]}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the gain over the share of rows that is looked at."""
        from headrace import visualization

        axes: Axes = visualization.gain(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        title = f"lift, {self.positive:,} positive of {self.rows:,} rows"
        return html_table(_HEADER, self._cells(), caption=title)

    def _cells(self) -> list[list[str]]:
        return [
            [
                f"{place + 1}",
                f"{one.rows:,}",
                *map(figure, (one.share, one.lift, one.low, one.high)),
                *map(figure, (one.gain, one.gain_low, one.gain_high)),
            ]
            for place, one in enumerate(self.parts)
        ]


def lift(
    positive: NDArray[Any],
    stated: NDArray[Any],
    *,
    parts: int = 10,
    confidence: float = 0.95,
) -> Lift:
    """Answer what is found by looking at the highest probabilities first.

    Rows with equal probabilities stand in no order, so each part is given their mean share.

    Args:
        positive: (rows,) 1 for positive rows, 0 for others.
        stated: (rows,) the stated probability of being positive.
        parts: How many parts of about equally many rows.
        confidence: Of the intervals: Wilson's for the gain, and for the lift those of the part and
            of all other rows put together.

    Raises:
        DataError: No row is positive, or a probability is outside of 0 to 1.
        SettingError: There are fewer than two parts.

    Example:
        >>> found = lift(np.array([1, 1, 0, 0]), np.array([0.9, 0.8, 0.3, 0.2]), parts=2)
        >>> [part.lift for part in found.parts], found.parts[0].gain
        ([2.0, 0.0], 1.0)
    """
    came, said = checked_probabilities(positive, stated)
    if parts < 2:
        raise SettingError(f"parts must be 2 or more, received {parts}")
    if not came.any():
        raise DataError([Problem("no row is positive: there is nothing to find")])
    order = np.argsort(-said, kind="stable")
    _, tie, ties = np.unique(-said[order], return_inverse=True, return_counts=True)
    spread = (np.bincount(tie, came[order]) / ties)[tie]
    overall, total = float(came.mean()), float(came.sum())
    found, before = [], 0.0
    for part in np.array_split(spread, min(parts, len(said))):
        rows, hits = len(part), float(part.sum())
        before += hits
        low, high = _interval(hits, rows, total, len(said), confidence)
        gains = wilson(before, total, confidence)
        found.append(
            LiftPart(
                rows,
                hits / rows,
                hits / rows / overall,
                low,
                high,
                before / total,
                *gains,
            )
        )
    return Lift(len(said), int(total), tuple(found), confidence)


def _interval(
    hits: float, rows: int, total: float, every: int, confidence: float
) -> tuple[float, float]:
    """Answer the interval of a lift: the part's share and that of all other rows both move.

    The distances to the ends that each of them alone would give add up in squares (Zou and Donner,
    2008).
    """
    weight, others = rows / every, every - rows

    def lifted(own: float, other: float) -> float:
        overall = weight * own + (1 - weight) * other
        return own / overall if overall else 1.0

    share, rest = hits / rows, (total - hits) / others if others else 0.0
    low, high = wilson(hits, rows, confidence)
    least, most = wilson(total - hits, others, confidence)
    here = lifted(share, rest)
    down = np.hypot(here - lifted(low, rest), here - lifted(share, most))
    up = np.hypot(lifted(high, rest) - here, lifted(share, least) - here)
    return max(0.0, here - float(down)), min(1 / weight, here + float(up))
