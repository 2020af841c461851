"""Names and objects of activations, losses, optimisers and metrics."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.model.choices import (
    choose_activation,
    choose_loss,
    choose_metrics,
    choose_optimizer,
)
from headrace.model.target import TargetSpec

BINARY = TargetSpec("y", "binary", classes=(0, 1))
SEVERAL = TargetSpec("y", "multiclass", classes=("a", "b", "c"))
NUMBER = TargetSpec("y", "regression")


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "gelu", "selu", "linear", "mish"])
def test_activations_by_name_and_by_function(name: str) -> None:
    assert choose_activation(name) == name
    assert choose_activation(getattr(keras.activations, name)) == name


@pytest.mark.parametrize(
    ("activation", "text"),
    [
        ("rellu", "activation 'rellu' is not known; perhaps 'relu' is meant"),
        (3, "activation must be the name of a Keras activation, received 3"),
        (lambda x: x, "put layers with an activation of your own into `hidden`"),
    ],
)
def test_unknown_activations(activation: Any, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        choose_activation(activation)


@pytest.mark.parametrize(
    ("loss", "target", "name"),
    [
        (None, BINARY, "binary_crossentropy"),
        (None, SEVERAL, "sparse_categorical_crossentropy"),
        (None, NUMBER, "mean_squared_error"),
        ("cross_entropy", SEVERAL, "sparse_categorical_crossentropy"),
        ("mse", NUMBER, "mean_squared_error"),
        ("mae", BINARY, "mean_absolute_error"),
        ("huber", NUMBER, "huber"),
    ],
)
def test_losses_by_name(loss: Any, target: TargetSpec, name: str) -> None:
    assert choose_loss(loss, target).function is getattr(keras.losses, name)


def test_the_target_takes_the_form_of_the_loss() -> None:
    codes = np.array([2, 0], dtype=np.int32)
    assert choose_loss(None, SEVERAL).target(codes, 3).tolist() == [2, 0]
    for loss in ("categorical_crossentropy", "mse", keras.losses.CategoricalCrossentropy()):
        assert choose_loss(loss, SEVERAL).target(codes, 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    sparse = keras.losses.SparseCategoricalCrossentropy()
    assert choose_loss(sparse, SEVERAL).target(codes, 3).tolist() == [2, 0]
    column = choose_loss(None, BINARY).target(np.array([0, 1], dtype=np.int32), 1)
    assert column.dtype == np.float32
    assert column.tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("loss", "target", "text"),
    [
        ("binary_crossentropi", BINARY, "perhaps 'binary_crossentropy' is meant"),
        ("cross_entropy", NUMBER, "needs classes, and the target 'y' is a regression target"),
        ("binary_crossentropy", NUMBER, "use 'mse', 'mae' or 'huber'"),
        ("sparse_categorical_crossentropy", BINARY, "use 'binary_crossentropy'"),
        (keras.losses.CategoricalCrossentropy(), BINARY, "use 'binary_crossentropy'"),
        (7, NUMBER, "loss must be a name, a Keras loss, a function or None, received 7"),
    ],
)
def test_losses_that_do_not_suit(loss: Any, target: TargetSpec, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        choose_loss(loss, target)


def test_optimizers_by_name_keep_the_rate_of_keras() -> None:
    assert float(choose_optimizer("adam", None).learning_rate) == pytest.approx(1e-3)
    assert float(choose_optimizer("SGD", 0.5).learning_rate) == pytest.approx(0.5)


def test_an_optimizer_object_is_copied() -> None:
    given = keras.optimizers.SGD(0.1, momentum=0.9)
    copy = choose_optimizer(given, 0.2)
    assert copy is not given
    assert copy.momentum == 0.9
    assert float(copy.learning_rate) == pytest.approx(0.2)
    assert float(given.learning_rate) == pytest.approx(0.1)


def test_the_learning_rate_may_be_a_schedule() -> None:
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    assert float(choose_optimizer("adam", schedule).learning_rate) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("optimizer", "rate", "text"),
    [
        ("adamm", None, "optimizer 'adamm' is not known; perhaps 'adam' is meant"),
        (3, None, "optimizer must be a name, a Keras optimizer or None, received 3"),
        ("adam", 0, "learning_rate must be a number above 0 or a Keras schedule, received 0"),
        ("adam", float("nan"), "received nan"),
        ("adam", "fast", "received 'fast'"),
    ],
)
def test_optimizers_that_cannot_be_used(optimizer: Any, rate: Any, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        choose_optimizer(optimizer, rate)


def test_metrics_by_name_and_copied() -> None:
    assert choose_metrics(None, BINARY) == ["accuracy"]
    assert choose_metrics(None, NUMBER) == ["mae"]
    given = keras.metrics.AUC(name="area")
    [copy] = choose_metrics([given], BINARY)
    assert copy is not given
    assert copy.name == "area"
    with pytest.raises(
        SettingError, match="metric 'acuracy' is not known; perhaps 'accuracy' is meant"
    ):
        choose_metrics(["acuracy"], BINARY)
