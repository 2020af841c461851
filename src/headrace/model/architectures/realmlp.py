"""RealMLP: a multi-layer perceptron whose parts and training were chosen on many tables.

Holzmüller et al., "Better by default: strong pre-tuned MLPs and boosted trees on tabular data"
(2024), "RealMLP-TD". Here categories with up to nine codes become zeros and ones with a column for
each code, two classes have one output, and members share the embeddings.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from headrace.errors import SettingError
from headrace.model.architectures import Architecture
from headrace.model.architectures.ends import answer, fix_edges
from headrace.model.architectures.ensemble import Ensemble
from headrace.model.layers import (
    CategoryEmbedding,
    Clamp,
    FlatCosineDropout,
    FrontScale,
    NTKDense,
    OneHot,
    ParametricActivation,
    Periodic,
    SmoothClip,
)
from headrace.model.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features, FeatureSpec

__all__ = ["ARCHITECTURE", "build", "recipe", "start"]

_MOST_ONE_HOT = 9
_CATEGORY_WIDTH = 8
_MOST_ROWS = 10_000
"""Rows that the first weights are chosen by; more say nothing more."""

_LARGEST_BLOCK = 2**26
"""Numbers in the largest block on the way to these weights: a quarter of a gigabyte."""

_EPOCHS = 128
"""Half of the paper's: on 20,000 rows the other half bought little, and two cores take a minute."""

_PATIENCE = 72
"""A little longer than the last cycle, which takes 8/15 of the epochs and is best at its end."""

_MOST_STEPS = 12_000

_RATES = {True: 0.2, False: 0.04}
_ACTIVATIONS = {True: "mish", False: "selu"}


def build(
    features: FeatureSpec,
    target: TargetSpec,
    *,
    members: int = 1,
    hidden: Sequence[int] = (256, 256, 256),
    activation: str | None = None,
    dropout: float = 0.15,
    frequencies: int = 16,
    width: int = 4,
    sigma: float = 0.1,
    clamp: bool = False,
) -> keras.Model:
    """Build a RealMLP.

    Args:
        features: The columns that come in.
        target: What goes out.
        members: How many networks answer together; they share the embeddings.
        hidden: The widths of the hidden layers.
        activation: The activation of the hidden layers, which each neuron can turn down; None for
            "mish" in regression and "selu" for classes.
        dropout: The share of each hidden layer that is dropped in training, in its first half;
            then less and less.
        frequencies: The number of waves that a number column is embedded by; 0 for none.
        width: The width of the embedding of a number column, the number itself included.
        sigma: The standard deviation of the frequencies at the start.
        clamp: Whether answers are kept within the range of the training target. It guards against
            single wild answers; where the target grows in time it must be off.
    """
    inputs, block = _enter(features, frequencies=frequencies, width=width, sigma=sigma)
    chosen = activation or _ACTIVATIONS[target.task == "regression"]
    block = FrontScale(members, name="front_scale")(block)
    for place, units in enumerate(hidden, start=1):
        block = NTKDense(units, name=f"hidden_{place}")(block)
        block = ParametricActivation(chosen, name=f"activation_{place}")(block)
        if dropout:
            block = FlatCosineDropout(dropout, name=f"dropout_{place}")(block)
    block = answer(block, target, dense=lambda units, link, name: NTKDense(units, link, name=name))
    if clamp and target.likelihood == "point":
        block = Clamp(name="range")(block)
    return Ensemble(inputs, block, name="realmlp")


