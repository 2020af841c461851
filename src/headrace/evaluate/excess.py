"""Excess: by how much the loss of some rows is above that of all others, and how surely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Excess", "excess"]

_SMALL = 300
"""Rows from which on Welch's tail is right whatever the loss looks like."""

_DRAWS, _DRAWN_AT_ONCE = 200, 1_000_000
"""Draws are ten times as many as the smallest p-value of 20 tests needs to decide."""


@dataclass(frozen=True, slots=True)
class Excess:
    """A difference of mean losses.

    Attributes:
        rows: How many rows were looked at.
        loss: Their mean loss.
        others: The mean loss of all other rows.
        low: The lower end of the interval of loss - others (Welch, 1947).
        high: The upper end.
        p_value: How often rows that are no worse show such a difference or a larger one.
    """

    rows: int
    loss: float
    others: float
    low: float
    high: float
    p_value: float

    @property
    def difference(self) -> float:
        """The loss above that of all other rows."""
        return self.loss - self.others


def excess(
    loss: NDArray[np.float64], inside: NDArray[np.bool_], *, rate: float = 0.05, seed: int = 0
) -> Excess | None:
    """Answer by how much the loss of some rows is above that of all others.

    The test is Welch's (1947), one-sided. Of few rows its far tail is off where the loss is not
    normal, so a find among them must hold against draws of as many rows, too (a studentised
    permutation test: Janssen, 1997).

    Args:
        loss: (rows,).
        inside: (rows,) which rows are looked at.
        rate: 1 - the confidence of the interval; p-values above it need no draws.
        seed: Of the draws.

    Returns:
        None where either side has fewer than two rows: they have no spread.

    Example:
        >>> loss = np.random.default_rng(0).random(400)
        >>> inside = np.arange(400) < 100
        >>> round(excess(loss + inside, inside).p_value, 4)
        0.0002
    """
    from scipy.special import stdtr, stdtrit

    own, others = loss[inside], loss[~inside]
    if min(len(own), len(others)) < 2:
        return None
    parts = own.var(ddof=1) / len(own), others.var(ddof=1) / len(others)
    error, difference = float(np.sqrt(sum(parts))), float(own.mean() - others.mean())
    if error == 0:
        p_value, reach = (0.0 if difference > 0 else 1.0), 0.0
    else:
        freedom = sum(parts) ** 2 / (
            parts[0] ** 2 / (len(own) - 1) + parts[1] ** 2 / (len(others) - 1)
        )
        p_value = float(stdtr(freedom, -difference / error))
        reach = float(stdtrit(freedom, 1 - rate / 2)) * error
        if p_value <= rate and len(own) < _SMALL:
            random = np.random.default_rng(seed)
            drawn = _drawn(loss, len(own), difference / error, int(_DRAWS / rate), random)
            p_value = max(p_value, drawn)
    return Excess(
        rows=len(own),
        loss=float(own.mean()),
        others=float(others.mean()),
        low=difference - reach,
        high=difference + reach,
        p_value=p_value,
    )


def _drawn(
    loss: NDArray[np.float64], rows: int, found: float, draws: int, random: np.random.Generator
) -> float:
    """Answer how often as many rows, drawn from all, are as much worse by Welch's measure."""
    every = len(loss)
    together = every // rows  # one shuffle gives so many groups
    shuffles = -(-draws // together)
    part = max(1, _DRAWN_AT_ONCE // every)
    total, squares, beyond = loss.sum(), (loss**2).sum(), 0
    for first in range(0, shuffles, part):
        several = np.broadcast_to(loss, (min(part, shuffles - first), every))
        mixed = random.permuted(several, axis=1)[:, : together * rows].reshape(-1, rows)
        own, own2 = mixed.sum(axis=1), (mixed**2).sum(axis=1)
        means, rest = own / rows, (total - own) / (every - rows)
        spread = (own2 / rows - means**2) / (rows - 1)
        spread += ((squares - own2) / (every - rows) - rest**2) / (every - rows - 1)
        beyond += int(np.count_nonzero(means - rest >= found * np.sqrt(np.maximum(spread, 0))))
    return (1 + beyond) / (1 + shuffles * together)
