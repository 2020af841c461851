"""A model as workers train it: the metrics weigh rows, so that padding counts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.model.choices import choose_metrics

if TYPE_CHECKING:
    from headrace.model.assembly import Assembly
    from headrace.model.choices import Loss
    from headrace.model.rows import Rows

__all__ = ["build_training", "compile_for_workers"]


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
