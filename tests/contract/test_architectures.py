"""What every architecture keeps: it learns, is described, is rebuilt to the bit, and is exported."""

from __future__ import annotations

import json
import warnings
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from headrace.errors import SettingError
from headrace.model.architectures import architecture, architecture_names, register
from headrace.model.fitted import FittedNetwork
from headrace.model.network import Network
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # tf2onnx uses names that NumPy is about to drop
    import tf2onnx

FEATURES = FeatureSpec(("a", "b", "c"), ("d", "e"), (4, 200))
TARGETS = {
    "binary": TargetSpec("y", "binary", classes=("no", "yes")),
    "multiclass": TargetSpec("y", "multiclass", classes=(0, 1, 2)),
    "regression": TargetSpec("y", "regression", mean=3.0, scale=2.0),
}
# The smallest settings of each architecture; others are tested as they are.
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [5, 4], "bins": 4},
    "tabm": {"members": 3, "hidden": [5], "bins": 4},
    "linear": {"bins": 4},
    "realmlp": {"members": 2, "hidden": [5, 4], "frequencies": 3, "clamp": True},
}


def own(features: FeatureSpec, target: TargetSpec, *, width: int = 3) -> Any:
    """An architecture of a user."""
    inputs = keras.Input((len(features.numbers),), name="numbers")
    hidden = keras.layers.Dense(width, activation="relu")(inputs)
    return keras.Model({"numbers": inputs}, keras.layers.Dense(target.outputs)(hidden))


register("own", own)


def make_features(rows: int = 50) -> Features:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, 3)).astype(np.float32)
    codes = np.stack([random.integers(size, size=rows) for size in FEATURES.cardinalities], axis=1)
    return Features(numbers, codes.astype(np.int32))


def make_target(task: str, rows: int = 50) -> Any:
    random = np.random.default_rng(1)
    if task == "regression":
        return random.normal(size=rows).astype(np.float32)
    return random.integers(len(TARGETS[task].classes), size=rows).astype(np.int32)


def fit(name: str, task: str) -> FittedNetwork:
    network = Network(name, epochs=2, batch_size=25, settings=SMALL.get(name))
    return network.fit(
        make_features(), make_target(task), feature_spec=FEATURES, target_spec=TARGETS[task]
    )


def build(name: str, task: str) -> FittedNetwork:
    """A network as it is before training, which is quicker to come by."""
    found = architecture(name)
    settings = found.settings(SMALL.get(name, {}))
    model = found.build(FEATURES, TARGETS[task], **settings)
    if found.start:
        found.start(model, make_features(), make_target(task), TARGETS[task])
    return FittedNetwork(
        model,
        architecture=name,
        settings=settings,
        feature_spec=FEATURES,
        target_spec=TARGETS[task],
    )


def to_onnx(fitted: FittedNetwork) -> onnxruntime.InferenceSession:
    signature = {
        "numbers": tf.TensorSpec([None, 3], tf.float32, name="numbers"),
        "categories": tf.TensorSpec([None, 2], tf.int32, name="categories"),
    }

    def answer(numbers: Any, categories: Any) -> Any:
        return {"answer": fitted.tensorflow({"numbers": numbers, "categories": categories})}

    graph, _ = tf2onnx.convert.from_function(
        tf.function(answer), input_signature=list(signature.values()), opset=18
    )
    return onnxruntime.InferenceSession(graph.SerializeToString())


def check_release(fitted: FittedNetwork) -> None:
    """Description and weights give the same network, and so does its ONNX graph."""
    features = make_features()
    output = fitted.predict(features)
    assert output.shape == (50, fitted.target_spec.outputs)
    assert np.isfinite(output).all()

    description = json.loads(json.dumps(fitted.description()))
    again = FittedNetwork.rebuild(description, fitted.weights())
    assert np.array_equal(again.predict(features), output)

    session = to_onnx(again)
    feeds = {"numbers": features.numbers, "categories": features.categories}
    [exported] = session.run(
        None, {place.name: feeds[place.name] for place in session.get_inputs()}
    )
    assert np.abs(exported - output).max() <= 1e-5


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("name", architecture_names())
def test_an_architecture_goes_through_a_release(name: str, task: str) -> None:
    check_release(build(name, task))


@pytest.mark.parametrize("name", architecture_names())
def test_an_architecture_learns_and_goes_through_a_release(name: str) -> None:
    fitted = fit(name, "regression")
    assert len(fitted.history["loss"]) == 2
    assert fitted.notes == ()  # XLA compiles it
    before = build(name, "regression").weights()
    assert any(not np.array_equal(a, b) for a, b in zip(before, fitted.weights(), strict=True))
    check_release(fitted)


@pytest.mark.parametrize("name", architecture_names())
def test_settings_are_values_that_json_can_hold(name: str) -> None:
    settings = architecture(name).settings({})
    assert json.loads(json.dumps(settings)) == json.loads(json.dumps(settings, sort_keys=True))
    with pytest.raises(SettingError, match=f"the architecture '{name}' has no setting 'colour'"):
        architecture(name).settings({"colour": "red"})


def test_a_name_belongs_to_one_architecture() -> None:
    with pytest.raises(SettingError, match="'tabm' exists already: choose another name"):
        register("tabm", own)
    with pytest.raises(SettingError, match="'own' exists already"):
        register("own", lambda features, target: None)
    with pytest.raises(SettingError, match="there is no architecture 'resnet'"):
        architecture("resnet")
