from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.lib import format as npy

from headrace.errors import ReleaseError
from headrace.storage.arrays import array_bytes, array_from_bytes, arrays_bytes, arrays_from_bytes

PLAIN = st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.floating_dtypes(sizes=(32, 64)))


@given(hnp.arrays(PLAIN, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_an_array_comes_back_as_it_was(array: np.ndarray[Any, Any]) -> None:
    again = array_from_bytes(array_bytes(array), "x.npy")
    assert again.shape == array.shape
    assert again.dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(again, array)


def test_fortran_order_comes_back() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    buffer = io.BytesIO()
    npy.write_array(buffer, array)
    np.testing.assert_array_equal(array_from_bytes(buffer.getvalue(), "x.npy"), array)


def header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(99999999, 99999999, 99999999)", "(3,)"])
def test_a_header_that_promises_more_than_there_is_is_refused(shape: str) -> None:
    with pytest.raises(ReleaseError, match=r"x\.npy: the header promises the shape .* holds 16"):
        array_from_bytes(header(shape) + bytes(16), "x.npy")


def test_bytes_behind_the_array_are_refused() -> None:
    with pytest.raises(ReleaseError, match="the file holds 25 bytes"):
        array_from_bytes(array_bytes(np.zeros(3)) + b"!", "x.npy")


@pytest.mark.parametrize("descr", ["'|O'", "[('a', '<f8')]", "'<U5'", "'|V8'", "'<M8[s]'", "'|V0'"])
def test_other_types_are_refused(descr: str) -> None:
    with pytest.raises(ReleaseError, match="expected an array of numbers or booleans"):
        array_from_bytes(header("(1,)", descr) + bytes(8), "x.npy")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x93NUMPY", b"\x80\x04K\x01.", header("(-1,)") + bytes(8), header("(2**9,)"),
     header("'x'"), header("(1,)", "'no such type'"), b"\x93NUMPY\x09\x00" + bytes(40)],
)  # fmt: skip
def test_what_is_no_array_is_refused(data: bytes) -> None:
    with pytest.raises(ReleaseError, match=r"x\.npy: "):
        array_from_bytes(data, "x.npy")


def test_an_array_of_no_rows_and_absurdly_many_columns_is_refused() -> None:
    with pytest.raises(ReleaseError, match="cannot be used"):
        array_from_bytes(header(f"(0, {2**62}, {2**62})"), "x.npy")


def test_objects_are_not_written() -> None:
    with pytest.raises(ReleaseError, match="received an array of object"):
        array_bytes(np.array([None]))


def test_named_arrays_come_back_in_order_and_the_bytes_do_not_depend_on_the_clock() -> None:
    arrays = {"z/kernel": np.ones((2, 3), np.float32), "a:0": np.arange(4), "file": np.array(1.5)}
    data = arrays_bytes(arrays)
    again = arrays_from_bytes(data, "weights.npz")
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def archive(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def test_a_compressed_member_is_refused() -> None:
    bomb = archive(("a.npy", bytes(10**6)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ReleaseError, match=r"a\.npy is compressed or encrypted; refused"):
        arrays_from_bytes(bomb, "weights.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_repeated_member_is_refused() -> None:
    one = array_bytes(np.zeros(1))
    with pytest.raises(ReleaseError, match="2 members with 1 names"):
        arrays_from_bytes(archive(("a.npy", one), ("a.npy", one)), "weights.npz")


def test_a_member_that_is_no_array_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"run\.py is not an array; refused"):
        arrays_from_bytes(archive(("run.py", b"")), "weights.npz")


def test_a_pickle_in_an_archive_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"weights\.npz: a\.npy: not a readable \.npy file"):
        arrays_from_bytes(archive(("a.npy", b"\x80\x04K\x01.")), "weights.npz")


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_damaged_archive_is_refused_or_read_never_worse(place: int, change: int) -> None:
    data = bytearray(arrays_bytes({"a": np.arange(8), "b": np.ones(3)}))
    data[place % len(data)] ^= change
    try:
        arrays_from_bytes(bytes(data), "weights.npz")
    except ReleaseError as error:
        assert "weights.npz" in str(error)  # noqa: PT017 - either outcome is right
