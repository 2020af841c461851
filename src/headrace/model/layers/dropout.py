"""Dropout with cheap chance."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from headrace.model.layers.register import register
from headrace.model.schedules import flat_cosine

__all__ = ["FastDropout", "FlatCosineDropout"]


@register
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
        kept = ops.cast(self._chances(inputs) >= self.dropped, inputs.dtype)
        return inputs * (kept * (256 / (256 - self.dropped)))

    def _chances(self, inputs: Any) -> Any:
        """A random byte for each input."""
        import tensorflow as tf

        shape = tf.shape(inputs)
        count = tf.reduce_prod(shape)
        words = tf.random.stateless_uniform(
            [(count + 3) // 4], self.chance.next(), minval=None, maxval=None, dtype=tf.uint32
        )
        return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count], shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Answer the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Answer the rate."""
        return {**super().get_config(), "rate": self.rate}


@register
class FlatCosineDropout(FastDropout):
    """Dropout that ends with the training: the rate for its first half, then down to 0.

    The rate goes on like `headrace.model.schedules.FlatCosine`, so that the last steps see the
    network as it will answer. Without `set_steps` it stays as it is.

    Shapes: any, unchanged.

    Args:
        rate: The share of the inputs that is set to 0 at first.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        """Store the rate and start to count."""
        super().__init__(rate, **kwargs)
        fixed = {"shape": (), "initializer": "zeros", "trainable": False}
        self.step = self.add_weight(name="step", **fixed)
        self.steps = self.add_weight(name="steps", **fixed)

    def set_steps(self, steps: int) -> None:
        """Say how many steps the training has that begins now; 0 for one without an end."""
        self.step.assign(0.0)
        self.steps.assign(float(steps))

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Answer the inputs, in training with some of them set to 0."""
        if not training or self.dropped == 0:
            return inputs
        passed = ops.minimum(self.step / ops.maximum(self.steps, 1.0), 1.0)
        share = ops.where(self.steps > 0, flat_cosine(passed), 1.0)
        dropped = ops.round(self.dropped * share)
        self.step.assign_add(1.0)
        kept = ops.cast(ops.cast(self._chances(inputs), "float32") >= dropped, inputs.dtype)
        return inputs * (kept * ops.cast(256 / (256 - dropped), inputs.dtype))
