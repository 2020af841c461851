"""What watches over a training: progress, broken losses, the time, the best epoch."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from headrace.errors import SettingError
from headrace.model.averages import restart_averages
from headrace.model.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from headrace.progress import Bar

__all__ = ["AtEpochBegin", "BestEpoch", "BrokenLoss", "Metric", "ShowProgress", "TimeLimit"]


class AtEpochBegin(keras.callbacks.Callback):  # type: ignore[misc]
    """Do something at the start of each epoch, which is counted from 0."""

    def __init__(self, action: Callable[[int], None]) -> None:
        """Store the action."""
        super().__init__()
        self._action = action

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Do it."""
        del logs
        self._action(epoch)


class ShowProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Move a progress bar by one an epoch, with the losses and the watched metric behind it."""

    def __init__(self, shown: Bar, figure: str) -> None:
        """Store the bar and the name of the watched figure."""
        super().__init__()
        self._shown = shown
        self._names = dict.fromkeys(("loss", "val_loss", figure))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Move on."""
        del epoch
        figures = {name: (logs or {})[name] for name in self._names if name in (logs or {})}
        self._shown.advance(1, "  ".join(f"{name} {value:.4f}" for name, value in figures.items()))


class Metric(keras.callbacks.Callback):  # type: ignore[misc]
    """Add a metric of the validation rows to the figures of each epoch.

    Args:
        figure: Its name there.
        value: Answers the metric with the weights of this moment.
    """

    def __init__(self, figure: str, value: Callable[[], float]) -> None:
        """Store what to compute."""
        super().__init__()
        self._figure = figure
        self._value = value

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compute it."""
        del epoch
        if logs is not None:
            logs[self._figure] = self._value()


class TimeLimit(keras.callbacks.Callback):  # type: ignore[misc]
    """Stop when the time is over, after the steps that are under way.

    Args:
        deadline: The moment, on the clock of `time.perf_counter`.

    Attributes:
        over: Whether it stopped the training.
    """

    def __init__(self, deadline: float) -> None:
        """Store the moment."""
        super().__init__()
        self.over = False
        self._deadline = deadline

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the clock."""
        del batch, logs
        self._look()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the clock after the validation too."""
        del epoch, logs
        self._look()

    def _look(self) -> None:
        if time.perf_counter() >= self._deadline and not self.model.stop_training:
            self.over = self.model.stop_training = True


class BrokenLoss(keras.callbacks.Callback):  # type: ignore[misc]
    """Stop when the loss is no finite number any more, with the last weights that were sound.

    In the first epoch there are none, so that is an error.

    Args:
        explain: Answers where it happened, as far as that is known.

    Attributes:
        note: What to tell the user; empty while all is well.
        sound: How many epochs were sound.
    """

    def __init__(self, explain: Callable[[], str]) -> None:
        """Start at the first epoch."""
        super().__init__()
        self.note = ""
        self.sound = 0
        self._explain = explain
        self._weights: list[NDArray[Any]] = []

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the weights of the epochs before."""
        del logs
        self.sound = epoch
        self._weights = self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the training loss."""
        del batch
        self._check("loss", logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the validation loss."""
        self._check("val_loss", logs)
        if not self.note:
            self.sound = epoch + 1

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Answer what a training that goes on later needs to know."""
        return {"note": self.note, "sound": self.sound}, _numbered(self._weights)

    def restore(self, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go back to a state."""
        self.note, self.sound = values["note"], values["sound"]
        self._weights = [arrays[name] for name in sorted(arrays)]

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Let go of the weights."""
        del logs
        self._weights = []

    def _check(self, name: str, logs: Mapping[str, Any] | None) -> None:
        value = float((logs or {}).get(name, 0.0))
        if math.isfinite(value) or self.note:
            return
        which = "validation loss" if name == "val_loss" else "loss"
        where = self._explain() if name == "loss" else ""
        text = (
            f"the {which} became {value} in epoch {self.sound + 1}{where}, with the learning rate "
            f"{self._learning_rate():.3g}"
        )
        advice = (
            "lower learning_rate, scale the numbers (hr.normalize.Standardize()), or choose "
            "another loss"
        )
        self.model.set_weights(self._weights)
        restart_averages(self.model.optimizer)
        if not self.sound:
            raise SettingError(f"{text}: {advice}")
        self.model.stop_training = True
        self.note = f"{text}; training stopped and kept the last sound weights: {advice}"

    def _learning_rate(self) -> float:
        return float(np.asarray(self.model.optimizer.learning_rate))


class BestEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Keep the weights of the epoch with the best watched figure, and stop some epochs after it.

    Args:
        patience: How many epochs without a better one are waited for; None for all.
        monitor: What is watched.

    Attributes:
        epoch: The best epoch, counted from 1.
        value: Its figure.
    """

    def __init__(self, patience: int | None, monitor: Monitor | None = None) -> None:
        """Store what is watched."""
        super().__init__()
        self._patience = patience
        self._monitor = monitor or Monitor()
        self.epoch = 0
        self.value = self._monitor.worst
        self._weights: list[NDArray[Any]] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the weights or lose patience."""
        value = float((logs or {})[self._monitor.figure])
        if self._monitor.better(value, self.value):
            self.value, self.epoch = value, epoch + 1
            self._weights = self.model.get_weights()
        elif self._patience is not None and epoch + 1 - self.epoch >= self._patience:
            self.model.stop_training = True

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Answer what a training that goes on later needs to know."""
        return {"epoch": self.epoch, "value": self.value}, _numbered(self._weights or [])

    def restore(self, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go back to a state."""
        self.epoch, self.value = values["epoch"], values["value"]
        self._weights = [arrays[name] for name in sorted(arrays)] or None

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Go back to the weights of the best epoch."""
        del logs
        if self._weights is not None:
            self.model.set_weights(self._weights)


def _numbered(arrays: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{place:05d}": array for place, array in enumerate(arrays)}
