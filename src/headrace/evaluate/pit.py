"""Probability integral transform: whether predicted distributions of numbers come true."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.source import read
from headrace.errors import DataError, Problem, SettingError
from headrace.evaluate.intervals import check_confidence
from headrace.evaluate.labelled import labelled_rows
from headrace.metrics.proportions import wilson
from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec
    from headrace.pipeline import Pipeline

__all__ = ["Pit", "PitLevel", "pit", "pit_of_parts"]

_TENTHS = tuple(round(0.1 * place, 1) for place in range(1, 10))
_LEVELS = ("level", "below it", "low", "high", "")
_INTERVALS = ("interval", "holds", "low", "high", "")


@dataclass(frozen=True, slots=True)
class PitLevel:
    """How often true values lie below a predicted quantile, or inside of two.

    Attributes:
        stated: The share that should.
        observed: The share that did.
        low: The lower end of its interval (Wilson).
        high: The upper end.
    """

    stated: float
    observed: float
    low: float
    high: float

    @property
    def off(self) -> bool:
        """Whether the interval leaves out the share that should."""
        return not self.low <= self.stated <= self.high


@dataclass(frozen=True)
class Pit(Result):
    """How true predicted distributions of numbers come.

    Attributes:
        rows: How many rows were looked at.
        levels: For each quantile the share of true values at or below it.
        intervals: For each pair of quantiles that leaves equally much out on both sides, the share
            of true values between them.
        parts: Rows between each two quantiles next to each other, from below the first to above
            the last.
        expected: Rows that should be there.
        p_value: How often true distributions give parts that are as far or further from the
            expected ones.
        confidence: Of the intervals and the verdict.
        notes: What should be known.
    """

    rows: int
    levels: tuple[PitLevel, ...]
    intervals: tuple[PitLevel, ...]
    parts: tuple[int, ...]
    expected: tuple[float, ...]
    p_value: float
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether the rows give no reason to doubt the distributions."""
        return self.p_value > 1 - self.confidence

    def sentence(self) -> str:
        """Answer what was found, in words."""
        if self.calibrated:
            return (
                f"Predicted distributions come true as far as can be told (p {self.p_value:.2g})."
            )
        return f"Predicted distributions do not come true (p {self.p_value:.2g}): {self._shape()}."

    def summary(self) -> str:
        """Answer the verdict, and a line for each level and interval."""
        parts = [self.sentence(), text_table(_LEVELS, _cells(self.levels))]
        parts += [text_table(_INTERVALS, _cells(self.intervals))] if self.intervals else []
        return "\n\n".join([*parts, *(f"note: {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values."""
        several = {name: list(getattr(self, name)) for name in ("parts", "expected", "notes")}
        levels = [asdict(one) for one in self.levels]
        return {
            **asdict(self),
            **several,
            "levels": levels,
            "intervals": [asdict(one) for one in self.intervals],
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the rows between quantiles next to each other beside those that should be there."""
        from headrace import visualization

        axes: Axes = visualization.pit(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        title = f"distributions, {self.rows:,} rows"
        table = html_table(_LEVELS, _cells(self.levels), caption=title)
        more = html_table(_INTERVALS, _cells(self.intervals)) if self.intervals else ""
        return html_list([self.sentence()]) + table + more + html_list(self.notes)

    def _shape(self) -> str:
        """Answer what is wrong: the ends are too full, too empty, or unlike each other."""
        scale = 1 / np.sqrt(np.maximum(self.expected, 1e-12))
        excess = (np.array(self.parts) - self.expected) * scale
        first, last = float(excess[0]), float(excess[-1])
        if first * last < 0:
            return "the predicted values are too " + ("high" if first > 0 else "low")
        return "they are too " + ("narrow" if first + last > 0 else "wide")


def pit(pipeline: Pipeline, data: object, *, confidence: float = 0.95, seed: int = 0) -> Pit:
    """Answer how true the distributions come that a pipeline predicts.

    A true value's place in its predicted distribution is uniform when the distribution is right
    (Dawid, 1984; Gneiting, Balabdaoui and Raftery, 2007). Of quantiles it is known which two it
    lies between; of normal distributions and of counts tenths are taken. Counts have a random
    place within their step (Czado, Gneiting and Held, 2009).

    Args:
        pipeline: A trained pipeline whose network predicts quantiles, a mean with its deviation, or
            counts.
        data: Rows with the target that it has not learnt from.
        confidence: Of the intervals and the verdict.
        seed: Of the draws.

    Raises:
        DataError: The rows do not fit, or none has a label.
        SettingError: The network predicts no distribution of a number.
    """
    fitted = pipeline.fitted
    spec = fitted.network.target_spec
    if spec.task != "regression":
        raise SettingError(
            f"{spec.name!r} is a class: of its probabilities ask evaluation.calibration()"
        )
    rows = labelled_rows(fitted, read(data))
    stated = spec.distribution(spec.answers(fitted.output(rows.canonical)))
    truth = np.asarray(rows.y_true, dtype=np.float64)
    place, levels = _places(spec, truth, stated, np.random.default_rng(seed))
    return pit_of_parts(place, levels, confidence=confidence, seed=seed, notes=rows.notes)


def pit_of_parts(
    place: NDArray[np.intp],
    levels: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> Pit:
    """Answer how true distributions come, of the quantiles that each true value lies between.

    Args:
        place: (rows,) how many of the row's quantiles lie below its true value.
        levels: The levels of the quantiles, increasing, between 0 and 1.
        confidence: Of the intervals and the verdict.
        resamples: How many tables are drawn for the p-value; it needs no large counts.
        seed: Of the draws.
        notes: What should be known.

    Raises:
        DataError: There is no row.
        SettingError: There is no level, or they do not increase within 0 to 1.

    Example:
        >>> place = np.random.default_rng(0).integers(0, 4, 400)
        >>> pit_of_parts(place, (0.25, 0.5, 0.75)).calibrated
        True
        >>> pit_of_parts(place, (0.05, 0.5, 0.95)).sentence()
        'Predicted distributions do not come true (p 0.0001): they are too narrow.'
    """
    check_confidence(confidence)
    if not len(levels) or not (np.diff([0.0, *levels, 1.0]) > 0).all():
        raise SettingError(f"levels must increase between 0 and 1, received {list(levels)}")
    if not len(place):
        raise DataError([Problem("there is no row to judge the distributions by")])
    rows = len(place)
    parts = np.bincount(place, minlength=len(levels) + 1)
    chances = np.diff([0.0, *levels, 1.0])
    drawn = np.random.default_rng(seed).multinomial(rows, chances, resamples)
    far = _distance(parts, rows * chances)
    beyond = np.count_nonzero(_distance(drawn, rows * chances) >= far - 1e-9)
    below = parts.cumsum()

    def level(stated: float, count: float) -> PitLevel:
        return PitLevel(float(stated), float(count / rows), *wilson(float(count), rows, confidence))

    pairs = [
        (first, last)
        for first, last in zip(range(len(levels)), reversed(range(len(levels))), strict=True)
        if first < last and np.isclose(levels[first], 1 - levels[last])
    ]
    return Pit(
        rows=rows,
        levels=tuple(level(one, count) for one, count in zip(levels, below, strict=False)),
        intervals=tuple(
            level(levels[last] - levels[first], below[last] - below[first]) for first, last in pairs
        ),
        parts=tuple(map(int, parts)),
        expected=tuple(map(float, rows * chances)),
        p_value=float((1 + beyond) / (1 + resamples)),
        confidence=confidence,
        notes=tuple(notes),
    )


def _places(
    spec: TargetSpec,
    truth: NDArray[np.float64],
    stated: dict[str, NDArray[Any]],
    random: np.random.Generator,
) -> tuple[NDArray[np.intp], tuple[float, ...]]:
    """Answer how many quantiles lie below each true value, and the levels of the quantiles."""
    if spec.likelihood == "quantiles":
        # A value at or below its quantile counts as below it.
        quantiles = np.column_stack(list(stated.values()))
        return (quantiles < truth[:, np.newaxis]).sum(axis=1), spec.quantiles
    from scipy.special import ndtr
    from scipy.stats import poisson

    if spec.likelihood == "normal":
        chance = ndtr((truth - stated["mean"]) / stated["deviation"])
    else:
        top, step = poisson.cdf(truth, stated["rate"]), poisson.pmf(truth, stated["rate"])
        chance = top - step * random.random(len(truth))
    return np.searchsorted(_TENTHS, chance, side="left"), _TENTHS


def _distance(parts: NDArray[Any], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer Pearson's distance of counts from the expected ones, along the last axis."""
    return np.asarray(((parts - expected) ** 2 / expected).sum(axis=-1), dtype=np.float64)


def _cells(levels: Sequence[PitLevel]) -> list[list[str]]:
    return [
        [
            f"{one.stated:.4g}",
            *map(figure, (one.observed, one.low, one.high)),
            "off" if one.off else "",
        ]
        for one in levels
    ]
