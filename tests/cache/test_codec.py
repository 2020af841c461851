"""The codec: frozen dataclasses of a list as documents and arrays, and back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.codec import Codec
from headrace.cache.errors import NotComparable

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Figure:
    value: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    figures: Mapping[Any, Figure]
    path: Path | None = None


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=20,
)


def through(codec: Codec, value: Any) -> Any:
    document, arrays = codec.encode(value)
    return codec.decode(json.loads(json.dumps(document, allow_nan=False)), arrays)


@given(plain)
def test_plain_values_come_back_the_same(value: Any) -> None:
    found = through(Codec(), value)
    assert found == value
    assert type(found) is type(value)


def test_dataclasses_come_back_whole() -> None:
    table = Table({"a": Figure(-math.inf, ("x", "y")), 3: Figure(0.1)}, Path("some/where"))
    assert through(Codec([Figure, Table]), table) == table
    assert math.isnan(through(Codec([Figure]), Figure(math.nan)).value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array([True, False]),
        np.array(["größer", ""]),
        np.array(["a", None, 1.5], dtype=object),
        np.zeros((0, 2)),
        np.array([math.nan, math.inf]),
    ],
)
def test_arrays_come_back_with_their_type(array: Any) -> None:
    found = through(Codec(), {"array": array})["array"]
    np.testing.assert_array_equal(found, array)
    assert found.dtype.kind == array.dtype.kind
    assert found.shape == array.shape


def test_numbers_of_numpy_become_pythons() -> None:
    assert through(Codec(), [np.float64(0.5), np.int64(3), np.bool_(True)]) == [0.5, 3, True]


def test_what_is_not_on_the_list_is_refused_both_ways() -> None:
    with pytest.raises(NotComparable, match="Figure cannot be stored"):
        Codec().encode(Figure(1.0))
    with pytest.raises(NotComparable, match="object cannot be stored"):
        Codec().encode([object()])
    document, arrays = Codec([Figure]).encode(Figure(1.0))
    with pytest.raises(ValueError, match="the kept value cannot be read: 'Figure'"):
        Codec().decode(document, arrays)
    with pytest.raises(ValueError, match="the kept value cannot be read"):
        Codec([Figure]).decode({"$class": "Figure", "evil": 1}, {})
    with pytest.raises(ValueError, match="the kept value cannot be read: 'a9'"):
        Codec().decode({"$array": "a9"}, {})


def test_another_class_of_the_same_name_is_refused() -> None:
    @dataclass(frozen=True)
    class Other:
        value: float

    Other.__name__ = "Figure"
    with pytest.raises(NotComparable, match="Figure cannot be stored"):
        Codec([Figure]).encode(Other(1.0))
