"""The fitted pipeline as one TensorFlow graph: raw rows in, answers out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.deploy.export import graph_module
from headrace.errors import SettingError
from headrace.model.backend import tensorflow as load_tensorflow
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import tensorflow as tf
    from numpy.typing import NDArray

    from headrace.data.rows import Blocks
    from headrace.model.target import TargetSpec
    from headrace.train.fitted import Fitted

    Answer = Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]

__all__ = ["block_tensors", "compared", "graph_columns", "graph_of"]


def graph_of(fitted: Fitted) -> Any:
    """Answer the whole fitted pipeline as a module with one serving function.

    The function takes the raw blocks that the schema has columns for. It answers a dict:
    `probabilities` (rows, classes) float32 for classes, `prediction` (rows,) float32 in the
    target's own units for regression, with `deviation` (rows,) or `quantiles` (rows, quantiles)
    beside it where the network answers them (the same for each of several targets, with the
    target's name before each), `cluster` (rows,) int64 and `distances`
    (rows, clusters) float64 for clusters.

    Raises:
        SettingError: If a free Python step is in the plan, or there is no model.
    """
    if not fitted.plan.portable:
        raise SettingError(
            "a pipeline with a free Python step has no graph; it is deployed and served in Python"
        )
    if fitted.model is None:
        raise SettingError("a pipeline without a model has nothing to answer; add hr.Network()")
    if fitted.target is None:
        return graph_module(fitted.schema, _cluster_answer(fitted))
    return graph_module(fitted.schema, _network_answer(fitted), tracked=[fitted.network.model])


def compared(fitted: Fitted, answers: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Answer what is compared between paths, (rows, columns): every output but cluster numbers."""
    parts = fitted.target.scaled(answers) if fitted.target else [answers["distances"]]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def graph_columns(fitted: Fitted, blocks: Blocks) -> dict[str, NDArray[Any]]:
    """Answer the plan's last columns as the graph computes them, (rows,) each."""
    tensorflow = load_tensorflow()
    run = tensorflow.function(fitted.plan.tensorflow_columns, autograph=False)
    columns = run(block_tensors(fitted, blocks))
    return {name: value.numpy() for name, value in columns.items()}


def block_tensors(fitted: Fitted, blocks: Blocks) -> dict[str, tf.Tensor]:
    """Answer the blocks that the graph takes, as tensors."""
    tensorflow = load_tensorflow()
    schema = fitted.schema
    types = {
        "numbers": (schema.numbers, tensorflow.float64),
        "strings": (schema.strings, tensorflow.string),
        "times": (schema.times, tensorflow.int64),
    }
    return {
        name: tensorflow.constant(getattr(blocks, name), dtype)
        for name, (columns, dtype) in types.items()
        if columns
    }


def _network_answer(fitted: Fitted) -> Answer:
    network, plan = fitted.network, fitted.plan
    spec = network.target_spec

    def answer(blocks: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        output = network.tensorflow(plan.tensorflow(blocks))
        if not isinstance(spec, Targets):
            return _answers(spec, output)
        return {
            f"{key}_{name}": value
            for key, part, columns in zip(spec.keys, spec.parts, spec.slices, strict=True)
            for name, value in _answers(part, output[:, columns]).items()
        }

    return answer


def _answers(spec: TargetSpec, output: tf.Tensor) -> dict[str, tf.Tensor]:
    """Answer what the output of a network says of one target."""
    if spec.task == "regression":
        return _values(spec, output)
    if spec.task == "binary":
        output = load_tensorflow().concat([1.0 - output, output], axis=1)
    return {"probabilities": output}


def _values(spec: TargetSpec, output: tf.Tensor) -> dict[str, tf.Tensor]:
    """Answer predicted values and what goes with them, in the units of the target."""
    tensorflow = load_tensorflow()
    numbers = tensorflow.cast(output, tensorflow.float64)
    low, high = spec.middle
    middle = numbers[:, low] if low == high else (numbers[:, low] + numbers[:, high]) / 2
    answers = {"prediction": middle * spec.scale + spec.mean}
    if spec.likelihood == "normal":
        answers["deviation"] = numbers[:, 1] * spec.scale
    if spec.likelihood == "quantiles":
        answers["quantiles"] = numbers * spec.scale + spec.mean
    return {name: tensorflow.cast(value, tensorflow.float32) for name, value in answers.items()}


def _cluster_answer(fitted: Fitted) -> Answer:
    clusters, plan = fitted.clusters, fitted.plan
    return lambda blocks: clusters.tensorflow(plan.tensorflow_matrix(blocks))
