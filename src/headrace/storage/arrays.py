"""Arrays as bytes and back: `.npy` and `.npz` files that are checked before they are believed.

An array from outside is data that may lie. Its header is compared with the bytes that are really
there before anything is allocated, object arrays (pickles) are refused, and an archive may hold
only plain, stored `.npy` members, so that nothing unpacks to more than it weighs.
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from headrace.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["array_bytes", "array_from_bytes", "arrays_bytes", "arrays_from_bytes"]

_PLAIN_KINDS = "biuf"
_MOST_MEMBERS = 100_000
_MOST_HEADER = 10_000
_MOST_DIMENSIONS = 32


def array_bytes(array: NDArray[Any]) -> bytes:
    """Answer an array of numbers or booleans as the content of a `.npy` file.

    Raises:
        ReleaseError: The array holds something else, such as objects or dates.

    Example:
        >>> array_from_bytes(array_bytes(np.arange(3)), "numbers.npy").tolist()
        [0, 1, 2]
    """
    if array.dtype.kind not in _PLAIN_KINDS:
        raise ReleaseError(
            f"a release holds arrays of numbers and booleans; received an array of {array.dtype}"
        )
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    buffer = io.BytesIO()
    # np.ascontiguousarray would turn a single number into a list of one.
    npy.write_array(buffer, np.require(little, requirements="C"), allow_pickle=False)
    return buffer.getvalue()


def array_from_bytes(data: bytes, name: str) -> NDArray[Any]:
    """Answer the array of a `.npy` file, read-only and without copying.

    Args:
        data: The whole content of the file.
        name: The file, for the errors.

    Raises:
        ReleaseError: Not a `.npy` file, an array of objects, or a header that promises more or
            fewer bytes than there are.
    """
    file = io.BytesIO(data)
    shape, fortran, dtype = _header(file, name)
    if dtype.kind not in _PLAIN_KINDS or dtype.itemsize == 0:
        raise ReleaseError(
            f"{name}: expected an array of numbers or booleans, found {dtype}; "
            "arrays of objects are pickles and are never loaded"
        )
    start = file.tell()
    expected = math.prod(shape) * dtype.itemsize
    if len(shape) > _MOST_DIMENSIONS or expected != len(data) - start:
        raise ReleaseError(
            f"{name}: the header promises the shape {_short(shape)} of {dtype} ({expected:.15g} "
            f"bytes), the file holds {len(data) - start} bytes"
        )
    try:
        flat = np.frombuffer(data, dtype, offset=start)
        return flat.reshape(shape, order="F" if fortran else "C")
    except ValueError as error:
        raise ReleaseError(f"{name}: the shape {_short(shape)} cannot be used: {error}") from error


def arrays_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Answer named arrays as the content of an `.npz` file; the same arrays give the same bytes.

    Example:
        >>> data = arrays_bytes({"dense/kernel": np.ones((2, 2))})
        >>> list(arrays_from_bytes(data, "weights.npz"))
        ['dense/kernel']
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the same bytes on every system
            member.external_attr = 0o600 << 16
            archive.writestr(member, array_bytes(np.asarray(array)))
    return buffer.getvalue()


def arrays_from_bytes(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Answer the arrays of an `.npz` file, by name, in the order they were written.

    Raises:
        ReleaseError: Not an archive, a compressed or repeated member, or an array that
            `array_from_bytes` refuses.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_members(archive, len(data), name)
            return {
                member.filename.removesuffix(".npy"): array_from_bytes(
                    archive.read(member), f"{name}: {member.filename}"
                )
                for member in archive.infolist()
            }
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, ReleaseError):
            raise
        raise ReleaseError(f"{name}: not a readable archive of arrays: {error}") from error


def _header(file: io.BytesIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file, max_header_size=_MOST_HEADER)
    except (ValueError, KeyError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ReleaseError(f"{name}: not a readable .npy file: {error}") from error
    if any(size < 0 for size in shape):
        raise ReleaseError(f"{name}: the header has the impossible shape {_short(shape)}")
    return shape, fortran, dtype


def _check_members(archive: zipfile.ZipFile, size: int, name: str) -> None:
    members = archive.infolist()
    names = {member.filename for member in members}
    if len(members) > _MOST_MEMBERS or len(names) != len(members):
        raise ReleaseError(
            f"{name}: expected at most {_MOST_MEMBERS} members of different names, "
            f"found {len(members)} members with {len(names)} names"
        )
    for member in members:
        stored = member.compress_type == zipfile.ZIP_STORED
        if not (stored and member.file_size == member.compress_size and not member.flag_bits & 1):
            raise ReleaseError(f"{name}: {member.filename} is compressed or encrypted; refused")
        if not member.filename.endswith(".npy"):
            raise ReleaseError(f"{name}: {member.filename} is not an array; refused")
    if sum(member.file_size for member in members) > size:
        raise ReleaseError(f"{name}: the members claim more bytes than the file has ({size})")


def _short(shape: tuple[int, ...]) -> str:
    text = str(shape)
    return text if len(text) <= 80 else text[:79] + "…"
