"""How good the best trial is without the luck of having been chosen.

The best of many trials on the same validation rows was partly lucky there: its figure on these rows
is too good. Two figures put that right. Rows that no trial has seen know nothing of the choice; and
the bootstrap bias correction of Tsamardinos, Greasidou and Borboudakis ("Bootstrapping the
out-of-sample predictions for efficient and accurate cross-validation", Machine Learning 107, 2018)
draws the validation rows again and again, chooses the best trial on the rows that were drawn, and
looks at it on those that were not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.evaluate.resampling import resample
from headrace.result import finite
from headrace.table import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.evaluate.intervals import Interval
    from headrace.metrics.measure import Measure

__all__ = ["HonestEstimate", "bias_corrected", "standing"]

_DRAWS = 200
_BLOCK = 4_000_000
"""Weights that are drawn at a time."""

_MOST_RIVALS = 50
"""Trials that the choice is repeated among; those further behind are never the best of a draw."""


@dataclass(frozen=True)
class HonestEstimate:
    """What the chosen settings are worth, and what the validation rows said of them.

    Attributes:
        metric: The name of the metric.
        higher_is_better: Whether a larger value is a better one.
        validation: The metric of the chosen trial on the validation rows, by which it was chosen.
        validation_rows: How many these are.
        trials: Among how many complete trials it was chosen.
        corrected: The same, corrected for the choice by resampling; None where the trials' outputs
            are not known.
        value: The metric on rows that no trial has seen.
        low: The lower end of its interval.
        high: The upper end of its interval.
        rows: How many rows these are.
        confidence: Of the interval.
        note: What else should be known, or "".
    """

    metric: str
    higher_is_better: bool
    validation: float
    validation_rows: int
    trials: int
    corrected: float | None
    value: float
    low: float
    high: float
    rows: int
    confidence: float = 0.95
    note: str = ""

    @property
    def optimism(self) -> float | None:
        """By how much the choice among the trials flattered the validation figure, if known."""
        if self.corrected is None:
            return None
        sign = 1 if self.higher_is_better else -1
        return sign * (self.validation - self.corrected)

    def summary(self) -> str:
        """Answer the figures as sentences."""
        corrected = (
            ""
            if self.corrected is None
            else f"; corrected for being the best of {self.trials}, {figure(self.corrected)}"
        )
        note = f" ({self.note})" if self.note else ""
        return (
            f"Validation said {self.metric} {figure(self.validation)} on {self.validation_rows:,} "
            f"rows{corrected}. Honest is {figure(self.value)} ({figure(self.low)} to "
            f"{figure(self.high)}, {100 * self.confidence:.4g} % interval), on {self.rows:,} rows "
            f"that no trial has seen{note}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold; None where there is none."""
        found = {**asdict(self), "optimism": self.optimism}
        return {key: finite(value) for key, value in found.items()}


def standing(
    y_true: NDArray[Any],
    output: NDArray[Any],
    measure: Measure,
    *,
    draws: int = _DRAWS,
    seed: int = 0,
) -> tuple[float, Interval]:
    """Answer a metric of some rows with its interval, quickly enough for every trial.

    Args:
        y_true: (rows,) as metrics read it.
        output: (rows,) or (rows, classes).
        measure: The metric.
        draws: How many times the rows are drawn.
        seed: Of the draws.
    """
    deciding = [measure.deciding_rows(y_true, output)]
    kernels = [measure.prepare(y_true, output)]
    (found,) = resample(kernels, len(y_true), resamples=draws, seed=seed, deciding=deciding)
    return found.value, found.interval(lowest=measure.lowest, highest=measure.highest)


def bias_corrected(
    y_true: NDArray[Any],
    outputs: Sequence[NDArray[Any]],
    measure: Measure,
    *,
    choice: Measure | None = None,
    draws: int = _DRAWS,
    seed: int = 0,
) -> float | None:
    """Answer what the best of several is worth, without the luck of being chosen (BBC).

    Args:
        y_true: (rows,) as metrics read it.
        outputs: What each trial says of the same rows, which it was not trained on.
        measure: The metric that is told.
        choice: The metric by which the best is chosen; None for the same one.
        draws: How many times the rows are drawn.
        seed: Of the draws.

    Returns:
        The mean over all draws; None where no draw has a value.

    Example:
        >>> from headrace.metrics.measure import find
        >>> random = np.random.default_rng(0)
        >>> truth = random.integers(0, 2, 300)
        >>> guesses = [random.random(300) for _ in range(30)]  # all of them worth 0.5
        >>> auc, = find(["roc_auc"], "binary")
        >>> luck = max(auc(truth, guess) for guess in guesses)
        >>> round(luck, 2), round(bias_corrected(truth, guesses, auc), 2)
        (0.57, 0.49)
    """
    choice = choice or measure
    rivals = _leading(y_true, outputs, choice)
    if not rivals:
        return None
    winner = measure.prepare(y_true, rivals[0])
    inside = [choice.prepare(y_true, output) for output in rivals]
    outside = [measure.prepare(y_true, output) for output in rivals]
    random = np.random.default_rng(seed)
    rows, found = len(y_true), []
    block = max(1, min(draws, _BLOCK // max(rows, 1)))
    for start in range(0, draws, block):
        count = min(block, draws - start)
        weights = _drawn(random, count, rows)
        chosen = _best(np.array([kernel(weights) for kernel in inside]), choice)
        left = (weights == 0).astype(np.float64)
        said = np.empty(count)
        for place in np.unique(chosen):
            said[chosen == place] = outside[place](left[chosen == place])
        # What a draw makes easy or hard for all of them drops out.
        found.append(said - winner(left))
    changes = np.concatenate(found)
    changes = changes[np.isfinite(changes)]
    whole = float(winner(np.ones((1, rows)))[0])
    return whole + float(changes.mean()) if len(changes) else None


def _leading(
    y_true: NDArray[Any], outputs: Sequence[NDArray[Any]], choice: Measure
) -> list[NDArray[Any]]:
    """Answer the outputs that are best on the rows as they are, the best one first."""
    values = np.array([choice(y_true, output) for output in outputs])
    order = np.argsort(-values if choice.higher_is_better else values, kind="stable")
    return [outputs[place] for place in order[:_MOST_RIVALS]]


def _drawn(random: np.random.Generator, count: int, rows: int) -> NDArray[np.float64]:
    places = random.integers(0, rows, (count, rows))
    places += np.arange(count)[:, np.newaxis] * rows
    counts = np.bincount(places.ravel(), minlength=count * rows)
    return counts.reshape(count, rows).astype(np.float64)


def _best(values: NDArray[np.float64], choice: Measure) -> NDArray[np.intp]:
    worst = -np.inf if choice.higher_is_better else np.inf
    known = np.where(np.isfinite(values), values, worst)
    return np.asarray((known if choice.higher_is_better else -known).argmax(axis=0))
