"""The Keras layers of headrace: embeddings of numbers and categories, and members of an ensemble.

Shapes are written with these letters: B rows of a batch, F number columns, T bins of a column,
C category columns, D width of an embedding, K members, N inputs, M outputs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "CategoryEmbedding",
    "FastDropout",
    "MemberDense",
    "MemberMean",
    "MemberScale",
    "OneHot",
    "PiecewiseLinear",
]

_PACKAGE = "headrace"
_OVERSHOOT = 1.0
"""How many bin widths beyond the outermost edges the embedding goes on growing."""


def _register(layer: type) -> type:
    return keras.saving.register_keras_serializable(package=_PACKAGE)(layer)  # type: ignore[no-any-return]


@_register
class FastDropout(keras.layers.Layer):  # type: ignore[misc]
    """Drop inputs at random in training, like `keras.layers.Dropout` but with cheaper chance.

    Drawing random numbers is half of the time of a training step on a CPU. One byte an input is
    enough here, so four inputs share a random word and the rate is rounded to a 256th.

    Shapes: any, unchanged.

    Args:
        rate: The share of the inputs that is set to 0; the others grow to keep the mean.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        """Store the rate and start the stream of random numbers."""
        super().__init__(**kwargs)
        self.rate = rate
        self.dropped = round(rate * 256)
        self.chance = keras.random.SeedGenerator()
        self.built = True

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Answer the inputs, in training with some of them set to 0."""
        if not training or self.dropped == 0:
            return inputs
        import tensorflow as tf

        shape = tf.shape(inputs)
        count = tf.reduce_prod(shape)
        words = tf.random.stateless_uniform(
            [(count + 3) // 4], self.chance.next(), minval=None, maxval=None, dtype=tf.uint32
        )
        chances = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count], shape)
        kept = tf.cast(chances >= self.dropped, inputs.dtype)
        return inputs * (kept * (256 / (256 - self.dropped)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Answer the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Answer the rate."""
        return {**super().get_config(), "rate": self.rate}


@_register
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
        columns, limit = input_shape[-1], 1 / math.sqrt(self.width)
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


