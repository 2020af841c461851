"""The model whose members each have a loss of their own."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["Ensemble"]


@keras.saving.register_keras_serializable(package="headrace")
class Ensemble(keras.Model):  # type: ignore[misc]
    """A model whose members, (rows, members, outputs) in training, each get their own loss.

    The loss is the mean of the members' losses, never the loss of their mean, so that the members
    stay different; metrics and predictions are those of the mean.
    """

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Answer the mean of the members' losses."""
        if len(y_pred.shape) == 3:
            members = y_pred.shape[1]
            y = ops.repeat(y, members, axis=0)
            y_pred = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
            if sample_weight is not None:
                sample_weight = ops.repeat(sample_weight, members, axis=0)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Answer the metrics of the members' mean."""
        if len(y_pred.shape) == 3:
            y_pred = ops.mean(y_pred, axis=1)
        return super().compute_metrics(x, y, y_pred, sample_weight)
