"""Averaged weights: validation and the final network use the mean over the last steps.

An optimiser with `use_ema` keeps an exponential moving average of the weights beside them. The
average moves less than the weights do, so its validation curve is smooth and ends lower: Polyak
and Juditsky, "Acceleration of stochastic approximation by averaging" (1992); Izmailov et al.,
"Averaging weights leads to wider optima and better generalization" (2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UseAverages", "restart_averages"]


class UseAverages(keras.callbacks.Callback):  # type: ignore[misc]
    """Put the averages in the place of the weights for each validation, and for good at the end.

    It stands before the callbacks that look at the validated weights; `Back`, its end, behind them.

    Attributes:
        back: The callback that puts the weights back when all others are done with an epoch.
    """

    def __init__(self) -> None:
        """Start with the weights in place."""
        super().__init__()
        self.back = _Back(self)
        self._inside = False

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Put the averages in."""
        del logs
        self.swap(inside=True)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the averages."""
        del logs
        self.swap(inside=True)

    def swap(self, *, inside: bool) -> None:
        """Exchange weights and averages unless they are where they should be."""
        if self._inside == inside:
            return
        self._inside = inside
        for weight, average in _pairs(self.model.optimizer):
            kept = keras.ops.copy(weight)
            weight.assign(average)
            average.assign(kept)


class _Back(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, averages: UseAverages) -> None:
        super().__init__()
        self._averages = averages

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        del epoch, logs
        self._averages.swap(inside=False)


def restart_averages(optimizer: Any) -> None:
    """Let the averages begin anew with the weights of this moment; nothing without averages."""
    if getattr(optimizer, "use_ema", False):
        for weight, average in _pairs(optimizer):
            average.assign(weight)


def _pairs(optimizer: Any) -> list[tuple[Any, Any]]:
    averages = optimizer._model_variables_moving_average  # noqa: SLF001 - as Keras's own callback
    return list(zip(optimizer._trainable_variables, averages, strict=True))  # noqa: SLF001
