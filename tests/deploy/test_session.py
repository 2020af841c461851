from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from headrace.deploy.session import check_graph, open_session
from headrace.errors import ReleaseError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.deploy.release import Release


def value(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 1])


def model(nodes: list[Any], tensors: list[Any] = (), **more: Any) -> Any:  # type: ignore[assignment]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], initializer=tensors, **more)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def adding(tensor: Any) -> Any:
    return model([helper.make_node("Add", ["x", "one"], ["y"])], [tensor])


def outside(tensor: Any) -> Any:
    """The same tensor with its data in another file."""
    onnx.external_data_helper.set_external_data(tensor, "../../secret")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


ONE = numpy_helper.from_array(np.ones(1, np.float32), "one")


def copy(tensor: Any) -> Any:
    again = TensorProto()
    again.CopyFrom(tensor)
    return again


def constant(tensor: Any) -> Any:
    """A model whose tensor sits in a node's attribute."""
    nodes = [
        helper.make_node("Constant", [], ["one"], value=tensor),
        helper.make_node("Add", ["x", "one"], ["y"]),
    ]
    return model(nodes)


def branch(tensor: Any) -> Any:
    """A model whose tensor sits in a graph inside of a node."""
    inner = helper.make_graph(
        [helper.make_node("Add", ["x", "one"], ["z"])], "inner", [], [value("z")], [tensor]
    )
    nodes = [
        helper.make_node("Constant", [], ["true"], value=helper.make_tensor("t", 9, [], [True])),
        helper.make_node("If", ["true"], ["y"], then_branch=inner, else_branch=inner),
    ]
    return model(nodes)


PLACES = pytest.mark.parametrize("place", [adding, constant, branch])


@PLACES
def test_an_ordinary_graph_answers(place: Callable[[Any], Any]) -> None:
    session = open_session(place(copy(ONE)).SerializeToString())
    (answer,) = session.run(None, {"x": np.array([[2.0]], np.float32)})
    assert answer.tolist() == [[3.0]]


@PLACES
def test_a_tensor_in_another_file_is_refused(place: Callable[[Any], Any]) -> None:
    data = place(outside(copy(ONE))).SerializeToString()
    with pytest.raises(ReleaseError, match="a tensor keeps its data in another file; refused"):
        open_session(data, name="model.onnx")


def test_a_sparse_tensor_in_another_file_is_refused() -> None:
    data = model([helper.make_node("Identity", ["x"], ["y"])])
    sparse = data.graph.sparse_initializer.add()
    sparse.values.CopyFrom(outside(copy(ONE)))
    with pytest.raises(ReleaseError, match="in another file"):
        check_graph(data.SerializeToString())


def test_a_function_with_a_tensor_in_another_file_is_refused() -> None:
    data = model([helper.make_node("Identity", ["x"], ["y"])])
    node = helper.make_node("Constant", [], ["a"], value=outside(copy(ONE)))
    data.functions.append(
        helper.make_function("own", "f", [], ["a"], [node], [helper.make_opsetid("", 18)])
    )
    with pytest.raises(ReleaseError, match="in another file"):
        check_graph(data.SerializeToString())


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x80\x04K\x01.", b"\x3a\xff\xff\xff\xff\x0f", b"\x08\x08"]
)
def test_what_is_no_graph_is_refused(data: bytes) -> None:
    with pytest.raises(ReleaseError, match=r"model\.onnx: not a readable ONNX file"):
        open_session(data)


def test_a_graph_that_cannot_run_is_refused() -> None:
    data = model([helper.make_node("NoSuchOperation", ["x"], ["y"])]).SerializeToString()
    with pytest.raises(ReleaseError, match=r"cannot run this graph: .*NoSuchOperation"):
        open_session(data)


def test_threads_must_be_positive() -> None:
    with pytest.raises(SettingError, match="threads must be a whole number from 1, received 0"):
        open_session(adding(ONE).SerializeToString(), threads=0)


@given(place=st.integers(min_value=0), change=st.integers(1, 255))
def test_a_damaged_graph_never_breaks_the_check(place: int, change: int) -> None:
    data = bytearray(branch(copy(ONE)).SerializeToString())
    data[place % len(data)] ^= change
    try:
        check_graph(bytes(data))
    except ReleaseError as error:
        assert "model.onnx" in str(error)  # noqa: PT017 - either outcome is right


def test_a_real_graph_passes(wide_release: Release) -> None:
    check_graph(wide_release.bytes("model.onnx"))
