"""The operation: a fitted, immutable column function with two lowerings."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from headrace.errors import ReleaseError, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl
    import tensorflow as tf

__all__ = [
    "Codes",
    "FloatArray",
    "IntArray",
    "Numbers",
    "Operation",
    "PlanType",
    "Words",
    "plain",
]

PlanType: TypeAlias = Literal["number", "string", "time", "code", "mixed"]
"""Types of the columns inside a plan: Float64, String, Int64 microseconds, Int32 codes.

"mixed" is for operations only: they take columns of several types, one by one.
"""

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Words: TypeAlias = tuple[tuple[str, ...], ...]
"""One tuple of strings a column."""
Codes: TypeAlias = tuple[tuple[int, ...], ...]
"""One tuple of whole numbers a column."""
Numbers: TypeAlias = tuple[tuple[float, ...], ...]
"""One tuple of numbers a column, for columns that have unlike many."""


def _floats(value: Any) -> FloatArray:
    # JSON has no NaN: a plan written as text spells it as a string, and NumPy reads that back.
    return _frozen(np.array(value, dtype=np.float64))


def _ints(value: Any) -> IntArray:
    return _frozen(np.array(value, dtype=np.int64))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def _words(value: Any) -> Words:
    return tuple(tuple(str(word) for word in column) for column in value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, received {value!r}")
    return value


def _codes(value: Any) -> Codes:
    return tuple(tuple(int(code) for code in column) for column in value)


def _numbers(value: Any) -> Numbers:
    return tuple(tuple(float(number) for number in column) for column in value)


_COERCE: dict[str, Callable[[Any], Any]] = {
    "FloatArray": _floats,
    "IntArray": _ints,
    "Words": _words,
    "Codes": _codes,
    "Numbers": _numbers,
    "tuple[str, ...]": lambda value: tuple(str(word) for word in value),
    "str": _text,
    "str | None": lambda value: value if value is None else _text(value),
    "float": float,
    "int": int,
}


@dataclass_transform(frozen_default=True, eq_default=False)
class Operation(ABC):
    """A fitted column function: a few numbers and words, and two lowerings.

    An operation acts on a *block*: all columns of one type that it is given, at once. A subclass
    declares its parameters as annotated fields (it becomes a frozen dataclass by itself) and
    writes the two lowerings. Fields annotated `FloatArray`, `IntArray`, `Words`, `Codes` or
    `Numbers` are converted and made read-only. Every subclass is registered under its class name,
    which is how a plan written as JSON finds it again; nothing else is ever looked up or executed.

    Attributes:
        takes: The type of the columns that come in.
        gives: The type of the columns that go out.
        columnwise: Whether each output depends on the input at its place alone; then a column that
            nothing reads later need not be there.

    Example:
        >>> class Double(Operation):
        ...     '''y = 2 x.'''
        ...     def polars(self, columns):
        ...         return [2 * column for column in columns]
        ...     def tensorflow(self, block):
        ...         return 2 * block
        >>> Operation.from_dict(Double().to_dict()) == Double()
        True
    """

    takes: ClassVar[PlanType] = "number"
    gives: ClassVar[PlanType] = "number"
    columnwise: ClassVar[bool] = False
    _registry: ClassVar[dict[str, type[Operation]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the subclass a frozen dataclass and register it."""
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, eq=False)(cls)
        if not cls.__name__.startswith("_"):
            Operation._registry[cls.__name__] = cls

    def __post_init__(self) -> None:
        """Convert the fields to their declared types, then check them."""
        for field in fields(self):  # type: ignore[arg-type]
            coerce = _COERCE.get(str(field.type))
            if coerce is not None:
                object.__setattr__(self, field.name, coerce(getattr(self, field.name)))
        self.check()

    def check(self) -> None:  # noqa: B027 - most operations have nothing to check
        """Raise `SettingError` when the parameters do not fit together."""

    @abstractmethod
    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to Polars: one expression a column in, one an output column out."""

    @abstractmethod
    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to TensorFlow: (rows, columns in) in, (rows, columns out) out."""

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Answer the names of the output columns; as many and the same by default."""
        return tuple(columns)

    def cardinalities(self) -> tuple[int, ...]:
        """Answer how many codes each output column has, for operations that give codes."""
        return ()

    def parameters(self) -> dict[str, Any]:
        """Answer the fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Answer the operation as plain values and arrays."""
        return {"operation": type(self).__name__, **self.parameters()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Operation:
        """Rebuild an operation from `to_dict` or from the JSON made of it.

        Raises:
            ReleaseError: If the operation is unknown or its parameters do not fit.
        """
        values = dict(data)
        name = values.pop("operation", None)
        kind = Operation._registry.get(str(name))
        if kind is None:
            raise ReleaseError(
                f"the plan names an operation {name!r} that is not known here. "
                "Import the module that defines it before loading."
            )
        try:
            return kind(**values)
        except (TypeError, ValueError, SettingError) as error:
            raise ReleaseError(f"the plan's operation {name} cannot be rebuilt: {error}") from error

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        mine, theirs = self.parameters(), other.parameters()
        return all(_same(mine[name], theirs[name]) for name in mine)

    def __hash__(self) -> int:
        return hash((type(self).__name__, repr(self)))


def plain(value: Any) -> Any:
    """Answer `Operation.to_dict` in JSON's own types: lists, and "nan", "inf" and "-inf" as text.

    Example:
        >>> plain({"high": np.array([1.5, np.inf])})
        {'high': [1.5, 'inf']}
    """
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray):
        return left.shape == right.shape and bool(np.array_equal(left, right, equal_nan=True))
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        return left == right or all(map(_same, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)
