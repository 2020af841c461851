"""Expressions over columns: a small tree that prints as the code that makes it.

Expressions are written with Python's operators and turned into columns by `Derive`:

    >>> import headrace.plan.expression as hr
    >>> (hr.col("debt") / hr.col("income")).log1p()
    (hr.col('debt') / hr.col('income')).log1p()

**Missing values.** What is computed from a missing value is missing. Exceptions: `is_missing()`
and `fill()`, which are about missing values; `&` and `|`, which answer when the known side
decides alone (false & missing is false, true | missing is true); and `hr.where`, which is missing
where its condition is, but does not mind what is missing in the branch that is not taken.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from headrace.errors import SettingError, nearest
from headrace.plan.grammar import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Expression", "Operand", "col", "lit", "where"]

Operand: TypeAlias = "Expression | float | str | date"
"""What can stand beside an expression: another one, a number, a boolean, text, a date or time."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - times without a zone are UTC here
_LEAVES = ("column", "number", "text", "time")
_DEEPEST = 200


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Expression:
    """A node of the tree: a column, a fixed value, or a function of other expressions.

    Made by `col`, `lit` and `where`, and by the operators and methods here; `==` compares row by
    row, `same` compares expressions.

    Attributes:
        name: "column", "number", "text" or "time" for leaves, else the function's name.
        arguments: What the function is given.
        value: What a leaf holds: the column's name or the fixed value.
    """

    name: str
    arguments: tuple[Expression, ...] = ()
    value: str | float | None = None

    def __add__(self, other: Operand) -> Expression:
        return _call("add", self, other)

    def __radd__(self, other: Operand) -> Expression:
        return _call("add", other, self)

    def __sub__(self, other: Operand) -> Expression:
        return _call("subtract", self, other)

    def __rsub__(self, other: Operand) -> Expression:
        return _call("subtract", other, self)

    def __mul__(self, other: Operand) -> Expression:
        return _call("multiply", self, other)

    def __rmul__(self, other: Operand) -> Expression:
        return _call("multiply", other, self)

    def __truediv__(self, other: Operand) -> Expression:
        return _call("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Expression:
        return _call("divide", other, self)

    def __floordiv__(self, other: Operand) -> Expression:
        return _call("floor_divide", self, other)

    def __rfloordiv__(self, other: Operand) -> Expression:
        return _call("floor_divide", other, self)

    def __mod__(self, other: Operand) -> Expression:
        return _call("modulo", self, other)

    def __rmod__(self, other: Operand) -> Expression:
        return _call("modulo", other, self)

    def __pow__(self, other: Operand) -> Expression:
        return _call("power", self, other)

    def __rpow__(self, other: Operand) -> Expression:
        return _call("power", other, self)

    def __neg__(self) -> Expression:
        return _call("negate", self)

    def __abs__(self) -> Expression:
        return self.abs()

    def __lt__(self, other: Operand) -> Expression:
        return _call("less", self, other)

    def __le__(self, other: Operand) -> Expression:
        return _call("less_equal", self, other)

    def __gt__(self, other: Operand) -> Expression:
        return _call("greater", self, other)

    def __ge__(self, other: Operand) -> Expression:
        return _call("greater_equal", self, other)

    def __eq__(self, other: Operand) -> Expression:  # type: ignore[override]
        return _call("equal", self, other)

    def __ne__(self, other: Operand) -> Expression:  # type: ignore[override]
        return _call("not_equal", self, other)

    __hash__ = object.__hash__

    def __and__(self, other: Operand) -> Expression:
        return _call("and", self, other)

    def __rand__(self, other: Operand) -> Expression:
        return _call("and", other, self)

    def __or__(self, other: Operand) -> Expression:
        return _call("or", self, other)

    def __ror__(self, other: Operand) -> Expression:
        return _call("or", other, self)

    def __invert__(self) -> Expression:
        return _call("not", self)

    def __bool__(self) -> NoReturn:
        raise SettingError(
            f"{self!r} stands for a whole column and is neither true nor false. Write & for and, "
            "| for or, ~ for not, and (0 < x) & (x < 1) for 0 < x < 1"
        )

    def __iter__(self) -> NoReturn:
        raise SettingError(f"{self!r} stands for a column; its values cannot be gone through here")

    def abs(self) -> Expression:
        """Answer the absolute value."""
        return _call("abs", self)

    def sqrt(self) -> Expression:
        """Answer the square root; missing below 0."""
        return _call("sqrt", self)

    def exp(self) -> Expression:
        """Answer e to the power of the number."""
        return _call("exp", self)

    def log(self) -> Expression:
        """Answer the natural logarithm; -inf at 0 and missing below."""
        return _call("log", self)

    def log1p(self) -> Expression:
        """Answer the natural logarithm of 1 + the number."""
        return _call("log1p", self)

    def floor(self) -> Expression:
        """Answer the largest whole number that is not above."""
        return _call("floor", self)

    def ceil(self) -> Expression:
        """Answer the smallest whole number that is not below."""
        return _call("ceil", self)

    def round(self, digits: int = 0) -> Expression:
        """Round to so many decimal digits, halves to the even neighbour.

        Raises:
            SettingError: If the digits are not a whole number.
        """
        if isinstance(digits, bool) or not isinstance(digits, int):
            raise SettingError(f".round() needs a whole number of digits, received {digits!r}")
        return _call("round", self, digits)

    def min(self, other: Operand) -> Expression:
        """Answer the smaller one of two numbers."""
        return _call("min", self, other)

    def max(self, other: Operand) -> Expression:
        """Answer the larger one of two numbers."""
        return _call("max", self, other)

    def is_missing(self) -> Expression:
        """Answer whether the value is missing; never missing itself."""
        return _call("is_missing", self)

    def fill(self, other: Operand) -> Expression:
        """Put another number where this one is missing."""
        return _call("fill", self, other)

    def is_in(self, values: Collection[float | str | date]) -> Expression:
        """Answer whether the value is one of some fixed ones.

        Raises:
            SettingError: If there are none, or if text is given in place of a list.
        """
        if isinstance(values, str) or not values:
            raise SettingError(f".is_in() needs a list of one or more values, received {values!r}")
        return _call("is_in", self, *(lit(value) for value in values))

    def year(self) -> Expression:
        """Answer the year of a datetime."""
        return _call("year", self)

    def quarter(self) -> Expression:
        """Answer the quarter of a datetime, 1 to 4."""
        return _call("quarter", self)

    def month(self) -> Expression:
        """Answer the month of a datetime, 1 to 12."""
        return _call("month", self)

    def week(self) -> Expression:
        """Answer the ISO 8601 week of a datetime, 1 to 53."""
        return _call("week", self)

    def day(self) -> Expression:
        """Answer the day of the month of a datetime, 1 to 31."""
        return _call("day", self)

    def day_of_year(self) -> Expression:
        """Answer the day of the year of a datetime, 1 to 366."""
        return _call("day_of_year", self)

    def weekday(self) -> Expression:
        """Answer the day of the week of a datetime, 1 (Monday) to 7."""
        return _call("weekday", self)

    def is_weekend(self) -> Expression:
        """Answer whether a datetime is on a Saturday or Sunday, 1.0 or 0.0."""
        return _call("is_weekend", self)

    def hour(self) -> Expression:
        """Answer the hour of a datetime (UTC), 0 to 23."""
        return _call("hour", self)

    def minute(self) -> Expression:
        """Answer the minute of a datetime, 0 to 59."""
        return _call("minute", self)

    def second(self) -> Expression:
        """Answer the whole second of a datetime, 0 to 59."""
        return _call("second", self)

    def days(self) -> Expression:
        """Answer the days from 1970-01-01 UTC to a datetime, with their fraction."""
        return _call("days", self)

    def columns(self) -> tuple[str, ...]:
        """Answer the names of the columns that are used, each once, in order of appearance."""
        return tuple(dict.fromkeys(_columns(self)))

    def same(self, other: Expression) -> bool:
        """Answer whether both are the same tree."""
        return self.to_dict() == other.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Answer the tree as plain values.

        Example:
            >>> (col("a") + 1).to_dict()
            {'function': 'add', 'of': [{'column': 'a'}, {'number': 1.0}]}
        """
        if self.name in _LEAVES:
            return {self.name: self.value}
        return {"function": self.name, "of": [part.to_dict() for part in self.arguments]}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Expression:
        """Rebuild a tree from `to_dict` or from the JSON made of it.

        Raises:
            SettingError: If it is not such a tree, or nested deeper than 200 levels.
        """
        return _from_dict(data, 0)

    def __repr__(self) -> str:
        if self.name in _LEAVES:
            return f"hr.col({self.value!r})" if self.name == "column" else f"hr.lit({_fixed(self)})"
        function = FUNCTIONS[self.name]
        first, *rest = [
            _fixed(part) if index and part.name in _LEAVES[1:] else _inner(part, self)
            for index, part in enumerate(self.arguments)
        ]
        if function.open:
            return function.form.replace("{…}", ", ".join(rest)).replace("{}", first)
        if self.name == "round" and self.arguments[1].value == 0:
            rest = [""]
        return function.form.format(first, *rest)


def col(name: str) -> Expression:
    """Answer the column of that name.

    Example:
        >>> col("age") >= 18
        hr.col('age') >= 18
    """
    if not isinstance(name, str):
        raise SettingError(f"hr.col() needs the name of a column, received {name!r}")
    return Expression("column", value=name)


def lit(value: float | str | date) -> Expression:
    """Answer a fixed value: a number, a boolean, text, a date or a datetime (UTC without a zone).

    Raises:
        SettingError: If the value is something else.

    Example:
        >>> lit(2) ** col("doublings")
        hr.lit(2) ** hr.col('doublings')
    """
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return Expression("time", value=(naive - _EPOCH) // timedelta(microseconds=1))
    if isinstance(value, date):
        return lit(datetime(value.year, value.month, value.day))  # noqa: DTZ001 - see _EPOCH
    if isinstance(value, str):
        return Expression("text", value=value)
    try:
        return Expression("number", value=float(value))
    except (TypeError, ValueError):
        raise SettingError(
            f"an expression takes numbers, text, dates and other expressions, received {value!r}. "
            "For missing values write .is_missing()"
        ) from None


def where(condition: Operand, yes: Operand, no: Operand) -> Expression:
    """Answer one number where the condition holds, another where it does not.

    Missing where the condition is missing.

    Example:
        >>> where(col("hours") > 40, col("hours") - 40, 0)
        hr.where(hr.col('hours') > 40, hr.col('hours') - 40, 0)
    """
    return _call("where", condition, yes, no)


def _call(name: str, *arguments: Operand) -> Expression:
    parts = [part if isinstance(part, Expression) else lit(part) for part in arguments]
    return Expression(name, tuple(parts))


def _columns(expression: Expression) -> Iterator[str]:
    if expression.name == "column":
        yield str(expression.value)
    for part in expression.arguments:
        yield from _columns(part)


def _fixed(leaf: Expression) -> str:
    """Write a fixed value as Python does."""
    value = leaf.value
    if leaf.name == "time":
        return _written_time(int(value or 0))
    if not isinstance(value, float):
        return repr(value)
    if not math.isfinite(value):
        return f"float('{value}')"
    whole = value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0"
    return str(int(value)) if whole else repr(value)


def _written_time(microseconds: int) -> str:
    try:
        return repr(_EPOCH + timedelta(microseconds=microseconds))
    except OverflowError:
        return f"{microseconds} microseconds"


def _inner(part: Expression, outer: Expression) -> str:
    """Write an argument, in parentheses where an operator meets another or a method."""
    text = repr(part)
    takes_whole = FUNCTIONS[outer.name].form.startswith("hr.")
    operator = part.name not in _LEAVES and FUNCTIONS[part.name].infix
    receiver = part is outer.arguments[0] or FUNCTIONS[outer.name].infix
    return f"({text})" if operator and receiver and not takes_whole else text


def _from_dict(data: Mapping[str, Any], depth: int) -> Expression:
    if not isinstance(data, Mapping):
        raise SettingError(f"expected a part of an expression, received {data!r}")
    if depth > _DEEPEST:
        raise SettingError(f"the expression is nested deeper than {_DEEPEST} levels")
    if "function" not in data:
        return _leaf_from_dict(data)
    name, parts = data["function"], data.get("of", ())
    function = FUNCTIONS.get(name)
    if function is None:
        near = nearest(str(name), FUNCTIONS)
        hint = f"; did you mean {near!r}?" if near else ""
        raise SettingError(f"the expression uses a function {name!r} that is not known{hint}")
    wanted = len(function.takes[0])
    if len(parts) < wanted or (len(parts) > wanted and not function.open):
        raise SettingError(f"{name} needs {wanted} arguments, received {len(parts)}")
    return Expression(name, tuple(_from_dict(part, depth + 1) for part in parts))


def _leaf_from_dict(data: Mapping[str, Any]) -> Expression:
    (name, value), *rest = data.items() or [("", None)]
    if rest or name not in _LEAVES:
        raise SettingError(f"expected a part of an expression, received {dict(data)!r}")
    read = {"number": float, "time": int}.get(name, str)
    return Expression(name, value=read(value))
