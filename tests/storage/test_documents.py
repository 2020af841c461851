from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import ReleaseError
from headrace.storage.documents import (
    canonical_json,
    document_bytes,
    document_from_bytes,
    read_json_with_arrays,
    strict_json,
    write_json_with_arrays,
)

if TYPE_CHECKING:
    from pathlib import Path

WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["$array", "$$x"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(WORDS, inner)),
)


def same(left: Any, right: Any) -> bool:
    """Equal, with NaN equal to itself and the sign of zero minded."""
    if isinstance(left, float) and isinstance(right, float):
        return repr(left) == repr(right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(map(same, left.values(), right.values()))
    return type(left) is type(right) and left == right


def none(name: str) -> Any:
    raise ReleaseError(f"no file {name}")


@given(VALUES)
def test_any_plain_value_comes_back_as_it_was(value: Any) -> None:
    data, files = document_bytes(value, "plan")
    json.loads(data)  # any reader can read it
    assert not files
    assert same(document_from_bytes(data, "plan.json", none), value)


ARRAYS = [
    np.arange(3), np.arange(3.0, dtype=np.float32), np.array([True, False]), np.zeros((0, 3)),
    np.array(2.5), np.array([math.nan, math.inf, -0.0]), np.array([["a", "日本"]]),
    np.array(["a", "", None], dtype=object), np.arange(200, dtype=np.int32).reshape(10, 20),
    np.full(65, -math.inf), np.array([f"w{i}" for i in range(100)], dtype=object),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_come_back_with_type_and_shape(tmp_path: Path, array: Any) -> None:
    write_json_with_arrays(tmp_path, "plan.json", {"deep": [{"knots": array, "n": 1}]})
    again = read_json_with_arrays(tmp_path, "plan.json")["deep"][0]["knots"]
    assert again.dtype == array.dtype
    assert again.shape == array.shape
    np.testing.assert_array_equal(again, array)
    beside = array.size > 64 and array.dtype.kind != "O"
    assert (tmp_path / "arrays" / "plan-0.npy").exists() == beside


def test_numpy_scalars_become_plain() -> None:
    value = {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": (1, np.str_("x"))}
    data, _ = document_bytes(value, "plan")
    assert data == b'{"a":0.5,"b":3,"c":true,"d":[1,"x"]}'


@pytest.mark.parametrize(
    ("value", "text"),
    [({"a": [object()]}, r"plan\.a\[0\]: a release holds .* received object"),
     ({1: 2}, r"plan: the keys .* received 1"),
     ({"a": np.array(["2024-01-01"], dtype="datetime64[D]")}, r"plan\.a: .* array of datetime64"),
     ({"a": np.array([b"x"], dtype=object)}, r"received bytes"),
     ({"a": "\ud800"}, "no valid Unicode")],
)  # fmt: skip
def test_what_json_cannot_hold_is_refused_with_its_place(value: Any, text: str) -> None:
    with pytest.raises(ReleaseError, match=text):
        document_bytes(value, "plan")


@pytest.mark.parametrize(
    ("data", "text"),
    [(b'{"a": 1, "a": 2}', "the key 'a' is given twice"),
     (b'{"a": NaN}', "NaN is not a JSON number"),
     (b"[" * 100_000, "plan.json: .*recursion"),
     (b"\xff{}", "not a readable JSON document"),
     (b'{"a": "\\ud800"}', "half of a surrogate pair"),
     (b"{", "not a readable JSON document"),
     (b'{"a": ' + b"9" * 5000 + b"}", "not a readable JSON document"),
     (b'{"$float": "huge"}', "not a readable JSON document"),
     (b'{"$array": {"dtype": "(9999999,9999999)f8", "shape": [0], "values": []}}', "plan.json"),
     (b'{"$array": {"dtype": "float64", "shape": [9], "values": []}}', "plan.json"),
     (b'{"$array": {"file": "../../etc/passwd"}}', "no file"),
     (b'{"$array": 3}', "plan.json")],
)  # fmt: skip
def test_documents_from_outside_are_read_strictly(data: bytes, text: str) -> None:
    with pytest.raises(ReleaseError, match=text):
        document_from_bytes(data, "plan.json", none)


@pytest.mark.parametrize("file", ["../x.npy", "arrays/../x.npy", "arrays/a/b.npy", "arrays\\x.npy"])
def test_array_files_outside_of_the_folder_are_not_read(tmp_path: Path, file: str) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"$array": {"file": file}}))
    with pytest.raises(ReleaseError, match="not a file of arrays/"):
        read_json_with_arrays(tmp_path, "plan.json")


def test_canonical_json_is_one_way_to_write() -> None:
    assert canonical_json({"ü": 1, "a": [1.0, "x"]}) == '{"a":[1.0,"x"],"ü":1}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(math.nan)


def test_strict_json_reads_what_is_right() -> None:
    text = '{"a": [1, 2.5, "é\\u00e9\\ud83d\\ude42", null, true]}'
    assert strict_json(text.encode()) == {"a": [1, 2.5, "éé🙂", None, True]}
