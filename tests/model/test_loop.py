"""The compiled loop: the steps of Keras, its callbacks, its history; and the plain way out."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from headrace.errors import SettingError
from headrace.model.feed import epoch_order
from headrace.model.loop import Training, automatic_batch_size, seeded, train
from headrace.model.rows import Rows

COUNT, WIDTH = 70, 3


def make_rows(count: int = COUNT, *, weighted: bool = False, seed: int = 0) -> Rows:
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(count, WIDTH)).astype(np.float32)
    target = (numbers @ [[1], [-2], [0.5]] + 0.1 * chance.normal(size=(count, 1))).astype(
        np.float32
    )
    weight = chance.uniform(size=count).astype(np.float32) if weighted else None
    return Rows({"numbers": numbers}, target, weight)


def make_model(optimizer: Any = None, *, extra: Any = None, units: int = 4) -> Any:
    with seeded(0):
        inputs = keras.Input((WIDTH,), name="numbers")
        block = keras.layers.Dense(units, activation="tanh")(inputs)
        block = extra(block) if extra else block
        model = keras.Model({"numbers": inputs}, keras.layers.Dense(1)(block))
    model.compile(optimizer=optimizer or keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    return model


def run(model: Any, rows: Rows, validation: Rows | None = None, **settings: Any) -> Training:
    given: dict[str, Any] = {"epochs": 3, "batch_size": 32, "patience": None, **settings}
    return train(model, rows, validation, **given)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_steps_are_those_of_keras(*, weighted: bool) -> None:
    rows = make_rows(weighted=weighted)
    model, twin = make_model(keras.optimizers.Adam(0.01)), make_model(keras.optimizers.Adam(0.01))
    training = run(model, rows, seed=5, epochs=2)
    for epoch in range(2):
        shuffled = epoch_order(COUNT, 5, epoch)
        for first in range(0, COUNT, 32):  # two full batches, and six rows left over
            chosen = shuffled[first : first + 32]
            weight = None if rows.weight is None else rows.weight[chosen]
            twin.train_on_batch(
                {"numbers": rows.inputs["numbers"][chosen]}, rows.target[chosen], weight
            )
    for mine, hers in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert np.allclose(mine, hers, atol=1e-6)
    assert int(model.optimizer.iterations) == 6
    assert training.notes == ()


def test_history_and_metrics_are_those_of_keras() -> None:
    rows, validation = make_rows(), make_rows(40, seed=1)
    model = make_model()
    training = run(model, rows, validation, epochs=2)
    assert set(training.history) == {"loss", "mae", "val_loss", "val_mae"}
    assert all(len(values) == 2 for values in training.history.values())
    loss, mae = model.evaluate(*validation.keras(), verbose=0)
    assert training.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert training.history["val_mae"][-1] == pytest.approx(mae, rel=1e-5)
    assert training.best_epoch == 2
    assert set(training.seconds) == {"compile", "epochs"}


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Note what Keras calls, and stop where it is told to."""

    def __init__(self, *, stop_after_epoch: int = 99, stop_after_step: int = 9999) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.losses: list[float] = []
        self._epoch, self._step = stop_after_epoch, stop_after_step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps.append(batch)
        self.losses.append(float(logs["loss"]))
        if batch >= self._step:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch + 1 >= self._epoch:
            self.model.stop_training = True


def test_callbacks_are_called_after_some_steps_and_may_stop_the_training() -> None:
    model, watch = make_model(), Watch(stop_after_epoch=2)
    training = run(model, make_rows(1000), batch_size=10, epochs=9, callbacks=[watch])
    assert len(training.history["loss"]) == 2
    assert watch.steps == [63, 127] * 2  # 100 steps in calls of 64, numbered as Keras does
    assert int(model.optimizer.iterations) == 200
    assert training.history["loss"][0] == pytest.approx(watch.losses[1])


def test_a_callback_may_stop_within_an_epoch() -> None:
    model = make_model()
    run(model, make_rows(1000), batch_size=10, epochs=9, callbacks=[Watch(stop_after_step=60)])
    assert int(model.optimizer.iterations) == 64


def test_schedules_and_rates_set_by_callbacks_are_obeyed() -> None:
    still = keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.1, 0.0])
    model, twin = make_model(keras.optimizers.SGD(still)), make_model()
    run(model, make_rows(64), batch_size=16, epochs=3)
    after_four = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch == 0 else 0.0)
    run(twin, make_rows(64), batch_size=16, epochs=3, callbacks=[after_four])
    for mine, hers in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert np.allclose(mine, hers, atol=1e-6)


def test_early_stopping_brings_the_best_weights_back() -> None:
    rows, validation = make_rows(40), make_rows(40, seed=1)
    worse = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch < 4 else -0.1)
    model = make_model()
    training = run(model, rows, validation, epochs=50, patience=3, callbacks=[worse])
    losses = training.history["val_loss"]
    assert training.best_epoch == 4 == int(np.argmin(losses)) + 1
    assert len(losses) == 7
    assert model.evaluate(*validation.keras(), verbose=0)[0] == pytest.approx(min(losses), rel=1e-5)


def test_a_model_that_xla_cannot_compile_is_trained_plainly_and_it_is_said() -> None:
    def through_python(block: Any) -> Any:
        return tf.ensure_shape(tf.py_function(lambda x: 2 * x, [block], tf.float32), block.shape)

    model = make_model(extra=keras.layers.Lambda(through_python, output_shape=(4,)))
    with pytest.warns(UserWarning, match="XLA cannot compile this model, so .* plain fit"):
        training = run(model, make_rows(), make_rows(30, seed=1), epochs=2)
    assert "trained by Keras's plain fit" in training.notes[0]
    assert set(training.history) == {"loss", "mae", "val_loss", "val_mae"}


def test_a_model_that_runs_eagerly_is_trained_plainly() -> None:
    model = make_model()
    model.run_eagerly = True
    with pytest.warns(UserWarning, match="run_eagerly"):
        assert len(run(model, make_rows(), epochs=1).history["loss"]) == 1


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_loss_that_breaks_is_an_error_that_names_the_epoch() -> None:
    model = make_model(keras.optimizers.SGD(1e30))
    with pytest.raises(
        SettingError, match=r"the loss became \S+ in epoch 1, .* rate 1e\+30: lower"
    ):
        run(model, make_rows(), epochs=3)


def test_tiny_tables_and_large_batches() -> None:
    for count in (1, 33):
        model = make_model()
        training = run(model, make_rows(count), make_rows(1, seed=1), batch_size=1000, epochs=1)
        assert np.isfinite(training.history["val_loss"]).all()


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 100, 2_799, 2_800, 50_000, 1_000_003])
def test_automatic_batches_leave_almost_nothing_over(rows: int) -> None:
    size = automatic_batch_size(rows)
    assert 1 <= size <= min(rows, 1024)
    assert rows % size <= 0.05 * rows


def test_seeds_stay_inside() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the state that Keras draws from
    expected = random.random(), np.random.rand()  # noqa: NPY002
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    with seeded(7):
        inside = random.random()
    assert (random.random(), np.random.rand()) == expected  # noqa: NPY002
    with seeded(7):
        assert random.random() == inside
