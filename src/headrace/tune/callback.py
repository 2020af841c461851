"""The Keras side of pruning: a training tells its losses and stops when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.tune.study import Report

__all__ = ["Reporting"]


class Reporting(keras.callbacks.Callback):  # type: ignore[misc]
    """Tell a study the validation loss of each epoch, and stop the training when it says so.

    Args:
        report: What the study handed to its objective.
        monitor: The name of the loss in Keras's logs.

    Attributes:
        stopped: Whether the study has stopped the training.
    """

    def __init__(self, report: Report, *, monitor: str = "val_loss") -> None:
        """Store the settings."""
        super().__init__()
        self.stopped = False
        self._report = report
        self._monitor = monitor

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Tell the loss.

        Raises:
            SettingError: The training has no such loss.
        """
        known = logs or {}
        if self._monitor not in known:
            raise SettingError(
                f"pruning watches {self._monitor!r}, but this training has only "
                f"{', '.join(map(repr, known)) or 'no losses'}: give it validation rows"
            )
        if self._report(epoch, float(known[self._monitor])):
            self.stopped = True
            self.model.stop_training = True
