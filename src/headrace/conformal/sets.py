"""How unlikely a class is for a row, and the set of the classes that are not too unlikely.

A measure answers a score for each class of each row, the smaller the likelier; the set of a row
holds the classes whose score does not exceed the reach. Scores read probabilities of six decimals,
so that paths which differ in the eighth order the classes alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Adaptive", "ClassMeasure", "LeastAmbiguous", "Ordinal"]

_DECIMALS = 6


class ClassMeasure(Protocol):
    """How unlikely a class is."""

    def scores(self, probabilities: NDArray[Any], lot: NDArray[Any] | None) -> NDArray[np.float64]:
        """Answer the score of each class, (rows, classes)."""


@dataclass(frozen=True)
class LeastAmbiguous:
    """`1 - p`: the smallest sets on average (LAC).

    Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error levels"
    (2019).
    """

    def scores(self, probabilities: NDArray[Any], lot: NDArray[Any] | None) -> NDArray[np.float64]:
        """Answer what is missing to certainty, (rows, classes)."""
        del lot
        return 1 - np.asarray(probabilities, dtype=np.float64)


@dataclass(frozen=True)
class Adaptive:
    """The probability of all classes that are likelier, and of the class itself (APS, RAPS).

    Sets grow where the classes are unclear. With a lot u of each row the class itself counts u
    times its probability: Romano, Sesia and Candès, "Classification with valid and adaptive
    coverage" (2020). A penalty for each class after the first `free` ones cuts long tails:
    Angelopoulos, Bates, Malik and Jordan, "Uncertainty sets for image classifiers" (2021).

    Attributes:
        random: Whether a lot decides.
        penalty: For each class more.
        free: How many classes have no penalty.

    Example:
        >>> Adaptive().scores(np.array([[0.2, 0.7, 0.1]]), None).round(3).tolist()
        [[0.9, 0.7, 1.0]]
    """

    random: bool = False
    penalty: float = 0.0
    free: int = 0

    def scores(self, probabilities: NDArray[Any], lot: NDArray[Any] | None) -> NDArray[np.float64]:
        """Answer the sums, (rows, classes)."""
        rounded = _rounded(probabilities)
        order = np.argsort(-rounded, axis=1, kind="stable")
        falling = np.take_along_axis(rounded, order, axis=1)
        sums = np.cumsum(falling, axis=1)
        if self.random and lot is not None:
            sums -= (1 - lot[:, np.newaxis]) * falling
        places = np.arange(1, rounded.shape[1] + 1)
        sums += self.penalty * np.maximum(places - self.free, 0)
        found = np.empty_like(sums)
        np.put_along_axis(found, order, sums, axis=1)
        return found


@dataclass(frozen=True)
class Ordinal:
    """The probability gathered from the likeliest class outwards until the class is reached.

    Each step takes the likelier neighbour, so that a set has no holes: Lu, Angelopoulos and
    Pomerantz, "Improving trustworthiness of AI disease severity rating in medical imaging with
    ordinal conformal prediction sets" (2022).

    Example:
        >>> Ordinal().scores(np.array([[0.3, 0.4, 0.1, 0.2]]), None).round(3).tolist()
        [[0.7, 0.4, 0.8, 1.0]]
    """

    def scores(self, probabilities: NDArray[Any], lot: NDArray[Any] | None) -> NDArray[np.float64]:
        """Answer the sums, (rows, classes)."""
        del lot
        rounded = _rounded(probabilities)
        rows, classes = rounded.shape
        # A class beyond either end is never the likelier neighbour.
        padded = np.pad(rounded, ((0, 0), (1, 1)), constant_values=-1.0)
        every = np.arange(rows)
        place = rounded.argmax(axis=1)
        below, above = place, place + 2
        found = np.empty_like(rounded)
        total = rounded[every, place]
        found[every, place] = total
        for _ in range(classes - 1):
            up = padded[every, above] >= padded[every, below]
            place = np.where(up, above, below)
            total = total + padded[every, place]
            found[every, place - 1] = total
            above, below = above + up, below - ~up
        return found


def _rounded(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.round(np.asarray(probabilities, np.float64), _DECIMALS), np.float64)
