"""The members of an ensemble: several networks in one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np
from keras import ops

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FrontScale", "MemberDense", "MemberMean", "MemberScale"]


@register
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


@register
class FrontScale(keras.layers.Layer):  # type: ignore[misc]
    """Let each member weigh the features before its first layer: `y_k = x * s_k`, s_k = 1 at first.

    The scale is trained at six times the rate, so that the network can turn from features that say
    nothing: Holzmüller et al., "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data" (2024).

    Shapes: (B, N) to (B, K, N).

    Args:
        members: K.
    """

    learning_rate_factors: ClassVar[Mapping[str, float]] = {"scale": 6.0}
    # Decay goes with the learning rate, and in the paper with the square of its factor.
    weight_decay_factors: ClassVar[Mapping[str, float]] = {"scale": 6.0}

    def __init__(self, members: int, **kwargs: Any) -> None:
        """Store the number of members."""
        super().__init__(**kwargs)
        self.members = members

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the scales."""
        shape = (self.members, input_shape[-1])
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")

    def call(self, inputs: Any) -> Any:
        """Scale the inputs for each member."""
        return ops.expand_dims(inputs, 1) * self.scale

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Answer (B, K, N)."""
        return (input_shape[0], self.members, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Answer the number of members."""
        return {**super().get_config(), "members": self.members}


@register
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


@register
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
