"""The dense layer of RealMLP: scaled by its width, and started from the training rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import numpy as np
from keras import ops

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["NTKDense"]

_PICKED = 5
"""How many training rows a bias is mixed from at the start."""

_LEAST_SPREAD = 1e-6
"""An output that spreads less is constant but for rounding, and is not blown up."""


@register
class NTKDense(keras.layers.Layer):  # type: ignore[misc]
    """A dense layer for each member, scaled by its width: `y_k = f(x_k @ W_k / sqrt(N) + b_k)`.

    In this neural tangent parametrisation the weights are of the order 1 for every width, so one
    learning rate suits all layers: Jacot et al., "Neural tangent kernel: convergence and
    generalization in neural networks" (2018). Biases are trained at a tenth of the rate, and not
    decayed.

    Shapes: (B, K, N) to (B, K, M).

    Args:
        units: M.
        activation: f, a Keras activation by name.
    """

    learning_rate_factors: ClassVar[Mapping[str, float]] = {"bias": 0.1}

    def __init__(self, units: int, activation: str | None = None, **kwargs: Any) -> None:
        """Store the size."""
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make one kernel and one bias a member."""
        _, members, inputs = input_shape
        normal = keras.initializers.RandomNormal(stddev=1)
        self.kernel = self.add_weight(
            name="kernel", shape=(members, inputs, self.units), initializer=normal
        )
        self.bias = self.add_weight(name="bias", shape=(members, self.units), initializer="zeros")

    def start(self, inputs: NDArray[Any], random: np.random.Generator) -> None:
        """Choose the first weights by what the layer gets from the training rows.

        Each output has the standard deviation 1 over the rows, and is 0 somewhere amidst them:
        minus its bias is a random mean of the outputs of five random rows. Holzmüller et al.,
        "Better by default: strong pre-tuned MLPs and boosted trees on tabular data" (2024).

        Args:
            inputs: What the layer gets for some training rows, (rows, K, N).
            random: Where chance comes from.
        """
        kernels, biases = np.zeros(self.kernel.shape), np.zeros(self.bias.shape)
        for member in range(inputs.shape[1]):
            rows = np.asarray(inputs[:, member], dtype=np.float64)
            kernel = random.normal(size=kernels.shape[1:])
            outputs = rows @ kernel / math.sqrt(rows.shape[1])
            spread = outputs.std(axis=0)
            spread[spread < _LEAST_SPREAD] = 1
            kernels[member] = kernel / spread
            picked = random.integers(len(rows), size=(_PICKED, self.units))
            shares = random.dirichlet(np.ones(_PICKED), size=self.units).T
            values = np.take_along_axis(outputs / spread, picked, axis=0)
            biases[member] = -(shares * values).sum(axis=0)
        self.kernel.assign(kernels)
        self.bias.assign(biases)

    def call(self, inputs: Any) -> Any:
        """Answer each member's outputs."""
        outputs = ops.einsum("bkn,knm->bkm", inputs, self.kernel)
        return self.activation(outputs * (1 / math.sqrt(inputs.shape[-1])) + self.bias)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Answer (B, K, M)."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Answer the size and the activation."""
        name = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": name}
