"""TabM: one network that answers like many, by giving each member its own scaling of the inputs.

Gorishniy et al., "TabM: advancing tabular deep learning with parameter-efficient ensembling"
(2025), in its small variant: the members differ in the scaling of their inputs and in their last
layer, and share all layers between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from headrace.model.architectures import Architecture
from headrace.model.architectures.ends import enter, fix_edges, output_activation
from headrace.model.layers import FastDropout, MemberDense, MemberMean, MemberScale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec

__all__ = ["ARCHITECTURE", "Ensemble", "build"]


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


def build(
    features: FeatureSpec,
    target: TargetSpec,
    *,
    members: int = 8,
    hidden: Sequence[int] = (192, 192),
    activation: str = "relu",
    dropout: float = 0.1,
    embedding: str | None = "piecewise",
    bins: int = 48,
    width: int = 8,
) -> keras.Model:
    """Build a small TabM.

    Args:
        features: The columns that come in.
        target: What goes out.
        members: How many members answer.
        hidden: The widths of the hidden layers, which the members share.
        activation: The activation of the hidden layers.
        dropout: The share of each hidden layer that is dropped in training.
        embedding: "piecewise", or None for numbers as they are.
        bins: The number of bins of a number column.
        width: The width of the embedding of a number column.
    """
    entrance = enter(features, embedding=embedding, bins=bins, width=width)
    block = MemberScale(members, entrance.chunks, name="members")(entrance.block)
    for place, units in enumerate(hidden, start=1):
        block = keras.layers.Dense(units, activation=activation, name=f"hidden_{place}")(block)
        if dropout:
            block = FastDropout(dropout, name=f"dropout_{place}")(block)
    answers = MemberDense(target.outputs, output_activation(target), name="answers")(block)
    return Ensemble(entrance.inputs, MemberMean(name="answer")(answers), name="tabm")


ARCHITECTURE = Architecture("tabm", build, start=fix_edges)
