"""The two ends of an architecture: how the features come in and how the answer goes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from headrace.errors import SettingError, nearest
from headrace.model.bins import find_edges
from headrace.model.layers import CategoryEmbedding, OneHot, PiecewiseLinear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features, FeatureSpec

__all__ = ["EMBEDDINGS", "Entrance", "enter", "fix_edges", "output_activation"]

EMBEDDINGS = ("piecewise",)
"""The embeddings of numbers that have a name; None stands for the numbers as they are."""

_MOST_ONE_HOT = 64
"""Category columns with more codes are embedded: zeros and ones would cost too much."""

_CATEGORY_WIDTH = 16
_ACTIVATIONS = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}


@dataclass(frozen=True)
class Entrance:
    """The features inside of a model.

    Attributes:
        inputs: The model's inputs by name.
        block: All features side by side, (rows, sum of the chunks).
        chunks: The widths of the parts of the block that come from one column each.
    """

    inputs: Mapping[str, Any]
    block: Any
    chunks: tuple[int, ...]


def enter(
    features: FeatureSpec, *, embedding: str | None, bins: int = 48, width: int = 8
) -> Entrance:
    """Bring numbers and categories into a model as one block.

    Category columns become zeros and ones, those with more than 64 codes a trained vector of
    16 numbers.

    Args:
        features: The columns.
        embedding: "piecewise", or None for the numbers as they are.
        bins: The number of bins of a column, with "piecewise".
        width: The width of a column's embedding, with "piecewise".

    Raises:
        SettingError: An unknown embedding, or no columns at all.
    """
    _check(features, embedding)
    inputs: dict[str, Any] = {}
    parts: list[tuple[Any, list[int]]] = []
    if features.numbers:
        count = len(features.numbers)
        numbers = inputs["numbers"] = keras.Input((count,), dtype="float32", name="numbers")
        if embedding is None:
            parts.append((numbers, [1] * count))
        else:
            embedded = PiecewiseLinear(bins, width, name="embedding")(numbers)
            parts.append((embedded, [width] * count))
    if features.categories:
        count = len(features.categories)
        codes = inputs["categories"] = keras.Input((count,), dtype="int32", name="categories")
        parts += _categories(codes, features.cardinalities)
    blocks = [block for block, _ in parts]
    joined = blocks[0] if len(blocks) == 1 else keras.layers.Concatenate(name="features")(blocks)
    return Entrance(inputs, joined, tuple(width for _, widths in parts for width in widths))


def _check(features: FeatureSpec, embedding: str | None) -> None:
    if embedding is not None and embedding not in EMBEDDINGS:
        close = nearest(str(embedding), EMBEDDINGS)
        meant = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(
            f"embedding must be one of {', '.join(EMBEDDINGS)} or None, "
            f"received {embedding!r}{meant}"
        )
    if not features.numbers and not features.categories:
        raise SettingError(
            "a network needs at least one feature column, and the steps before it leave none: "
            "check which columns they drop"
        )


def _categories(codes: Any, cardinalities: tuple[int, ...]) -> list[tuple[Any, list[int]]]:
    parts = []
    small = [place for place, size in enumerate(cardinalities) if size <= _MOST_ONE_HOT]
    large = [place for place, size in enumerate(cardinalities) if size > _MOST_ONE_HOT]
    if small:
        sizes = [cardinalities[place] for place in small]
        layer = OneHot(sizes, columns=small, name="one_hot")
        parts.append((layer(codes), sizes))
    if large:
        sizes = [cardinalities[place] for place in large]
        table = CategoryEmbedding(sizes, _CATEGORY_WIDTH, columns=large, name="vectors")
        parts.append((table(codes), [_CATEGORY_WIDTH] * len(large)))
    return parts


def output_activation(target: TargetSpec) -> str:
    """Answer the activation of the last layer: sigmoid, softmax or linear."""
    return _ACTIVATIONS[target.task]


def fix_edges(
    model: keras.Model, features: Features, target: NDArray[Any], spec: TargetSpec
) -> None:
    """Learn the bins of a model's piecewise-linear embedding from the training rows."""
    del target, spec
    for layer in model.layers:
        if isinstance(layer, PiecewiseLinear):
            layer.set_edges(find_edges(features.numbers, most=layer.bins))
