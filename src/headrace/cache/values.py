"""Whatever decides a result as plain values, so that it can be hashed, stored and compared."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import polars as pl

from headrace.cache.code import code_of, is_own
from headrace.cache.errors import NotComparable
from headrace.data.fingerprint import fingerprint

__all__ = ["plain"]

_DIGITS = 16


def plain(value: Any) -> Any:
    """Answer a value as JSON can hold it; equal values give equal answers, others do not.

    Large values are answered by their hash. Code of the user's counts by what it does (see
    `headrace.cache.code`).

    Raises:
        NotComparable: A value that cannot be compared from one time to the next.

    Example:
        >>> plain({"low": 0.01, "columns": ("a", "b"), "high": float("nan")})
        {'low': 0.01, 'columns': ['a', 'b'], 'high': 'nan'}
    """
    if value is None:
        return None
    for types, form in _FORMS:
        if isinstance(value, types):
            return form(value)
    return _of_object(value)


def _of_array(array: Any) -> Any:
    if array.dtype.kind in "OUS":
        return plain(array.tolist())
    content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return [array.dtype.str, list(array.shape), content[:_DIGITS]]


def _of_code(thing: Any) -> Any:
    return {"name": f"{thing.__module__}.{thing.__qualname__}", "code": code_of(thing, plain)}


def _of_builtin(function: Any) -> str:
    if not isinstance(function.__self__, ModuleType):
        raise NotComparable(f"{function.__qualname__} is bound to an object")
    return f"{function.__module__}.{function.__qualname__}"


def _of_object(value: Any) -> Any:
    """Answer an object by its class, the class's code where it is the user's, and its content."""
    kind = type(value)
    answer: dict[str, Any] = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    if not is_own(kind):
        answer["code"] = code_of(kind, plain)
    if is_dataclass(value):
        content = {field.name: getattr(value, field.name) for field in fields(value)}
    elif hasattr(value, "get_params"):
        content = value.get_params(deep=False)
    elif is_own(kind) and hasattr(value, "to_list"):
        content = {"content": value.to_list()}
    elif is_own(kind) and hasattr(value, "to_dict"):
        content = value.to_dict()
    elif is_own(kind) and hasattr(value, "__dict__"):
        content = vars(value)
    elif hasattr(value, "__arrow_c_stream__"):
        return fingerprint(pl.DataFrame(value))
    else:
        raise NotComparable(f"{kind.__name__} is no plain value")
    return answer | {name: plain(item) for name, item in content.items()}


_FORMS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((bool, int, str), lambda value: value),
    (float, lambda value: value if math.isfinite(value) else str(value)),
    (np.generic, lambda value: plain(value.item())),
    (Path, str),
    (bytes, lambda value: hashlib.sha256(value).hexdigest()[:_DIGITS]),
    ((list, tuple), lambda value: [plain(item) for item in value]),
    (Mapping, lambda value: {str(key): plain(item) for key, item in value.items()}),
    ((set, frozenset), lambda value: sorted((plain(item) for item in value), key=repr)),
    ((pl.DataFrame, pl.LazyFrame), fingerprint),
    (pl.Series, lambda value: fingerprint(value.to_frame())),
    (np.ndarray, _of_array),
    ((type, FunctionType), _of_code),
    (BuiltinFunctionType, _of_builtin),
)
"""What is made of which types; the first that fits."""
