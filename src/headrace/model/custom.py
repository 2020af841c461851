"""Networks that users bring: Keras layers, a Keras model, or a function that builds one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import ReleaseError, SettingError
from headrace.model.backend import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec

__all__ = ["from_bytes", "from_function", "from_layers", "from_model", "to_bytes"]

_FILE = "network.keras"


def from_layers(
    layers: Sequence[Any],
    features: FeatureSpec,
    target: TargetSpec,
    *,
    embedding: str | None,
) -> Any:
    """Answer a model with copies of the layers between the features and the output layer.

    The output layer is added, unless the last layer is one already: dense, with the right width
    and activation.

    Raises:
        SettingError: A layer cannot be copied or does not fit the shape that reaches it.
    """
    from headrace.model.architectures.ends import answer, enter

    copies = [_copy(layer) for layer in layers]
    entrance = enter(features, embedding=embedding)
    block = entrance.block
    for layer in copies:
        block = _apply(layer, block)
    if len(block.shape) == 2 and not _is_answer(copies[-1], target):
        block = answer(block, target)
    _check_output(block.shape, target)
    return keras().Model(entrance.inputs, block, name="layers")


def from_model(model: Any, features: FeatureSpec, target: TargetSpec) -> Any:
    """Answer a model round a copy of the given one, with its weights.

    The given model takes either the inputs `numbers` and `categories` by name, or one block with
    the numbers and then the categories (as zeros and ones, or embedded if they have many values).

    Raises:
        SettingError: It cannot be copied, or its inputs or outputs do not fit.
    """
    return _wire(_copy_model(model), features, target)


def from_function(
    build: Callable[[FeatureSpec, TargetSpec], Any], features: FeatureSpec, target: TargetSpec
) -> Any:
    """Answer a model round the one that `build(features, target)` answers.

    Raises:
        SettingError: It answers no Keras model, or one that does not fit.
    """
    model = build(features, target)
    if not isinstance(model, keras().Model):
        name = getattr(build, "__name__", repr(build))
        raise SettingError(
            f"{name}(features, target) must answer a keras.Model, "
            f"it answered {type(model).__name__}"
        )
    return _wire(model, features, target)


def to_bytes(model: Any) -> bytes:
    """Answer a model in Keras's own format.

    Raises:
        SettingError: It could not be read back, for want of a registered class or because of a
            Lambda layer.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, _FILE)
        model.save(path)
        stored = path.read_bytes()
    try:
        from_bytes(stored)
    except ReleaseError as error:
        raise SettingError(
            f"this Keras model cannot be saved: {error}. Use layers with get_config and the "
            "decorator keras.saving.register_keras_serializable(), and no Lambda layers"
        ) from error
    return stored


def from_bytes(stored: bytes) -> Any:
    """Read a model that `to_bytes` wrote; nothing in it is executed.

    Raises:
        ReleaseError: It cannot be read.
    """
    from headrace.model.architectures import tabm  # noqa: F401 - registers our classes

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, _FILE)
        path.write_bytes(stored)
        try:
            return keras().models.load_model(path, compile=False, safe_mode=True)
        except Exception as error:
            # Keras raises whatever a broken or foreign file leads it to.
            raise ReleaseError(f"{_FILE} cannot be read by Keras: {error}") from error


def _copy(layer: Any) -> Any:
    if not isinstance(layer, keras().layers.Layer):
        raise SettingError(
            f"hidden must be widths or Keras layers throughout, received {layer!r} among layers"
        )
    try:
        return type(layer).from_config(layer.get_config())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise SettingError(
            f"the layer {layer.name!r} cannot be copied, which a training from the start needs: "
            f"define its get_config, or give a function that builds the model ({error})"
        ) from error


def _copy_model(model: Any) -> Any:
    try:
        copy = keras().models.clone_model(model)
        if model.weights:
            if not copy.built:
                copy.build(model.input_shape)
            copy.set_weights(model.get_weights())
    except (NotImplementedError, TypeError, ValueError, AttributeError) as error:
        raise SettingError(
            f"the model {model.name!r} cannot be copied, which a training from the start needs: "
            f"define its get_config, or give a function that builds it ({error})"
        ) from error
    return copy


def _apply(layer: Any, block: Any) -> Any:
    try:
        return layer(block)
    except ValueError as error:
        raise SettingError(
            f"the layer {layer.name!r} does not take what reaches it, of the shape "
            f"{tuple(block.shape)}: {_first_line(error)}"
        ) from error


def _wire(model: Any, features: FeatureSpec, target: TargetSpec) -> Any:
    from headrace.model.architectures.ends import enter

    entrance = enter(features, embedding=None)
    names = [tensor.name for tensor in model.inputs] if model.built and model.inputs else []
    by_name = bool(names) and set(names) <= {"numbers", "categories"}
    if by_name:
        missing = sorted(set(names) - set(entrance.inputs))
        if missing:
            raise SettingError(
                f"the model has the input {missing[0]!r}, and the steps before it give no "
                f"{missing[0]}"
            )
        given: Any = {name: entrance.inputs[name] for name in names}
        used = given
    else:
        _check_input(model, entrance.block, features)
        given, used = entrance.block, entrance.inputs
    if by_name and len(names) == 1 and not isinstance(model.input, dict):
        given = given[names[0]]
    output = _apply(model, given)
    _check_output(output.shape, target)
    return keras().Model(used, output, name="custom")


def _check_input(model: Any, block: Any, features: FeatureSpec) -> None:
    if not (model.built and model.inputs):
        return
    if len(model.inputs) > 1:
        names = ", ".join(tensor.name for tensor in model.inputs)
        raise SettingError(
            f"the model's inputs must be named 'numbers' and 'categories', or there must be one; "
            f"received {names}"
        )
    expected, given = model.inputs[0].shape[-1], block.shape[-1]
    if expected not in (None, given):
        raise SettingError(
            f"the model takes {expected} input columns, and the steps before it give {given}: "
            f"{len(features.numbers)} numbers and "
            f"{given - len(features.numbers)} for the categories"
        )


def _check_output(shape: Any, target: TargetSpec) -> None:
    if len(shape) == 2 and shape[-1] == target.outputs:
        return
    raise SettingError(
        f"the network must answer the shape (rows, {target.outputs}) for the {target.task} target "
        f"{target.name!r}, it answers {tuple(shape)}"
    )


def _is_answer(layer: Any, target: TargetSpec) -> bool:
    """Answer whether a layer is the output layer that would be added for this target."""
    activations = {"bernoulli": "sigmoid", "categorical": "softmax", "point": "linear"}
    activation = activations.get(str(target.likelihood))
    return (
        activation is not None
        and isinstance(layer, keras().layers.Dense)
        and layer.units == target.outputs
        and layer.activation is keras().activations.get(activation)
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
