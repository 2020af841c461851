"""The operation that computes expressions, on both sides from the same formulas."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from headrace.errors import SettingError
from headrace.plan.expression import Expression
from headrace.plan.grammar import FUNCTIONS, type_of
from headrace.plan.operation import Operation
from headrace.plan.time import PARTS, polars_part, tensorflow_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl
    import tensorflow as tf

__all__ = ["Evaluate"]

_MISSING_TIME = -(2**63)
_NAN = float("nan")
_SECOND = 1e6  # microseconds

Value: TypeAlias = Any
"""A column on its way through a formula: a Polars expression or a tensor (rows, 1)."""


class Evaluate(Operation):
    """Compute expressions over columns; each gives one number column, booleans as 1.0 and 0.0.

    Attributes:
        inputs: Names of the columns that come in, in order.
        types: Their types: "number", "string" or "time".
        outputs: Names of the columns that go out.
        expressions: What each of them is.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.expression import col
        >>> ratio = Evaluate.of({"ratio": col("debt") / col("income")},
        ...                     {"debt": "number", "income": "number"})
        >>> frame = pl.DataFrame({"debt": [1.0, 6.0], "income": [2.0, 3.0]})
        >>> frame.select(*ratio.polars([pl.col("debt"), pl.col("income")])).to_series().to_list()
        [0.5, 2.0]
    """

    inputs: tuple[str, ...]
    types: tuple[str, ...]
    outputs: tuple[str, ...]
    expressions: tuple[Expression, ...]

    takes = "mixed"

    @classmethod
    def of(cls, expressions: Mapping[str, Expression], columns: Mapping[str, str]) -> Evaluate:
        """Make the operation of some named expressions.

        Args:
            expressions: The expressions, by the name of the column that they give.
            columns: The types of the columns that are there, by name.

        Raises:
            SettingError: If an expression does not fit the columns; the message names it.
        """
        for name, expression in expressions.items():
            _check_output(name, expression, columns)
        used = tuple(dict.fromkeys(c for e in expressions.values() for c in e.columns()))
        types = tuple(columns[name] for name in used)
        return cls(used, types, tuple(expressions), tuple(expressions.values()))

    def check(self) -> None:
        """Raise `SettingError` unless every expression fits the columns."""
        read = tuple(_read(expression) for expression in self.expressions)
        object.__setattr__(self, "expressions", read)
        if len(self.inputs) != len(self.types) or len(self.outputs) != len(read):
            raise SettingError("Evaluate: expected a type for each input, a name for each output")
        columns = dict(zip(self.inputs, self.types, strict=True))
        for name, expression in zip(self.outputs, read, strict=True):
            _check_output(name, expression, columns)

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to Polars: the columns in the order of `inputs`."""
        return self._lowered(_Polars(dict(zip(self.inputs, columns, strict=True)), self._types()))

    def tensorflow(self, block: Sequence[tf.Tensor]) -> tf.Tensor:
        """Lower to TensorFlow: a list of blocks (rows, 1) in the order of `inputs` comes in."""
        import tensorflow as tf

        engine = _TensorFlow(dict(zip(self.inputs, block, strict=True)), self._types())
        return tf.concat(self._lowered(engine), axis=1)

    def _types(self) -> dict[str, str]:
        return dict(zip(self.inputs, self.types, strict=True))

    def _lowered(self, engine: _Engine) -> list[Value]:
        return [engine.value(expression) for expression in self.expressions]

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Answer `outputs`."""
        del columns
        return self.outputs

    def parameters(self) -> dict[str, Any]:
        """Answer the fields by name, the expressions as plain values."""
        trees = [expression.to_dict() for expression in self.expressions]
        return {**super().parameters(), "expressions": trees}


def _read(expression: Any) -> Expression:
    return Expression.from_dict(expression) if isinstance(expression, dict) else expression


def _check_output(name: str, expression: object, columns: Mapping[str, str]) -> None:
    if not isinstance(expression, Expression):
        raise SettingError(
            f"{name}: expected an expression such as hr.col('a') / hr.col('b'), "
            f"received {expression!r}"
        )
    try:
        kind = type_of(expression, columns)
    except SettingError as error:
        raise SettingError(f"{name}: {error}") from error
    if kind not in {"number", "boolean"}:
        raise SettingError(f"{name}: {expression!r} is no number; only numbers can be derived")
    if not expression.columns():
        raise SettingError(f"{name}: {expression!r} uses no column")


class _Engine(ABC):
    """One side's way to compute; the formulas over it are the same on both."""

    def __init__(self, columns: Mapping[str, Value], types: Mapping[str, str]) -> None:
        self.columns = columns
        self.types = types

    def value(self, expression: Expression) -> Value:
        """Compute an expression."""
        if expression.name == "column":
            return self.columns[str(expression.value)]
        if expression.name in {"number", "time"}:
            return self.fixed(expression.value)  # type: ignore[arg-type]
        if self._kind(expression.arguments[0]) == "string":
            return self._text(expression)
        arguments = [self.value(part) for part in expression.arguments]
        answer = self._formula(expression)(self, *arguments)
        return self._masked(expression, arguments, answer)

    def _kind(self, expression: Expression) -> str:
        return type_of(expression, self.types)

    def _formula(self, expression: Expression) -> Callable[..., Value]:
        name, first = expression.name, self._kind(expression.arguments[0])
        if name in PARTS:
            return lambda engine, a: engine.part(a, name)
        if name in _LOGIC:
            return self._logic(expression)
        if name in _SPECIAL:
            return _SPECIAL[name](expression, first)
        return _FORMULAS.get(name) or (lambda engine, a: engine.apply(name, a))

    def _logic(self, expression: Expression) -> Callable[..., Value]:
        """Answer the formula of a function of truths; numbers are true where they are not 0."""
        formula = _LOGIC[expression.name]
        kinds = [self._kind(part) for part in expression.arguments]
        truths = len(kinds) if expression.name != "where" else 1

        def answer(engine: _Engine, *arguments: Value) -> Value:
            read = [
                engine.truth(value) if index < truths and kind != "boolean" else value
                for index, (value, kind) in enumerate(zip(arguments, kinds, strict=True))
            ]
            return formula(engine, *read)

        return answer

    def _text(self, expression: Expression) -> Value:
        column = self.value(expression.arguments[0])
        if expression.name == "is_missing":
            return self.words(column, [""], missing=1.0)
        words = [str(word.value) for word in expression.arguments[1:]]
        found = self.words(column, words, missing=_NAN)
        return 1.0 - found if expression.name == "not_equal" else found

    def _masked(self, expression: Expression, arguments: list[Value], answer: Value) -> Value:
        """Make the answer missing where an argument is, if arithmetic alone does not."""
        kinds = [self._kind(part) for part in expression.arguments]
        masked = FUNCTIONS[expression.name].masked or "time" in kinds
        gaps = [
            self.missing(value, kind)
            for part, kind, value in zip(expression.arguments, kinds, arguments, strict=True)
            if part.columns()
        ]
        if not masked or not gaps or expression.name == "is_missing":
            return answer
        return self.where(reduce(operator.or_, gaps), self.fixed(_NAN), answer)

    def truth(self, number: Value) -> Value:
        """Answer 1.0 where a number is not 0, 0.0 where it is, missing where it is missing."""
        gap = self.missing(number, "number")
        return self.where(gap, self.fixed(_NAN), self.flag(number != 0.0))

    @abstractmethod
    def fixed(self, value: float) -> Value:
        """Answer a fixed number (float) or time (int)."""

    @abstractmethod
    def apply(self, name: str, value: Value) -> Value:
        """Apply a function of one number."""

    @abstractmethod
    def where(self, condition: Value, yes: Value, no: Value) -> Value:
        """Choose between two numbers by a condition that is never missing."""

    @abstractmethod
    def missing(self, value: Value, kind: str) -> Value:
        """Answer a condition: the number or time is missing."""

    @abstractmethod
    def flag(self, condition: Value) -> Value:
        """Answer a condition as 1.0 or 0.0."""

    @abstractmethod
    def number(self, time: Value) -> Value:
        """Answer whole microseconds as a number."""

    @abstractmethod
    def part(self, time: Value, name: str) -> Value:
        """Answer a part of a date."""

    @abstractmethod
    def floor_divide(self, a: Value, b: Value) -> Value:
        """Answer the whole number below a / b."""

    @abstractmethod
    def power(self, base: Value, exponent: Value) -> Value:
        """Raise a number to a power."""

    @abstractmethod
    def words(self, column: Value, words: Sequence[str], *, missing: float) -> Value:
        """Answer 1.0 where the text is one of the words, 0.0 elsewhere, `missing` where empty."""


