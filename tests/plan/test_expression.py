"""Expressions print as the code that makes them, survive JSON, and refuse what they are not."""

from __future__ import annotations

import datetime  # noqa: ICN001 - the name that expressions print
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headrace.plan.expression as hr
from headrace.errors import SettingError
from headrace.plan.expression import Expression, col, lit, where
from headrace.plan.grammar import FUNCTIONS
from headrace.plan.operation import plain

if TYPE_CHECKING:
    from collections.abc import Callable

numbers = st.floats(allow_nan=False) | st.integers(-100, 100)
leaves = st.sampled_from(["a", "b c", "é'\""]).map(col)


def _grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operand = inner | numbers
    return st.one_of(
        st.builds(lambda a, b: a + b, inner, operand),
        st.builds(lambda a, b: b - a, inner, operand),
        st.builds(lambda a, b: a * b, inner, operand),
        st.builds(lambda a, b: b / a, inner, operand),
        st.builds(lambda a, b: a // b % 7, inner, operand),
        st.builds(lambda a, b: b**a, inner, operand),
        st.builds(lambda a, b: (a > b) & ~(a == b) | (a != b), inner, operand),
        st.builds(lambda a, b: b & a | b, inner, operand),
        st.builds(lambda a: -a, inner),
        st.builds(lambda a, b: where(a, b, a.log1p()), inner, operand),
        st.builds(lambda a, b: a.min(b).max(b).fill(b), inner, operand),
        st.builds(lambda a: abs(a).round(2).round().sqrt(), inner),
        st.builds(lambda a, b: a.is_in([b, 2.5]), inner, numbers),
    )


trees = st.recursive(leaves, _grow, max_leaves=12)


@settings(deadline=None)
@given(trees)
def test_an_expression_prints_the_code_that_makes_it(tree: Expression) -> None:
    again = eval(repr(tree), {"hr": hr, "datetime": datetime})
    assert again.same(tree)


@settings(deadline=None)
@given(trees)
def test_json_and_back_changes_nothing(tree: Expression) -> None:
    text = json.dumps(plain(tree.to_dict()), allow_nan=False)
    assert Expression.from_dict(json.loads(text)).same(tree)


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ((col("a") + 1) * 2, "(hr.col('a') + 1) * 2"),
        (-(col("a") ** 2), "-(hr.col('a') ** 2)"),
        ((-col("a")) ** 2, "(-hr.col('a')) ** 2"),
        (1 < col("a"), "hr.col('a') > 1"),  # noqa: SIM300
        ((col("a") > 1).fill(0), "(hr.col('a') > 1).fill(0)"),
        (where(col("a") > 1, 1, -0.5), "hr.where(hr.col('a') > 1, 1, -0.5)"),
        (col("s").is_in(["x", "y"]), "hr.col('s').is_in(['x', 'y'])"),
        (col("a").round(), "hr.col('a').round()"),
        (col("a").round(2), "hr.col('a').round(2)"),
        (2 ** col("a"), "hr.lit(2) ** hr.col('a')"),
        (lit(float("inf")) * col("a"), "hr.lit(float('inf')) * hr.col('a')"),
        (col("t") < datetime.date(2020, 1, 2), "hr.col('t') < datetime.datetime(2020, 1, 2, 0, 0)"),
        (col("s") != "it's", "hr.col('s') != \"it's\""),
    ],
)
def test_the_code_is_what_one_would_write(tree: Expression, code: str) -> None:
    assert repr(tree) == code


def test_times_with_a_zone_are_the_same_moment_in_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    assert lit(datetime.datetime(1970, 1, 1, 3, tzinfo=zone)).value == 3_600_000_000
    assert lit(datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999)).value == -1


def test_columns_are_named_once_in_order() -> None:
    assert (col("b") + col("a") * col("b")).columns() == ("b", "a")


def test_expressions_are_not_changed() -> None:
    tree = col("a")
    with pytest.raises(AttributeError):
        tree.value = "b"
    assert tree.same(col("a"))
    assert len({tree, col("b")}) == 2


def test_every_function_has_a_way_to_be_written() -> None:
    written = {name for name in dir(Expression) if not name.startswith("_")}
    methods = {name for name, function in FUNCTIONS.items() if f".{name}(" in function.form}
    assert methods - {"where"} <= written


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: bool(col("a") > 1), "neither true nor false. Write & for and"),
        (lambda: 0 < col("a") < 1, "neither true nor false"),
        (lambda: list(col("a")), "cannot be gone through"),
        (lambda: col(3), "needs the name of a column, received 3"),
        (lambda: col("a") == None, "received None. For missing values write .is_missing"),  # noqa: E711
        (
            lambda: col("a") + [1],  # noqa: RUF005
            r"takes numbers, text, dates and other expressions, received \[1\]",
        ),
        (lambda: col("a").is_in([]), "a list of one or more values"),
        (lambda: col("a").is_in("abc"), "a list of one or more values, received 'abc'"),
        (lambda: col("a").round(1.5), "whole number of digits, received 1.5"),
        (lambda: Expression.from_dict({"function": "exec", "of": []}), "'exec' that is not known"),
        (lambda: Expression.from_dict({"function": "addd", "of": []}), "did you mean 'add'"),
        (lambda: Expression.from_dict({"function": "add", "of": [{"number": 1}]}), "add needs 2"),
        (
            lambda: Expression.from_dict({"function": "log", "of": [{}, {}]}),
            "log needs 1 arguments",
        ),
        (lambda: Expression.from_dict({"file": "x"}), "expected a part of an expression"),
        (lambda: Expression.from_dict({"column": "x", "number": 1}), "expected a part"),
        (lambda: Expression.from_dict("x"), "expected a part of an expression, received 'x'"),
    ],
)
def test_what_is_no_expression_is_refused(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        make()


def test_a_tree_from_outside_that_is_too_deep_is_refused() -> None:
    data = {"column": "a"}
    for _ in range(300):
        data = {"function": "negate", "of": [data]}
    with pytest.raises(SettingError, match="deeper than 200 levels"):
        Expression.from_dict(data)
