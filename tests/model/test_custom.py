"""Networks that users bring: layers, models and functions; their copies, their files."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from headrace.errors import ReleaseError, SettingError
from headrace.model.custom import from_bytes, from_function, from_layers, from_model, to_bytes
from headrace.model.fitted import FittedNetwork
from headrace.model.network import Network
from headrace.model.target import TargetSpec
from headrace.plan.features import FeatureSpec

FEATURES = FeatureSpec(("a", "b"), ("c",), (3,))
BINARY = TargetSpec("y", "binary", classes=(0, 1))
ROWS = {
    "numbers": np.array([[1, 2], [3, 4]], dtype=np.float32),
    "categories": np.array([[0], [2]], dtype=np.int32),
}


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers if layer.trainable_weights]


@keras.saving.register_keras_serializable(package="tests")
class Double(keras.layers.Layer):  # type: ignore[misc]
    """A layer of a user."""

    def call(self, inputs: Any) -> Any:
        return 2 * inputs


class Stubborn(keras.layers.Layer):  # type: ignore[misc]
    """A layer that cannot be made again."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def call(self, inputs: Any) -> Any:
        return inputs


def test_layers_are_copied_and_get_an_output_layer() -> None:
    given = [keras.layers.Dense(4, activation="tanh"), keras.layers.Dropout(0.5), Double()]
    model = from_layers(given, FEATURES, BINARY, embedding=None)
    assert kinds(model) == ["Dense", "Dense"]
    assert model(ROWS).shape == (2, 1)
    assert not given[0].built


def test_an_output_layer_of_the_user_stays_the_only_one() -> None:
    last = keras.layers.Dense(1, activation="sigmoid")
    model = from_layers([keras.layers.Dense(2), last], FEATURES, BINARY, embedding=None)
    assert kinds(model) == ["Dense", "Dense"]
    # Another width or activation is a hidden layer.
    model = from_layers([keras.layers.Dense(1)], FEATURES, BINARY, embedding="piecewise")
    assert kinds(model) == ["PiecewiseLinear", "Dense", "Dense"]


def test_a_model_keeps_its_weights_and_is_not_changed() -> None:
    given = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, activation="sigmoid")])
    model = from_model(given, FEATURES, BINARY)
    block = np.array([[1, 2, 1, 0, 0], [3, 4, 0, 0, 1]], dtype=np.float32)
    assert np.allclose(model(ROWS), given(block), atol=1e-6)
    before = given.get_weights()
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert all(np.array_equal(a, b) for a, b in zip(before, given.get_weights(), strict=True))


def test_a_model_may_name_its_inputs() -> None:
    numbers = keras.Input((2,), name="numbers")
    codes = keras.Input((1,), name="categories", dtype="int32")
    vector = keras.layers.Flatten()(keras.layers.Embedding(3, 2)(codes))
    joined = keras.layers.Concatenate()([numbers, vector])
    output = keras.layers.Dense(1, activation="sigmoid")(joined)
    for inputs in ([numbers, codes], {"numbers": numbers, "categories": codes}):
        assert from_model(keras.Model(inputs, output), FEATURES, BINARY)(ROWS).shape == (2, 1)
    alone = keras.Model(numbers, keras.layers.Dense(1)(numbers))
    model = from_model(alone, FEATURES, BINARY)
    assert [tensor.name for tensor in model.inputs] == ["numbers"]


def test_a_function_builds_from_the_features_and_the_target() -> None:
    def build(features: FeatureSpec, target: TargetSpec) -> Any:
        width = len(features.numbers) + sum(features.cardinalities)
        return keras.Sequential([keras.Input((width,)), keras.layers.Dense(target.outputs)])

    assert from_function(build, FEATURES, BINARY)(ROWS).shape == (2, 1)

    def broken(features: FeatureSpec, target: TargetSpec) -> int:
        return 3

    with pytest.raises(SettingError, match=r"broken\(features, target\) must answer a keras.Model"):
        from_function(broken, FEATURES, BINARY)


@pytest.mark.parametrize(
    ("hidden", "text"),
    [
        ([keras.layers.Dense(2), 3], "widths or Keras layers throughout, received 3"),
        ([keras.layers.Conv1D(2, 3)], "'conv1d.*' does not take what reaches it"),
        ([Stubborn(3)], "the layer 'stubborn.*' cannot be copied"),
    ],
)
def test_layers_that_cannot_be_used(hidden: Any, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        from_layers(hidden, FEATURES, BINARY, embedding=None)


def test_models_that_do_not_fit() -> None:
    narrow = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(SettingError, match="takes 4 input columns, .* give 5: 2 numbers and 3 for"):
        from_model(narrow, FEATURES, BINARY)
    wide = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    with pytest.raises(SettingError, match=r"must answer the shape \(rows, 1\) for the binary"):
        from_model(wide, FEATURES, BINARY)
    named = keras.Input((1,), name="categories", dtype="int32")
    codes = keras.Model(named, keras.layers.Dense(1)(named))
    with pytest.raises(SettingError, match="has the input 'categories', and .* give no categories"):
        from_model(codes, FeatureSpec(("a",)), BINARY)
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    two = keras.Model([left, right], keras.layers.Dense(1)(keras.layers.Add()([left, right])))
    with pytest.raises(SettingError, match="must be named 'numbers' and 'categories', .* left"):
        from_model(two, FEATURES, BINARY)


def test_a_custom_network_goes_through_its_file_to_the_bit(table: Any) -> None:
    rows = table(rows=40)
    network = Network([keras.layers.Dense(3, activation="gelu"), Double()], epochs=1)
    fitted = rows.fit(network)
    assert fitted.architecture == "custom"
    again = FittedNetwork.rebuild(fitted.description(), fitted.weights(), fitted.custom())
    assert np.array_equal(again.predict(rows.features), fitted.predict(rows.features))


def test_what_keras_could_not_read_back_is_refused_when_it_is_saved() -> None:
    def build(features: FeatureSpec, target: TargetSpec) -> Any:
        shifted = keras.layers.Lambda(lambda x: x + 1, output_shape=(5,))
        return keras.Sequential([keras.Input((5,)), shifted, keras.layers.Dense(1)])

    model = from_function(build, FEATURES, BINARY)
    with pytest.raises(SettingError, match="cannot be saved: .* and no Lambda layers"):
        to_bytes(model)
    with pytest.raises(ReleaseError, match=r"network\.keras cannot be read by Keras"):
        from_bytes(b"no zip file")


def test_a_compiled_model_keeps_its_loss_and_optimizer(table: Any) -> None:
    rows = table(rows=30, numbers=2, cardinalities=())
    given = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    given.compile(optimizer=keras.optimizers.SGD(0.25), loss="mse")
    fitted = rows.fit(Network(given, epochs=1))
    assert type(fitted.model.optimizer) is keras.optimizers.SGD
    assert fitted.model.optimizer is not given.optimizer
    assert fitted.history["loss"][0] < 1
    stated = rows.fit(Network(given, epochs=1, optimizer="adam"))
    assert type(stated.model.optimizer) is keras.optimizers.Adam
