"""The types of expressions, and the errors where they do not fit."""

from __future__ import annotations

from datetime import date

import pytest

from headrace.errors import SettingError
from headrace.plan.expression import Expression, col, where
from headrace.plan.grammar import type_of

COLUMNS = {"n": "number", "m": "number", "s": "string", "t": "time", "u": "time", "c": "code"}
N, S, T, C = col("n"), col("s"), col("t"), col("c")


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        (N, "number"),
        (S, "string"),
        (T, "time"),
        (N + 1, "number"),
        (N > 1, "boolean"),
        ((N > 1) + (N < 2), "number"),
        ((N > 1) & N, "boolean"),
        (where(N > 1, N > 2, 0), "number"),
        (T - col("u"), "number"),
        (T > date(2020, 1, 1), "boolean"),  # noqa: SIM300
        (T.year(), "number"),
        (S == "x", "boolean"),
        (S.is_in(["x", "y"]), "boolean"),
        (T.is_in([date(2020, 1, 1)]), "boolean"),
        (S.is_missing(), "boolean"),
        (T.is_missing(), "boolean"),
    ],
)
def test_types_follow_from_the_columns(tree: Expression, kind: str) -> None:
    assert type_of(tree, COLUMNS) == kind


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        (S.year(), r"column 's' is text; \.year\(\) needs a datetime"),
        (N.hour(), r"column 'n' is a number; \.hour\(\) needs a datetime"),
        (T.log(), r"column 't' is a datetime; \.log\(\) needs a number"),
        ((N + 1).month(), r"hr.col\('n'\) \+ 1 is a number; \.month\(\) needs a datetime"),
        (S + 1, r"column 's' is text; \+ needs a number"),
        (1 + S, r"column 's' is text and hr.lit\(1\) is a number; \+ needs a number here"),
        (T + T, r"column 't' is a datetime; \+ needs a number"),
        (T - 1, r"hr.lit\(1\) is a number and column 't' is a datetime; - needs a datetime here"),
        (N == "x", r"hr.lit\('x'\) is text and column 'n' is a number; == needs a number here"),
        (S == 1, r"hr.lit\(1\) is a number and column 's' is text; == needs text here"),
        (S < "x", r"column 's' is text; < needs a number or a datetime"),
        (T == "2020-01-01", "== needs a datetime here"),
        (N.is_in([1, "x"]), r"is_in\(\) needs a number here"),
        (where(N, S, 1), r"column 's' is text and column 'n' is a number; hr.where\(\) needs"),
        (~S, "column 's' is text; ~ needs a number"),
        (C > 1, "column 'c' is a category code"),
        (S == col("s"), "compared with fixed text only"),  # noqa: SIM300
        (S.is_in(["a", ""]), r"empty text means missing; use \.is_missing\(\)"),
        (S != "", "empty text means missing"),
        (col("nn") > 1, "uses column 'nn', which is not there; did you mean 'n'?"),
        (col("income"), "uses column 'income', which is not there; there are 'n', 'm'"),
        (Expression("round", (N, N)), "number of digits must be a fixed number"),
    ],
)
def test_misuse_is_named(tree: Expression, match: str) -> None:
    with pytest.raises(SettingError, match=match):
        type_of(tree, COLUMNS)