class _Polars(_Engine):
    def fixed(self, value: float) -> Value:
        import polars as pl

        return pl.lit(value, pl.Int64 if isinstance(value, int) else pl.Float64)

    def apply(self, name: str, value: Value) -> Value:
        return getattr(value, name)()

    def where(self, condition: Value, yes: Value, no: Value) -> Value:
        import polars as pl

        return pl.when(condition).then(yes).otherwise(no)

    def missing(self, value: Value, kind: str) -> Value:
        return value == _MISSING_TIME if kind == "time" else value.is_nan()

    def flag(self, condition: Value) -> Value:
        import polars as pl

        return condition.cast(pl.Float64)

    def number(self, time: Value) -> Value:
        return self.flag(time)

    def part(self, time: Value, name: str) -> Value:
        return polars_part(time, name)

    def floor_divide(self, a: Value, b: Value) -> Value:
        # Polars multiplies by 1 / b where b is one number, and so finds 49 / 49 below 1. A one
        # in each row makes b a column.
        one = self.flag(a.is_nan()) * 0.0 + 1.0
        return (a / (b * one)).floor()

    def power(self, base: Value, exponent: Value) -> Value:
        return base.pow(exponent)

    def words(self, column: Value, words: Sequence[str], *, missing: float) -> Value:
        import polars as pl

        found = column.is_in([word for word in words if word])
        return self.where(column == pl.lit(""), self.fixed(missing), self.flag(found))


