"""The periodic embedding of numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import keras
from keras import ops

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Periodic"]


@register
class Periodic(keras.layers.Layer):  # type: ignore[misc]
    """Embed each number by waves of trained frequencies, and keep the number itself beside them.

    For each column, with its own w, b, V and c,

        e = cos(2 * pi * x * w + b) @ V + c

    and the output holds the embeddings of all columns, then the numbers. All is trained at a tenth
    of the rate. This is the embedding "PBLD" of Holzmüller et al., "Better by default: strong
    pre-tuned MLPs and boosted trees on tabular data" (2024), after Gorishniy et al., "On embeddings
    for numerical features in tabular deep learning" (2022).

    Shapes: (B, F) to (B, F * D).

    Args:
        frequencies: The number of waves of a column.
        width: D, the width of a column's embedding, the number itself included.
        sigma: The standard deviation of the frequencies at the start.
    """

    learning_rate_factors: ClassVar[Mapping[str, float]] = dict.fromkeys(
        ("frequency", "phase_bias", "mix", "mix_bias"), 0.1
    )
    # Decay goes with the learning rate, and in the paper with the square of its factor.
    weight_decay_factors: ClassVar[Mapping[str, float]] = learning_rate_factors

    def __init__(
        self, frequencies: int = 16, width: int = 4, sigma: float = 0.1, **kwargs: Any
    ) -> None:
        """Store the sizes."""
        super().__init__(**kwargs)
        self.frequencies = frequencies
        self.width = width
        self.sigma = sigma

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the waves and their mixtures."""
        columns, waves, mixed = int(input_shape[-1] or 0), self.frequencies, self.width - 1
        self.floats_inside = columns * waves
        initializers, limit = keras.initializers, 1 / math.sqrt(self.frequencies)
        uniform = initializers.RandomUniform(-limit, limit)
        self.frequency = self.add_weight(
            name="frequency",
            shape=(columns, waves),
            initializer=initializers.RandomNormal(stddev=self.sigma),
        )
        self.phase = self.add_weight(
            name="phase_bias",
            shape=(columns, waves),
            initializer=initializers.RandomUniform(-math.pi, math.pi),
        )
        self.mix = self.add_weight(name="mix", shape=(columns, waves, mixed), initializer=uniform)
        self.bias = self.add_weight(name="mix_bias", shape=(columns, mixed), initializer=uniform)

    def call(self, inputs: Any) -> Any:
        """Embed the numbers."""
        angles = ops.expand_dims(inputs, -1) * (2 * math.pi * self.frequency) + self.phase
        mixed = ops.einsum("bfw,fwd->bfd", ops.cos(angles), self.mix) + self.bias
        flat = ops.reshape(mixed, (-1, inputs.shape[-1] * (self.width - 1)))
        return ops.concatenate([flat, inputs], axis=1)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Answer (B, F * D)."""
        return (input_shape[0], int(input_shape[-1] or 0) * self.width)

    def get_config(self) -> dict[str, Any]:
        """Answer the sizes."""
        config = {"frequencies": self.frequencies, "width": self.width, "sigma": self.sigma}
        return {**super().get_config(), **config}
