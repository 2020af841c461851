"""The short training with a rising rate."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from headrace.model.ramp import ramp
from headrace.model.rows import Rows
from headrace.model.schedules import Exponential

STEPS = 60


def make_rows(rows: int = 40) -> Rows:
    numbers = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    weight = np.linspace(0.5, 1.5, rows, dtype=np.float32)
    return Rows({"numbers": numbers}, numbers.sum(axis=1, keepdims=True), weight)


def make_model(rate: Any, layer: Any = None) -> Any:
    inputs = keras.Input((2,), name="numbers")
    output = (layer or keras.layers.Dense(1, kernel_initializer="ones", use_bias=False))(inputs)
    model = keras.Model({"numbers": inputs}, 2 * output)
    model.compile(keras.optimizers.SGD(rate), "mse", jit_compile=False)
    return model


def never(losses: Any) -> bool:
    return False


def by_hand(rows: Rows, rates: Any, batch: int, seed: int) -> Any:
    """Gradient descent on the weighted squared error of `2 * x @ w`."""
    random = np.random.default_rng(seed)
    rounds = -(-len(rates) * batch // len(rows))
    order = np.concatenate([random.permutation(len(rows)) for _ in range(rounds)])
    x, y, c = (
        np.asarray(part, np.float64)
        for part in (rows.inputs["numbers"], rows.target[:, 0], rows.weight)
    )
    w, losses = np.ones(2), []
    for step, rate in enumerate(rates):
        chosen = order[step * batch : (step + 1) * batch]
        error = 2 * x[chosen] @ w - y[chosen]
        losses.append((c[chosen] * error**2).mean())
        w = w - rate * 4 * (c[chosen] * error) @ x[chosen] / batch
    return np.array(losses)


def test_the_losses_are_those_of_gradient_descent() -> None:
    rows = make_rows()
    rates = 1e-3 * (0.1 / 1e-3) ** (np.arange(STEPS) / (STEPS - 1))
    model = make_model(Exponential(0.1, STEPS, low=1e-3))
    losses = ramp(model, rows, steps=STEPS, batch_size=8, seed=4, stop=never)
    assert np.allclose(losses, by_hand(rows, rates, 8, seed=4), rtol=1e-3, atol=1e-6)


def test_it_stops_when_told_and_where_the_loss_is_no_number() -> None:
    told: list[int] = []

    def enough(losses: Any) -> bool:
        told.append(len(losses))
        return len(losses) >= 50

    losses = ramp(make_model(1e-3), make_rows(), steps=100, batch_size=8, seed=0, stop=enough)
    assert told == [25, 50]
    assert len(losses) == 50
    wild = ramp(make_model(1e9), make_rows(), steps=100, batch_size=8, seed=0, stop=never)
    assert 0 < len(wild) < 25
    assert np.isfinite(wild).all()


def test_a_model_that_xla_cannot_compile_takes_the_plain_way() -> None:
    class Printed(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(1,), initializer="ones")

        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            summed = tf.numpy_function(lambda x: x, [inputs], tf.float32)
            summed.set_shape(inputs.shape)
            return keras.ops.sum(summed, axis=1, keepdims=True) * self.scale

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], 1)

    model = make_model(1e-3, Printed())
    losses = ramp(model, make_rows(), steps=30, batch_size=8, seed=0, stop=never)
    assert len(losses) == 30
    assert losses[-1] < losses[0]
    assert float(np.asarray(model.trainable_variables[0])[0]) == pytest.approx(0.9, abs=0.2)
