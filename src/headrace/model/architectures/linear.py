"""The linear model: one layer; with piecewise-linear embeddings a generalised additive model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from headrace.model.architectures import Architecture
from headrace.model.architectures.ends import answer, enter, fix_edges

if TYPE_CHECKING:
    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec

__all__ = ["ARCHITECTURE", "build"]


def build(
    features: FeatureSpec,
    target: TargetSpec,
    *,
    embedding: str | None = "piecewise",
    bins: int = 48,
    width: int = 8,
) -> keras.Model:
    """Build a linear or logistic regression on the embedded features.

    Args:
        features: The columns that come in.
        target: What goes out.
        embedding: "piecewise", or None for numbers as they are.
        bins: The most bins of a number column.
        width: The largest width of the embedding of a number column.
    """
    entrance = enter(features, embedding=embedding, bins=bins, width=width)
    return keras.Model(entrance.inputs, answer(entrance.block, target), name="linear")


ARCHITECTURE = Architecture("linear", build, start=fix_edges)
