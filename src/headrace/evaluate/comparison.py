"""Comparing two models on the same rows: the difference, its interval, and a verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from headrace.errors import SettingError
from headrace.evaluate.intervals import Interval, check_confidence
from headrace.evaluate.resampling import resample
from headrace.evaluate.scores import check_scores
from headrace.evaluate.table import figure
from headrace.metrics.measure import PRIMARY, Measure, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.evaluate.intervals import Resampled
    from headrace.model.target import Task

__all__ = ["Comparison", "Verdict", "compare", "judge"]

Verdict: TypeAlias = Literal["better", "worse", "not enough data to tell", "no relevant difference"]
"""What a comparison can end in; the last one only where a smallest effect was given."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the first of two models does against the second one, on the same rows.

    Attributes:
        metric: The name of the metric.
        value: The metric of the first model.
        reference: The metric of the second model.
        difference: value - reference, in the units of the metric.
        low: The lower end of the interval of the difference.
        high: The upper end of the interval of the difference.
        verdict: "better", "worse" or "not enough data to tell" about the first model; with a
            smallest effect also "no relevant difference".
        higher_is_better: Whether a larger value of the metric is a better one.
        confidence: The confidence of the interval; a false "better" comes in at most half of the
            remaining cases.
        smallest_effect: The difference that has to be exceeded for sure to be called better.
        rows: How many rows were compared.
        note: What else should be known, or "".
    """

    metric: str
    value: float
    reference: float
    difference: float
    low: float
    high: float
    verdict: Verdict
    higher_is_better: bool
    confidence: float
    smallest_effect: float
    rows: int
    note: str = ""

    def summary(self, name: str = "the other") -> str:
        """Answer the verdict as a sentence.

        Args:
            name: What the second model is called.
        """
        figures = (
            f"{self.metric} {figure(self.value)} against {figure(self.reference)}, "
            f"difference {self.difference:+.3g} "
            f"({100 * self.confidence:.4g} % interval {self.low:+.3g} to {self.high:+.3g})"
        )
        note = f"; {self.note}" if self.note else ""
        return f"{_PHRASES[self.verdict].format(name=name)}: {figures}{note}."

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold; None where there is none."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }


_PHRASES: dict[Verdict, str] = {
    "better": "Better than {name}",
    "worse": "Worse than {name}",
    "not enough data to tell": "Against {name}, not enough data to tell",
    "no relevant difference": "No relevant difference to {name}",
}


def compare(
    y_true: NDArray[Any],
    output_a: NDArray[Any],
    output_b: NDArray[Any],
    *,
    task: Task,
    metric: str | Measure | None = None,
    smallest_effect: float = 0.0,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two models by what they say about the same rows (paired bootstrap).

    Both are judged on the same draws of the rows, so what makes a draw easy or hard for both drops
    out. Rows are taken as independent of each other.

    Args:
        y_true: (rows,) class index, or the target in its own units.
        output_a: What the first model says: (rows,) probability of the second class, (rows,
            classes) probabilities, or (rows,) values in the units of the target.
        output_b: What the second model says.
        task: "binary", "multiclass" or "regression".
        metric: What decides; the primary metric of the task when none is given.
        smallest_effect: The difference that matters, at least 0, in the units of the metric. The
            first model is better only when it is better by more than this.
        confidence: The confidence of the interval.
        resamples: How many times the rows are drawn.
        seed: The same seed gives the same draws.

    Raises:
        DataError: The rows do not fit each other, or hold values that are no numbers.
        SettingError: The metric is unknown, or a setting is out of its range.

    Example:
        >>> import numpy as np
        >>> truth = np.arange(50.0)
        >>> near, far = truth + np.sin(truth), truth + 3 * np.cos(truth)
        >>> compare(truth, near, far, task="regression").verdict
        'better'
    """
    check_confidence(confidence)
    (measure,) = find([metric or PRIMARY[task]], task)
    truth, first = check_scores(task, y_true, output_a, name="the first output")
    _, second = check_scores(task, y_true, output_b, name="the second output")
    kernels = [measure.prepare(truth, output) for output in (first, second)]
    deciding = [measure.deciding_rows(truth, first)] * 2
    resampled = resample(kernels, len(truth), resamples=resamples, seed=seed, deciding=deciding)
    return judge(
        resampled[0],
        resampled[1],
        measure=measure,
        rows=len(truth),
        smallest_effect=smallest_effect,
        confidence=confidence,
    )


def judge(
    first: Resampled,
    second: Resampled,
    *,
    measure: Measure,
    rows: int,
    smallest_effect: float = 0.0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two models whose metric was resampled together.

    Args:
        first: The metric of the first model.
        second: The metric of the second model.
        measure: What the metric is.
        rows: How many rows were compared.
        smallest_effect: The difference that matters, at least 0.
        confidence: The confidence of the interval.

    Raises:
        SettingError: The smallest effect is negative.
    """
    if not smallest_effect >= 0:
        raise SettingError(
            f"smallest_effect is a size and must be 0 or more, received {smallest_effect}"
        )
    difference = first - second
    interval = _interval(difference, measure, confidence)
    return Comparison(
        metric=measure.name,
        value=first.value,
        reference=second.value,
        difference=difference.value,
        low=interval.low,
        high=interval.high,
        verdict=_verdict(interval, measure, smallest_effect),
        higher_is_better=measure.higher_is_better,
        confidence=confidence,
        smallest_effect=smallest_effect,
        rows=rows,
        note=interval.note,
    )


def _interval(difference: Resampled, measure: Measure, confidence: float) -> Interval:
    widest = measure.highest - measure.lowest
    if not math.isfinite(difference.value):
        return Interval(-widest, widest, measure.undefined)
    # The sign test needs so many rows that all speak the same way.
    needed = math.ceil(math.log2(2 / (1 - confidence)))
    if difference.rows < needed:
        note = f"{difference.rows} rows that decide are too few for any verdict, at least {needed}"
        return Interval(-widest, widest, note)
    if not difference.draws.any():
        return Interval(0.0, 0.0, "no row tells the two apart")
    return difference.interval(confidence)


def _verdict(interval: Interval, measure: Measure, smallest_effect: float) -> Verdict:
    ends = (
        (interval.low, interval.high)
        if measure.higher_is_better
        else (
            -interval.high,
            -interval.low,
        )
    )
    if ends[0] > smallest_effect:
        return "better"
    if ends[1] < -smallest_effect:
        return "worse"
    if smallest_effect > 0 and -smallest_effect < ends[0] and ends[1] < smallest_effect:
        return "no relevant difference"
    return "not enough data to tell"
