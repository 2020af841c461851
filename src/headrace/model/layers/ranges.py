"""Ranges that are learnt from the training rows: of the numbers that come in, of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Clamp", "SmoothClip"]

_REACH = 3.0


@register
class SmoothClip(keras.layers.Layer):  # type: ignore[misc]
    """Scale each column by its middle half, and bend what is far away into (-3, 3).

    With the median c and the distance s between the quartiles of a column,

        z = (x - c) / s,    y = z / sqrt(1 + (z / 3)^2)

    A column whose quartiles are equal takes half of its range for s; a constant one becomes 0.
    Holzmüller et al., "Better by default: strong pre-tuned MLPs and boosted trees on tabular data"
    (2024). Before `adapt` c is 0 and s is 1.

    Shapes: (B, N), unchanged.
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the fixed centres and factors."""
        shape = (input_shape[-1],)
        self.centre = self.add_weight(
            name="centre", shape=shape, initializer="zeros", trainable=False
        )
        self.factor = self.add_weight(
            name="factor", shape=shape, initializer="ones", trainable=False
        )

    def adapt(self, values: NDArray[Any]) -> None:
        """Learn centres and factors from the training rows, (rows, N)."""
        rows = np.asarray(values, dtype=np.float64)
        low, centre, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
        half_range = 0.5 * (rows.max(axis=0) - rows.min(axis=0))
        spread = np.where(high > low, high - low, half_range)
        factor = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        limit = float(np.finfo(np.float32).max)
        self.centre.assign(centre)
        self.factor.assign(np.minimum(factor, limit))

    def call(self, inputs: Any) -> Any:
        """Scale and bend the inputs."""
        scaled = (inputs - self.centre) * self.factor
        return scaled / ops.sqrt(1 + ops.square(scaled / _REACH))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Answer the shape of the inputs."""
        return input_shape


@register
class Clamp(keras.layers.Layer):  # type: ignore[misc]
    """Keep the answers within the range of the training rows; in training they are left alone.

    Shapes: (B, M), unchanged. Before `adapt` the range has no ends.
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the fixed ends of the range."""
        shape, limit = (input_shape[-1],), float(np.finfo(np.float32).max)
        for name, end in (("low", -limit), ("high", limit)):
            start = keras.initializers.Constant(end)
            weight = self.add_weight(name=name, shape=shape, initializer=start, trainable=False)
            setattr(self, name, weight)

    def adapt(self, values: NDArray[Any]) -> None:
        """Learn the range from the training target, (rows,) or (rows, M)."""
        rows = np.asarray(values).reshape(len(values), -1)
        self.low.assign(np.broadcast_to(rows.min(axis=0), self.low.shape))
        self.high.assign(np.broadcast_to(rows.max(axis=0), self.high.shape))

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Answer the inputs, outside of training those within the range."""
        return inputs if training else ops.minimum(ops.maximum(inputs, self.low), self.high)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Answer the shape of the inputs."""
        return input_shape
