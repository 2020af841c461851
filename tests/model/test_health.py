"""The state of a trained network: gradients and dead units."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from headrace.model.health import examine
from headrace.model.network import Network
from headrace.model.rows import Rows


def model_with_dead_units() -> Any:
    inputs = keras.Input((2,), name="numbers")
    hidden = keras.layers.Dense(4, activation="relu", name="hidden")
    model = keras.Model({"numbers": inputs}, keras.layers.Dense(1, name="last")(hidden(inputs)))
    kernel = np.ones((2, 4), np.float32)
    hidden.set_weights([kernel, np.array([0, 0, 0, -1e6], np.float32)])
    model.compile(loss="mse")
    return model


def rows() -> Rows:
    random = np.random.default_rng(0)
    numbers = random.uniform(size=(50, 2)).astype(np.float32)
    return Rows({"numbers": numbers}, numbers.sum(axis=1, keepdims=True))


def test_a_unit_that_never_answers_is_dead() -> None:
    hidden, last = examine(model_with_dead_units(), rows())
    assert (hidden.name, hidden.dead, hidden.parameters) == ("hidden", 0.25, 12)
    assert (last.name, last.dead, last.parameters) == ("last", None, 5)
    assert hidden.weight_norm == pytest.approx(np.sqrt(8 + 1e12))


def test_gradients_are_those_of_the_loss() -> None:
    model, sample = model_with_dead_units(), rows()
    last = examine(model, sample)[1]
    numbers, truth = sample.inputs["numbers"], sample.target
    answers = np.maximum(numbers @ np.ones((2, 4)) + [0, 0, 0, -1e6], 0)
    kernel, bias = model.get_layer("last").get_weights()
    error = 2 * (answers @ kernel + bias - truth) / len(truth)
    norm = np.sqrt(np.square(answers.T @ error).sum() + np.square(error.sum()))
    assert last.gradient_norm == pytest.approx(norm, rel=1e-4)


def test_every_layer_of_a_fitted_network_is_told(table: Any) -> None:
    fitted = table("multiclass").fit(Network(epochs=1, settings={"hidden": [16]}))
    layers = {layer.name: layer for layer in fitted.training.layers}
    assert {"embedding", "members", "hidden_1", "answers"} <= layers.keys()
    assert sum(layer.parameters for layer in layers.values()) == sum(
        int(np.prod(variable.shape)) for variable in fitted.model.trainable_variables
    )
    assert all(layer.gradient_norm > 0 for layer in layers.values())
    assert layers["hidden_1"].dead is not None
    assert layers["hidden_1"].to_dict()["name"] == "hidden_1"
