"""JSON documents with arrays in them: strict in, strict out, the same value back.

Plain JSON has no arrays of numbers with a type and no NaN. Both are written as a small tagged
object, so that any JSON reader can read the file:

- `{"$float": "nan"}`, `"inf"` or `"-inf"`;
- `{"$array": {"dtype": "float64", "shape": [2], "values": [1.0, 2.0]}}` for a small array;
- `{"$array": {"file": "arrays/plan-0.npy"}}` for an array with more than 64 numbers;
- a key of the user's that begins with `$` gets one more `$`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import ReleaseError
from headrace.storage.arrays import array_bytes, array_from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "INLINE_VALUES",
    "canonical_json",
    "document_bytes",
    "document_from_bytes",
    "read_json_with_arrays",
    "strict_json",
    "write_json_with_arrays",
]

INLINE_VALUES = 64
"""Arrays with more values than this are stored beside the document."""

_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_INLINE_KINDS = "biufUO"
# Spelt out: `np.dtype` also understands texts such as "(1000000,1000000)f8".
_INLINE_DTYPES: dict[str, type[np.generic]] = {
    "bool": np.bool_,
    **{name: getattr(np, name) for name in ("int8", "int16", "int32", "int64")},
    **{name: getattr(np, name) for name in ("uint8", "uint16", "uint32", "uint64")},
    **{name: getattr(np, name) for name in ("float16", "float32", "float64")},
    "str": np.str_,
    "object": np.object_,
}


def canonical_json(value: object) -> bytes:
    """Answer the one way to write a plain value: sorted keys, no spaces, UTF-8.

    Example:
        >>> canonical_json({"b": 1, "a": [True, None]})
        b'{"a":[true,null],"b":1}'
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def document_bytes(value: object, stem: str) -> tuple[bytes, dict[str, bytes]]:
    """Answer a nested value as JSON, and its large arrays as `.npy` files.

    Args:
        value: dicts with text keys, lists, tuples (read back as lists), arrays, numbers, text,
            booleans and None, NumPy's own scalars too.
        stem: The name of the document without its suffix; the arrays are named after it.

    Returns:
        The JSON, and the content of each array file by its name (`arrays/<stem>-<n>.npy`).

    Raises:
        ReleaseError: A value that JSON cannot hold; the place is named.

    Example:
        >>> text, files = document_bytes({"knots": np.zeros(100)}, "plan")
        >>> text, list(files)
        (b'{"knots":{"$array":{"file":"arrays/plan-0.npy"}}}', ['arrays/plan-0.npy'])
    """
    files: dict[str, bytes] = {}
    plain = _plain(value, stem, files, stem)
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        return text.encode(), files
    except UnicodeEncodeError as error:
        raise ReleaseError(f"{stem}: text that is no valid Unicode cannot be stored") from error


def document_from_bytes(data: bytes, name: str, load: Callable[[str], NDArray[Any]]) -> Any:
    """Answer the value that `document_bytes` wrote.

    Args:
        data: The JSON.
        name: The file, for the errors.
        load: Answers the array of a file named in the document.

    Raises:
        ReleaseError: Malformed JSON, a repeated key, NaN as a bare word, too deep nesting.
    """

    def revive(pairs: list[tuple[str, Any]]) -> Any:
        return _revive(_without_repeats(pairs), load)

    try:
        return strict_json(data, revive)
    except ReleaseError as error:
        raise ReleaseError(f"{name}: {error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReleaseError(f"{name}: not a readable JSON document: {error}") from error


def write_json_with_arrays(folder: Path, name: str, value: object) -> None:
    """Write `folder/name` and, under `folder/arrays/`, the large arrays of the value."""
    text, files = document_bytes(value, name.removesuffix(".json"))
    for file, content in files.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)
    (folder / name).write_bytes(text)


def read_json_with_arrays(folder: Path, name: str) -> Any:
    """Read what `write_json_with_arrays` wrote, without any check against a manifest."""

    def load(file: str) -> NDArray[Any]:
        if not file.startswith("arrays/") or "/" in file[7:] or "\\" in file:
            raise ReleaseError(f"refers to {file!r}, which is not a file of arrays/")
        return array_from_bytes((folder / file).read_bytes(), file)

    return document_from_bytes((folder / name).read_bytes(), name, load)


def strict_json(data: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse UTF-8 JSON; repeated keys, NaN and Infinity are refused.

    Args:
        data: The JSON.
        pairs: Makes a value from the pairs of each object; by default a dict without repeats.

    Raises:
        ValueError: Malformed, not UTF-8, a repeated key or a number that is none.
        RecursionError: Nested too deeply.

    Example:
        >>> strict_json(b'{"a": 1, "a": 2}')
        Traceback (most recent call last):
        ValueError: the key 'a' is given twice
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=pairs or _without_repeats, parse_constant=_refuse_constant
    )
    value = decoder.decode(data.decode("utf-8"))
    if b"\\u" in data:
        _check_unicode(value)
    return value


def _plain(value: Any, stem: str, files: dict[str, bytes], place: str) -> Any:
    """Answer the value in JSON's own types; large arrays go to `files`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, np.ndarray):
        return _plain_array(value, stem, files, place)
    if isinstance(value, list | tuple):
        return [_plain(item, stem, files, f"{place}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {
            _plain_key(key, place): _plain(item, stem, files, f"{place}.{key}")
            for key, item in value.items()
        }
    raise ReleaseError(
        f"{place}: a release holds numbers, text, booleans, lists, dicts and arrays; "
        f"received {type(value).__name__}"
    )


def _plain_key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise ReleaseError(f"{place}: the keys of a release's dicts are text; received {key!r}")
    return f"${key}" if key.startswith("$") else key


def _plain_array(array: NDArray[Any], stem: str, files: dict[str, bytes], place: str) -> Any:
    if array.dtype.kind not in _INLINE_KINDS:
        raise ReleaseError(
            f"{place}: a release holds arrays of numbers, booleans and text; "
            f"received an array of {array.dtype}"
        )
    text = array.dtype.kind in "UO"
    if not text and array.size > INLINE_VALUES:
        name = f"arrays/{stem}-{len(files)}.npy"
        files[name] = array_bytes(array)
        return {"$array": {"file": name}}
    dtype = {"U": "str", "O": "object"}.get(array.dtype.kind, array.dtype.name)
    values = [_plain(item, stem, files, place) for item in array.ravel().tolist()]
    return {"$array": {"dtype": dtype, "shape": list(array.shape), "values": values}}


def _revive(value: dict[str, Any], load: Callable[[str], NDArray[Any]]) -> Any:
    if len(value) == 1:
        (key, content), *_ = value.items()
        if key == "$float":
            return _FLOATS[content]
        if key == "$array":
            return load(content["file"]) if "file" in content else _inline_array(content)
    if any(key.startswith("$") for key in value):
        return {key.removeprefix("$"): item for key, item in value.items()}
    return value


def _inline_array(content: dict[str, Any]) -> NDArray[Any]:
    dtype = _INLINE_DTYPES[content["dtype"]]
    if dtype is not np.object_:
        return np.array(content["values"], dtype=dtype).reshape(content["shape"])
    array = np.empty(len(content["values"]), dtype=object)
    array[:] = content["values"]
    return array.reshape(content["shape"])


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} is given twice")
    return value


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number")


def _check_unicode(value: object) -> None:
    # "\ud800" alone is allowed by the JSON grammar and is no character in any encoding.
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise ValueError("the text holds half of a surrogate pair") from error
