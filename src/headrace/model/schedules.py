"""Schedules: how the learning rate, the weight decay and the dropout go on during a training.

Each is a function of the progress, from 0 at the first step to 1 behind the last one. Behind the
last step a schedule stays at its end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "PLATEAU",
    "SCHEDULES",
    "CosLog4",
    "Cosine",
    "Exponential",
    "FlatCosine",
    "OneCycle",
    "Schedule",
    "WarmUp",
    "flat_cosine",
    "make_schedule",
    "schedule_callbacks",
    "start_schedules",
]

PLATEAU = "plateau"
"""The schedule that looks at the validation loss; a callback, as it cannot be known ahead."""

_PLATEAU_FACTOR = 0.5
_PLATEAU_PATIENCE = 5
_CYCLES = 4
_LEAST_SHARE = 1e-4
"""Where the one-cycle schedule ends, as a share of its peak."""


def _register(schedule: type) -> type:
    return keras.saving.register_keras_serializable(package="headrace")(schedule)  # type: ignore[no-any-return]


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The base of the schedules: a value that depends on the progress alone.

    Args:
        peak: The value that the shape is multiplied with, usually the highest.
        steps: How many steps the training has.
    """

    def __init__(self, peak: float, steps: int) -> None:
        """Store the settings."""
        super().__init__()
        self.peak = float(peak)
        self.steps = int(steps)

    def __call__(self, step: Any) -> Any:
        """Answer the value of a step, counted from 0."""
        progress = ops.cast(step, "float32") / self.steps
        return self.peak * self.shape(ops.minimum(progress, 1.0))

    def shape(self, progress: Any) -> Any:
        """Answer the share of the peak at a progress from 0 to 1."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Answer the settings."""
        return {"peak": self.peak, "steps": self.steps}


@_register
class Cosine(Schedule):
    """From the peak down to 0 along half a cosine.

    With the progress t the value is `peak * (1 + cos(pi * t)) / 2`: Loshchilov and Hutter, "SGDR:
    stochastic gradient descent with warm restarts" (2017), without restarts.
    """

    def shape(self, progress: Any) -> Any:
        """Answer the share of the peak."""
        return _fall(progress)


@_register
class CosLog4(Schedule):
    """Four cycles from 0 up to the peak and down to 0, each twice as long as the one before.

    With the progress t the value is `peak * (1 - cos(2 * pi * log2(1 + 15 * t))) / 2`. The short
    cycles find the way, the last one arrives. Holzmüller et al., "Better by default: strong
    pre-tuned MLPs and boosted trees on tabular data" (2024).
    """

    def shape(self, progress: Any) -> Any:
        """Answer the share of the peak."""
        cycle = ops.log(1 + (2**_CYCLES - 1) * progress) / math.log(2)
        return 0.5 * (1 - ops.cos(2 * math.pi * cycle))


@_register
class FlatCosine(Schedule):
    """The peak for the first half, then down to 0 along half a cosine.

    With the progress t the value is `peak` up to t = 0.5, then
    `peak * (1 + cos(pi * (2 * t - 1))) / 2`.
    """

    def shape(self, progress: Any) -> Any:
        """Answer the share of the peak."""
        return flat_cosine(progress)