def start(model: keras.Model, features: Features, target: NDArray[Any], spec: TargetSpec) -> None:
    """Choose ranges and first weights by the training rows, layer by layer.

    Args:
        model: From `build`.
        features: The training rows; at most 10,000 of them are looked at.
        target: Their encoded target.
        spec: What is predicted.
    """
    fix_edges(model, features, target, spec)
    random = np.random.default_rng(_seed())
    chosen = np.arange(len(features))
    most = min(_MOST_ROWS, max(1, _LARGEST_BLOCK // _widest(model)))
    if len(chosen) > most:
        chosen = np.sort(random.choice(len(features), most, replace=False))
    rows = features.take(chosen)
    blocks = {
        "numbers": np.asarray(rows.numbers, dtype=np.float32),
        "categories": np.asarray(rows.categories, dtype=np.int32),
    }
    given = {tensor.name: blocks[tensor.name] for tensor in model.inputs}
    for layer in model.layers:
        if isinstance(layer, SmoothClip):
            layer.adapt(_before(model, layer, given))
        elif isinstance(layer, NTKDense):
            layer.start(_before(model, layer, given), random)
        elif isinstance(layer, Clamp):
            layer.adapt(target)


def recipe(target: TargetSpec) -> Recipe:
    """Answer how a RealMLP is trained: in four cycles of the learning rate.

    Where the end of the third cycle is no better than that of the second, the fourth is left out.
    Labels are smoothed where the accuracy counts.
    """
    regression = target.task == "regression"
    return Recipe(
        learning_rate=_RATES[regression],
        schedule="coslog4",
        weight_decay=0.02,
        decay_schedule="flat_cos",
        beta_2=0.95,
        epsilon=1e-8,
        clip_norm=None,
        ema_momentum=None,  # its schedule ends at rest
        epochs=_EPOCHS,
        epochs_without_validation=_EPOCHS,
        most_steps=_MOST_STEPS,
        patience=_PATIENCE,
        label_smoothing=0.0 if regression else 0.1,
    )


def _enter(
    features: FeatureSpec, *, frequencies: int, width: int, sigma: float
) -> tuple[dict[str, Any], Any]:
    """The inputs by name, and all features side by side."""
    inputs: dict[str, Any] = {}
    embedded, scaled, looked_up = [], [], []
    if features.numbers:
        numbers = keras.Input((len(features.numbers),), dtype="float32", name="numbers")
        inputs["numbers"] = numbers
        clipped = SmoothClip(name="numbers_clipped")(numbers)
        waves = Periodic(frequencies, width, sigma, name="embedding") if frequencies else None
        embedded.append(waves(clipped) if waves else clipped)
    if features.categories:
        codes = keras.Input((len(features.categories),), dtype="int32", name="categories")
        inputs["categories"] = codes
        few, many = _by_size(features.cardinalities)
        if few:
            sizes = [features.cardinalities[place] for place in few]
            ones = OneHot(sizes, columns=few, name="one_hot")(codes)
            scaled.append(SmoothClip(name="one_hot_clipped")(ones))
        if many:
            sizes = [features.cardinalities[place] for place in many]
            table = CategoryEmbedding(sizes, _CATEGORY_WIDTH, many, stddev=1, name="vectors")
            looked_up.append(table(codes))
    blocks = [*embedded, *scaled, *looked_up]
    if not blocks:
        raise SettingError(
            "a network needs at least one feature column, and the steps before it leave none: "
            "check which columns they drop"
        )
    joined = keras.layers.Concatenate(name="features")(blocks) if len(blocks) > 1 else blocks[0]
    return inputs, joined


def _by_size(cardinalities: Sequence[int]) -> tuple[list[int], list[int]]:
    """The places of columns with few codes and of those with many."""
    few = [place for place, size in enumerate(cardinalities) if size <= _MOST_ONE_HOT]
    return few, [place for place in range(len(cardinalities)) if place not in few]


def _before(model: keras.Model, layer: Any, given: dict[str, Any]) -> NDArray[Any]:
    """What a layer gets for some rows."""
    part = keras.Model(model.inputs, layer.input)
    # In the order of the inputs: a part may use only one of them.
    return np.asarray(part([given[tensor.name] for tensor in model.inputs], training=False))


def _widest(model: keras.Model) -> int:
    """How many numbers a row becomes at most, waves included."""
    waves = [layer.frequencies * layer.input.shape[-1] for layer in _all(model, Periodic)]
    sizes = [math.prod(layer.output.shape[1:]) for layer in model.layers]
    return int(max(sizes + waves))


def _all(model: keras.Model, kind: type) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def _seed() -> list[int]:
    """A seed that follows from Keras's own, as that of first weights does."""
    return [int(number) for number in np.asarray(keras.random.SeedGenerator().state)]


ARCHITECTURE = Architecture("realmlp", build, start=start, recipe=recipe)
