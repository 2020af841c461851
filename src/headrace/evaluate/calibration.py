"""Calibration: whether probabilities come true, beside what chance alone would show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import DataError, Problem, SettingError
from headrace.metrics.proportions import wilson
from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["Calibration", "ReliabilityBin", "calibration", "checked_probabilities"]

_HEADER = ("stated", "rows", "mean", "observed", "low", "high", "")
_MOST_DRAWN = 20_000_000
"""Random numbers for the null level: about half a second."""

_FEWEST_DRAWS = 100
_PART = 2_000_000


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows whose stated probabilities are near each other.

    Attributes:
        rows: How many.
        stated: Their mean stated probability.
        observed: The share of them that came true.
        low: The lower end of the interval of that share (Wilson).
        high: The upper end.
        null_low: The lower end of what a calibrated model would show here.
        null_high: The upper end.
        band_low: The lower end of the band that all bins of a calibrated model stay in together.
        band_high: The upper end.
    """

    rows: int
    stated: float
    observed: float
    low: float
    high: float
    null_low: float
    null_high: float
    band_low: float
    band_high: float

    @property
    def off(self) -> bool:
        """Whether a calibrated model would hardly show the share in any of its bins."""
        return not self.band_low <= self.observed <= self.band_high


@dataclass(frozen=True)
class Calibration(Result):
    """How true stated probabilities come.

    Attributes:
        rows: How many rows were looked at.
        bins: Rows by their stated probability, in bins of about equally many rows.
        ece: The expected calibration error: the mean distance of stated and observed over the bins,
            weighted by rows.
        null: The mean error that a perfectly calibrated model with the same probabilities shows by
            chance: an error below it says nothing.
        null_high: The error that such a model exceeds in 5 of 100 tables.
        p_value: How often such a model shows this error or a larger one.
        brier: The mean squared error of the probabilities.
        reliability: The part of it that is miscalibration (Murphy, 1973); 0 is best.
        resolution: What the probabilities tell rows apart by; more is better.
        uncertainty: What is left for a model that knows the share alone.
        of: What the probability is of.
        confidence: Of the intervals.
    """

    rows: int
    bins: tuple[ReliabilityBin, ...]
    ece: float
    null: float
    null_high: float
    p_value: float
    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    of: str = ""
    confidence: float = 0.95

    @property
    def calibrated(self) -> bool:
        """Whether the rows give no reason to doubt the probabilities."""
        return self.p_value > 1 - self.confidence

    def sentence(self) -> str:
        """Answer what was found, in words."""
        verdict = (
            "no more than chance explains"
            if self.calibrated
            else "more than chance explains: calibrate (Network(calibrate='temperature'))"
        )
        return (
            f"calibration error {figure(self.ece)}, by chance alone {figure(self.null)} "
            f"(up to {figure(self.null_high)}), p {self.p_value:.2g}: {verdict}."
        )

    def summary(self) -> str:
        """Answer the verdict, and a line for each bin."""
        brier = (
            f"Brier score {figure(self.brier)} = {figure(self.reliability)} miscalibration - "
            f"{figure(self.resolution)} resolution + {figure(self.uncertainty)} uncertainty "
            "(within bins)"
        )
        return f"{self.sentence()}\n{brier}\n\n{text_table(_HEADER, self._cells())}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values."""
        return {**asdict(self), "bins": [asdict(one) for one in self.bins]}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw observed against stated, with the band of a calibrated model."""
        from headrace import visualization

        axes: Axes = visualization.reliability(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        title = f"calibration, {self.rows:,} rows"
        return html_table(_HEADER, self._cells(), caption=title) + html_list([self.sentence()])

    def _cells(self) -> list[list[str]]:
        return [
            [
                f"bin {place + 1}",
                f"{one.rows:,}",
                *map(figure, (one.stated, one.observed, one.low, one.high)),
                "off" if one.off else "",
            ]
            for place, one in enumerate(self.bins)
        ]


def calibration(
    hit: NDArray[Any],
    stated: NDArray[Any],
    *,
    bins: int = 10,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    of: str = "",
) -> Calibration:
    """Answer how true stated probabilities come.

    A small table shows an error even where the probabilities are right, so the error is compared
    with that of outcomes drawn from the very probabilities (Bröcker and Smith, 2007; Vaicenavicius
    et al., 2019): the null level. The same draws give a band for each bin and one that all bins of
    a calibrated model stay in together.

    Args:
        hit: (rows,) 1 where it came true, 0 elsewhere.
        stated: (rows,) the stated probability.
        bins: How many bins of about equally many rows; equal probabilities share one.
        confidence: Of the intervals and the verdict.
        resamples: How many tables of outcomes are drawn; fewer for very many rows.
        seed: Of the draws.
        of: What the probability is of, for pictures.

    Raises:
        DataError: There is no row, or a probability is outside of 0 to 1.
        SettingError: There are fewer than two bins.

    Example:
        >>> random = np.random.default_rng(0)
        >>> stated = random.random(2000)
        >>> true, bold = random.random(2000) < stated, random.random(2000) < stated**3
        >>> calibration(true, stated).calibrated, calibration(bold, stated).calibrated
        (True, False)
    """
    came, said = checked_probabilities(hit, stated)
    if bins < 2:
        raise SettingError(f"bins must be 2 or more, received {bins}")
    place = _bins(said, bins)
    number = int(place.max()) + 1
    rows = np.bincount(place, minlength=number)
    means = np.bincount(place, said, number) / rows
    shares = np.bincount(place, came, number) / rows
    null = _null(said, place, rows, resamples, np.random.default_rng(seed))
    errors = np.abs(null - means) @ rows / len(said)
    ece = float(np.abs(shares - means) @ rows / len(said))
    tail = (1 - confidence) / 2
    ends = np.quantile(null, [tail, 1 - tail], axis=0)
    band = _band(null, confidence)
    overall = float(came.mean())
    return Calibration(
        rows=len(said),
        bins=tuple(
            ReliabilityBin(
                int(rows[one]),
                float(means[one]),
                float(shares[one]),
                *wilson(float(shares[one] * rows[one]), float(rows[one]), confidence),
                float(ends[0, one]),
                float(ends[1, one]),
                float(band[0, one]),
                float(band[1, one]),
            )
            for one in range(number)
        ),
        ece=ece,
        null=float(errors.mean()),
        null_high=float(np.quantile(errors, confidence)),
        p_value=float((1 + np.count_nonzero(errors >= ece - 1e-12)) / (1 + len(errors))),
        brier=float(((said - came) ** 2).mean()),
        reliability=float((shares - means) ** 2 @ rows / len(said)),
        resolution=float((shares - overall) ** 2 @ rows / len(said)),
        uncertainty=overall * (1 - overall),
        of=of,
        confidence=confidence,
    )


def checked_probabilities(
    hit: NDArray[Any], stated: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answer outcomes and probabilities as float64, after checking them.

    Raises:
        DataError: There is no row, or a probability is outside of 0 to 1.
        SettingError: The shapes differ.
    """
    came, said = np.asarray(hit, dtype=np.float64), np.asarray(stated, dtype=np.float64)
    if said.ndim != 1 or said.shape != came.shape:
        raise SettingError(
            f"outcomes and probabilities must both be (rows,), received {came.shape} and "
            f"{said.shape}"
        )
    if not len(said):
        raise DataError([Problem("there is no row to judge the calibration by")])
    wrong = np.flatnonzero(~((said >= 0) & (said <= 1)))
    if len(wrong):
        row = int(wrong[0])
        text = "a stated probability must lie between 0 and 1"
        raise DataError([Problem(text, row=row, value=float(said[row]))])
    return came, said


