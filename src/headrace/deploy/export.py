"""From a TensorFlow function to files that answer anywhere: a SavedModel and an ONNX graph.

Both take the rows as three blocks, `numbers` (rows, n) float64, `strings` (rows, s) and `times`
(rows, t) int64; a block without columns is left out. The way to ONNX goes through the SavedModel,
because only that loader of tf2onnx carries lookup tables along.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.deploy.canonical import canonical_graph
from headrace.deploy.session import open_session
from headrace.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from headrace.data.schema import Schema

__all__ = ["OPSET", "export_onnx", "export_saved_model", "graph_module", "onnx_of"]

OPSET = 18
"""The ONNX operator set of the graphs that are written."""

_SIGNATURE = "serving_default"
_RUNTIME = "com.microsoft"  # ONNX Runtime's own operations: its session knows them, `onnx` does not


def graph_module(
    schema: Schema,
    call: Callable[[dict[str, Any]], Mapping[str, Any]],
    *,
    tracked: Iterable[Any] = (),
) -> Any:
    """Answer a `tf.Module` whose `signature` takes the input blocks of a schema.

    `module.signature(numbers=…, strings=…, times=…)` answers the outputs by name.

    Args:
        schema: The columns of the rows.
        call: Tensors by block name in ("numbers", "strings", "times"; only those with columns),
            tensors by output name out.
        tracked: What the function needs besides the variables and lookup tables that it uses;
            those are found.

    Raises:
        ReleaseError: The schema has no columns.
    """
    import tensorflow as tf

    blocks = {
        "numbers": (schema.numbers, tf.float64),
        "strings": (schema.strings, tf.string),
        "times": (schema.times, tf.int64),
    }
    specs = {
        name: tf.TensorSpec((None, len(columns)), dtype, name=name)
        for name, (columns, dtype) in blocks.items()
        if columns
    }
    if not specs:
        raise ReleaseError("a graph needs at least one input column; the schema has none")

    def answer(**tensors: Any) -> dict[str, Any]:
        return dict(call(tensors))

    traced = tf.function(answer, autograph=False)
    module: Any = tf.Module(name="headrace")
    with _resources() as found:
        # The concrete function alone: saving `traced` itself would trace it again, and a second
        # trace makes tables that nothing tracks.
        module.signature = traced.get_concrete_function(**specs)
    module.tracked = [*tracked, *found, *_captured(module.signature.graph)]
    return module


def export_saved_model(module: Any, folder: Path) -> None:
    """Write a module as a SavedModel with the one signature `serving_default`.

    Args:
        module: What `graph_module` answered, or a `tf.Module` whose `__call__` is a
            `tf.function` with an input signature.
        folder: The folder to write.

    Raises:
        ReleaseError: TensorFlow cannot save it.
    """
    import tensorflow as tf

    signature = getattr(module, "signature", None) or module.__call__.get_concrete_function()
    try:
        with _quiet():
            tf.saved_model.save(module, str(folder), signatures={_SIGNATURE: signature})
    except (AssertionError, ValueError, TypeError, KeyError) as error:
        raise ReleaseError(f"TensorFlow cannot save the graph: {error}") from error


def export_onnx(saved_model: Path, *, opset: int = OPSET) -> bytes:
    """Answer a SavedModel as an ONNX graph; the same graph gives the same bytes.

    Args:
        saved_model: The folder that `export_saved_model` wrote.
        opset: The ONNX operator set.

    Raises:
        ReleaseError: An operation that ONNX does not have, named; or a graph that ONNX Runtime
            does not open.
    """
    from tf2onnx import convert, tf_loader

    from headrace.plan.to_onnx import prepared, settings

    with _quiet():
        try:
            graph, inputs, outputs, tables, rename = tf_loader.from_saved_model(
                str(saved_model), None, None, "serve", [_SIGNATURE],
                return_initialized_tables=True, return_tensors_to_rename=True,
            )  # fmt: skip
            model, _ = convert._convert_common(  # noqa: SLF001 - the public doors lose the tables
                prepared(graph, outputs), name="headrace", opset=opset, input_names=inputs,
                output_names=outputs, initialized_tables=tables, tensors_to_rename=rename,
                **settings(),
            )  # fmt: skip
        except (ValueError, KeyError, RuntimeError, NotImplementedError) as error:
            raise ReleaseError(f"the graph cannot be converted to ONNX: {error}") from error
    _check_operators(model)
    data: bytes = canonical_graph(model).SerializeToString(deterministic=True)
    open_session(data)
    return data


def onnx_of(module: Any, *, opset: int = OPSET) -> bytes:
    """Answer a module as an ONNX graph, by way of a SavedModel that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        export_saved_model(module, Path(folder) / "saved_model")
        return export_onnx(Path(folder) / "saved_model", opset=opset)


def _check_operators(model: Any) -> None:
    from onnx import defs

    from headrace.plan.to_onnx import DOMAINS

    unknown = {
        f"{node.op_type} (node {node.name})"
        for node in model.graph.node
        if node.domain not in DOMAINS
        or (node.domain != _RUNTIME and not defs.has(node.op_type, node.domain))
    }
    if unknown:
        raise ReleaseError(
            f"ONNX has no operation for {', '.join(sorted(unknown)[:5])}; the step that uses it "
            "can be served in Python or through TensorFlow only"
        )


def _captured(graph: Any) -> list[Any]:
    """Answer the variables and tables that a graph takes from outside."""
    owners = [getattr(tensor, "_parent_trackable", None) for tensor, _ in graph.captures]
    tables = [owner() for owner in owners if owner is not None]
    return [*graph.variables, *(table for table in tables if table is not None)]


@contextmanager
def _resources() -> Iterator[list[Any]]:
    """Collect the lookup tables that are made while a function is traced."""
    from tensorflow.python.trackable.resource import ResourceTracker, resource_tracker_scope

    tracker = ResourceTracker()
    found: list[Any] = []
    with resource_tracker_scope(tracker):
        yield found
    found.extend(tracker.resources)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the converters, which log each step and each guess."""
    import tensorflow as tf

    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    verbosity = tf.compat.v1.logging.get_verbosity()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        tf.compat.v1.logging.set_verbosity(verbosity)
