"""The two ends of an architecture: how the features come in and how the answer goes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from headrace.errors import SettingError, nearest
from headrace.model.answers import (
    MeanDeviation,
    MemberMixture,
    OrderedClasses,
    OrderedQuantiles,
    Rate,
)
from headrace.model.bins import find_edges
from headrace.model.layers import (
    CategoryEmbedding,
    MemberDense,
    MemberMean,
    OneHot,
    PiecewiseLinear,
)
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features, FeatureSpec

    Dense = Callable[[int, str, str], Any]

__all__ = ["EMBEDDINGS", "Entrance", "answer", "enter", "fix_edges"]

EMBEDDINGS = ("piecewise",)
"""The embeddings of numbers that have a name; None stands for the numbers as they are."""

_WIDEST = 4096
"""Inputs that the numbers, or the categories, make at most while each column keeps one."""

_MOST_BINS = 24_576
"""Bins of all number columns together; with more columns than that numbers come as they are."""

_ONE_HOT = (64, 32, 16, 8, 4)
"""Category columns with more codes are embedded; the first limit that keeps within `_WIDEST`."""

_CATEGORY_WIDTH = 16
_CATEGORY_PRIOR = 100.0
"""Rows of a code that give half of its vector: the rare codes of large columns say little."""

_LARGEST_TABLE = 2**24
"""Numbers in the table of all category vectors at most, while each has one."""

_ACTIVATIONS = {"bernoulli": "sigmoid", "categorical": "softmax"}


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
    16 numbers. The more columns there are, the less each one gets, so that a wide table keeps to
    some thousand inputs: 1,000 number columns get 24 bins and 4 numbers each.

    Args:
        features: The columns.
        embedding: "piecewise", or None for the numbers as they are.
        bins: The most bins of a column, with "piecewise".
        width: The largest width of a column's embedding, with "piecewise".

    Raises:
        SettingError: An unknown embedding, or no columns at all.
    """
    _check(features, embedding)
    inputs: dict[str, Any] = {}
    parts: list[tuple[Any, list[int]]] = []
    if features.numbers:
        count = len(features.numbers)
        numbers = inputs["numbers"] = keras.Input((count,), dtype="float32", name="numbers")
        bins, width = _number_sizes(count, bins, width)
        if embedding is None or not bins:
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


def _number_sizes(count: int, bins: int, width: int) -> tuple[int, int]:
    """Answer how many bins and how much width each of some number columns can have."""
    return min(bins, _MOST_BINS // count), max(1, min(width, _WIDEST // count))


def _most_one_hot(cardinalities: tuple[int, ...]) -> int:
    """Answer the most codes of a column that becomes zeros and ones; 0 where none should."""
    for most in _ONE_HOT:
        if sum(size for size in cardinalities if size <= most) <= _WIDEST:
            return most
    return 0


def _categories(codes: Any, cardinalities: tuple[int, ...]) -> list[tuple[Any, list[int]]]:
    parts = []
    most = _most_one_hot(cardinalities)
    small = [place for place, size in enumerate(cardinalities) if size <= most]
    large = [place for place, size in enumerate(cardinalities) if size > most]
    if small:
        sizes = [cardinalities[place] for place in small]
        layer = OneHot(sizes, columns=small, name="one_hot")
        parts.append((layer(codes), sizes))
    if large:
        sizes = [cardinalities[place] for place in large]
        width = min(_CATEGORY_WIDTH, _WIDEST // len(large), _LARGEST_TABLE // sum(sizes))
        width = max(1, width)
        table = CategoryEmbedding(sizes, width, large, prior=_CATEGORY_PRIOR, name="vectors")
        parts.append((table(codes), [width] * len(large)))
    return parts


def answer(block: Any, target: TargetSpec, *, dense: Dense | None = None) -> Any:
    """Add the output layer: a linear layer, and what the likelihood makes of it.

    Args:
        block: The last hidden block, (rows, width), or (rows, members, width) with members that
            each get an output layer of their own.
        target: What is predicted; of several targets each gets an output layer of its own.
        dense: Makes the linear layer from its units, its activation ("sigmoid", "softmax" or
            "linear") and its name; None for `keras.layers.Dense`, or `MemberDense` with members.

    Returns:
        The output as `TargetSpec` describes it, (rows, outputs). With members: their mean outside
        of training, and (rows, members, outputs) in training, so that each has its own loss.
    """
    if not isinstance(target, Targets):
        return _answer(block, target, dense, "")
    blocks = [_answer(block, part, dense, f"_{place}") for place, part in enumerate(target.parts)]
    return keras.layers.Concatenate(name="joined_answers")(blocks)


def _answer(block: Any, target: TargetSpec, dense: Dense | None, suffix: str) -> Any:
    """Add the output layer of one target; the suffix tells its layers from those of others."""
    members = len(block.shape) == 3
    make = dense or (_member_dense if members else _dense)
    likelihood = str(target.likelihood)
    units = 1 if likelihood == "ordinal" else target.outputs
    activation = _ACTIVATIONS.get(likelihood, "linear")
    output = make(units, activation, f"answer{'s' if members else ''}{suffix}")(block)
    form = _form(target, suffix)
    output = output if form is None else form(output)
    if not members:
        return output
    mixture = MemberMixture if likelihood == "normal" else MemberMean
    return mixture(name=f"answer{suffix}")(output)


def _dense(units: int, activation: str, name: str) -> Any:
    return keras.layers.Dense(units, activation=activation, name=name)


def _member_dense(units: int, activation: str, name: str) -> Any:
    return MemberDense(units, activation, name=name)


def _form(target: TargetSpec, suffix: str) -> Any:
    """Answer the layer between the linear outputs and the answer; None where there is none."""
    if target.likelihood == "ordinal":
        return OrderedClasses(len(target.classes), name=f"ordered_classes{suffix}")
    if target.likelihood == "poisson":
        return Rate(name=f"rate{suffix}")
    if target.likelihood == "normal":
        return MeanDeviation(name=f"mean_deviation{suffix}")
    if target.likelihood == "quantiles":
        return OrderedQuantiles(target.middle[0], name=f"ordered_quantiles{suffix}")
    return None


def _set_shares(layer: OrderedClasses, target: NDArray[Any], spec: TargetSpec) -> None:
    if isinstance(spec, Targets):
        place = int(layer.name.rpartition("_")[2])
        column, spec = target[:, place], spec.parts[place]
        target = column[np.isfinite(column)].astype(np.intp)
    # One row more of each class: none may have the share 0.
    counts = np.bincount(target, minlength=len(spec.classes)) + 1
    layer.set_shares(counts / counts.sum())


def fix_edges(
    model: keras.Model, features: Features, target: NDArray[Any], spec: TargetSpec
) -> None:
    """Learn what training rows say at once: bins, counts of codes, shares of ordered classes."""
    for layer in model.layers:
        if isinstance(layer, OrderedClasses):
            _set_shares(layer, target, spec)
        if isinstance(layer, PiecewiseLinear):
            layer.set_edges(find_edges(features.numbers, most=layer.bins, target=target))
        if isinstance(layer, CategoryEmbedding | OneHot):
            layer.set_counts(features.categories)
