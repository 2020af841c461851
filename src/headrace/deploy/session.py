"""The ONNX graph as something that answers: a guarded file, and an inference session.

Needs NumPy and ONNX Runtime only. Before ONNX Runtime sees a graph, its bytes are walked once: a
tensor that keeps its data in another file (ONNX "external data") could read any file of the
machine, so such a graph is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.errors import ReleaseError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from headrace.data.rows import Blocks

__all__ = ["check_graph", "feed_of", "open_session"]

# Where tensors can be in ONNX's own format: message -> field number -> message below.
_BELOW = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA = 13
_DATA_LOCATION = 14
_DEEPEST = 100


def open_session(data: bytes, *, name: str = "model.onnx", threads: int = 1) -> Any:
    """Answer an ONNX Runtime session for a graph, on the processor.

    Args:
        data: The content of the `.onnx` file.
        name: The file, for the errors.
        threads: Threads inside one call. One is the fastest for few rows, and lets a server's
            requests share the cores; more help with large batches and wide networks.

    Raises:
        ReleaseError: ONNX Runtime cannot read or run the graph, or it refers to other files.
        SettingError: `threads` is not a positive whole number.
    """
    import onnxruntime

    if threads < 1:
        raise SettingError(f"threads must be a whole number from 1, received {threads!r}")
    check_graph(data, name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            data,
            options,
            providers=["CPUExecutionProvider"],
            # It compares constants in float32 and drops a float64 scale that is almost 1.
            disabled_optimizers=["NoopElimination"],
        )
    except Exception as error:  # its errors share no base of their own
        raise ReleaseError(f"{name}: ONNX Runtime cannot run this graph: {error}") from error


def feed_of(session: Any, blocks: Blocks) -> dict[str, NDArray[Any]]:
    """Answer the blocks that a session's graph takes, by the names of its inputs."""
    return {value.name: getattr(blocks, value.name) for value in session.get_inputs()}


def check_graph(data: bytes, name: str = "model.onnx") -> None:
    """Refuse a graph with tensors in other files.

    Raises:
        ReleaseError: It has one, or it is no ONNX file at all.
    """
    view = memoryview(data)
    waiting = [("model", 0, len(data), 0)]
    graphs = 0
    try:
        while waiting:
            message, start, end, depth = waiting.pop()
            graphs += message == "graph"
            for field, first, last in _fields(view, start, end):
                if message == "tensor" and _is_external(view, field, first):
                    raise ReleaseError(f"{name}: a tensor keeps its data in another file; refused")
                below = _BELOW[message].get(field)
                if below is not None and last > first:
                    waiting.append((below, first, last, depth + 1))
            if depth > _DEEPEST:
                raise ReleaseError(f"{name}: nested deeper than {_DEEPEST} levels; refused")
    except (IndexError, ValueError) as error:
        raise ReleaseError(f"{name}: not a readable ONNX file") from error
    if not graphs:
        raise ReleaseError(f"{name}: not a readable ONNX file")


def _is_external(view: memoryview, field: int, first: int) -> bool:
    if field == _DATA_LOCATION:
        return _varint(view, first)[0] != 0
    return field == _EXTERNAL_DATA


def _fields(view: memoryview, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Walk the fields of a protobuf message: number, first and last byte of the content."""
    while position < end:
        key, position = _varint(view, position)
        wire = key & 7
        first = position
        if wire == 0:
            _, position = _varint(view, position)
        elif wire == 1:
            position += 8
        elif wire == 2:
            length, first = _varint(view, position)
            position = first + length
        elif wire == 5:
            position += 4
        else:
            raise ValueError(f"wire type {wire}")
        if position > end:
            raise ValueError("a field reaches past its message")
        yield key >> 3, first, position


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
