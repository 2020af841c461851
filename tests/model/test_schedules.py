"""Schedules against their formulas, written out in NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.model.layers import FlatCosineDropout
from headrace.model.schedules import (
    SCHEDULES,
    Exponential,
    make_schedule,
    schedule_callbacks,
    start_schedules,
)

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 40
PEAK = 0.02


def coslog4(t: float) -> float:
    return PEAK * 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t)))


def flat_cos(t: float) -> float:
    return PEAK if t <= 0.5 else PEAK * 0.5 * (1 + math.cos(math.pi * (t - 0.5) / 0.5))


def one_cycle(t: float) -> float:
    if t < 0.3:
        return PEAK / 25 + (PEAK - PEAK / 25) * 0.5 * (1 - math.cos(math.pi * t / 0.3))
    fall = 0.5 * (1 + math.cos(math.pi * (t - 0.3) / 0.7))
    return PEAK / 1e4 + (PEAK - PEAK / 1e4) * fall


FORMULAS: dict[str, Callable[[float], float]] = {
    "cosine": lambda t: PEAK * 0.5 * (1 + math.cos(math.pi * t)),
    "coslog4": coslog4,
    "flat_cos": flat_cos,
    "one_cycle": one_cycle,
    "warmup": lambda t: PEAK * min(1, (t + 1 / STEPS) / 0.05),
}


def values(schedule: Any, steps: range = range(STEPS + 5)) -> Any:
    return np.array([float(schedule(step)) for step in steps])


@pytest.mark.parametrize("name", FORMULAS)
def test_a_schedule_is_its_formula_and_can_be_made_again(name: str) -> None:
    schedule = make_schedule(name, PEAK, STEPS)
    expected = [FORMULAS[name](min(step / STEPS, 1)) for step in range(STEPS + 5)]
    assert np.allclose(values(schedule), expected, atol=1e-8)
    stored = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(stored)
    assert np.array_equal(values(again), values(schedule))


def test_every_name_has_a_formula() -> None:
    assert set(SCHEDULES) == {*FORMULAS, "constant", "plateau"}


def test_an_exponential_schedule_goes_from_end_to_end_by_equal_factors() -> None:
    schedule = Exponential(1.0, 5, low=1e-4)
    assert np.allclose(values(schedule, range(5)), [1e-4, 1e-3, 1e-2, 1e-1, 1], rtol=1e-5)
    assert schedule.get_config() == {"peak": 1.0, "steps": 5, "low": 1e-4}


@pytest.mark.parametrize("name", [None, "constant", "plateau"])
def test_a_constant_value_stays_a_number(name: str | None) -> None:
    assert make_schedule(name, 0.1, 0) == 0.1


def test_errors_name_what_is_meant() -> None:
    with pytest.raises(SettingError, match="no schedule 'cosin'; perhaps 'cosine' is meant"):
        make_schedule("cosin", 0.1, 10)
    with pytest.raises(SettingError, match="no schedule 'zzz'; there are constant, cosine"):
        make_schedule("zzz", 0.1, 10)
    with pytest.raises(
        SettingError, match="how many steps the training has, 1 or more, received 0"
    ):
        make_schedule("cosine", 0.1, 0)


def test_only_plateau_has_a_callback() -> None:
    assert schedule_callbacks("cosine") == []
    assert schedule_callbacks(None) == []
    [callback] = schedule_callbacks("plateau", patience=12)
    assert isinstance(callback, keras.callbacks.ReduceLROnPlateau)
    assert (callback.monitor, callback.patience, callback.factor) == ("val_loss", 4, 0.5)


def test_plateau_halves_the_rate_and_new_weights_leave_it_alone() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    [callback] = schedule_callbacks("plateau", patience=3)
    callback.set_model(model)
    callback.on_train_begin()
    weights = model.get_weights()
    for epoch in range(3):
        callback.on_epoch_end(epoch, {"val_loss": 1.0})
        model.set_weights(weights)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)


def test_dropout_hears_how_long_the_training_is() -> None:
    inner = keras.Sequential([keras.Input((2,)), FlatCosineDropout(0.5)])
    model = keras.Sequential([keras.Input((2,)), inner, FlatCosineDropout(0.5)])
    start_schedules(model, 30)
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, FlatCosineDropout)]
    assert [float(layer.steps) for layer in layers] == [30, 30]
