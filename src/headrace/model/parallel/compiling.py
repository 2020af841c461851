"""A model as workers train it: the metrics weigh rows, so that padding counts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.model.backend import keras
from headrace.model.choices import choose_metrics

if TYPE_CHECKING:
    from headrace.model.assembly import Assembly
    from headrace.model.choices import Loss
    from headrace.model.rows import Rows

__all__ = ["build_training", "check_by_row", "compile_for_workers"]


def compile_for_workers(assembly: Assembly, steps: int) -> Loss:
    """Compile a model for a training on several workers; answer the loss.

    Args:
        assembly: The model and how it is trained.
        steps: Optimiser steps of the whole training.

    Raises:
        SettingError: The model adds losses of its own, which cannot be shared out by rows, or a
            setting cannot be used.
    """
    chosen, model = assembly.compile(steps), assembly.model
    model.compile(
        optimizer=model.optimizer,
        loss=chosen.function,
        weighted_metrics=choose_metrics(assembly.network.metrics, assembly.target),
        jit_compile=False,
    )
    if model.losses:
        raise SettingError(
            f"the architecture {assembly.name!r} adds losses of its own (a regularizer or "
            "add_loss), which several workers cannot share out by rows: leave workers out"
        )
    return chosen


def build_training(model: Any, rows: Rows) -> None:
    """Build what Keras builds when it first sees rows: loss, metrics and optimiser."""
    model.test_step(rows.keras(slice(0, 1)))
    model.reset_metrics()
    model.optimizer.build(model.trainable_variables)


def check_by_row(loss: Loss, model: Any, rows: Rows) -> None:
    """Check that a loss is the mean of those of the rows, which can be shared out.

    Args:
        loss: Of the model.
        model: Built.
        rows: To try it with.

    Raises:
        SettingError: It is one of a whole batch.
    """
    inputs, target, *_ = rows.keras(slice(0, 2))
    function = getattr(loss.function, "call", loss.function)
    answer = function(keras().ops.convert_to_tensor(target), model(inputs))
    if list(answer.shape)[:1] != [len(target)]:
        name = getattr(loss.function, "name", None) or loss.function.__name__
        raise SettingError(
            f"the loss {name!r} is one of a whole batch, which several workers cannot share out by "
            "rows: choose a loss that is the mean over rows, or leave workers out"
        )
