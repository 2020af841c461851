"""What expressions compute: values, and missing values, in Polars."""

from __future__ import annotations

import math
import operator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import ReleaseError, SettingError
from headrace.plan.evaluate import Evaluate
from headrace.plan.expression import Expression, col, lit, where
from headrace.plan.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

NAN, INF = float("nan"), float("inf")
TYPES = {"x": "number", "y": "number", "s": "string", "t": "time", "u": "time"}
X, Y, S, T, U = (col(name) for name in TYPES)
MISSING_TIME = -(2**63)


def run(tree: Expression, **values: list[object]) -> list[float]:
    dtypes = {"number": pl.Float64, "string": pl.String, "time": pl.Int64}
    frame = pl.DataFrame(
        {name: pl.Series(v, dtype=dtypes[TYPES[name]], strict=False) for name, v in values.items()}
    )
    operation = Evaluate.of({"z": tree}, TYPES)
    made = operation.polars([pl.col(name) for name in operation.inputs])
    return frame.select(x.alias("z") for x in made)["z"].to_list()


def same(found: list[float], wanted: list[float]) -> None:
    np.testing.assert_array_equal(np.array(found, float), np.array(wanted, float))


floats = st.floats(-1e9, 1e9) | st.sampled_from([NAN, INF, -INF, 0.0, 1.0])
pairs = st.lists(st.tuples(floats, floats), min_size=1, max_size=20)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv"])
@settings(deadline=None)
@given(rows=pairs)
def test_arithmetic_is_that_of_floating_point(name: str, rows: list[tuple[float, float]]) -> None:
    x, y = np.array(rows).T
    apply = getattr(operator, name)
    with np.errstate(all="ignore"):
        same(run(apply(X, Y), x=x.tolist(), y=y.tolist()), apply(x, y))


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
@settings(deadline=None)
@given(rows=pairs)
def test_a_comparison_is_missing_where_a_side_is(
    name: str, rows: list[tuple[float, float]]
) -> None:
    x, y = np.array(rows).T
    apply = getattr(operator, name)
    wanted = np.where(np.isnan(x) | np.isnan(y), NAN, apply(x, y))
    same(run(apply(X, Y), x=x.tolist(), y=y.tolist()), wanted)


def test_logic_has_three_values() -> None:
    x, y = [0, 0, 0, 1, 1, 1, NAN, NAN, NAN], [0, 1, NAN] * 3
    same(run(X & Y, x=x, y=y), [0, 0, 0, 0, 1, NAN, 0, NAN, NAN])
    same(run(X | Y, x=x, y=y), [0, 1, NAN, 1, 1, 1, NAN, 1, NAN])
    same(run(~X, x=[0, 1, 5, NAN]), [1, 0, 0, NAN])
    same(run((X > 2) & (X < 4), x=[1, 3, 5, NAN]), [0, 1, 0, NAN])
    same(run(X.is_missing() | (X > 2), x=[1, 3, NAN]), [0, 1, 1])


def test_where_is_missing_where_its_condition_is_and_blind_to_the_other_branch() -> None:
    same(run(where(X > 0, Y, -1), x=[1, 0, NAN, 0], y=[5, 5, 5, NAN]), [5, -1, NAN, -1])
    same(run(where(X, 1, 0), x=[2, 0, -1, NAN]), [1, 0, 1, NAN])


