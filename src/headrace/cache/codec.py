"""Results as a plain document and arrays, and back: no pickle, and only classes that are named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headrace.cache.errors import NotComparable

__all__ = ["Codec"]

_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_NUMBERS = "biuf"


class Codec:
    """Writes values as a document and arrays, and reads them back.

    Args:
        classes: The frozen dataclasses that may occur; no other is ever made from a document.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Found:
        ...     value: float
        ...     rows: tuple[int, ...]
        >>> codec = Codec([Found])
        >>> document, arrays = codec.encode(Found(0.5, (1, 2)))
        >>> codec.decode(document, arrays)
        Found(value=0.5, rows=(1, 2))
    """

    def __init__(self, classes: Sequence[type] = ()) -> None:
        self._classes = {kind.__name__: kind for kind in classes}

    def encode(self, value: Any) -> tuple[Any, dict[str, Any]]:
        """Answer a value as a document that JSON can hold, and the arrays beside it.

        Raises:
            NotComparable: It holds something that is neither plain nor one of the classes.
        """
        arrays: dict[str, Any] = {}
        return self._encode(value, arrays), arrays

    def decode(self, document: Any, arrays: Mapping[str, Any]) -> Any:
        """Answer the value that `encode` wrote.

        Raises:
            ValueError: It names a class that is not known, or an array that is not there.
        """
        try:
            return self._decode(document, arrays)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the kept value cannot be read: {error}") from error

    def _encode(self, value: Any, arrays: dict[str, Any]) -> Any:  # noqa: PLR0911 - one line a type
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": str(float(value))}
        if isinstance(value, np.generic):
            return self._encode(value.item(), arrays)
        if isinstance(value, np.ndarray):
            return self._encode_array(value, arrays)
        if isinstance(value, list):
            return [self._encode(item, arrays) for item in value]
        if isinstance(value, tuple):
            return {"$tuple": [self._encode(item, arrays) for item in value]}
        if isinstance(value, Mapping):
            pairs = [[self._encode(one, arrays) for one in pair] for pair in value.items()]
            return {"$items": pairs}
        if isinstance(value, Path):
            return {"$path": str(value)}
        kind = type(value)
        if self._classes.get(kind.__name__) is kind and is_dataclass(value):
            content = {f.name: self._encode(getattr(value, f.name), arrays) for f in fields(value)}
            return {"$class": kind.__name__, **content}
        raise NotComparable(f"{kind.__name__} cannot be stored")

    def _encode_array(self, array: Any, arrays: dict[str, Any]) -> Any:
        if array.dtype.kind in _NUMBERS:
            name = f"a{len(arrays)}"
            arrays[name] = array
            return {"$array": name}
        values = [self._encode(item, arrays) for item in array.ravel().tolist()]
        text = array.dtype.kind == "U"
        return {"$values": values, "$shape": list(array.shape), "$text": text}

    def _decode(self, value: Any, arrays: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._decode(item, arrays) for item in value]
        if not isinstance(value, dict):
            return value
        if "$class" in value:
            content = {
                name: self._decode(v, arrays) for name, v in value.items() if name != "$class"
            }
            return self._classes[value["$class"]](**content)
        return self._decode_tagged(value, arrays)

    def _decode_tagged(self, value: dict[str, Any], arrays: Mapping[str, Any]) -> Any:
        (tag, content), *_ = value.items()
        if tag == "$float":
            return _FLOATS[content]
        if tag == "$tuple":
            return tuple(self._decode(item, arrays) for item in content)
        if tag == "$items":
            return {self._decode(key, arrays): self._decode(one, arrays) for key, one in content}
        if tag == "$path":
            return Path(content)
        if tag == "$array":
            return arrays[content]
        return self._decode_values(value, arrays)

    def _decode_values(self, value: dict[str, Any], arrays: Mapping[str, Any]) -> Any:
        values = [self._decode(item, arrays) for item in value["$values"]]
        array = np.empty(len(values), dtype=object)
        array[:] = values
        array = array.reshape(value["$shape"])
        return array.astype(np.str_) if value["$text"] else array
