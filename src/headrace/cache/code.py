"""The code of a class or function as a hash, so that an edit is noticed and a comment is not.

What is hashed is what Python compiled, with the values that it refers to: it is there in notebooks
and at the prompt too, where the source often is not. headrace's own code counts as a whole, by its
version and its files, and code of other libraries by their versions.
"""

from __future__ import annotations

import hashlib
import sys
import types
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.cache.errors import NotComparable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["code_of", "is_own", "versions"]

_DIGITS = 16
_NO_CODE = {"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__firstlineno__"}
_NO_CODE |= {"__static_attributes__", "__annotations__", "__annotate_func__", "__abstractmethods__"}
_NO_CODE |= {"__dataclass_fields__", "__dataclass_params__", "__match_args__", "__slots__"}
_NO_CODE |= {"_abc_impl", "__parameters__", "__orig_bases__", "__annotations_cache__"}


def code_of(thing: Any, plain: Callable[[Any], Any]) -> dict[str, str]:
    """Answer the code of a class or function: a hash for each class and function of the user's.

    Args:
        thing: A class, a function, a lambda.
        plain: Makes plain values of what the code refers to (see `headrace.cache.values.plain`).

    Raises:
        NotComparable: It refers to something that cannot be compared, such as an open file.

    Example:
        >>> from headrace.cache.values import plain
        >>> code_of(dict, plain)  # Python's own, known by its version
        {}
    """
    found: dict[str, str] = {}
    _Reader(plain, found).read(thing)
    return found


def is_own(thing: Any) -> bool:
    """Answer whether a class or function is headrace's own."""
    return _library(thing) == "headrace"


def versions(*libraries: str) -> dict[str, str]:
    """Answer the versions of Python, headrace and some libraries; "none" where one is missing."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, "headrace": _headrace(), **{one: _version(one) for one in libraries}}


@cache
def _headrace() -> str:
    """Answer headrace's version with a hash of its files, for those who change headrace itself."""
    from headrace import __version__

    digest = hashlib.sha256()
    home = Path(__file__).resolve().parents[1]
    for file in sorted(home.rglob("*.py")):
        digest.update(file.relative_to(home).as_posix().encode() + b"\0" + file.read_bytes())
    return f"{__version__} ({digest.hexdigest()[:8]})"


@cache
def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "none"


def _library(thing: Any) -> str:
    return str(getattr(thing, "__module__", None) or "").partition(".")[0]


def _is_users(thing: Any) -> bool:
    """Answer whether code is neither Python's, headrace's nor that of an installed library."""
    library = _library(thing)
    if library == "__main__":  # whoever started it: a tool that runs notebooks is installed itself
        return True
    if library in {"headrace", "builtins", ""} or library in sys.stdlib_module_names:
        return False
    return not _installed(library)


@cache
def _installed(library: str) -> bool:
    file = getattr(sys.modules.get(library), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


class _Reader:
    """Reads code, and the code that it refers to, each once."""

    def __init__(self, plain: Callable[[Any], Any], found: dict[str, str]) -> None:
        self._plain = plain
        self._found = found
        self._seen: set[int] = set()

    def read(self, thing: Any) -> str:
        """Answer the name of a class or function, after its code was read."""
        name = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
        if not _is_users(thing):
            library = _library(thing)
            if library not in {"headrace", "builtins", ""} and _installed(library):
                self._found[library] = _version(library)
            return name
        if id(thing) in self._seen:  # those that refer to each other end here
            return name
        self._seen.add(id(thing))
        self._found.setdefault(name, "")
        content = list(self._of_class(thing) if isinstance(thing, type) else self._of(thing))
        digest = hashlib.sha256(repr([self._found[name], content]).encode())
        self._found[name] = digest.hexdigest()[:_DIGITS]
        return name

    def _of_class(self, kind: type) -> Iterator[Any]:
        if is_dataclass(kind):
            for field in fields(kind):
                default = None if field.default is MISSING else field.default
                yield field.name, self._value(default, f"{kind.__qualname__}.{field.name}")
        for base in kind.__bases__:
            if base is not object:
                yield self.read(base)
        for name, value in sorted(vars(kind).items()):
            if name in _NO_CODE or _is_generated(value):
                continue
            if isinstance(_unwrapped(value), types.FunctionType):
                yield name, list(self._of(_unwrapped(value)))  # a method belongs to its class
            else:
                yield name, self._value(value, f"{kind.__qualname__}.{name}")

    def _of(self, function: Any) -> Iterator[Any]:
        code = getattr(function, "__code__", None)
        if code is None:
            raise NotComparable(f"the code of {function!r} cannot be seen")
        where = function.__qualname__
        yield self._of_code(code)
        yield self._value(function.__defaults__, where), self._value(function.__kwdefaults__, where)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
            if name != "__class__":
                yield name, self._value(_content(cell), f"{where}, which uses {name!r},")
        for name in sorted(_names(code)):
            if name in function.__globals__:
                yield (
                    name,
                    self._value(function.__globals__[name], f"{where}, which uses {name!r},"),
                )

    def _of_code(self, code: types.CodeType) -> list[Any]:
        constants = [
            self._of_code(one) if isinstance(one, types.CodeType) else repr(one)
            for one in code.co_consts
        ]
        return [code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars]

    def _value(self, value: Any, where: str) -> Any:
        value = _unwrapped(value)
        if isinstance(value, types.ModuleType):
            return value.__name__
        if isinstance(value, property):
            return [self._value(one, where) for one in (value.fget, value.fset) if one]
        if isinstance(value, type | types.FunctionType):
            return self.read(value)
        if isinstance(value, types.BuiltinFunctionType | types.MemberDescriptorType):
            return value.__qualname__
        if not _is_users(type(value)) and callable(value):
            return (
                f"{type(value).__module__}.{getattr(value, '__name__', type(value).__qualname__)}"
            )
        try:
            return self._plain(value)
        except NotComparable as reason:
            raise NotComparable(f"{where} cannot be compared: {reason}") from reason


def _is_generated(value: Any) -> bool:
    """Answer whether a method was written by `dataclass`, after the fields."""
    code = getattr(getattr(value, "__wrapped__", value), "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _unwrapped(value: Any) -> Any:
    while isinstance(value, staticmethod | classmethod):
        value = value.__func__
    return value


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _names(code: types.CodeType) -> set[str]:
    inner = [_names(one) for one in code.co_consts if isinstance(one, types.CodeType)]
    return set(code.co_names).union(*inner)
