"""Messages: plain values, arrays and tables as bytes, and back exactly as they were.

What goes to another process and what comes back from it is a message: JSON for the structure, and
behind it, each with its length, the bytes of arrays (`.npy`) and tables (Arrow IPC). Nothing in it
is code, and nothing is executed to read it.
"""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.errors import SettingError
from headrace.storage.arrays import array_bytes, array_from_bytes
from headrace.storage.documents import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["pack", "unpack"]

_START = b"headrace message 1\n"
_LENGTH = struct.Struct("<Q")
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def pack(value: Any) -> bytes:
    """Answer a value as bytes.

    Args:
        value: None, booleans, numbers, text, bytes, arrays of numbers, Polars tables, and lists,
            tuples and dicts (with text as keys) of them.

    Raises:
        SettingError: There is something else in it; the place is named.

    Example:
        >>> unpack(pack({"seen": (3, np.nan), "table": pl.DataFrame({"x": ["a"]})}))["seen"]
        (3, nan)
    """
    parts: list[bytes] = []
    head = json.dumps(_plain(value, parts, "message"), separators=(",", ":"), allow_nan=False)
    pieces = [head.encode("ascii"), *parts]
    return _START + b"".join(part for piece in pieces for part in (_length(piece), piece))


def unpack(data: bytes) -> Any:
    """Answer the value that `pack` was given; its arrays cannot be written to.

    Raises:
        SettingError: The bytes are no message, or are cut off.
    """
    if not data.startswith(_START):
        raise SettingError(f"expected a message, received {len(data):,} bytes of something else")
    head, *parts = _pieces(data)
    return _revived(strict_json(head), parts)


def _length(piece: bytes) -> bytes:
    return _LENGTH.pack(len(piece))


def _pieces(data: bytes) -> Iterator[bytes]:
    place = len(_START)
    while place < len(data):
        begin = place + _LENGTH.size
        size = _LENGTH.unpack_from(data, place)[0] if begin <= len(data) else 0
        place = begin + size
        if place > len(data):
            raise SettingError(
                f"the message is cut off: {len(data):,} of at least {place:,} bytes arrived"
            )
        yield data[begin:place]


def _plain(value: Any, parts: list[bytes], place: str) -> Any:  # noqa: PLR0911 - one line a type
    if value is None or isinstance(value, bool | int | str):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return _apart("scalar", array_bytes(np.asarray(value)), parts)
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, bytes):
        return _apart("bytes", value, parts)
    if isinstance(value, np.ndarray):
        return _apart("array", _numbers(value, place), parts)
    if isinstance(value, pl.DataFrame):
        return _apart("table", _table(value), parts)
    if isinstance(value, list | tuple):
        items = [_plain(item, parts, f"{place}[{i}]") for i, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        return {
            _key(key, place): _plain(item, parts, f"{place}.{key}") for key, item in value.items()
        }
    raise SettingError(
        f"{place}: only plain values, arrays of numbers and tables travel to a worker, "
        f"received {type(value).__name__}"
    )


def _apart(kind: str, data: bytes, parts: list[bytes]) -> dict[str, int]:
    parts.append(data)
    return {f"${kind}": len(parts) - 1}


def _numbers(array: np.ndarray[Any, Any], place: str) -> bytes:
    if array.dtype.kind not in "biuf":
        raise SettingError(f"{place}: only arrays of numbers travel, received {array.dtype}")
    return array_bytes(array)


def _table(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise SettingError(f"{place}: the keys of a message are text, received {key!r}")
    return f"${key}" if key.startswith("$") else key


def _revived(value: Any, parts: list[bytes]) -> Any:
    if isinstance(value, list):
        return [_revived(item, parts) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, content),) = value.items()
        if key == "$float":
            return _FLOATS[content]
        if key == "$tuple":
            return tuple(_revived(item, parts) for item in content)
        if key in _READ:
            return _READ[key](parts[content])
    return {key.removeprefix("$"): _revived(item, parts) for key, item in value.items()}


_READ: dict[str, Callable[[bytes], Any]] = {
    "$bytes": lambda data: data,
    "$array": lambda data: array_from_bytes(data, "message"),
    "$scalar": lambda data: array_from_bytes(data, "message")[()],
    "$table": lambda data: pl.read_ipc(io.BytesIO(data), use_pyarrow=False),
}
