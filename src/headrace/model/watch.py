"""What watches over a training: Keras callbacks for progress, broken losses and the best epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from headrace.progress import Bar

__all__ = ["AtEpochBegin", "BestEpoch", "BrokenLoss", "ShowProgress"]


class AtEpochBegin(keras.callbacks.Callback):  # type: ignore[misc]
    """Do something at the start of each epoch."""

    def __init__(self, action: Callable[[], None]) -> None:
        """Store the action."""
        super().__init__()
        self._action = action

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Do it."""
        del epoch, logs
        self._action()


class ShowProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Move a progress bar by one an epoch, with the losses behind it."""

    def __init__(self, shown: Bar) -> None:
        """Store the bar."""
        super().__init__()
        self._shown = shown

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Move on."""
        del epoch
        losses = {name: value for name, value in (logs or {}).items() if name.endswith("loss")}
        self._shown.advance(1, "  ".join(f"{name} {value:.4f}" for name, value in losses.items()))


class BrokenLoss(keras.callbacks.Callback):  # type: ignore[misc]
    """Stop with an error when the loss is no finite number any more."""

    def __init__(self) -> None:
        """Start at the first epoch."""
        super().__init__()
        self._epoch = 1

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember the epoch."""
        del logs
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the training loss.

        Raises:
            SettingError: It is NaN or infinite.
        """
        del batch
        self._check("loss", logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the validation loss.

        Raises:
            SettingError: It is NaN or infinite.
        """
        del epoch
        self._check("val_loss", logs)

    def _check(self, name: str, logs: Mapping[str, Any] | None) -> None:
        value = float((logs or {}).get(name, 0.0))
        if math.isfinite(value):
            return
        which = "validation loss" if name == "val_loss" else "loss"
        raise SettingError(
            f"the {which} became {value} in epoch {self._epoch}, with the learning rate "
            f"{self._learning_rate():.3g}: lower learning_rate, scale the numbers "
            "(hr.normalize.Standardize()), or choose another loss"
        )

    def _learning_rate(self) -> float:
        return float(np.asarray(self.model.optimizer.learning_rate))


class BestEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Keep the weights of the epoch with the least validation loss, and stop some epochs after it.

    Args:
        patience: How many epochs without a better one are waited for.

    Attributes:
        epoch: The best epoch, counted from 1.
    """

    def __init__(self, patience: int) -> None:
        """Store the patience."""
        super().__init__()
        self.epoch = 0
        self._patience = patience
        self._loss = math.inf
        self._weights: list[NDArray[Any]] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the weights or lose patience."""
        loss = float((logs or {})["val_loss"])
        if loss < self._loss:
            self._loss, self.epoch = loss, epoch + 1
            self._weights = self.model.get_weights()
        elif epoch + 1 - self.epoch >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Go back to the weights of the best epoch."""
        del logs
        if self._weights is not None:
            self.model.set_weights(self._weights)
