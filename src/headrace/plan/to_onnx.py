"""What tf2onnx must be told about this library's graphs.

    graph = prepared(graph, outputs)
    convert._convert_common(graph, ..., **settings())

Four things differ from what the converter would do by itself. `tf.where` stays a choice: it would
become a sum of products, where infinity times 0 is NaN. Logarithms stay in double precision: they
would go through single precision for the sake of old runtimes. log1p, which ONNX lacks, is written
so that it keeps its digits near 0. The hash of text becomes the runtime's own operation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headrace.errors import ReleaseError
from headrace.plan.murmur import LAST_NODE, SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["DOMAINS", "prepared", "settings"]

DOMAINS: Final = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""The sets of operations that a converted graph may use; ONNX Runtime has them all built in."""

# The operation that stands for the native hash between TensorFlow and ONNX: TensorFlow knows its
# shape and type, and nothing else here uses it.
_STAND_IN = "StringToHashBucketStrong"
_LAST_NODES = re.compile(rf"(^|/){SCOPE}(_\d+)?/{LAST_NODE}$")


def prepared(graph: Any, outputs: Sequence[str]) -> Any:
    """Answer a frozen graph where each computed hash is one operation, and nothing is left over.

    Args:
        graph: A frozen `GraphDef`, as tf2onnx's loader answers it. It is not changed.
        outputs: Names of its output tensors.

    Raises:
        ReleaseError: If a hash in the graph cannot be recognised.
    """
    native = type(graph)()
    native.CopyFrom(graph)
    nodes = {node.name: node for node in native.node}
    for node in native.node:
        if node.op == "SelectV2" and _LAST_NODES.search(node.name):
            _stand_in(node, _hashed_strings(node, nodes))
    used = {node.name for node in _upstream([_node_of(name) for name in outputs], nodes)}
    answer = type(graph)(versions=graph.versions)
    answer.node.extend(n for n in native.node if n.name in used or n.op == "Placeholder")
    functions = {function.signature.name: function for function in native.library.function}
    answer.library.function.extend(functions[name] for name in _called(answer.node, functions))
    return answer


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").split(":")[0]


def _upstream(names: Iterable[str], nodes: Mapping[str, Any]) -> Iterator[Any]:
    """Go through the nodes that some nodes depend on, and themselves, each once."""
    waiting, seen = list(names), set(names)
    while waiting:
        node = nodes[waiting.pop()]
        yield node
        before = {_node_of(name) for name in node.input} - seen
        seen |= before
        waiting += before


def _called(nodes: Iterable[Any], functions: Mapping[str, Any]) -> set[str]:
    """Answer the names of the functions that nodes call, and those call, and so on."""
    names: set[str] = set()
    waiting = list(nodes)
    while waiting:
        for value in waiting.pop().attr.values():
            called = {value.func.name, *(item.name for item in value.list.func)} - names - {""}
            names |= called
            waiting += [node for name in called for node in functions[name].node_def]
    return names


def _hashed_strings(node: Any, nodes: Mapping[str, Any]) -> str:
    """Answer the name of the tensor that is hashed: the one whose lengths are asked for."""
    for before in _upstream([node.name], nodes):
        if before.op == "StringLength":
            return str(before.input[0])
    raise ReleaseError("the graph's text hash cannot be found again to be written as ONNX")


def _stand_in(node: Any, strings: str) -> None:
    node.op = _STAND_IN
    del node.input[:]
    node.input.append(strings)
    node.attr.clear()
    node.attr["num_buckets"].i = 2**32
    node.attr["key"].list.i.extend([0, 0])


def settings() -> dict[str, Any]:
    """Answer the keyword arguments for tf2onnx's conversion."""
    from onnx.helper import make_opsetid

    return {
        "custom_op_handlers": {
            _STAND_IN: (_native_hash, []),
            "Log": (_keep, []),
            "Log1p": (_log1p, []),
            "SelectV2": (_where, []),
        },
        "extra_opset": [make_opsetid("com.microsoft", 1)],
    }


def _keep(graph: Any, node: Any, name: str, args: Any) -> None:
    del graph, node, name, args


def _where(graph: Any, node: Any, name: str, args: Any) -> None:
    del args
    if graph.get_dtype(node.output[0]) != _boolean():
        node.type = "Where"
        return
    # ONNX Runtime chooses between numbers and text only.
    condition, yes, no = node.input
    output, shape = node.output[0], graph.get_shape(node.output[0])
    graph.remove_node(name)

    def add(kind: str, *inputs: str, **settings: Any) -> str:
        made = graph.make_node(kind, list(inputs), shapes=[shape], dtypes=[_boolean()], **settings)
        return str(made.output[0])

    otherwise = add("And", add("Not", condition), no)
    add("Or", add("And", condition, yes), otherwise, name=name, outputs=[output])


def _native_hash(graph: Any, node: Any, name: str, args: Any) -> None:
    del args
    from onnx import TensorProto

    strings, output, shape = node.input[0], node.output[0], graph.get_shape(node.output[0])
    graph.remove_node(name)
    hashed = graph.make_node(
        "MurmurHash3", [strings], domain="com.microsoft", attr={"seed": 0, "positive": 1},
        shapes=[shape], dtypes=[TensorProto.UINT32],
    )  # fmt: skip
    graph.make_node(
        "Cast", hashed.output, name=name, outputs=[output], attr={"to": TensorProto.INT64},
        shapes=[shape], dtypes=[TensorProto.INT64],
    )  # fmt: skip


def _log1p(graph: Any, node: Any, name: str, args: Any) -> None:
    """Write log(u) * x / (u - 1) with u = 1 + x, which makes up for the digits that u loses.

    Source: W. Kahan's method, as given by N. Higham, Accuracy and Stability of Numerical
    Algorithms, 2002, section 1.14.1.
    """
    del args
    x, output = node.input[0], node.output[0]
    shape, dtype = graph.get_shape(output), graph.get_dtype(output)
    number = np.float64 if dtype == _double() else np.float32
    one = graph.make_const(f"{name}_one", np.array(1, number)).output[0]

    def add(kind: str, *inputs: str, last: bool = False) -> str:
        logical = kind in {"Equal", "Greater"}
        settings = {"name": name, "outputs": [output]} if last else {}
        made = graph.make_node(
            kind,
            list(inputs),
            shapes=[shape],
            dtypes=[_boolean() if logical else dtype],
            **settings,
        )
        return str(made.output[0])

    graph.remove_node(name)
    u = add("Add", x, one)
    log = add("Log", u)
    exact = add("Mul", log, add("Div", x, add("Sub", u, one)))
    # Above 1 nothing is lost, and infinity must not be divided by itself.
    large = add("Where", add("Greater", x, one), log, exact)
    add("Where", add("Equal", u, one), x, large, last=True)


def _double() -> int:
    from onnx import TensorProto

    return int(TensorProto.DOUBLE)


def _boolean() -> int:
    from onnx import TensorProto

    return int(TensorProto.BOOL)
