"""The grammar of expressions: which functions there are, what they take and what they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from headrace.errors import SettingError, nearest
from headrace.plan.time import PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.plan.expression import Expression

__all__ = ["FUNCTIONS", "Function", "Type", "type_of"]

Type: TypeAlias = Literal["number", "boolean", "string", "time", "code"]
"""Types of expressions. A boolean is a number too: 1.0, 0.0 or missing."""

_WORDS: Final[dict[str, str]] = {
    "number": "a number",
    "boolean": "a boolean",
    "string": "text",
    "time": "a datetime",
    "code": "a category code",
}


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the grammar.

    Attributes:
        form: How it is written, with `{}` for each argument; `{…}` for all that are left.
        gives: The type of its answer.
        takes: The types of its arguments; where there are several ways, each of them.
        masked: Whether the answer is missing where an argument is, other than by arithmetic.
    """

    form: str
    gives: Type
    takes: tuple[tuple[Type, ...], ...]
    masked: bool = False

    @property
    def open(self) -> bool:
        """Whether it takes any number of further arguments like its last one."""
        return "{…}" in self.form

    @property
    def sign(self) -> str:
        """How it is called in messages: its operator, or its name with `()`."""
        return self.form.replace("[{…}]", "").replace("{}", "").replace(", ", "").strip()

    @property
    def infix(self) -> bool:
        """Whether it is written with an operator."""
        return not self.form.endswith(")")


_Types: TypeAlias = tuple[Type, ...]
_N: _Types = ("number",)
_NN: _Types = ("number", "number")
_SS: _Types = ("string", "string")
_T: _Types = ("time",)
_TT: _Types = ("time", "time")
_ANY: tuple[_Types, ...] = (_N, ("string",), _T)


def _all_functions() -> dict[str, Function]:
    functions = {
        "add": Function("{} + {}", "number", (_NN,)),
        "subtract": Function("{} - {}", "number", (_NN, _TT)),
        "negate": Function("-{}", "number", (_N,)),
        "not": Function("~{}", "boolean", (_N,)),
        "is_missing": Function("{}.is_missing()", "boolean", _ANY),
        "is_in": Function("{}.is_in([{…}])", "boolean", (_NN, _SS, _TT), masked=True),
        "fill": Function("{}.fill({})", "number", (_NN,)),
        "round": Function("{}.round({})", "number", (_NN,)),
        "where": Function("hr.where({}, {}, {})", "number", (("number", "number", "number"),)),
        "min": Function("{}.min({})", "number", (_NN,), masked=True),
        "max": Function("{}.max({})", "number", (_NN,), masked=True),
        "power": Function("{} ** {}", "number", (_NN,), masked=True),
        "and": Function("{} & {}", "boolean", (_NN,)),
        "or": Function("{} | {}", "boolean", (_NN,)),
    }
    arithmetic = {"multiply": "*", "divide": "/", "floor_divide": "//", "modulo": "%"}
    for name, sign in arithmetic.items():
        functions[name] = Function(f"{{}} {sign} {{}}", "number", (_NN,))
    orders = {"less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}
    for name, sign in orders.items():
        functions[name] = Function(f"{{}} {sign} {{}}", "boolean", (_NN, _TT), masked=True)
    for name, sign in {"equal": "==", "not_equal": "!="}.items():
        functions[name] = Function(f"{{}} {sign} {{}}", "boolean", (_NN, _SS, _TT), masked=True)
    for name in ("abs", "ceil", "exp", "floor", "log", "log1p", "sqrt"):
        functions[name] = Function(f"{{}}.{name}()", "number", (_N,))
    for name in PARTS:
        functions[name] = Function(f"{{}}.{name}()", "number", (_T,))
    return functions


FUNCTIONS: Final[Mapping[str, Function]] = _all_functions()
"""Every function by its name, which is also its name in JSON."""


def type_of(expression: Expression, columns: Mapping[str, str]) -> Type:
    """Answer the type of an expression, given those of the columns.

    Raises:
        SettingError: If a column is not there or a function does not take what it is given; the
            message names the column and the function.

    Example:
        >>> from headrace.plan.expression import col
        >>> type_of(col("paid") > 3, {"paid": "number"})
        'boolean'
        >>> type_of(col("name").year(), {"name": "string"})
        Traceback (most recent call last):
        headrace.errors.SettingError: column 'name' is text; .year() needs a datetime
    """
    if expression.name == "column":
        return _column_type(str(expression.value), columns)
    if expression.name in {"number", "text", "time"}:
        return "string" if expression.name == "text" else expression.name  # type: ignore[return-value]
    function = FUNCTIONS[expression.name]
    found = [type_of(argument, columns) for argument in expression.arguments]
    ways = [_widened(way, len(found)) for way in function.takes]
    if not any(all(map(_fits, found, way)) for way in ways):
        raise SettingError(_misuse(expression, found, ways))
    if expression.name == "round" and expression.arguments[1].name != "number":
        raise SettingError(f"{expression!r}: the number of digits must be a fixed number")
    if found[0] == "string" and expression.name in {"equal", "not_equal", "is_in"}:
        _check_fixed_text(expression)
    return function.gives


def _column_type(name: str, columns: Mapping[str, str]) -> Type:
    if name in columns:
        return columns[name]  # type: ignore[return-value]
    near = nearest(name, columns)
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(map(repr, columns))}"
    raise SettingError(f"the expression uses column {name!r}, which is not there; {hint}")


def _widened(way: tuple[Type, ...], count: int) -> tuple[Type, ...]:
    return way + way[-1:] * (count - len(way))


def _fits(found: Type, wanted: Type) -> bool:
    return found == wanted or (found == "boolean" and wanted == "number")


def _misuse(expression: Expression, found: list[Type], ways: list[tuple[Type, ...]]) -> str:
    sign = FUNCTIONS[expression.name].sign
    first = [way for way in ways if _fits(found[0], way[0])]
    if not first:
        wanted = " or ".join(dict.fromkeys(_WORDS[way[0]] for way in ways))
        return f"{_said(expression.arguments[0], found[0])}; {sign} needs {wanted}"
    for index, (argument, kind) in enumerate(zip(expression.arguments, found, strict=True)):
        if not any(_fits(kind, way[index]) for way in first):
            wanted = " or ".join(dict.fromkeys(_WORDS[way[index]] for way in first))
            told = _said(expression.arguments[0], found[0])
            return f"{_said(argument, kind)} and {told}; {sign} needs {wanted} here"
    return f"{expression!r} mixes {' and '.join(_WORDS[kind] for kind in found)}"


def _said(argument: Expression, kind: Type) -> str:
    if argument.name == "column":
        return f"column {argument.value!r} is {_WORDS[kind]}"
    return f"{argument!r} is {_WORDS[kind]}"


def _check_fixed_text(expression: Expression) -> None:
    column, *words = expression.arguments
    if column.name == "text" or any(word.name != "text" for word in words):
        raise SettingError(
            f"{expression!r}: a column of text can be compared with fixed text only, which "
            "stands on the right-hand side"
        )
    if any(word.value == "" for word in words):
        raise SettingError(f"{expression!r}: empty text means missing; use .is_missing()")