class _TensorFlow(_Engine):
    def fixed(self, value: float) -> Value:
        import tensorflow as tf

        return tf.constant(value, tf.int64 if isinstance(value, int) else tf.float64)

    def apply(self, name: str, value: Value) -> Value:
        import tensorflow as tf

        return getattr(tf.math, name)(value)

    def where(self, condition: Value, yes: Value, no: Value) -> Value:
        import tensorflow as tf

        return tf.where(condition, yes, no)

    def missing(self, value: Value, kind: str) -> Value:
        import tensorflow as tf

        if kind == "time":
            return tf.equal(value, tf.constant(_MISSING_TIME, tf.int64))
        return tf.math.is_nan(value)

    def flag(self, condition: Value) -> Value:
        import tensorflow as tf

        return tf.cast(condition, tf.float64)

    def number(self, time: Value) -> Value:
        return self.flag(time)

    def part(self, time: Value, name: str) -> Value:
        return tensorflow_parts(time, (name,))

    def floor_divide(self, a: Value, b: Value) -> Value:
        return self.apply("floor", a / b)

    def power(self, base: Value, exponent: Value) -> Value:
        return base**exponent

    def words(self, column: Value, words: Sequence[str], *, missing: float) -> Value:
        import tensorflow as tf

        from headrace.plan.tables import lookup

        codes = dict.fromkeys(words, 1) | {"": 2}
        found = lookup(column, codes, unseen=0)
        answers = tf.constant([0.0, 1.0, missing], tf.float64)
        return tf.gather(answers, found)


def _compare(compare: Callable[[Value, Value], Value]) -> Callable[..., Value]:
    return lambda engine, a, b: engine.flag(compare(a, b))


def _is_in(engine: _Engine, a: Value, *values: Value) -> Value:
    return engine.flag(reduce(operator.or_, (a == value for value in values)))


def _modulo(engine: _Engine, a: Value, b: Value) -> Value:
    whole = engine.floor_divide(a, b)
    # Beyond 2^53 a number has no digits left to make a remainder of.
    return engine.where(engine.apply("abs", whole) < 2.0**53, a - whole * b, a * 0.0 / b)


_FORMULAS: dict[str, Callable[..., Value]] = {
    "add": lambda _, a, b: a + b,
    "multiply": lambda _, a, b: a * b,
    "divide": lambda _, a, b: a / b,
    "floor_divide": lambda engine, a, b: engine.floor_divide(a, b),
    "modulo": _modulo,
    "negate": lambda _, a: -a,
    "min": lambda engine, a, b: engine.where(a <= b, a, b),
    "max": lambda engine, a, b: engine.where(a >= b, a, b),
    "fill": lambda engine, a, b: engine.where(engine.missing(a, "number"), b, a),
    "less": _compare(operator.lt),
    "less_equal": _compare(operator.le),
    "greater": _compare(operator.gt),
    "greater_equal": _compare(operator.ge),
    "equal": _compare(operator.eq),
    "not_equal": _compare(operator.ne),
    "is_in": _is_in,
}

_LOGIC: dict[str, Callable[..., Value]] = {
    "and": lambda engine, a, b: engine.where((a == 0.0) | (b == 0.0), engine.fixed(0.0), a * b),
    "or": lambda engine, a, b: engine.where((a == 1.0) | (b == 1.0), engine.fixed(1.0), a + b),
    "not": lambda _, a: 1.0 - a,
    "where": lambda engine, c, a, b: engine.where(
        engine.missing(c, "number"), engine.fixed(_NAN), engine.where(c == 1.0, a, b)
    ),
}


def _is_missing(expression: Expression, first: str) -> Callable[..., Value]:
    del expression
    return lambda engine, a: engine.flag(engine.missing(a, first))


def _round(expression: Expression, first: str) -> Callable[..., Value]:
    del first
    scale = 10.0 ** cast("float", expression.arguments[1].value)
    return lambda engine, a, _: engine.apply("round", a * scale) / scale


def _power(expression: Expression, first: str) -> Callable[..., Value]:
    del first
    # TensorFlow turns these powers into roots, which differ from powers at -inf.
    if expression.arguments[1].value == 0.5:
        return lambda engine, a, _: engine.apply("sqrt", a)
    if expression.arguments[1].value == -0.5:
        return lambda engine, a, _: 1.0 / engine.apply("sqrt", a)
    return lambda engine, a, b: engine.power(a, b)


def _subtract(expression: Expression, first: str) -> Callable[..., Value]:
    del expression
    if first == "time":
        return lambda engine, a, b: engine.number(a - b) / _SECOND
    return lambda _, a, b: a - b


# Formulas that depend on fixed values or types: (expression, type of its first argument) given.
_SPECIAL: dict[str, Callable[[Expression, str], Callable[..., Value]]] = {
    "is_missing": _is_missing,
    "power": _power,
    "round": _round,
    "subtract": _subtract,
}
