"""Tables of words in a TensorFlow graph."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from headrace.plan.tables import lookup


def test_a_table_lives_as_long_as_the_graph_that_uses_it() -> None:
    import tensorflow as tf

    @tf.function
    def codes(strings: Any) -> Any:
        return lookup(strings, {"a": 1, "a\0": 2, "é": 3}, unseen=-1)

    words = tf.constant(np.array([["a", "a\0"], ["é", ""]], dtype=object))
    for _ in range(2):
        assert codes(words).numpy().tolist() == [[1, 2], [3, -1]]
        gc.collect()


def test_equal_tables_are_one_and_the_graph_answers_its_own() -> None:
    import tensorflow as tf

    @tf.function
    def codes(strings: Any) -> Any:
        return lookup(strings, {"x": 7}, unseen=0) + lookup(strings, {"x": 7}, unseen=0)

    concrete = codes.get_concrete_function(tf.TensorSpec((None, 1), tf.string))
    assert len({id(table) for table in concrete.graph.get_collection("headrace/tables")}) == 1


def test_a_table_can_be_used_without_a_graph() -> None:
    import tensorflow as tf

    assert lookup(tf.constant(["x", "y"]), {"x": 7}, unseen=0).numpy().tolist() == [7, 0]
