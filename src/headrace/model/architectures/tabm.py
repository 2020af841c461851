"""TabM: one network that answers like many, by giving each member its own scaling of the inputs.

Gorishniy et al., "TabM: advancing tabular deep learning with parameter-efficient ensembling"
(2025), in its small variant: the members differ in the scaling of their inputs and in their last
layer, and share all layers between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from headrace.model.architectures import Architecture
from headrace.model.architectures.ends import answer, enter, fix_edges
from headrace.model.architectures.ensemble import Ensemble
from headrace.model.layers import FastDropout, MemberScale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec

__all__ = ["ARCHITECTURE", "build"]

_MOST_INPUTS = 65_536
_MOST_OUTPUTS = 16_384
"""Of all members together, for each row of a batch: beyond, there are fewer members."""


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
        members: How many members answer; fewer with many thousand inputs or classes.
        hidden: The widths of the hidden layers, which the members share.
        activation: The activation of the hidden layers.
        dropout: The share of each hidden layer that is dropped in training.
        embedding: "piecewise", or None for numbers as they are.
        bins: The most bins of a number column.
        width: The largest width of the embedding of a number column.
    """
    entrance = enter(features, embedding=embedding, bins=bins, width=width)
    most = min(_MOST_INPUTS // sum(entrance.chunks), _MOST_OUTPUTS // target.outputs)
    members = max(1, min(members, most))
    block = MemberScale(members, entrance.chunks, name="members")(entrance.block)
    for place, units in enumerate(hidden, start=1):
        block = keras.layers.Dense(units, activation=activation, name=f"hidden_{place}")(block)
        if dropout:
            block = FastDropout(dropout, name=f"dropout_{place}")(block)
    return Ensemble(entrance.inputs, answer(block, target), name="tabm")


ARCHITECTURE = Architecture("tabm", build, start=fix_edges)
