"""What watches over a training: a broken loss, the time, the best epoch by a metric."""

from __future__ import annotations

import re
import time
from typing import Any

import keras
import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.model.feed import epoch_order
from headrace.model.loop import Training, Watched, seeded, train
from headrace.model.monitor import Monitor
from headrace.model.rows import Rows
from headrace.model.target import TargetSpec


def make_rows(count: int = 200, *, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, 2)).astype(np.float32)
    return Rows({"numbers": numbers}, (numbers @ [[1.0], [-2.0]]).astype(np.float32))


def linear(optimizer: Any = None) -> Any:
    with seeded(0):
        inputs = keras.Input((2,), name="numbers")
        model = keras.Model({"numbers": inputs}, keras.layers.Dense(1)(inputs))
    model.compile(optimizer=optimizer or keras.optimizers.SGD(0.1), loss="mse")
    return model


def run(model: Any, rows: Rows, validation: Rows | None = None, **settings: Any) -> Training:
    given: dict[str, Any] = {"epochs": 4, "batch_size": 50, "patience": None, **settings}
    return train(model, rows, validation, columns=["width", "depth"], **given)


class Break(keras.callbacks.Callback):  # type: ignore[misc]
    """Make the weights infinite at the start of an epoch, as steps that are too large do."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.at = epoch
        self.sound: Any = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.at:
            self.sound = self.model.get_weights()
            self.model.set_weights([np.full_like(one, np.inf) for one in self.sound])


def test_a_loss_that_breaks_at_once_is_an_error_that_names_the_value() -> None:
    rows = make_rows()
    rows.inputs["numbers"][137, 1] = 3e30
    with pytest.raises(SettingError) as caught:
        run(linear(), rows)
    text = str(caught.value)
    assert re.search(r"the loss became (inf|nan) in epoch 1, step [1-4] \(training rows ", text)
    assert "where column 'depth' holds 3e+30 in row 137, far from its other values" in text
    assert "lower learning_rate" in text


def test_after_an_error_the_weights_are_those_of_before() -> None:
    rows, model = make_rows(), linear()
    before = model.get_weights()
    rows.inputs["numbers"][137, 1] = 3e30
    with pytest.raises(SettingError):
        run(model, rows)
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("validated", [True, False])
def test_a_loss_that_breaks_later_leaves_the_last_sound_weights(*, validated: bool) -> None:
    model, breaks = linear(), Break(2)
    validation = make_rows(50, seed=1) if validated else None
    training = run(model, make_rows(), validation, callbacks=[breaks])
    assert len(training.history["loss"]) == 2
    assert np.isfinite(training.history["loss"]).all()
    assert training.best_epoch == 2
    assert all(
        np.array_equal(*pair) for pair in zip(breaks.sound, model.get_weights(), strict=True)
    )
    [note] = training.notes
    assert "in epoch 3, step 1" in note
    assert "kept the last sound weights" in note


def test_the_step_is_named_in_the_middle_of_an_epoch() -> None:
    rows = make_rows(1000)
    rows.inputs["numbers"][5, 0] = np.float32(3e38)
    order = epoch_order(1000, seed=7, epoch=0)
    step = int(np.flatnonzero(order == 5)[0]) // 50 + 1
    with pytest.raises(SettingError, match=rf"epoch 1, step {step} \("):
        run(linear(), rows, seed=7)


def test_the_deadline_stops_the_training() -> None:
    began = time.perf_counter()
    training = run(linear(), make_rows(), epochs=10**6, deadline=time.perf_counter() + 3)
    assert time.perf_counter() - began < 30
    assert len(training.history["loss"]) < 10**6
    assert any("the time was over after" in note for note in training.notes)


def test_schedules_are_shortened_to_the_deadline() -> None:
    asked: list[int] = []
    model = linear()

    def shorten(epochs: int) -> None:
        asked.append(epochs)
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")

    run(model, make_rows(), epochs=10**7, deadline=time.perf_counter() + 3, shorten=shorten)
    assert len(asked) == 1
    assert 1 <= asked[0] < 10**7


def test_the_metric_decides_which_epoch_is_kept() -> None:
    spec = TargetSpec("y", "regression")
    monitor = Monitor.of("r2", spec)
    values = iter([0.1, 0.5, 0.3, 0.2])
    model, seen = linear(), []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.get_weights())
    )
    training = run(
        model,
        make_rows(),
        make_rows(50, seed=1),
        patience=2,
        watched=Watched(monitor, lambda: next(values)),
        callbacks=[keep],
    )
    assert training.history["val_r2"] == [0.1, 0.5, 0.3, 0.2]
    assert (training.best_epoch, training.monitor) == (2, "r2")
    assert all(np.array_equal(*pair) for pair in zip(seen[1], model.get_weights(), strict=True))
