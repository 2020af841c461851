"""Several networks as one model, whose answer is their weighted mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.model.architectures import architecture
from headrace.model.backend import keras

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec

__all__ = ["ENSEMBLE", "build_ensemble", "join_models"]

ENSEMBLE = "ensemble"
"""The architecture of networks that answer together."""


def build_ensemble(
    features: FeatureSpec,
    target: TargetSpec,
    *,
    members: Sequence[Mapping[str, Any]],
    shares: Sequence[float],
) -> Any:
    """Build several networks as one model.

    Args:
        features: The columns that come in.
        target: What goes out.
        members: For each network its `architecture` and the `settings` of that.
        shares: The share of each network in the answer; their sum is 1.
    """
    models = [
        architecture(member["architecture"]).build(features, target, **member["settings"])
        for member in members
    ]
    return join_models(models, shares)


def join_models(models: Sequence[Any], shares: Sequence[float]) -> Any:
    """Answer one model over the same inputs, with the weighted mean of the models' answers.

    Args:
        models: Keras models; they become parts of the new one, with their weights.
        shares: The share of each.
    """
    from headrace.model.layers import WeightedMean

    inputs = {
        tensor.name: keras().Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
        for model in models
        for tensor in model.inputs
    }
    answers = []
    for place, model in enumerate(models):
        model.name = f"{model.name}_{place}"
        answers.append(model({tensor.name: inputs[tensor.name] for tensor in model.inputs}))
    mean = WeightedMean(shares, name="answer")
    return keras().Model(inputs, mean(answers), name=ENSEMBLE)
