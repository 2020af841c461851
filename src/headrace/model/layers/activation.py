"""Activations that each neuron can turn down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import keras
from keras import ops

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ParametricActivation"]

_STEEPEST = 20.0
"""Above it Mish is the identity to the last bit, and the exponential would grow too large."""


@register
class ParametricActivation(keras.layers.Layer):  # type: ignore[misc]
    """Between the identity and an activation: `x + alpha * (f(x) - x)`, alpha = 1 at first.

    Each neuron has its alpha, trained at a tenth of the rate: Holzmüller et al., "Better by
    default: strong pre-tuned MLPs and boosted trees on tabular data" (2024).

    Shapes: any, unchanged.

    Args:
        activation: f, a Keras activation by name.
    """

    learning_rate_factors: ClassVar[Mapping[str, float]] = {"alpha": 0.1}
    weight_decay_factors: ClassVar[Mapping[str, float]] = {"alpha": 0.1}

    def __init__(self, activation: str, **kwargs: Any) -> None:
        """Store the function."""
        super().__init__(**kwargs)
        self.activation = activation
        self._function = _mish if activation == "mish" else keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make one alpha a neuron."""
        self.alpha = self.add_weight(name="alpha", shape=input_shape[1:], initializer="ones")

    def call(self, inputs: Any) -> Any:
        """Answer the activation of the inputs."""
        return inputs + self.alpha * (self._function(inputs) - inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Answer the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Answer the function's name."""
        return {**super().get_config(), "activation": self.activation}


def _mish(inputs: Any) -> Any:
    """`x * tanh(log(1 + exp(x)))`; with e = exp(x) and n = e * (e + 2) it is `x * n / (n + 2)`."""
    grown = ops.exp(ops.minimum(inputs, _STEEPEST))
    ratio = grown * (grown + 2)
    return inputs * (ratio / (ratio + 2))
