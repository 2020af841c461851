"""The state of a trained network: how large its gradients are, and which units are dead."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.backend import keras, tensorflow

if TYPE_CHECKING:
    from headrace.model.stored import AnyRows

__all__ = ["LayerHealth", "examine"]

_ROWS = 2048
_STILL = 1e-7


@dataclass(frozen=True)
class LayerHealth:
    """One layer of a trained network.

    Attributes:
        name: The layer.
        parameters: How many trained numbers it has.
        weight_norm: The Euclidean norm of them all.
        gradient_norm: The norm of the loss's gradient with respect to them, over a sample of the
            training rows and without dropout. Small against the others: the layer learns no more.
        dead: The share of the units that answer the same for every row of the sample, and so
            carry nothing on; None for layers without units.
    """

    name: str
    parameters: int
    weight_norm: float
    gradient_norm: float
    dead: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Answer the layer as plain values."""
        return asdict(self)


def examine(model: Any, rows: AnyRows) -> tuple[LayerHealth, ...]:
    """Answer the state of each layer that has trained numbers, in the order of the model.

    Args:
        model: A trained and compiled Keras model.
        rows: The training rows; the first 2,048 are looked at.
    """
    sample = rows.keras(slice(0, _ROWS))
    gradients = _gradients(model, sample)
    dead = _dead_units(model, sample[0])
    return tuple(
        LayerHealth(
            layer.name,
            sum(int(np.prod(variable.shape)) for variable in layer.trainable_variables),
            _norm(
                [keras().ops.convert_to_numpy(variable) for variable in layer.trainable_variables]
            ),
            _norm([gradients[variable.path] for variable in layer.trainable_variables]),
            dead.get(layer.name),
        )
        for layer in model.layers
        if layer.trainable_variables
    )


def _gradients(model: Any, sample: tuple[Any, ...]) -> dict[str, Any]:
    inputs, target, *weight = sample
    with tensorflow().GradientTape() as tape:
        output = model(inputs, training=False)
        loss = model.compute_loss(
            inputs, target, output, weight[0] if weight else None, training=False
        )
    variables = model.trainable_variables
    found = tape.gradient(loss, [variable.value for variable in variables])
    model.reset_metrics()
    return {
        variable.path: np.zeros(1) if gradient is None else _dense(gradient)
        for variable, gradient in zip(variables, found, strict=True)
    }


def _dense(gradient: Any) -> Any:
    """Answer a gradient as an array; that of a table of vectors comes as the rows that it met."""
    return np.asarray(tensorflow().convert_to_tensor(gradient))


def _dead_units(model: Any, inputs: Any) -> dict[str, float]:
    watched = [layer for layer in model.layers if _has_units(layer)]
    if not watched:
        return {}
    inner = keras().Model(model.inputs, [layer.output for layer in watched])
    given = {tensor.name: inputs[tensor.name] for tensor in model.inputs}
    answers = inner([given[tensor.name] for tensor in model.inputs], training=False)
    answers = answers if isinstance(answers, list) else [answers]
    shares = {}
    for layer, answer in zip(watched, answers, strict=True):
        values = np.asarray(answer).reshape(len(answer), -1)
        shares[layer.name] = float(np.mean(np.ptp(values, axis=0) <= _STILL))
    return shares


def _has_units(layer: Any) -> bool:
    """Answer whether a layer has units with an activation that can stand still."""
    activation = getattr(layer, "activation", None)
    return (
        hasattr(layer, "units")
        and activation is not None
        and getattr(activation, "__name__", "linear") not in ("linear", "sigmoid", "softmax")
        and bool(layer.trainable_variables)
    )


def _norm(arrays: list[Any]) -> float:
    return float(np.sqrt(sum(float(np.square(array, dtype=np.float64).sum()) for array in arrays)))