@_register
class OneHot(keras.layers.Layer):  # type: ignore[misc]
    """Turn category codes into one block of zeros and ones.

    Shapes: (B, C) int32 to (B, sum of the cardinalities) float32.

    Args:
        cardinalities: The number of codes of each column that is used.
        columns: Which columns of the input are used; None for all, in order.
    """

    def __init__(
        self, cardinalities: Sequence[int], columns: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        """Store the sizes."""
        super().__init__(**kwargs)
        self.cardinalities = [int(size) for size in cardinalities]
        self.columns = _columns(columns, self.cardinalities)
        # For each output the column it looks at, and the code it stands for.
        self._column = np.repeat(self.columns, self.cardinalities).astype(np.int32)
        self._code = np.concatenate([np.arange(size, dtype=np.int32) for size in cardinalities])

    def call(self, inputs: Any) -> Any:
        """Compare the code of each output's column with the code it stands for."""
        spread = ops.take(inputs, self._column, axis=1)
        return ops.cast(ops.equal(spread, self._code), self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Answer (B, sum of the cardinalities)."""
        return (input_shape[0], sum(self.cardinalities))

    def get_config(self) -> dict[str, Any]:
        """Answer the sizes."""
        config = {"cardinalities": self.cardinalities, "columns": self.columns}
        return {**super().get_config(), **config}


@_register
class CategoryEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """Look up a trained vector for each category code; all columns share one table.

    Shapes: (B, C) int32 to (B, used columns * D).

    Args:
        cardinalities: The number of codes of each column that is used.
        width: D, the length of a vector.
        columns: Which columns of the input are used; None for all, in order.
    """

    def __init__(
        self,
        cardinalities: Sequence[int],
        width: int,
        columns: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        """Store the sizes."""
        super().__init__(**kwargs)
        self.cardinalities = [int(size) for size in cardinalities]
        self.columns = _columns(columns, self.cardinalities)
        self.width = width
        # Where the part of each column begins in the table.
        self._first = np.cumsum([0, *self.cardinalities[:-1]]).astype(np.int32)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the table, one part a column."""
        del input_shape
        self.table = self.add_weight(
            name="table",
            shape=(sum(self.cardinalities), self.width),
            initializer=keras.initializers.RandomNormal(stddev=1 / math.sqrt(self.width)),
        )

    def call(self, inputs: Any) -> Any:
        """Look up the vectors."""
        used = ops.take(inputs, np.asarray(self.columns, dtype=np.int32), axis=1)
        vectors = ops.take(self.table, used + self._first, axis=0)
        return ops.reshape(vectors, (-1, len(self.columns) * self.width))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Answer (B, used columns * D)."""
        return (input_shape[0], len(self.columns) * self.width)

    def get_config(self) -> dict[str, Any]:
        """Answer the sizes."""
        config = {
            "cardinalities": self.cardinalities,
            "width": self.width,
            "columns": self.columns,
        }
        return {**super().get_config(), **config}


@_register
class MemberScale(keras.layers.Layer):  # type: ignore[misc]
    """Give each member of an ensemble its own scaling of the same inputs: `y_k = x * r_k`.

    At the start one random factor a member and *chunk* is used, a chunk being the inputs that come
    from one column. This is what makes the members of TabM differ: Gorishniy et al., "TabM:
    advancing tabular deep learning with parameter-efficient ensembling" (2025).

    Shapes: (B, N) to (B, K, N).

    Args:
        members: K.
        chunks: The widths of the chunks; their sum is N.
    """

    def __init__(self, members: int, chunks: Sequence[int], **kwargs: Any) -> None:
        """Store the sizes."""
        super().__init__(**kwargs)
        self.members = members
        self.chunks = [int(width) for width in chunks]

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Draw one factor a member and chunk."""
        del input_shape
        self.scale = self.add_weight(
            name="scale", shape=(self.members, sum(self.chunks)), initializer=self._start
        )

    def _start(self, shape: Sequence[int], dtype: Any = None) -> Any:
        drawn = keras.random.normal(
            (shape[0], len(self.chunks)), dtype=dtype, seed=keras.random.SeedGenerator()
        )
        return ops.repeat(drawn, np.asarray(self.chunks), axis=1)

    def call(self, inputs: Any) -> Any:
        """Scale the inputs for each member."""
        return ops.expand_dims(inputs, 1) * self.scale

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Answer (B, K, N)."""
        return (input_shape[0], self.members, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Answer the sizes."""
        return {**super().get_config(), "members": self.members, "chunks": self.chunks}


@_register
class MemberDense(keras.layers.Layer):  # type: ignore[misc]
    """A dense layer of its own for each member: `y_k = activation(x_k @ W_k + b_k)`.

    Shapes: (B, K, N) to (B, K, M).

    Args:
        units: M.
        activation: A Keras activation by name.
    """

    def __init__(self, units: int, activation: str | None = None, **kwargs: Any) -> None:
        """Store the sizes."""
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make one kernel and one bias a member."""
        _, members, inputs = input_shape
        limit = 1 / math.sqrt(int(inputs or 1))
        uniform = keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.add_weight(
            name="kernel", shape=(members, inputs, self.units), initializer=uniform
        )
        self.bias = self.add_weight(name="bias", shape=(members, self.units), initializer=uniform)

    def call(self, inputs: Any) -> Any:
        """Answer each member's outputs."""
        return self.activation(ops.einsum("bkn,knm->bkm", inputs, self.kernel) + self.bias)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Answer (B, K, M)."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Answer the sizes."""
        name = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": name}


@_register
class MemberMean(keras.layers.Layer):  # type: ignore[misc]
    """Answer the mean over the members; in training each member, so that each has its own loss.

    Shapes: (B, K, M) to (B, M); in training to (B, K, M).
    """

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Answer the mean, or in training the inputs."""
        return inputs if training else ops.mean(inputs, axis=1)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Answer (B, M), the shape outside of training."""
        return (input_shape[0], input_shape[-1])


def _columns(columns: Sequence[int] | None, cardinalities: list[int]) -> list[int]:
    used = range(len(cardinalities)) if columns is None else columns
    return [int(column) for column in used]
