"""Selectors: rules, set algebra, storage and errors."""

from __future__ import annotations

import pytest

from headrace.errors import DataError, SettingError
from headrace.plan.plan import ColumnInfo
from headrace.preprocessing.selector import (
    Selector,
    categories,
    columns,
    everything,
    kinds,
    matching,
    numbers,
    select,
)

AVAILABLE = {
    "age": ColumnInfo("age", "number", "number"),
    "job": ColumnInfo("job", "string", "category"),
    "member": ColumnInfo("member", "number", "boolean"),
    "größe": ColumnInfo("größe", "number", "number"),
    "code": ColumnInfo("code", "code", "category", 4),
}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        (numbers(), ("age", "größe")),
        (categories(), ("job",)),
        (kinds("category"), ("job", "code")),
        (matching("^.{3}$"), ("age", "job")),
        (numbers() | "job", ("age", "job", "größe")),
        (everything() - ["age", "job"], ("member", "größe", "code")),
        (numbers() & matching("ö"), ("größe",)),
        (~numbers(), ("job", "member", "code")),
        (~(numbers() | columns("job")), ("member", "code")),
    ],
)
def test_rules(selector: Selector, names: tuple[str, ...]) -> None:
    assert selector.names(AVAILABLE) == names
    assert Selector.from_list(selector.to_list()).names(AVAILABLE) == names
    assert Selector.from_list(selector.to_list()) == selector


def test_the_code_of_a_selector_makes_it_again() -> None:
    made = (numbers() | matching("a")) - columns("x") & ~kinds("id")
    names = {f.__name__: f for f in (numbers, matching, columns, kinds)}
    assert eval(repr(made), names) == made


def test_an_unknown_name_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(DataError, match=r"column 'agee': .* Did you mean 'age'"):
        columns("agee").names(AVAILABLE)


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(SettingError, match=r"'numeric' is no kind of column; the kinds are number"):
        kinds("numeric")  # type: ignore[arg-type]


def test_a_broken_pattern_is_an_error() -> None:
    with pytest.raises(SettingError, match=r"'\(' is no regular expression"):
        matching("(")


def test_names_become_selectors() -> None:
    assert select("age").names(AVAILABLE) == ("age",)
    assert select(["größe", "age"]).names(AVAILABLE) == ("age", "größe")
    with pytest.raises(SettingError, match="columns must be a selector or names, received"):
        select([3])  # type: ignore[list-item]


def test_a_stored_selector_of_an_unknown_rule_is_refused() -> None:
    with pytest.raises(SettingError, match=r"'os.system' is no selector"):
        Selector.from_list(["os.system", "ls"])