@pytest.mark.parametrize(("x", "y"), [(7, 2), (-7, 2), (7, -2), (-7, -2), (49, 49), (0.5, 0.25)])
def test_floor_division_and_remainder_are_pythons(x: float, y: float) -> None:
    same(run(X // Y, x=[x], y=[y]), [x // y])
    same(run(X % Y, x=[x], y=[y]), [x % y])


@pytest.mark.parametrize("divisor", [49, 3, 10, 7, 103])
def test_multiples_are_divided_without_rest(divisor: int) -> None:
    """Polars by itself finds 49 / 49 below 1."""
    multiples = [float(i * divisor) for i in range(500)]
    same(run(X // divisor, x=multiples), list(range(500)))
    same(run(X % divisor, x=multiples), [0] * 500)


def test_functions_of_one_number() -> None:
    x = [0.0, 1.5, 2.5, -2.5, NAN]
    same(run(X.round(), x=x), [0, 2, 2, -2, NAN])
    same(run((X * 1.11).round(1), x=[1.0, NAN]), [1.1, NAN])
    same(run(X.floor(), x=x), [0, 1, 2, -3, NAN])
    same(run(X.ceil(), x=x), [0, 2, 3, -2, NAN])
    same(run(abs(X), x=x), [0, 1.5, 2.5, 2.5, NAN])
    same(run(X.log(), x=[1, 0, -1]), [0, -INF, NAN])
    same(run(X.exp() + lit(1).exp(), x=[0, NAN]), [1 + math.e, NAN])
    same(run(X.sqrt(), x=[4, -1, INF]), [2, NAN, INF])
    same(run(X**0.5, x=[4, -1, -INF]), [2, NAN, NAN])
    same(run(X**Y, x=[2, NAN, 1], y=[3, 0, NAN]), [8, NAN, NAN])


def test_missing_values_are_handed_on_filled_and_flagged() -> None:
    same(run(X.min(Y), x=[1, NAN, 3], y=[2, 2, NAN]), [1, NAN, NAN])
    same(run(X.max(Y), x=[1, NAN, INF], y=[2, 2, 1]), [2, NAN, INF])
    same(run(X.fill(Y), x=[1, NAN, NAN], y=[2, 2, NAN]), [1, 2, NAN])
    same(run(X.is_missing(), x=[1, NAN, INF]), [0, 1, 0])
    same(run(X.is_in([1, INF]), x=[1, NAN, INF, 2]), [1, NAN, 1, 0])


def test_text_is_compared_with_fixed_words() -> None:
    words = ["a", "é", "", "A"]
    same(run(S == "a", s=words), [1, 0, NAN, 0])
    same(run(S != "é", s=words), [1, 0, NAN, 1])
    same(run(S.is_in(["a", "A"]), s=words), [1, 0, NAN, 1])
    same(run(S.is_missing(), s=words), [0, 0, 1, 0])


def test_times_are_compared_subtracted_and_taken_apart() -> None:
    noon = datetime(1969, 7, 20, 12, tzinfo=UTC)
    first = int(noon.timestamp()) * 1_000_000
    t = [first, first + 90_000_000, MISSING_TIME]
    same(run(T - noon, t=t), [0, 90, NAN])
    same(run(T - U, t=t, u=[first, MISSING_TIME, first]), [0, NAN, NAN])
    same(run(T > noon, t=t), [0, 1, NAN])  # noqa: SIM300
    same(run(T.is_in([noon]), t=t), [1, 0, NAN])
    same(run(T.is_missing(), t=t), [0, 0, 1])
    same(run(T.minute() + T.hour() / 100, t=t), [0.12, 1.12, NAN])


def test_inputs_are_the_columns_that_are_used() -> None:
    operation = Evaluate.of({"a": Y + X, "b": T.year() + X}, TYPES)
    assert operation.inputs == ("y", "x", "t")
    assert operation.types == ("number", "number", "time")
    assert operation.names(operation.inputs) == ("a", "b")
    assert operation.takes == "mixed"


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Evaluate.of({"r": S.year()}, TYPES), r"r: column 's' is text; \.year\(\) needs"),
        (lambda: Evaluate.of({"r": S}, TYPES), "r: .* is no number; only numbers can be derived"),
        (lambda: Evaluate.of({"r": lit(1) + 1}, TYPES), r"r: hr.lit\(1\) \+ 1 uses no column"),
        (lambda: Evaluate.of({"r": 3}, TYPES), r"r: expected an expression such as .* received 3"),
        (lambda: Evaluate.of({"r": col("z")}, TYPES), "r: the expression uses column 'z'"),
        (lambda: Evaluate(["x"], [], ["z"], [X]), "a type for each input"),
    ],
)
def test_misuse_is_named_with_the_column_it_is_for(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        make()


def test_a_tree_from_outside_is_checked() -> None:
    data = Evaluate.of({"r": X + 1}, TYPES).to_dict()
    data["expressions"] = [{"function": "year", "of": [{"column": "x"}]}]
    with pytest.raises(ReleaseError, match="column 'x' is a number"):
        Operation.from_dict(data)