@_register
class WarmUp(Schedule):
    """Straight up to the peak, then constant.

    With the progress t and the share w of the warm-up the value is
    `peak * min(1, (t + 1 / steps) / w)`: the first step moves already, by its part of the way.

    Args:
        peak: The value behind the warm-up.
        steps: How many steps the training has.
        share: w, the part of the steps that the warm-up takes.
    """

    def __init__(self, peak: float, steps: int, share: float = 0.05) -> None:
        """Store the settings."""
        super().__init__(peak, steps)
        self.share = share

    def shape(self, progress: Any) -> Any:
        """Answer the share of the peak."""
        return ops.minimum((progress + 1 / self.steps) / self.share, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Answer the settings."""
        return {**super().get_config(), "share": self.share}


@_register
class OneCycle(Schedule):
    """Up to the peak along half a cosine, then down to almost nothing along another.

    With the progress t and the share r of the rise the value goes from `peak / 25` to `peak` at
    t = r, and from there to `peak / 10000`: Smith and Topin, "Super-convergence: very fast training
    of neural networks using large learning rates" (2018).

    Args:
        peak: The highest value.
        steps: How many steps the training has.
        share: r, the part of the steps in which the value rises.
        start: What the peak is divided by at the first step.
    """

    def __init__(self, peak: float, steps: int, share: float = 0.3, start: float = 25.0) -> None:
        """Store the settings."""
        super().__init__(peak, steps)
        self.share = share
        self.start = start

    def shape(self, progress: Any) -> Any:
        """Answer the share of the peak."""
        rise = 1 - (1 - 1 / self.start) * _fall(ops.minimum(progress / self.share, 1.0))
        rest = ops.maximum(progress - self.share, 0.0) / (1 - self.share)
        fall = _LEAST_SHARE + (1 - _LEAST_SHARE) * _fall(rest)
        return ops.where(progress < self.share, rise, fall)

    def get_config(self) -> dict[str, Any]:
        """Answer the settings."""
        return {**super().get_config(), "share": self.share, "start": self.start}


@_register
class Exponential(Schedule):
    """From the lowest to the highest value by the same factor each step.

    With n steps the value of step i is `low * (peak / low) ** (i / (n - 1))`. This is how a
    learning-rate search goes through the rates; see `headrace.train.learning_rate`.

    Args:
        peak: The value of the last step.
        steps: n.
        low: The value of the first step.
    """

    def __init__(self, peak: float, steps: int, low: float) -> None:
        """Store the settings."""
        super().__init__(peak, steps)
        self.low = float(low)

    def shape(self, progress: Any) -> Any:
        """Answer the share of the peak."""
        passed = ops.minimum(progress * (self.steps / max(self.steps - 1, 1)), 1.0)
        return ops.exp(math.log(self.low / self.peak) * (1 - passed))

    def get_config(self) -> dict[str, Any]:
        """Answer the settings."""
        return {**super().get_config(), "low": self.low}


_NAMES: dict[str, type[Schedule]] = {
    "cosine": Cosine,
    "coslog4": CosLog4,
    "flat_cos": FlatCosine,
    "one_cycle": OneCycle,
    "warmup": WarmUp,
}
SCHEDULES = ("constant", *_NAMES, PLATEAU)
"""The names of all schedules."""


def make_schedule(name: str | None, value: float, steps: int) -> Schedule | float:
    """Answer the schedule of a learning rate or a weight decay.

    Args:
        name: "cosine", "coslog4", "flat_cos", "one_cycle" or "warmup"; None or "constant" for a
            constant value. "plateau" starts with a constant value too, which the callback of
            `schedule_callbacks` lowers.
        value: The highest value.
        steps: How many optimiser steps the training has, over all epochs.

    Returns:
        A Keras learning-rate schedule, or the value itself where it is constant at first.

    Raises:
        SettingError: There is no such schedule, or the training has no steps.

    Example:
        >>> make_schedule("cosine", 0.002, 100).get_config()
        {'peak': 0.002, 'steps': 100}
    """
    if name in (None, "constant", PLATEAU):
        return value
    if name not in _NAMES:
        raise SettingError(_unknown(name, SCHEDULES))
    if steps < 1:
        raise SettingError(
            f"the schedule {name!r} needs to know how many steps the training has, 1 or more, "
            f"received {steps!r}"
        )
    return _NAMES[name](value, steps)


def schedule_callbacks(name: str | None, *, patience: int | None = None) -> list[Any]:
    """Answer the callbacks of a schedule: one for "plateau", none for the others.

    Args:
        name: The name of the schedule.
        patience: After how many epochs without a better validation loss training ends; the rate
            is halved after a third of it, 5 epochs without one.
    """
    if name != PLATEAU:
        return []
    wait = _PLATEAU_PATIENCE if patience is None else max(1, patience // 3)
    return [keras.callbacks.ReduceLROnPlateau("val_loss", _PLATEAU_FACTOR, patience=wait)]


def start_schedules(model: Any, steps: int) -> None:
    """Tell the layers whose dropout follows a schedule that a training begins now.

    Weights that are set later, such as those to go on from, would bring back the old count; so
    this comes last before the training.

    Args:
        model: The model.
        steps: How many optimiser steps the training has, over all epochs.
    """
    for layer in model._flatten_layers():  # noqa: SLF001 - nested layers too; Keras has no public way
        if hasattr(layer, "set_steps"):
            layer.set_steps(steps)


def flat_cosine(progress: Any) -> Any:
    """Answer 1 for the first half of a training, then half a cosine down to 0."""
    return _fall(ops.maximum(2 * progress - 1, 0.0))


def _fall(progress: Any) -> Any:
    """Half a cosine from 1 at the progress 0 to 0 at 1."""
    return 0.5 * (1 + ops.cos(math.pi * progress))


def _unknown(name: object, known: Iterable[str]) -> str:
    known = list(known)
    close = nearest(str(name), known)
    meant = f"perhaps {close!r} is meant" if close else f"there are {', '.join(known)}"
    return f"there is no schedule {name!r}; {meant}"
