"""The threshold above which a binary network says yes, chosen by costs or by a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from headrace.errors import SettingError
from headrace.metrics.counting import drawn_counts
from headrace.metrics.measure import Measure, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec

__all__ = ["Threshold", "ThresholdRule", "check_threshold", "choose_threshold", "recentred"]

ThresholdRule: TypeAlias = "float | str | Mapping[str, float] | None"
"""A number; the name of a metric; costs of the two errors; None for one half."""

_COSTS = ("false_positive", "false_negative")
_CANDIDATES = 200
_RESAMPLES = 200


@dataclass(frozen=True)
class Threshold:
    """A chosen threshold.

    Attributes:
        value: Rows with a probability above it are said to be of the second class.
        low: Lower end of its 95 % interval: another draw of validation rows would choose within.
        high: Upper end.
        rule: What it was chosen by, in words.
        score: The metric, or the mean cost a row, on the validation rows with this threshold.
        at_half: The same with the threshold one half.
        rows: How many validation rows decided.
    """

    value: float
    low: float
    high: float
    rule: str
    score: float
    at_half: float
    rows: int

    def text(self) -> str:
        """Answer in a few words what was chosen, and how sure that is."""
        return (
            f"{self.value:.3f} (95 % interval {self.low:.3f} to {self.high:.3f}) for {self.rule}: "
            f"{self.score:.4g} on {self.rows:,} validation rows, {self.at_half:.4g} at 0.5"
        )

    def to_dict(self) -> dict[str, Any]:
        """Answer the threshold as plain values."""
        return {**vars(self)}


def check_threshold(rule: ThresholdRule) -> None:
    """Check a rule that needs no data.

    Raises:
        SettingError: It is no number between 0 and 1, no name, or has other costs.
    """
    if rule is None or isinstance(rule, str):
        return
    if isinstance(rule, Mapping):
        costs = [rule.get(name, -1.0) for name in _COSTS]
        if set(rule) != set(_COSTS) or min(costs) < 0 or max(costs) <= 0:
            raise SettingError(
                "the costs of a threshold must be {'false_positive': cost, 'false_negative': cost},"
                f" 0 or more and not both 0, received {dict(rule)!r}"
            )
        return
    if not 0 < rule < 1:
        raise SettingError(f"threshold must lie between 0 and 1, received {rule!r}")


def choose_threshold(
    rule: ThresholdRule,
    target: TargetSpec,
    truth: NDArray[Any],
    probability: NDArray[Any],
    *,
    seed: int = 0,
) -> Threshold:
    """Choose the threshold that is best on rows that the network has not been trained on.

    The interval comes from the bootstrap: the rows are drawn anew 200 times, and each draw chooses.

    Args:
        rule: The name of a metric of binary labels ("f1", "balanced_accuracy", …), or the costs of
            the two errors, `{"false_positive": 1, "false_negative": 5}`.
        target: What is predicted; binary.
        truth: (rows,) 0 or 1.
        probability: (rows,) of the second class.
        seed: Of the bootstrap.

    Raises:
        SettingError: The target is not binary, or there is no such metric.

    Example:
        >>> from headrace.model.target import TargetSpec
        >>> target = TargetSpec("ill", "binary", classes=("no", "yes"))
        >>> random = np.random.default_rng(0)
        >>> chance = random.uniform(size=5000)
        >>> truth = (random.uniform(size=5000) < chance).astype(int)
        >>> costs = {"false_positive": 1.0, "false_negative": 4.0}
        >>> chosen = choose_threshold(costs, target, truth, chance)
        >>> chosen.low <= 0.2 <= chosen.high
        True
    """
    check_threshold(rule)
    if target.task != "binary":
        raise SettingError(
            f"a threshold needs a target with two classes, and {target.name!r} is {target.task}"
        )
    truth, probability = truth.astype(np.intp).ravel(), np.asarray(probability, dtype=np.float64)
    candidates = _candidates(probability)
    weights = _resampled_weights(len(truth), seed)
    if isinstance(rule, Mapping):
        scores = -_costs(rule, truth, probability, candidates, weights)
        words, sign = f"costs of {rule[_COSTS[0]]:g} and {rule[_COSTS[1]]:g}", -1.0
    else:
        [measure] = find([str(rule)], target.task)
        sign = 1.0 if measure.higher_is_better else -1.0
        scores = sign * _metric(measure, truth, probability, candidates, weights)
        words = f"the best {measure.name}"
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    best = candidates[_middle_best(scores)]
    low, high = np.quantile(best[1:], [0.025, 0.975])
    half = int(np.argmin(np.abs(candidates - 0.5)))
    return Threshold(
        value=float(best[0]),
        low=float(min(low, best[0])),
        high=float(max(high, best[0])),
        rule=words,
        score=float(sign * scores[0].max()),
        at_half=float(sign * scores[0, half]),
        rows=len(truth),
    )


def recentred(probability: NDArray[Any], threshold: float) -> NDArray[np.float64]:
    """Answer probabilities bent so that the threshold lies at one half; their order stays.

    Metrics of labels take everything above one half for a yes.

    Example:
        >>> recentred(np.array([0.1, 0.2, 0.6]), 0.2).tolist()
        [0.25, 0.5, 0.75]
    """
    values = np.asarray(probability, dtype=np.float64)
    below = values / (2 * threshold)
    # A value that is hardly above must not be rounded to the middle.
    above = np.maximum(0.5 + (values - threshold) / (2 * (1 - threshold)), np.nextafter(0.5, 1))
    return np.where(values <= threshold, below, above)


def _candidates(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer thresholds between the probabilities that occur, one half among them, rising."""
    places = np.quantile(probability, np.linspace(0, 1, _CANDIDATES + 1))
    spread = np.linspace(0.02, 0.98, 49)
    between = (places[1:] + places[:-1]) / 2
    inside = np.clip(np.concatenate([between, spread, [0.5]]), 1e-6, 1 - 1e-6)
    return np.unique(inside)


