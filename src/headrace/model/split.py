"""A Keras model cut where its columns have become vectors, so that gradients can be followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.model.backend import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["SplitModel", "split_model"]


@dataclass(frozen=True, eq=False)
class SplitModel:
    """The two parts of a model.

    Attributes:
        head: Takes the blocks by name, answers the vectors of all columns side by side,
            (rows, width).
        body: Takes the vectors and answers the model's output.
        width: How many numbers the vectors of a row have.
    """

    head: Callable[[dict[str, Any]], Any]
    body: Callable[[Any], Any]
    width: int


def split_model(model: Any) -> SplitModel:
    """Cut a functional model behind its embeddings.

    Codes are cut behind the first float tensors that are made from them. Numbers are cut behind
    their embedding, whose steps can be too narrow for a path through the raw numbers, or else as
    they come in.

    Args:
        model: A Keras model with the inputs `numbers` and `categories`, or one of them; a mean of
            such models is cut in each of them.

    Raises:
        SettingError: The model is no functional one, or hands its inputs to a model inside of it.
    """
    from headrace.model.layers import WeightedMean

    if not hasattr(model, "operations"):
        raise SettingError(
            "the network is no functional Keras model, so it cannot be cut behind its inputs: use "
            'method="shapley"'
        )
    inner = [layer for layer in model.layers if isinstance(layer, keras().Model)]
    if inner and isinstance(model.layers[-1], WeightedMean):
        return _joined([split_model(one) for one in inner], model.layers[-1])
    if inner:
        model = _opened(model)
    ends: list[Any] = []
    for tensor in model.inputs:
        ends += _code_ends(model, tensor) if "int" in tensor.dtype else _number_ends(model, tensor)
    return _cut(model, ends)


def _opened(model: Any) -> Any:
    """Answer the same network with the steps of its inner models in their place."""

    def step(operation: Any) -> Any:
        graph = getattr(operation, "_functional", None) or operation
        if not hasattr(graph, "_run_through_graph"):
            return operation

        def run(given: Any, **_: Any) -> Any:
            ordered = graph._standardize_inputs(given)  # noqa: SLF001 - Keras opens no graph
            return graph._run_through_graph(ordered, operation_fn=step)  # noqa: SLF001 - as above

        return run

    inputs = [keras().Input(one.shape[1:], dtype=one.dtype, name=one.name) for one in model.inputs]
    given = inputs[0] if len(inputs) == 1 else inputs
    outputs = model._run_through_graph(given, operation_fn=step)  # noqa: SLF001 - as above
    return keras().Model(inputs, outputs)


def _cut(model: Any, ends: Sequence[Any]) -> SplitModel:
    ops = keras().ops
    head = keras().Model({tensor.name: tensor for tensor in model.inputs}, list(ends))
    body = keras().Model(list(ends), model.output)
    names = [tensor.name for tensor in model.inputs]
    shapes = [tuple(end.shape[1:]) for end in ends]
    widths = [_size(shape) for shape in shapes]

    def before(blocks: dict[str, Any]) -> Any:
        made = head({name: blocks[name] for name in names}, training=False)
        made = made if isinstance(made, list | tuple) else [made]
        flat = [ops.reshape(one, (-1, width)) for one, width in zip(made, widths, strict=True)]
        return ops.concatenate(flat, axis=1)

    def after(vectors: Any) -> Any:
        parts, first = [], 0
        for shape, width in zip(shapes, widths, strict=True):
            parts.append(ops.reshape(vectors[:, first : first + width], (-1, *shape)))
            first += width
        return body(parts, training=False)

    return SplitModel(before, after, sum(widths))


def _joined(parts: Sequence[SplitModel], mean: Any) -> SplitModel:
    ops = keras().ops

    def head(blocks: dict[str, Any]) -> Any:
        return ops.concatenate([part.head(blocks) for part in parts], axis=1)

    def body(vectors: Any) -> Any:
        answers, first = [], 0
        for part in parts:
            answers.append(part.body(vectors[:, first : first + part.width]))
            first += part.width
        return mean(answers)

    return SplitModel(head, body, sum(part.width for part in parts))


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= int(length)
    return size


def _number_ends(model: Any, numbers: Any) -> list[Any]:
    """Answer the embedded numbers, and the numbers themselves where they are used without."""
    from headrace.model.layers import Periodic, PiecewiseLinear, SmoothClip

    ends: list[Any] = []
    for operation, outputs in _consumers(model, numbers):
        if isinstance(operation, SmoothClip):
            _add(ends, _number_ends(model, outputs[0]))
        elif isinstance(operation, Periodic | PiecewiseLinear):
            _add(ends, outputs)
        else:
            _add(ends, [numbers])
    return ends


def _code_ends(model: Any, codes: Any) -> list[Any]:
    """Answer the first float tensors that are computed from the codes."""
    ends: list[Any] = []
    waiting = [codes]
    while waiting:
        for operation, outputs in _consumers(model, waiting.pop(0)):
            if isinstance(operation, keras().Model):
                raise SettingError(
                    f"the network hands its categories to the model {operation.name!r} inside of "
                    'it, where it cannot be cut: use method="shapley"'
                )
            _add(ends, [made for made in outputs if "float" in str(made.dtype)])
            _add(waiting, [made for made in outputs if "float" not in str(made.dtype)])
    return ends


def _add(found: list[Any], tensors: Sequence[Any]) -> None:
    found += [one for one in tensors if not any(one is other for other in found)]


def _consumers(model: Any, tensor: Any) -> list[tuple[Any, list[Any]]]:
    """Answer the operations of a model that read a tensor, with what they make of it."""
    nodes = [node for level in model._nodes_by_depth.values() for node in level]  # noqa: SLF001 - Keras shows its graph nowhere else
    return [
        (node.operation, list(node.output_tensors))
        for node in nodes
        if any(one is tensor for one in node.input_tensors)
    ]
