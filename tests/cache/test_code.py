"""The hash of code: an edit is noticed, a comment is not, and what cannot be compared is said."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest

import headrace as hr
from headrace.cache.code import code_of, versions
from headrace.cache.errors import NotComparable
from headrace.cache.values import plain

BASE = """
import numpy as np
import headrace as hr

FACTOR = 2

def scaled(x):
    return x * FACTOR

class Step(hr.Transformer):
    '''A step.'''
    columns = hr.numbers()
    learns = (hr.Mean(),)

    def operation(self, mean):
        return hr.Affine(np.ones_like(mean), scaled(-mean))
"""


def code(text: str, name: str = "Step") -> dict[str, str]:
    """The code of a class, defined without a file as in a notebook."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "<cell>", "exec"), space)
    return code_of(space[name], plain)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("np.ones_like(mean)", "np.zeros_like(mean)"),
        ("-mean)", "mean)"),
        ("FACTOR = 2", "FACTOR = 3"),
        ("return x * FACTOR", "return x + FACTOR"),
        ("hr.numbers()", "hr.numbers() - hr.columns('a')"),
        ("(hr.Mean(),)", "(hr.Variance(),)"),
        ("(hr.Transformer)", "(hr.PythonTransformer)"),
        ("scaled(-mean))", "(lambda x: x * 7)(-mean))"),
    ],
)
def test_an_edit_is_noticed(old: str, new: str) -> None:
    assert old in BASE
    assert code(BASE.replace(old, new)) != code(BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("'''A step.'''", "'''Another text.'''"), ("FACTOR = 2", "# twice\n\n\nFACTOR = 2")],
)
def test_comments_and_texts_are_no_edits(old: str, new: str) -> None:
    assert code(BASE.replace(old, new)) == code(BASE)


def test_the_class_that_changed_is_named() -> None:
    assert list(code(BASE)) == ["__main__.Step", "__main__.scaled"]
    changed = code(BASE.replace("return x * FACTOR", "return x"))
    assert code(BASE)["__main__.Step"] == changed["__main__.Step"]
    assert code(BASE)["__main__.scaled"] != changed["__main__.scaled"]


def test_closures_and_defaults_count() -> None:
    def power(n: int) -> Any:
        return lambda x: x**n

    def with_default(value: int) -> Any:
        def function(x: int = value) -> int:
            return x

        return function

    assert code_of(power(2), plain) != code_of(power(3), plain)
    assert code_of(power(2), plain) == code_of(power(2), plain)
    assert code_of(with_default(2), plain) != code_of(with_default(3), plain)


def test_two_functions_of_one_name_both_count() -> None:
    def pair(second: int) -> Any:
        functions = [lambda x: x + 1, lambda x: x + second]
        return lambda x: [one(x) for one in functions]

    assert code_of(pair(1), plain) != code_of(pair(2), plain)


@dataclass(frozen=True)
class Level:
    """A dataclass, whose methods are generated."""

    value: float = 0.5


@dataclass(frozen=True)
class OtherLevel:
    """Another default."""

    value: float = 0.25


def test_a_dataclass_is_its_fields() -> None:
    [[name, level]] = code_of(Level, plain).items()
    assert name.endswith("test_code.Level")
    assert level == code_of(Level, plain)[name]
    assert level not in code_of(OtherLevel, plain).values()


def test_code_that_refers_to_itself_ends() -> None:
    def even(n: int) -> bool:
        return n == 0 or odd(n - 1)

    def odd(n: int) -> bool:
        return n != 0 and even(n - 1)

    assert len(code_of(even, plain)) == 2


def test_what_cannot_be_compared_is_said() -> None:
    lock = threading.Lock()

    def locked(x: int) -> int:
        with lock:
            return x

    with pytest.raises(NotComparable, match="locked, which uses 'lock', cannot be compared: lock"):
        code_of(locked, plain)


def test_headraces_own_code_is_known_by_its_version() -> None:
    assert code_of(hr.clean.Impute, plain) == {}
    assert versions("numpy", "no such library")["no such library"] == "none"
    assert versions()["headrace"].startswith(hr.__version__)  # type: ignore[attr-defined]
