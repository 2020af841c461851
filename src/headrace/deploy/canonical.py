"""One way to write an ONNX graph, so that the same model gives the same bytes.

Conversion numbers its nodes by a counter of the process, and orders them by chance. Here each
value is named by what it is (a hash of its operator, attributes and inputs, down to the inputs of
the graph), nodes are ordered by depth and hash, and equal nodes become one.
"""

from __future__ import annotations

import hashlib
from typing import Any

__all__ = ["canonical_graph"]

_TABLES = ("CategoryMapper", "LabelEncoder")
_TABLE_LISTS = ("cats_", "keys_", "values_")


def canonical_graph(model: Any) -> Any:
    """Answer an ONNX model with the same meaning, named and ordered canonically.

    The names of the graph's inputs and outputs stay. A model with graphs inside of nodes (loops,
    branches) is answered as it is.

    Args:
        model: An `onnx.ModelProto`.
    """
    graph = model.graph
    if any(_has_graph(node) for node in graph.node):
        return model
    for value in (*graph.input, *graph.output):
        _name_rows(value)
    for node in graph.node:
        _sort_table(node)
    digests, depths = _values(graph)
    kept, same = _without_twins(graph, digests, depths)
    fixed = {value.name for value in (*graph.input, *graph.output)} | {""}
    names = _names(graph, kept, fixed)
    for node in kept:
        inputs = [same.get(name, name) for name in node.input]
        node.input[:] = [names.get(name, name) for name in inputs]
        node.output[:] = [names.get(name, name) for name in node.output]
        node.name = node.output[0]
        node.doc_string = ""
    return _rebuilt(model, kept, same, names, digests)


def _has_graph(node: Any) -> bool:
    return any(a.HasField("g") or a.graphs for a in node.attribute)


def _name_rows(value: Any) -> None:
    """Call the first, open dimension "rows"; open ones have numbered names otherwise."""
    for place, size in enumerate(value.type.tensor_type.shape.dim):
        if size.HasField("dim_param"):
            size.dim_param = "rows" if place == 0 else ""


def _sort_table(node: Any) -> None:
    """Sort the pairs of a lookup table: the table they come from had no order."""
    if node.op_type not in _TABLES:
        return
    lists = {a.name: _list(a) for a in node.attribute if a.name.startswith(_TABLE_LISTS)}
    if len(lists) != 2 or len({len(items) for items in lists.values()}) != 1:
        return
    by_key = sorted(zip(*(lists[name] for name in sorted(lists, reverse=True)), strict=True))
    for name, items in zip(sorted(lists, reverse=True), zip(*by_key, strict=True), strict=True):
        lists[name][:] = items


def _list(attribute: Any) -> Any:
    return next(
        (items for items in (attribute.strings, attribute.ints, attribute.floats) if items), []
    )


def _values(graph: Any) -> tuple[dict[str, str], dict[str, int]]:
    """Answer what each value is, as a hash, and how far it is from the inputs."""
    digests = {"": ""} | {value.name: _hash(b"input", value.name) for value in graph.input}
    digests |= {tensor.name: _tensor_hash(tensor) for tensor in graph.initializer}
    depths = dict.fromkeys(digests, 0)
    for node in graph.node:
        digest = _node_hash(node, [digests[name] for name in node.input])
        depth = 1 + max((depths[name] for name in node.input), default=0)
        for index, name in enumerate(node.output):
            digests[name] = _hash(digest.encode(), str(index))
            depths[name] = depth
    return digests, depths


def _without_twins(
    graph: Any, digests: dict[str, str], depths: dict[str, int]
) -> tuple[list[Any], dict[str, str]]:
    """Answer the nodes in order, one of each, and what the dropped values are called now."""
    outputs = {value.name for value in graph.output}

    def order(node: Any) -> tuple[int, str, bool, list[str]]:
        named = sorted(outputs & set(node.output))
        return depths[node.output[0]], digests[node.output[0]], not named, named

    kept: list[Any] = []
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    for node in sorted(graph.node, key=order):
        twin = digests[node.output[0]] in first
        if twin and not outputs & set(node.output):
            same.update({name: first[digests[name]] for name in node.output})
            continue
        kept.append(node)
        for name in node.output:
            first.setdefault(digests[name], name)
    for tensor in graph.initializer:
        same[tensor.name] = first.setdefault(digests[tensor.name], tensor.name)
    return kept, {old: new for old, new in same.items() if old != new}


def _names(graph: Any, kept: list[Any], fixed: set[str]) -> dict[str, str]:
    """Answer the new name of each value that a node makes, and of each constant."""
    made = [name for node in kept for name in node.output if name not in fixed]
    constants = {tensor.name: _tensor_hash(tensor) for tensor in graph.initializer}
    names = {name: f"v{number}" for number, name in enumerate(made)}
    return names | {name: f"c_{digest[:16]}" for name, digest in constants.items()}


def _rebuilt(
    model: Any,
    nodes: list[Any],
    same: dict[str, str],
    names: dict[str, str],
    digests: dict[str, str],
) -> Any:
    from onnx import helper

    old = model.graph
    domains = {"", *(node.domain for node in nodes)}
    used = {name for node in nodes for name in node.input}
    tensors = [tensor for tensor in old.initializer if tensor.name not in same]
    tensors = sorted(tensors, key=lambda tensor: digests[tensor.name])
    for tensor in tensors:
        tensor.name = names[tensor.name]
        tensor.doc_string = ""
    tensors = [tensor for tensor in tensors if tensor.name in used]
    graph = helper.make_graph(
        nodes,
        old.name,
        sorted(old.input, key=lambda value: value.name),
        sorted(old.output, key=lambda value: value.name),
        initializer=tensors,
    )
    return helper.make_model(
        graph,
        opset_imports=sorted(
            (opset for opset in model.opset_import if opset.domain in domains),
            key=lambda opset: opset.domain,
        ),
        ir_version=model.ir_version,
        producer_name="headrace",
    )


def _node_hash(node: Any, inputs: list[str]) -> str:
    parts = [node.domain, node.op_type, str(len(node.output)), *inputs]
    attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute)
    return _hash(b"\0".join(attributes), *parts)


def _tensor_hash(tensor: Any) -> str:
    bare = type(tensor)()
    bare.CopyFrom(tensor)
    bare.ClearField("name")
    bare.ClearField("doc_string")
    return _hash(bare.SerializeToString(deterministic=True), "tensor")


def _hash(data: bytes, *parts: str) -> str:
    digest = hashlib.sha256(data)
    for part in parts:
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()
