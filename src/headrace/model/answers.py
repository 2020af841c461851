"""What turns the last linear outputs of a network into the answer that its likelihood needs.

Shapes are written with these letters: B rows of a batch, K members (their axis may be missing),
C classes, Q quantiles.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MeanDeviation", "MemberMixture", "OrderedClasses", "OrderedQuantiles", "Rate"]

_LARGEST_EXPONENT = 15.0
"""Rates stay between e^-15 and e^15 times the mean count: float32 holds them, and their loss."""

_SMALLEST_DEVIATION = 1e-3
"""Of the target's own deviation: a network must not become certain of single rows."""


@register
class Rate(keras.layers.Layer):  # type: ignore[misc]
    """Answer the rate of a Poisson distribution, `exp(x)`, with x kept between -15 and 15.

    Shapes: any, unchanged.
    """

    def call(self, inputs: Any) -> Any:
        """Answer the rate."""
        return ops.exp(ops.clip(inputs, -_LARGEST_EXPONENT, _LARGEST_EXPONENT))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Answer the shape of the inputs."""
        return input_shape


@register
class MeanDeviation(keras.layers.Layer):  # type: ignore[misc]
    """Answer mean and standard deviation of a normal distribution: `x_0, softplus(x_1) + 0.001`.

    Shapes: (B, K, 2), unchanged.
    """

    def call(self, inputs: Any) -> Any:
        """Answer mean and deviation."""
        mean, raw = inputs[..., :1], inputs[..., 1:]
        return ops.concatenate([mean, ops.softplus(raw) + _SMALLEST_DEVIATION], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Answer the shape of the inputs."""
        return input_shape


@register
class OrderedQuantiles(keras.layers.Layer):  # type: ignore[misc]
    """Answer quantiles that never cross: the middle one, and positive steps away from it.

    With m the place of the middle one, `q_m = x_m`, `q_{j+1} = q_j + softplus(x_{j+1})` above and
    `q_{j-1} = q_j - softplus(x_{j-1})` below.

    Shapes: (B, K, Q), unchanged.

    Args:
        middle: m.
    """

    def __init__(self, middle: int, **kwargs: Any) -> None:
        """Store the place of the middle one."""
        super().__init__(**kwargs)
        self.middle = middle

    def call(self, inputs: Any) -> Any:
        """Answer the quantiles."""
        steps, middle = ops.softplus(inputs), self.middle
        columns = [inputs[..., middle : middle + 1]]
        # One addition after the other: rounding then keeps the order, as no cumulative sum does.
        for place in range(middle + 1, inputs.shape[-1]):
            columns.append(columns[-1] + steps[..., place : place + 1])
        for place in range(middle - 1, -1, -1):
            columns.insert(0, columns[0] - steps[..., place : place + 1])
        return ops.concatenate(columns, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Answer the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Answer the place of the middle one."""
        return {**super().get_config(), "middle": self.middle}


@register
class OrderedClasses(keras.layers.Layer):  # type: ignore[misc]
    """Answer the probabilities of ordered classes from one score: the cumulative logit model.

    With the score s and the thresholds `t_1 < … < t_{C-1}`, which all rows share,

        P(class <= c) = sigmoid(t_c - s)

    and a class has the difference of two neighbours. The first threshold and, through softplus,
    the steps to the next ones are trained; each member has its own. McCullagh, "Regression models
    for ordinal data" (1980).

    Shapes: (B, K, 1) to (B, K, C).

    Args:
        classes: C, three or more.
    """

    def __init__(self, classes: int, **kwargs: Any) -> None:
        """Store the number of classes."""
        super().__init__(**kwargs)
        self.classes = classes

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the thresholds; at the start a score of 0 means equal probabilities."""
        members = tuple(input_shape[1:-1])
        first, steps = _first_and_steps([1 / self.classes] * self.classes)
        # Named as biases, which weight decay spares.
        self.first = self.add_weight(
            name="first_bias", shape=(*members, 1), initializer=_repeated([first])
        )
        self.steps = self.add_weight(
            name="step_bias", shape=(*members, self.classes - 2), initializer=_repeated(steps)
        )

    def set_shares(self, shares: Sequence[float]) -> None:
        """Set the thresholds so that a score of 0 means these shares of the classes, (C,)."""
        first, steps = _first_and_steps(shares)
        self.first.assign(np.broadcast_to([first], self.first.shape))
        self.steps.assign(np.broadcast_to(steps, self.steps.shape))

    def thresholds(self) -> list[Any]:
        """Answer the thresholds in their order, each (K, 1) or (1,)."""
        steps = ops.softplus(self.steps)
        found = [self.first]
        for place in range(self.classes - 2):
            found.append(found[-1] + steps[..., place : place + 1])
        return found

    def call(self, inputs: Any) -> Any:
        """Answer the probabilities."""
        gaps = ops.softplus(self.steps)
        thresholds = self.thresholds()
        below = [ops.sigmoid(one - inputs) for one in thresholds]
        above = [ops.sigmoid(inputs - one) for one in thresholds]
        # sigmoid(b) - sigmoid(a) = sigmoid(b) * sigmoid(-a) * (1 - exp(a - b)): no small
        # difference of numbers near 1, so far scores keep their gradients.
        between = [
            below[place + 1] * above[place] * -ops.expm1(-gaps[..., place : place + 1])
            for place in range(self.classes - 2)
        ]
        return ops.concatenate([below[0], *between, above[-1]], axis=-1)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Answer (B, K, C)."""
        return (*input_shape[:-1], self.classes)

    def get_config(self) -> dict[str, Any]:
        """Answer the number of classes."""
        return {**super().get_config(), "classes": self.classes}


def _first_and_steps(shares: Sequence[float]) -> tuple[float, list[float]]:
    """Answer the weights of thresholds that cut a logistic distribution in these shares."""
    levels = np.cumsum(shares)[:-1]
    cuts = np.log(levels / (1 - levels)).tolist()
    return cuts[0], [math.log(math.expm1(high - low)) for low, high in pairwise(cuts)]


def _repeated(values: Sequence[float]) -> Any:
    def start(shape: Sequence[int], dtype: Any = None) -> Any:
        return ops.broadcast_to(ops.convert_to_tensor(values, dtype=dtype), shape)

    return start


@register
class MemberMixture(keras.layers.Layer):  # type: ignore[misc]
    """Answer mean and deviation of the equal mixture of the members' normal distributions.

    `mean = mean(m_k)`, `variance = mean(d_k^2) + variance(m_k)`; in training each member, so that
    each has its own loss.

    Shapes: (B, K, 2) to (B, 2); in training to (B, K, 2).
    """

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Answer mean and deviation, or in training the inputs."""
        if training:
            return inputs
        if inputs.shape[1] == 1:
            # Not for speed alone: the mean over a single member came out wrong in some ONNX graphs.
            return inputs[:, 0]
        means, deviations = inputs[..., 0], inputs[..., 1]
        mean = ops.mean(means, axis=1, keepdims=True)
        spread = ops.square(means - mean) + ops.square(deviations)
        return ops.concatenate([mean, ops.sqrt(ops.mean(spread, axis=1, keepdims=True))], axis=-1)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Answer (B, 2), the shape outside of training."""
        return (input_shape[0], input_shape[-1])
