"""Column selectors: which columns a step acts on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.errors import DataError, Problem, SettingError, nearest

if TYPE_CHECKING:
    from headrace.data.schema import Kind
    from headrace.plan.plan import ColumnInfo, Columns

__all__ = [
    "ColumnChoice",
    "Selector",
    "booleans",
    "categories",
    "columns",
    "datetimes",
    "everything",
    "ids",
    "kinds",
    "matching",
    "numbers",
    "select",
    "texts",
]

_KINDS = ("number", "boolean", "category", "datetime", "text", "id")


class Selector:
    """A rule that chooses columns by name, kind or pattern.

    Selectors combine as sets do: `|` either, `&` both, `-` without, `~` all others.

    Example:
        >>> numbers() - columns("age")
        numbers() - columns('age')
    """

    def __init__(
        self, chooses: Callable[[Columns], set[str]], code: str, spec: Sequence[Any]
    ) -> None:
        """Make a selector from its rule, the code that writes it, and the data that stores it."""
        self._chooses = chooses
        self._code = code
        self._spec = tuple(spec)

    def names(self, available: Columns) -> tuple[str, ...]:
        """Answer the chosen names in the order of the available columns."""
        chosen = self._chooses(available)
        return tuple(name for name in available if name in chosen)

    def __or__(self, other: ColumnChoice) -> Selector:
        return self._with("|", set.union, select(other))

    def __and__(self, other: ColumnChoice) -> Selector:
        return self._with("&", set.intersection, select(other))

    def __sub__(self, other: ColumnChoice) -> Selector:
        return self._with("-", set.difference, select(other))

    def __invert__(self) -> Selector:
        return Selector(
            lambda available: set(available) - self._chooses(available),
            f"~{_bracket(self)}",
            ("~", self._spec),
        )

    def _with(
        self, sign: str, combine: Callable[[set[str], set[str]], set[str]], other: Selector
    ) -> Selector:
        return Selector(
            lambda available: combine(self._chooses(available), other._chooses(available)),
            f"{_bracket(self)} {sign} {_bracket(other)}",
            (sign, self._spec, other._spec),
        )

    def to_list(self) -> list[Any]:
        """Answer the selector as plain values."""
        return _listed(self._spec)

    @staticmethod
    def from_list(spec: Sequence[Any]) -> Selector:
        """Rebuild a selector from `to_list`.

        Raises:
            SettingError: If the values describe no selector.
        """
        name, *parts = spec
        if name in _SIGNS:
            return _SIGNS[name](*(Selector.from_list(part) for part in parts))
        if name not in _RULES:
            raise SettingError(f"{name!r} is no selector; there are {', '.join(_RULES)}")
        return _RULES[name](*parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and self._code == other._code

    def __hash__(self) -> int:
        return hash(self._code)

    def __repr__(self) -> str:
        return self._code


ColumnChoice: TypeAlias = Selector | str | Iterable[str]
"""What a step's `columns` may be: a selector, a name, or several names."""


def _by(test: Callable[[ColumnInfo], bool], rule: str, *parts: str) -> Selector:
    return Selector(
        lambda available: {name for name, info in available.items() if test(info)},
        f"{rule}({', '.join(map(repr, parts))})",
        (rule, *parts),
    )


def numbers() -> Selector:
    """Choose the number columns."""
    return _by(lambda info: info.kind == "number" and info.type == "number", "numbers")


def booleans() -> Selector:
    """Choose the boolean columns, missing flags among them."""
    return _by(lambda info: info.kind == "boolean", "booleans")


def categories() -> Selector:
    """Choose the category columns that are still words."""
    return _by(lambda info: info.kind == "category" and info.type == "string", "categories")


def datetimes() -> Selector:
    """Choose the datetime columns."""
    return _by(lambda info: info.type == "time", "datetimes")


def texts() -> Selector:
    """Choose the columns of free text."""
    return _by(lambda info: info.kind == "text", "texts")


def ids() -> Selector:
    """Choose the columns that identify a row."""
    return _by(lambda info: info.kind == "id", "ids")


def everything() -> Selector:
    """Choose all columns."""
    return Selector(set, "everything()", ("everything",))


def kinds(*wanted: Kind) -> Selector:
    """Choose the columns of these kinds.

    Raises:
        SettingError: If there is no such kind.
    """
    for kind in wanted:
        if kind not in _KINDS:
            raise SettingError(f"{kind!r} is no kind of column; the kinds are {', '.join(_KINDS)}")
    return _by(lambda info: info.kind in wanted, "kinds", *wanted)


def matching(pattern: str) -> Selector:
    """Choose the columns whose name contains a match of the regular expression.

    Raises:
        SettingError: If the pattern is no regular expression.
    """
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise SettingError(f"{pattern!r} is no regular expression: {error}") from error
    return _by(lambda info: found.search(info.name) is not None, "matching", pattern)


def columns(*names: str) -> Selector:
    """Choose columns by name; a name that does not exist is an error when the step is fitted."""
    return Selector(
        lambda available: _present(names, available),
        f"columns({', '.join(map(repr, names))})",
        ("columns", *names),
    )


def select(choice: ColumnChoice) -> Selector:
    """Answer the selector for a selector, a name, or several names.

    Example:
        >>> select("age"), select(["age", "job"])
        (columns('age'), columns('age', 'job'))
    """
    if isinstance(choice, Selector):
        return choice
    names = (choice,) if isinstance(choice, str) else tuple(choice)
    if not all(isinstance(name, str) for name in names):
        raise SettingError(f"columns must be a selector or names, received {choice!r}")
    return columns(*names)


def _bracket(selector: Selector) -> str:
    code = repr(selector)
    return f"({code})" if selector.to_list()[0] in _SIGNS else code


def _listed(spec: Sequence[Any]) -> list[Any]:
    return [part if isinstance(part, str) else _listed(part) for part in spec]


def _present(names: Iterable[str], available: Columns) -> set[str]:
    missing = [name for name in names if name not in available]
    if missing:
        raise DataError(_absent(name, available) for name in missing)
    return set(names)


def _absent(name: str, available: Columns) -> Problem:
    close = nearest(name, available)
    hint = f"Did you mean {close!r}?" if close else f"There are: {', '.join(available)}"
    return Problem("a step names this column, but it is not there", column=name, hint=hint)


_SIGNS: dict[str, Callable[..., Selector]] = {
    "|": Selector.__or__,
    "&": Selector.__and__,
    "-": Selector.__sub__,
    "~": Selector.__invert__,
}

_RULES: dict[str, Callable[..., Selector]] = {
    rule.__name__: rule
    for rule in (
        numbers,
        booleans,
        categories,
        datetimes,
        texts,
        ids,
        everything,
        kinds,
        matching,
        columns,
    )
}
