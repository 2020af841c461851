"""Tables of words inside a TensorFlow graph: the one way to compare text that ONNX has too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import tensorflow as tf

__all__ = ["lookup"]

_COLLECTION = "headrace/tables"

# Saving a function traces it again: the second trace must find the tables of the first.
_ALIVE: WeakValueDictionary[object, Any] = WeakValueDictionary()


def lookup(strings: tf.Tensor, codes: Mapping[str, int], *, unseen: int) -> tf.Tensor:
    """Answer the code of each string, int64 of the same shape.

    The table is made outside of the function that is being traced, so that it is filled once and
    not at every call, and lives as long as the traced graph. Who saves the graph must track it:
    `concrete_function.graph.get_collection("headrace/tables")` answers all of them.

    Args:
        strings: Text, any shape.
        codes: The code of each known word; at least one word.
        unseen: The code of every other word.
    """
    import tensorflow as tf

    table = _table(codes, unseen)
    if not tf.executing_eagerly():
        tf.compat.v1.get_default_graph().add_to_collection(_COLLECTION, table)
    # The way to ONNX forgets what shape a table answers in unless it is said.
    return tf.ensure_shape(table.lookup(strings), strings.shape)


def _table(codes: Mapping[str, int], unseen: int) -> Any:
    import tensorflow as tf

    key = (tuple(codes), tuple(codes.values()), unseen)
    table = _ALIVE.get(key)
    if table is None:
        # NumPy's own text type would cut trailing NUL characters; objects keep them.
        words = np.array([word.encode() for word in codes], dtype=object)
        numbers = np.fromiter(codes.values(), np.int64, len(codes))
        with tf.init_scope():
            filling = tf.lookup.KeyValueTensorInitializer(words, numbers, tf.string, tf.int64)
            table = tf.lookup.StaticHashTable(filling, unseen)
        _ALIVE[key] = table
    return table
