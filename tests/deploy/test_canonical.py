from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from headrace.deploy.canonical import canonical_graph
from headrace.deploy.session import open_session


def value(name: str, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, ["rows", 2])


def made(nodes: list[Any], tensors: list[Any], outputs: tuple[str, ...] = ("y",)) -> Any:
    graph = helper.make_graph(
        nodes, "headrace", [value("x")], [value(name) for name in outputs], initializer=tensors
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def constant(name: str, number: float) -> Any:
    return numpy_helper.from_array(np.full(2, number, np.float32), name)


def canonical(model: Any) -> bytes:
    data: bytes = canonical_graph(model).SerializeToString(deterministic=True)
    return data


def answer(data: bytes) -> list[Any]:
    x = np.array([[1.0, -2.0]], np.float32)
    return [array.tolist() for array in open_session(data).run(None, {"x": x})]


def first() -> Any:
    nodes = [
        helper.make_node("Add", ["x", "two"], ["a"], name="Add__12"),
        helper.make_node("Mul", ["x", "three"], ["b"], name="Mul__7"),
        helper.make_node("Sub", ["a", "b"], ["y"], name="Sub__99"),
    ]
    return made(nodes, [constant("two", 2), constant("three", 3)])


def second() -> Any:
    """The same as `first` in another order, with other names and with a twin."""
    nodes = [
        helper.make_node("Mul", ["x", "const_4"], ["p"], name="n1", doc_string="made up"),
        helper.make_node("Add", ["x", "const_9"], ["q"], name="n2"),
        helper.make_node("Mul", ["x", "const_4b"], ["r"], name="n3"),
        helper.make_node("Sub", ["q", "r"], ["y"], name="n4"),
        helper.make_node("Sub", ["q", "p"], ["unused"], name="n5"),
    ]
    tensors = [constant("const_4", 3), constant("const_4b", 3), constant("const_9", 2)]
    return made(nodes, tensors)


def test_the_same_graph_is_written_in_one_way() -> None:
    assert canonical(first()) == canonical(second())


def test_the_meaning_stays() -> None:
    before = first().SerializeToString()
    assert answer(canonical(first())) == answer(before)
    onnx.checker.check_model(onnx.load_model_from_string(canonical(second())), full_check=True)


def test_another_constant_another_operator_another_order_of_inputs_are_told_apart() -> None:
    changed = first()
    changed.graph.initializer[0].CopyFrom(constant("two", 2.5))
    operator = first()
    operator.graph.node[0].op_type = "Div"
    swapped = first()
    swapped.graph.node[2].input[:] = ["b", "a"]
    versions = {canonical(model) for model in (first(), changed, operator, swapped)}
    assert len(versions) == 4


def test_outputs_that_are_the_same_value_both_stay() -> None:
    nodes = [helper.make_node("Abs", ["x"], [name]) for name in ("z", "y")]
    data = canonical(made(nodes, [], outputs=("y", "z")))
    assert answer(data) == [[[1.0, 2.0]], [[1.0, 2.0]]]


@pytest.mark.parametrize("pairs", [[("a", 1), ("b", 2)], [("b", 2), ("a", 1)]])
def test_the_pairs_of_a_table_are_sorted(pairs: list[tuple[str, int]]) -> None:
    node = helper.make_node(
        "CategoryMapper", ["s"], ["y"], domain="ai.onnx.ml", default_int64=0,
        cats_strings=[key for key, _ in pairs], cats_int64s=[code for _, code in pairs],
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "g", [value("s", TensorProto.STRING)], [value("y", TensorProto.INT64)]
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 2)]
    data = canonical(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    (again,) = onnx.load_model_from_string(data).graph.node
    lists = {attribute.name: attribute for attribute in again.attribute}
    assert list(lists["cats_strings"].strings) == [b"a", b"b"]
    assert list(lists["cats_int64s"].ints) == [1, 2]
    words = np.array([["b", "é"]], dtype=object)
    assert open_session(data).run(None, {"s": words})[0].tolist() == [[2, 0]]


def test_a_graph_inside_of_a_node_is_left_as_it_is() -> None:
    inner = helper.make_graph([helper.make_node("Abs", ["x"], ["z"])], "inner", [], [value("z")])
    true = helper.make_node("Constant", [], ["t"], value=helper.make_tensor("t", 9, [], [True]))
    node = helper.make_node("If", ["t"], ["y"], then_branch=inner, else_branch=inner)
    model = made([true, node], [])
    before = model.SerializeToString()
    assert canonical_graph(model).SerializeToString() == before
