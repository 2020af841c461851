"""The plan: order, names, kinds, blocks, and what it refuses."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from headrace.errors import DataError, SettingError
from headrace.plan.arithmetic import Affine, Fill, Indicate
from headrace.plan.category import Lookup
from headrace.plan.distance import Distance
from headrace.plan.operation import Operation
from headrace.plan.plan import ColumnInfo, Node, Plan, PythonNode

X = ColumnInfo("x", "number", "number")
Y = ColumnInfo("y", "number", "number")
WORD = ColumnInfo("word", "string", "category")
CODE = ColumnInfo("word", "code", "category", 5)

NAN = float("nan")


def small_plan() -> Plan:
    lookup = Lookup(words=[["a", "b"]], codes=[[3, 4]])
    nodes = (
        Node.of(Fill([1.0, 2.0]), ["x", "y"]),
        Node.of(Affine([2.0], [1.0]), ["y"]),
        Node.of(lookup, ["word"]),
    )
    return Plan((X, Y, WORD), nodes, (X, Y, CODE))


def test_nodes_run_in_order_and_replace_columns() -> None:
    rows = pl.LazyFrame({"x": [NAN, 5.0], "y": [NAN, 3.0], "word": ["b", ""]})
    made = small_plan().polars(rows).collect()
    assert made["x"].to_list() == [1.0, 5.0]
    assert made["y"].to_list() == [5.0, 7.0]
    assert made["word"].to_list() == [4, 0]


def test_features_are_typed_blocks() -> None:
    plan = small_plan()
    rows = pl.LazyFrame({"x": [NAN, 5.0], "y": [NAN, 3.0], "word": ["b", ""]})
    features = plan.features(plan.polars(rows).collect())
    assert features.numbers.dtype == np.float32
    assert features.numbers.tolist() == [[1.0, 5.0], [5.0, 7.0]]
    assert features.categories.dtype == np.int32
    assert features.categories.tolist() == [[4], [0]]
    assert plan.spec.cardinalities == (5,)


def test_both_lowerings_agree() -> None:
    tf = pytest.importorskip("tensorflow")
    plan = small_plan()
    rows = pl.LazyFrame({"x": [NAN, 5.0], "y": [NAN, 3.0], "word": ["b", "?"]})
    features = plan.features(plan.polars(rows).collect())
    graph = plan.tensorflow(
        {
            "numbers": tf.constant([[NAN, NAN], [5.0, 3.0]], tf.float64),
            "strings": tf.constant([["b"], ["?"]]),
        }
    )
    np.testing.assert_array_equal(graph["numbers"].numpy(), features.numbers)
    np.testing.assert_array_equal(graph["categories"].numpy(), features.categories)


def test_round_trip() -> None:
    plan = small_plan()
    assert Plan.from_dict(plan.to_dict()) == plan


def test_added_columns_keep_their_inputs() -> None:
    node = Node(Indicate(), ("x",), ("x_missing",), keeps=True, kind="boolean")
    after = node.after({"x": X})
    assert after == {"x": X, "x_missing": ColumnInfo("x_missing", "number", "boolean")}


def test_a_missing_value_at_the_model_is_named() -> None:
    plan = Plan((X,), (), (X,))
    rows = pl.DataFrame({"x": [1.0, NAN]})
    with pytest.raises(DataError, match=r"column 'x', row 1: the value is missing .*Impute"):
        plan.features(rows)


@pytest.mark.parametrize("value", [float("inf"), 1e300])
def test_a_huge_value_at_the_model_is_named(value: float) -> None:
    plan = Plan((X,), (), (X,))
    with pytest.raises(DataError, match=r"column 'x', row 0: the value is too large"):
        plan.features(pl.DataFrame({"x": [value]}))


def test_words_that_reach_the_model_are_named() -> None:
    plan = Plan((WORD,), (), (WORD,))
    with pytest.raises(SettingError, match=r"'word' \(category\).*transform.Encode\(\)"):
        _ = plan.spec


def test_no_rows_and_no_columns() -> None:
    plan = Plan((X,), (), (X,))
    assert plan.features(pl.DataFrame({"x": pl.Series([], dtype=pl.Float64)})).numbers.shape == (
        0,
        1,
    )
    empty = Plan((), (), ())
    assert empty.features(pl.DataFrame()).numbers.shape == (0, 0)


def test_a_free_python_step_must_keep_the_rows() -> None:
    node = PythonNode.of("mine.Halve", lambda frame: frame.head(1), (X,), {})
    with pytest.raises(SettingError, match=r"mine.Halve.transform must keep the rows: 2 .* 1"):
        node.polars(pl.LazyFrame({"x": [1.0, 2.0]}))


def test_a_free_python_step_has_no_graph() -> None:
    pytest.importorskip("tensorflow")
    node = PythonNode.of("mine.Same", lambda frame: frame, (X,), {})
    plan = Plan((X,), (node,), (X,))
    assert not plan.portable
    with pytest.raises(SettingError, match=r"mine.Same is free Python"):
        plan.tensorflow({"numbers": np.zeros((1, 1))})


def test_columns_that_nothing_reads_are_not_needed() -> None:
    z = ColumnInfo("z", "number", "number")
    nodes = (
        Node.of(Fill([0.0, 0.0, 0.0]), ["x", "y", "z"]),
        Node.of(Distance([[0.0]], name="d"), ["z"], keeps=True),
        Node.of(Affine([1.0], [0.0]), ["x"]),
    )
    plan = Plan((X, Y, z), nodes, (X,))
    assert plan.used == ("x",)
    assert Plan((X, Y, z), nodes, (X, ColumnInfo("d_0", "number", "number"))).used == ("x", "z")
    python = PythonNode.of("mine.Same", lambda frame: frame, (X,), {})
    assert Plan((X, Y), (python,), (X,)).used == ("x", "y")


@pytest.mark.parametrize("kind", list(Operation._registry.values()), ids=lambda kind: kind.__name__)
def test_only_named_operations_claim_to_work_column_by_column(kind: type[Operation]) -> None:
    """The claim lets a column be left out, so it is made on purpose, and not by inheritance."""
    assert kind.columnwise == ("columnwise" in vars(kind))
