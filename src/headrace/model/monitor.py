"""What training watches on the validation rows: the loss, or a metric that the user cares about."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.metrics.distributions import as_distribution
from headrace.metrics.measure import Measure, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec

__all__ = ["LOSS", "Monitor"]

LOSS = "loss"


@dataclass(frozen=True)
class Monitor:
    """The figure of each epoch that decides which weights are kept and when training stops.

    Attributes:
        name: "loss", or the name of a metric of the task.
        measure: The metric; None for the loss.

    Example:
        >>> from headrace.model.target import TargetSpec
        >>> monitor = Monitor.of("roc_auc", TargetSpec("bought", "binary", classes=(0, 1)))
        >>> monitor.figure, monitor.better(0.8, 0.7)
        ('val_roc_auc', True)
    """

    name: str = LOSS
    measure: Measure | None = None

    @classmethod
    def of(cls, name: str | Measure, target: TargetSpec) -> Monitor:
        """Answer what is watched under a name.

        Args:
            name: "loss", the name of a registered metric of the task, or a `Measure`.
            target: What is predicted.

        Raises:
            SettingError: The task has no such metric.
        """
        if name == LOSS:
            return cls()
        [measure] = find([name], target)
        return cls(measure.name, measure)

    @property
    def figure(self) -> str:
        """How the history calls it."""
        return f"val_{self.name}"

    @property
    def worst(self) -> float:
        """A value that every other one beats."""
        return -math.inf if self._rises else math.inf

    def better(self, value: float, than: float) -> bool:
        """Answer whether a value beats another one; NaN beats nothing."""
        return value > than if self._rises else value < than

    def value(
        self,
        target: TargetSpec,
        truth: NDArray[Any],
        output: NDArray[Any],
        weight: NDArray[Any] | None = None,
    ) -> float:
        """Answer the metric of rows.

        Args:
            target: What is predicted.
            truth: (rows,) encoded target.
            output: (rows, outputs) of the network.
            weight: (rows,) or None for equal weights.
        """
        if self.measure is None:
            return math.nan
        if target.task == "regression":
            known = truth.astype(np.float64).ravel() * target.scale + target.mean
            whole = self.measure.reads == "distribution"
            said = as_distribution(target, output) if whole else None
            return self.measure(known, target.values(output) if said is None else said, weight)
        answers = output[:, 0] if target.task == "binary" else output
        return self.measure(truth.astype(np.intp).ravel(), answers.astype(np.float64), weight)

    @property
    def _rises(self) -> bool:
        return self.measure is not None and self.measure.higher_is_better
