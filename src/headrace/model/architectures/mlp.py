"""The multi-layer perceptron: dense layers, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from headrace.model.architectures import Architecture
from headrace.model.architectures.ends import answer, enter, fix_edges
from headrace.model.layers import FastDropout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec

__all__ = ["ARCHITECTURE", "build"]

_DROPOUT = {True: 0.1, False: 0.0}


def build(
    features: FeatureSpec,
    target: TargetSpec,
    *,
    hidden: Sequence[int] = (256, 256, 256),
    activation: str = "relu",
    dropout: float | None = None,
    embedding: str | None = "piecewise",
    bins: int = 48,
    width: int = 8,
) -> keras.Model:
    """Build a multi-layer perceptron.

    Args:
        features: The columns that come in.
        target: What goes out.
        hidden: The widths of the hidden layers.
        activation: The activation of the hidden layers.
        dropout: The share of each hidden layer that is dropped in training; None for 0.1 with an
            embedding, and 0 without.
        embedding: "piecewise", or None for numbers as they are.
        bins: The most bins of a number column.
        width: The largest width of the embedding of a number column.
    """
    entrance = enter(features, embedding=embedding, bins=bins, width=width)
    block = entrance.block
    rate = _DROPOUT[embedding is not None] if dropout is None else dropout
    for place, units in enumerate(hidden, start=1):
        block = keras.layers.Dense(units, activation=activation, name=f"hidden_{place}")(block)
        if rate:
            block = FastDropout(rate, name=f"dropout_{place}")(block)
    return keras.Model(entrance.inputs, answer(block, target), name="mlp")


ARCHITECTURE = Architecture("mlp", build, start=fix_edges)