def _bins(said: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    """Answer the bin of each row, numbered from 0 without gaps."""
    edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1]))
    _, place = np.unique(np.searchsorted(edges, said, side="left"), return_inverse=True)
    return np.asarray(place, dtype=np.intp)


def _null(
    said: NDArray[np.float64],
    place: NDArray[np.intp],
    rows: NDArray[np.intp],
    resamples: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Answer (tables, bins): shares in tables of outcomes drawn from the probabilities."""
    draws = max(_FEWEST_DRAWS, min(resamples, _MOST_DRAWN // len(said)))
    order = np.argsort(place, kind="stable")
    sorted_, starts = said[order], np.searchsorted(place[order], np.arange(len(rows)))
    part = max(1, _PART // len(said))
    found = [
        np.add.reduceat(random.random((size, len(said))) < sorted_, starts, axis=1, dtype=np.int64)
        for size in (min(part, draws - first) for first in range(0, draws, part))
    ]
    return np.concatenate(found) / rows


def _band(null: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Answer (2, bins): the ends that hold all bins of so many of the drawn tables at once.

    Each share is told by how rare it is in its bin, and a table by its rarest share, so skewed and
    coarse shares need no approximation.
    """
    from scipy.stats import rankdata

    rarity = np.minimum(rankdata(null, "max", axis=0), rankdata(-null, "max", axis=0))
    level = np.quantile(rarity.min(axis=1), 1 - confidence, method="lower")
    inside = rarity >= level
    low = np.where(inside, null, np.inf).min(axis=0)
    return np.stack([low, np.where(inside, null, -np.inf).max(axis=0)])
