"""Messages come back exactly as they were, and hold nothing that could be executed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from headrace.errors import SettingError
from headrace.partitions.message import pack, unpack

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:  # noqa: PLR0911 - one line a type
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray | np.generic):
        return left.dtype == right.dtype and left.tobytes() == right.tobytes()
    if isinstance(left, pl.DataFrame):
        assert_frame_equal(left, right)
        return True
    if isinstance(left, float):
        return repr(left) == repr(right)
    return bool(left == right)


@given(plain)
def test_plain_values_come_back_the_same(value: Any) -> None:
    assert same(unpack(pack(value)), value)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float32", "float64"])
def test_arrays_and_scalars_keep_type_shape_and_bits(dtype: str) -> None:
    array = np.array([[1, 0], [3, 7]], dtype=dtype)
    found = unpack(pack({"array": array, "scalar": array[1, 1], "none": array[:0]}))
    assert same(found, {"array": array, "scalar": array[1, 1], "none": array[:0]})
    assert found["array"].shape == (2, 2)


def test_tables_keep_names_types_and_gaps() -> None:
    frame = pl.DataFrame(
        {
            "x": [1.5, math.nan, None],
            "w": ["é", "", None],
            "t": [1, None, -(2**63)],
            "$a": [0, 1, 2],
        }
    )
    assert same(unpack(pack([frame, frame.head(0)])), [frame, frame.head(0)])


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), "message: only plain values"),
        ({"a": [len]}, r"message.a[0]: only plain values"),
        ({1: 2}, "message: the keys of a message are text, received 1"),
        (np.array([len], dtype=object), "message: only arrays of numbers travel, received object"),
        (pl.LazyFrame({"x": [1]}), "received LazyFrame"),
    ],
)
def test_nothing_else_travels(value: Any, place: str) -> None:
    with pytest.raises(SettingError) as caught:
        pack(value)
    assert place in str(caught.value)


def test_a_cut_or_foreign_message_is_refused() -> None:
    data = pack({"x": np.arange(9)})
    for size in range(len(data) - 1, len(data) - 90, -10):
        with pytest.raises((SettingError, ValueError)):
            unpack(data[:size])
    with pytest.raises(SettingError, match="expected a message, received 4 bytes"):
        unpack(b"\x80\x04N.")
