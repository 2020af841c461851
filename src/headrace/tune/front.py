"""Several goals at once: the trials that no other one beats, and the choice among them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.tune.result import Trial

__all__ = ["Goal", "pareto_front"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What settings are searched by.

    Attributes:
        name: "loss", a metric of the task, "latency" (one row) or "batch_latency" (1,000 rows).
        higher_is_better: Whether a larger value is a better one.
        unit: What it is measured in, or "".
    """

    name: str
    higher_is_better: bool = False
    unit: str = ""


def pareto_front(trials: Sequence[Trial], goals: Sequence[Goal]) -> tuple[Trial, ...]:
    """Answer the trials that no other one beats in all goals, the best in the first one first.

    Args:
        trials: Those without all values do not count.
        goals: What they are compared by.

    Example:
        >>> from headrace.tune.result import Trial
        >>> tried = [(0.90, 1.0), (0.95, 3.0), (0.94, 4.0)]
        >>> trials = [
        ...     Trial(n, "complete", v, {}, 1.0, further=(w,)) for n, (v, w) in enumerate(tried)
        ... ]
        >>> [one.number for one in pareto_front(trials, [Goal("roc_auc", True), Goal("latency")])]
        [1, 0]
    """
    costs = {
        one.number: cost
        for one in trials
        if len(cost := _costs(one, goals)) == len(goals) and all(map(math.isfinite, cost))
    }
    front = [
        one
        for one in trials
        if one.number in costs
        and not any(_beats(other, costs[one.number]) for other in costs.values())
    ]
    return tuple(sorted(front, key=lambda one: (costs[one.number], one.number)))


def _costs(trial: Trial, goals: Sequence[Goal]) -> tuple[float, ...]:
    return tuple(
        -value if goal.higher_is_better else value
        for goal, value in zip(goals, trial.values, strict=False)
    )


def _beats(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))