def _resampled_weights(rows: int, seed: int) -> NDArray[np.float64]:
    """Answer (1 + resamples, rows): all rows once, then how often each was drawn."""
    return np.concatenate([np.ones((1, rows)), drawn_counts(rows, _RESAMPLES, seed)])


def _costs(
    costs: Mapping[str, float],
    truth: NDArray[np.intp],
    probability: NDArray[np.float64],
    candidates: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Answer the mean cost a row, (weightings, candidates)."""
    places = np.searchsorted(candidates, probability, side="left")  # first candidate that says no
    negative = np.where(truth == 0, costs[_COSTS[0]], 0.0)
    positive = np.where(truth == 1, costs[_COSTS[1]], 0.0)
    # A row costs as a false positive under all candidates below its probability.
    count = len(candidates)
    sums = np.empty((len(weights), count))
    for place, weight in enumerate(weights):
        wrong_yes = np.bincount(places, weight * negative, count + 1)
        wrong_no = np.bincount(places, weight * positive, count + 1)
        yes = wrong_yes.sum() - np.cumsum(wrong_yes)[:count]
        sums[place] = yes + np.cumsum(wrong_no)[:count]
    return np.asarray(sums / weights.sum(axis=1, keepdims=True))


def _metric(
    measure: Measure,
    truth: NDArray[np.intp],
    probability: NDArray[np.float64],
    candidates: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Answer the metric, (weightings, candidates)."""
    columns = [
        measure.prepare(truth, recentred(probability, threshold))(weights)
        for threshold in candidates
    ]
    return np.stack(columns, axis=1)


def _middle_best(scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """Answer the middle of the best candidates of each weighting: often many are equally good."""
    best = scores >= scores.max(axis=1, keepdims=True) - 1e-12
    first = best.argmax(axis=1)
    last = best.shape[1] - 1 - best[:, ::-1].argmax(axis=1)
    middle = (first + last)[:, np.newaxis] / 2
    distance = np.abs(np.arange(best.shape[1]) - middle)
    return np.asarray(np.where(best, distance, np.inf).argmin(axis=1))
