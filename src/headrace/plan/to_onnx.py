"""What tf2onnx must be told about this library's graphs.

    graph = prepared(graph, outputs)
    convert._convert_common(graph, ..., **settings())

Three things go beyond what the converter knows: the hash of text becomes the runtime's own
operation; logarithms stay in double precision, where the converter would send them through single
precision for the sake of old runtimes; and log1p, which ONNX lacks, is written so that it keeps
its digits near 0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from headrace.errors import ReleaseError
from headrace.plan.murmur import LAST_NODE, SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    used = _reached([name.split(":")[0] for name in outputs], nodes)
    del native.node[:]
    native.node.extend(node for node in graph_order(graph, nodes) if node.name in used)
    functions = _used_functions(native)
    kept = [function for function in graph.library.function if function.signature.name in functions]
    del native.library.function[:]
    native.library.function.extend(kept)
    return native
