"""The search for a learning rate: a short training that raises it until the loss diverges."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.model.assembly import assemble
from headrace.model.backend import keras
from headrace.model.labelled import Labelled
from headrace.model.loop import automatic_batch_size, seeded
from headrace.model.network import Network
from headrace.model.presets import preset
from headrace.model.single import Fitting, keras_rows
from headrace.plan.plan import schema_columns
from headrace.preprocessing.fit import fit_steps
from headrace.result import Result
from headrace.train.chosen import ChosenSteps
from headrace.train.holdout import split_rows
from headrace.train.labels import LABEL
from headrace.train.reading import WEIGHT, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.data.schema import Kind
    from headrace.model.assembly import Assembly
    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec
    from headrace.preprocessing.step import Step

__all__ = ["LearningRateSearch", "find_learning_rate", "suggest"]

_REACH = 1e3
"""How many times the usual rate the highest one is, and the lowest is below it."""

_SMOOTHING = 4.0
"""The standard deviation of the bell that the losses are smoothed with, in steps."""

_BEGUN = 0.05
"""The share of the whole fall that the loss must have fallen to count as falling."""

_LEAST_STEPS = 50
_LONG = 10
"""Schedules of dropout and weight decay see the beginning of a training this much longer."""


@dataclass(frozen=True)
class LearningRateSearch(Result):
    """The loss at each learning rate of a short training with a rising rate.

    Attributes:
        rates: The learning rate of each step, rising by equal factors.
        losses: The loss of each step's batch, before the step.
        smoothed: The same, smoothed over neighbouring steps.
        suggestion: A rate at which the loss falls fast, see `suggest`; None if it never fell.
        usual: The rate that the network would have been trained with.
        batch_size: Rows a step.
        diverged: Whether the loss left all bounds before the highest rate.
        seconds: How long the search took, compiling included.

    Example:
        >>> search = LearningRateSearch(rates=(0.001, 0.01, 0.1), losses=(0.7, 0.5, 2.0),
        ...     smoothed=(0.7, 0.5, 2.0), suggestion=0.01, usual=0.002, batch_size=256,
        ...     diverged=True, seconds=4.0)
        >>> print(search)
        suggestion    0.01, where the loss fell fast; it would have been 0.002
        rates         0.001 to 0.1 in 3 steps of 256 rows, until the loss diverged
        loss          0.7 at first, 0.5 at its lowest, at the rate 0.01
        seconds       4.0
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float | None
    usual: float
    batch_size: int
    diverged: bool
    seconds: float

    def summary(self) -> str:
        """Answer the search as text."""
        usual = f"it would have been {self.usual:.3g}"
        lowest = int(np.argmin(self.smoothed))
        lines = {
            "suggestion": f"{self.suggestion:.3g}, where the loss fell fast; {usual}"
            if self.suggestion
            else f"none, since the loss never fell; {usual}",
            "rates": f"{self.rates[0]:.3g} to {self.rates[-1]:.3g} in {len(self.rates)} steps of "
            f"{self.batch_size} rows{', until the loss diverged' if self.diverged else ''}",
            "loss": f"{self.smoothed[0]:.4g} at first, {self.smoothed[lowest]:.4g} at its lowest, "
            f"at the rate {self.rates[lowest]:.3g}",
            "seconds": f"{self.seconds:.1f}",
        }
        return "\n".join(f"{name:<14}{text}" for name, text in lines.items())

    def to_dict(self) -> dict[str, Any]:
        """Answer the search as plain values."""
        values = asdict(self)
        return {**values, **{name: list(values[name]) for name in ("rates", "losses", "smoothed")}}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the loss over the learning rate, with the suggestion."""
        from headrace.visualization import learning_rates

        return learning_rates(self, ax)


def find_learning_rate(
    data: object,
    steps: Sequence[Step] | None = None,
    *,
    target: str | Sequence[str] | None,
    kinds: Mapping[str, Kind] | None = None,
    network: Network | None = None,
    weight: str | None = None,
    low: float | None = None,
    high: float | None = None,
    points: int = 150,
    seed: int = 0,
) -> LearningRateSearch:
    """Search for a learning rate: raise it from step to step until the loss diverges.

    The steps are fitted and the network is built as `headrace.train.training.train` does it. Then
    the network is trained for some steps, each with a rate that is higher by the same factor, and
    thrown away: Smith, "Cyclical learning rates for training neural networks" (2017). The
    suggestion lies two thirds down the fall of the smoothed loss. It is a good start, no promise:
    whether it is better, only a training with each of the two rates tells. A schedule in cycles,
    as RealMLP's, bears a peak ten times as high.

    Args:
        data: The rows, from any source.
        steps: The steps, the network last; None to choose them from the schema.
        target: The column to predict.
        kinds: Kinds of columns, where the inferred ones are not wanted.
        network: The network behind the steps, where it is none of them.
        weight: A column with the weight of each row in the loss.
        low: The lowest rate; None for a thousandth of the usual one.
        high: The highest rate; None for a thousand times the usual one.
        points: How many rates, hence optimiser steps, at least 50.
        seed: Of first weights, order of rows and dropout.

    Raises:
        DataError: If the rows cannot be trained on.
        SettingError: If there is no network to train, or the range of rates is none.
    """
    keras()  # its import takes seconds, which are none of the search's
    began = time.perf_counter()
    task = _prepared(
        data, steps, target=target, kinds=kinds, network=network, weight=weight, seed=seed
    )
    with seeded(seed):
        usual = task.usual_rate()
        lowest = usual / _REACH if low is None else low
        highest = usual * _REACH if high is None else high
        _check(lowest, highest, points)
        rates = lowest * (highest / lowest) ** (np.arange(points) / (points - 1))
        size = task.batch_size()
        losses = task.losses(rates, size, seed)
    smoothed = smooth(losses)
    return LearningRateSearch(
        rates=tuple(float(rate) for rate in rates[: len(losses)]),
        losses=tuple(float(loss) for loss in losses),
        smoothed=tuple(float(loss) for loss in smoothed),
        suggestion=suggest(rates[: len(losses)], smoothed),
        usual=usual,
        batch_size=size,
        diverged=len(losses) < points or _diverged(losses),
        seconds=time.perf_counter() - began,
    )


def smooth(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer the losses as means over their neighbours, weighted by a bell of four steps.

    Example:
        >>> smooth(np.array([1.0, 1.0, 1.0])).round(6).tolist()
        [1.0, 1.0, 1.0]
    """
    places = np.arange(len(losses))
    weights = np.exp(-0.5 * np.square((places[:, None] - places) / _SMOOTHING))
    mean: NDArray[np.float64] = weights @ losses / weights.sum(axis=1)
    return mean


