"""The piecewise-linear embedding of numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["PiecewiseLinear"]

_OVERSHOOT = 1.0
"""How many bin widths beyond the outermost edges the embedding goes on growing."""


@register
class PiecewiseLinear(keras.layers.Layer):  # type: ignore[misc]
    """Embed each number by a function that is linear between the edges of its bins.

    With the edges `b_0 < b_1 < …` of a column, bin t is filled by

        u_t = clip((x - b_t) / (b_{t+1} - b_t), 0, 1)

    (the first bin goes on below, the last one above) and the embedding of the column is
    `x * a + c + u @ V`, so it can bend at each edge. Columns with fewer bins are padded with bins
    that stay 0. This is version B of the piecewise-linear embeddings of Gorishniy et al.,
    "On embeddings for numerical features in tabular deep learning" (2022), as TabM uses it.

    Shapes: (B, F) to (B, F * D).

    Args:
        bins: T, the largest number of bins of a column.
        width: D, the width of a column's embedding.
    """

    def __init__(self, bins: int, width: int, **kwargs: Any) -> None:
        """Store the sizes; the edges come from `set_edges`."""
        super().__init__(**kwargs)
        self.bins = bins
        self.width = width

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the fixed edges and the trained embedding."""
        columns, limit = int(input_shape[-1] or 0), 1 / math.sqrt(self.width)
        self.floats_inside = columns * self.bins
        uniform = keras.initializers.RandomUniform(-limit, limit)
        fixed = {"shape": (columns, self.bins), "trainable": False}
        self.left = self.add_weight(name="left", initializer="zeros", **fixed)
        self.slope = self.add_weight(name="slope", initializer="zeros", **fixed)
        self.low = self.add_weight(name="low", initializer="zeros", **fixed)
        self.high = self.add_weight(name="high", initializer="ones", **fixed)
        self.linear = self.add_weight(
            name="linear", shape=(columns, self.width), initializer=uniform
        )
        self.bias = self.add_weight(name="bias", shape=(columns, self.width), initializer=uniform)
        self.bends = self.add_weight(
            name="bends", shape=(columns, self.bins, self.width), initializer="zeros"
        )

    def set_edges(self, edges: Sequence[NDArray[np.float32]]) -> None:
        """Fix the bins.

        Args:
            edges: For each column its edges, strictly increasing, at least two and at most T + 1.
        """
        left, slope, low, high = (
            np.zeros((len(edges), self.bins), dtype=np.float32) for _ in range(4)
        )
        for column, values in enumerate(edges):
            count = len(values) - 1
            left[column, :count] = values[:-1]
            slope[column, :count] = 1 / np.diff(values)
            high[column, :count] = 1
            low[column, 0] -= _OVERSHOOT
            high[column, count - 1] += _OVERSHOOT
        for variable, values in zip(
            (self.left, self.slope, self.low, self.high), (left, slope, low, high), strict=True
        ):
            variable.assign(values)

    def call(self, inputs: Any) -> Any:
        """Embed the numbers."""
        columns = ops.expand_dims(inputs, -1)
        filled = ops.maximum((columns - self.left) * self.slope, self.low)
        filled = ops.minimum(filled, self.high)
        bent = ops.einsum("bft,ftd->bfd", filled, self.bends)
        embedded = columns * self.linear + self.bias + bent
        return ops.reshape(embedded, (-1, inputs.shape[-1] * self.width))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Answer (B, F * D)."""
        return (input_shape[0], int(input_shape[-1] or 0) * self.width)

    def get_config(self) -> dict[str, Any]:
        """Answer the sizes."""
        return {**super().get_config(), "bins": self.bins, "width": self.width}
