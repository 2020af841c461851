"""Averaged weights: validated, kept as the best, and out of the way of the steps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from headrace.model.loop import seeded, train
from headrace.model.optimizer import AdamW
from headrace.model.rows import Rows


def rows(count: int = 64, *, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, 2)).astype(np.float32)
    return Rows({"numbers": numbers}, (numbers @ [[1.0], [-2.0]]).astype(np.float32))


def linear(*, momentum: float | None) -> Any:
    with seeded(0):
        inputs = keras.Input((2,), name="numbers")
        model = keras.Model({"numbers": inputs}, keras.layers.Dense(1)(inputs))
    averaged = {} if momentum is None else {"use_ema": True, "ema_momentum": momentum}
    model.compile(optimizer=AdamW(0.05, weight_decay=None, **averaged), loss="mse")
    return model


class Keep(keras.callbacks.Callback):  # type: ignore[misc]
    """Keep the weights of each step, and those that are in place at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.validated: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.validated.append(self.model.get_weights()[0].copy())


def test_the_average_is_that_of_the_steps() -> None:
    """One step an epoch: the raw weights of each are those of a training without averages."""
    keep, raw = Keep(), Keep()
    settings: dict[str, Any] = {"epochs": 5, "batch_size": 64, "patience": None, "seed": 3}
    train(linear(momentum=0.9), rows(), rows(seed=1), callbacks=[keep], **settings)
    train(linear(momentum=None), rows(), rows(seed=1), callbacks=[raw], **settings)
    average = raw.validated[0]
    for step, (mine, weights) in enumerate(zip(keep.validated, raw.validated, strict=True)):
        momentum = min(0.9, (1 + step) / (10 + step)) if step else 0
        average = momentum * average + (1 - momentum) * weights
        assert np.allclose(mine, average, atol=1e-5)


def test_the_last_weights_are_the_averages() -> None:
    model, keep = linear(momentum=0.9), Keep()
    train(model, rows(), rows(seed=1), epochs=3, batch_size=32, patience=None, callbacks=[keep])
    assert np.array_equal(model.get_weights()[0], keep.validated[-1])


def test_without_validation_too() -> None:
    averaged, raw = linear(momentum=0.9), linear(momentum=None)
    for model in (averaged, raw):
        train(model, rows(), None, epochs=3, batch_size=32, patience=None)
    assert not np.allclose(averaged.get_weights()[0], raw.get_weights()[0])


def test_the_best_weights_are_averages() -> None:
    model, keep = linear(momentum=0.9), Keep()
    validation = rows(seed=1)
    training = train(
        model, rows(), validation, epochs=8, batch_size=16, patience=3, callbacks=[keep]
    )
    best = keep.validated[training.best_epoch - 1]
    assert np.array_equal(model.get_weights()[0], best)
    loss = model.evaluate(*validation.keras(), verbose=0)
    assert min(training.history["val_loss"]) == pytest.approx(loss, rel=1e-5)