def suggest(rates: NDArray[np.float64], smoothed: NDArray[np.float64]) -> float | None:
    """Answer the rate two thirds down the way of the loss, on a logarithmic scale.

    The way begins where the loss is last above 95 % of its whole fall, and ends where it is lowest.
    There the loss falls fast, and the rates at which it rises again are far.

    Returns:
        The rate; None if the loss never falls.

    Example:
        >>> rates, losses = np.array([1e-5, 1e-4, 1e-3, 1e-2, 0.1]), np.array([1, 1, 0.9, 0.5, 0.4])
        >>> round(suggest(rates, losses), 4)
        0.01
    """
    lowest = int(np.argmin(smoothed))
    fall = smoothed[0] - smoothed[lowest]
    if lowest == 0 or fall <= 0:
        return None
    start = int(np.flatnonzero(smoothed[:lowest] > smoothed[0] - _BEGUN * fall)[-1])
    return float(rates[start] * (rates[lowest] / rates[start]) ** (2 / 3))


@dataclass(frozen=True, eq=False)
class _Task:
    """What is searched for: the settings of a network, and its training rows."""

    network: Network
    rows: Labelled
    features: FeatureSpec
    target: TargetSpec

    def batch_size(self) -> int:
        """Rows a step, as in a training."""
        size = self.network.batch_size or automatic_batch_size(len(self.rows))
        return min(size, len(self.rows))

    def usual_rate(self) -> float:
        """The rate that the network would be trained with, the highest one of a schedule."""
        if isinstance(self.network.learning_rate, int | float):
            return float(self.network.learning_rate)
        assembly = self._assembled(self.network)
        if self.network.optimizer is None:
            return assembly.recipe.learning_rate
        assembly.compile(1)
        return float(np.asarray(assembly.model.optimizer.learning_rate))

    def losses(self, rates: NDArray[np.float64], batch_size: int, seed: int) -> NDArray[np.float64]:
        """Train with rising rates and answer the loss of each step."""
        from headrace.model.ramp import ramp
        from headrace.model.schedules import Exponential

        steps = len(rates)
        rising = Exponential(rates[-1], steps, low=rates[0])
        searching = self.network.copy().set_params(learning_rate=rising, schedule=None)
        assembly = self._assembled(searching)
        assembly.start(self.rows, None)
        loss = assembly.compile(_LONG * steps)
        fitting = Fitting(self.features, self.target, self.rows, seed=seed)
        rows, _ = keras_rows(assembly, fitting, loss)
        return ramp(
            assembly.model, rows, steps=steps, batch_size=batch_size, seed=seed, stop=_diverged
        )

    def _assembled(self, network: Network) -> Assembly:
        member = preset(network.preset).members[0]
        return assemble(network, member, self.features, self.target)


def _prepared(
    data: object,
    steps: Sequence[Step] | None,
    *,
    target: str | Sequence[str] | None,
    kinds: Mapping[str, Kind] | None,
    network: Network | None,
    weight: str | None,
    seed: int,
) -> _Task:
    """Fit the steps to the training rows, as training does."""
    rows = read_rows(data, target, weight, kinds)
    chosen = ChosenSteps.of(steps, rows.schema, target, network)
    if not isinstance(chosen.model, Network):
        raise SettingError(
            "a learning rate is searched for a network: name the column to predict, "
            "hr.Pipeline(target=...)"
        )
    parts = split_rows(rows, chosen, None, seed)
    fitted = fit_steps(
        parts.train.drop(LABEL, WEIGHT, strict=False),
        schema_columns(rows.schema),
        chosen.before_model,
    )
    features = fitted.plan.features(fitted.rows.lazy().collect())
    if parts.spec is None or parts.target is None:
        raise SettingError("a Network needs a target")
    labelled = Labelled(features, parts.target, parts.weight)
    return _Task(chosen.model, labelled, fitted.plan.spec, parts.spec)


def _diverged(losses: NDArray[np.float64]) -> bool:
    """Whether the loss has risen behind its lowest point by far more than it had fallen before.

    This holds for losses of either sign: twice the fall, and half of the first loss against noise.
    """
    smoothed = smooth(losses)
    first, lowest = float(smoothed[0]), float(smoothed.min())
    return bool(smoothed[-1] > lowest + 2 * (first - lowest) + 0.5 * abs(first))


def _check(low: float, high: float, points: int) -> None:
    if not 0 < low < high < float("inf"):
        raise SettingError(
            f"the learning rates must rise from above 0, received low={low!r}, high={high!r}"
        )
    if points < _LEAST_STEPS:
        raise SettingError(f"points must be {_LEAST_STEPS} or more, received {points!r}")
