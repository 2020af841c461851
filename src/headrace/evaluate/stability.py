"""Stability: how much figures and predictions change when something changes that should not count.

That is the seed of training, which rows were drawn to learn from, or a little noise in the input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.evaluate.scores import check_scores
from headrace.metrics.formulas import predicted_class
from headrace.metrics.measure import Measure, find, measures
from headrace.progress import bar
from headrace.table import figure, text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.model.target import Task

__all__ = ["Spread", "Stability", "stability"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of one metric over several trainings.

    Attributes:
        values: One value for each seed.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The average of the values."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """The standard deviation from one training to another."""
        return float(np.std(self.values, ddof=1))


@dataclass(frozen=True)
class Stability:
    """What changes when the same pipeline is trained again with another seed.

    Attributes:
        task: "binary", "multiclass" or "regression".
        seeds: The seeds that were trained with.
        rows: How many test rows were predicted each time.
        metrics: For each metric its values over the seeds.
        flips: Classification: the share of rows whose predicted class differs between two
            trainings, averaged over all pairs of trainings; regression: NaN.
        unanimous: Classification: the share of rows on which all trainings agree; regression: NaN.
        wobble: The typical standard deviation of a row's prediction over the seeds: the median
            over rows, in units of the target (regression) or of probability.
        over: What changed from one to the next: "trainings" with other seeds, "trainings on other
            rows", or "copies with noise".
    """

    task: Task
    seeds: tuple[int, ...]
    rows: int
    metrics: Mapping[str, Spread]
    flips: float
    unanimous: float
    wobble: float
    over: str = "trainings"

    def summary(self) -> str:
        """Answer the spread of each metric, and how many predictions flip."""
        header = ["metric", "mean", "deviation", "lowest", "highest"]
        return f"{text_table(header, self.table())}\n{self.sentence()}"

    def table(self) -> list[list[str]]:
        """Answer one line of text cells for each metric."""
        return [
            [name, *map(figure, (one.mean, one.deviation, min(one.values), max(one.values)))]
            for name, one in self.metrics.items()
        ]

    def sentence(self) -> str:
        """Answer what happens to the predictions, in words."""
        trainings = f"{len(self.seeds)} {self.over}"
        if self.task == "regression":
            return f"Over {trainings} a prediction typically varies by {figure(self.wobble)}."
        return (
            f"Between two of {trainings} {self.flips:.1%} of the predicted classes differ; "
            f"all agree on {self.unanimous:.1%} of {self.rows:,} rows."
        )

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold; None where there is none."""
        return {
            "task": self.task,
            "seeds": list(self.seeds),
            "rows": self.rows,
            "metrics": {
                name: [value if math.isfinite(value) else None for value in one.values]
                for name, one in self.metrics.items()
            },
            "flips": self.flips if math.isfinite(self.flips) else None,
            "unanimous": self.unanimous if math.isfinite(self.unanimous) else None,
            "wobble": self.wobble,
            "over": self.over,
        }


def stability(
    train: Callable[[int], NDArray[Any]],
    y_true: NDArray[Any],
    *,
    task: Task,
    metrics: Sequence[str | Measure] | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    threshold: float = 0.5,
    over: str = "trainings",
) -> Stability:
    """Train several times and compare the predictions on the same rows.

    Args:
        train: Takes a seed, trains, and answers what the model says about the test rows:
            (rows,) probability of the second class, (rows, classes), or (rows,) values in the
            units of the target.
        y_true: (rows,) class index, or the target in its own units.
        task: "binary", "multiclass" or "regression".
        metrics: Which metrics to watch; all of the task when none are given.
        seeds: The seeds to train with, at least two.
        threshold: Binary: the probability above which the second class is predicted.
        over: What changes with the seed, in words.

    Raises:
        DataError: A training answers rows that do not fit.
        SettingError: There are fewer than two seeds, or a metric is unknown.

    Example:
        >>> def train(seed):
        ...     return np.array([0.1, 0.6 if seed else 0.4, 0.9, 0.8])
        >>> answer = stability(train, np.array([0, 1, 1, 1]), task="binary", seeds=[0, 1])
        >>> answer.flips, answer.unanimous
        (0.25, 0.75)
    """
    if len(set(seeds)) < 2:
        raise SettingError(f"stability needs two different seeds or more, received {list(seeds)}")
    chosen = measures(task) if metrics is None else find(metrics, task)
    truth = np.asarray(y_true)
    outputs = []
    with bar("training again", len(seeds)) as progress:
        for seed in seeds:
            checked, output = check_scores(task, truth, train(seed), name=f"training {seed}")
            outputs.append(output)
            progress.advance()
    spreads = {
        one.name: Spread(tuple(one(checked, output) for output in outputs)) for one in chosen
    }
    flips, unanimous = (
        (math.nan, math.nan) if task == "regression" else _agreement(outputs, threshold)
    )
    wobble = float(np.median(np.std(outputs, axis=0, ddof=1)))
    return Stability(task, tuple(seeds), len(truth), spreads, flips, unanimous, wobble, over)


def _agreement(outputs: list[NDArray[Any]], threshold: float) -> tuple[float, float]:
    """Answer the share of rows that flip between two trainings, and where all agree."""
    classes = np.stack(
        [output > threshold if output.ndim == 1 else predicted_class(output) for output in outputs]
    )
    trainings, rows = classes.shape
    agreeing = np.zeros(rows)
    for code in np.unique(classes):
        votes = (classes == code).sum(axis=0)
        agreeing += votes * (votes - 1) / 2
    pairs = trainings * (trainings - 1) / 2
    unanimous = (classes == classes[0]).all(axis=0)
    return float(1 - agreeing.mean() / pairs), float(unanimous.mean())
