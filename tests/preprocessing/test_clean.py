"""Cleaning steps: what they do to the rows, at the edges, and what they refuse."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from headrace.errors import DataError, SettingError
from headrace.plan.plan import ColumnInfo
from headrace.preprocessing import clean
from headrace.preprocessing.fit import FittedSteps, fit_steps

NAN, INF = float("nan"), float("inf")


def fit(step: Any, kind: Any = "number", /, **values: list[Any]) -> FittedSteps:
    kinds: dict[str, Any] = {"number": "number", "string": "category", "time": "datetime"}
    types = {"number": pl.Float64, "string": pl.String, "time": pl.Int64}
    frame = pl.DataFrame({n: pl.Series(v, dtype=types[kind]) for n, v in values.items()})
    return fit_steps(frame, {n: ColumnInfo(n, kind, kinds[kind]) for n in values}, [step])


def after(step: Any, kind: Any = "number", /, **values: list[Any]) -> dict[str, list[Any]]:
    fitted = fit(step, kind, **values)
    names = [info.name for info in fitted.plan.outputs]
    return fitted.rows.lazy().select(names).collect().to_dict(as_series=False)


def served(fitted: FittedSteps, **values: list[Any]) -> dict[str, list[Any]]:
    return fitted.plan.polars(pl.LazyFrame(values)).collect().to_dict(as_series=False)


# -- duplicates ------------------------------------------------------------------------------------

REPEATED = pl.DataFrame(
    {
        "x": [1.0, NAN, 1.0, NAN, 1.0],
        "w": ["a", "b", "a", "b", "a"],
        "__headrace_label__": ["yes", "no", "no", "no", "yes"],
        "__headrace_row__": [0, 1, 2, 3, 4],
    }
)


def test_the_first_of_equal_rows_stays() -> None:
    assert clean.DropDuplicates().rows(REPEATED)["__headrace_row__"].to_list() == [0, 1, 2]


def test_duplicates_in_some_columns() -> None:
    assert clean.DropDuplicates("w").rows(REPEATED)["__headrace_row__"].to_list() == [0, 1]
    assert clean.DropDuplicates(["x", "w"]).rows(REPEATED).height == 2
    with pytest.raises(DataError, match=r"column 'xx': DropDuplicates names .* mean 'x'"):
        clean.DropDuplicates(["xx"]).rows(REPEATED)


def test_duplicates_are_no_part_of_the_plan() -> None:
    assert clean.DropDuplicates.training_only


# -- constant columns ------------------------------------------------------------------------------


def test_constant_and_empty_columns_end() -> None:
    fitted = fit(clean.DropConstant(), a=[1.0, 1.0], b=[NAN, NAN], c=[1.0, NAN], d=[0.0, -0.0])
    assert [info.name for info in fitted.plan.outputs] == ["c"]
    assert (
        fitted.learnt[0][1] == "dropped 3 columns: a (always 1.0), b (all missing), d (always 0.0)"
    )


def test_constant_words_and_dates_end_too() -> None:
    assert after(clean.DropConstant(), "string", a=["", ""], b=["x", ""]) == {"b": ["x", ""]}
    fitted = fit(clean.DropConstant(), "time", a=[-(2**63)] * 2, b=[1, 2])
    assert fitted.learnt[0][1] == "dropped 1 column: a (all missing)"


# -- gaps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "value"), [("mean", 2.0), ("median", 1.0), ("most_frequent", 1.0), (-7, -7.0)]
)
def test_gaps_are_filled_and_flagged(strategy: Any, value: float) -> None:
    made = after(clean.Impute(strategy), x=[1.0, 1.0, NAN, 4.0], y=[1.0, 2.0, 3.0, 4.0])
    assert made == {
        "x": [1.0, 1.0, value, 4.0],
        "y": [1.0, 2.0, 3.0, 4.0],
        "x_missing": [0.0, 0.0, 1.0, 0.0],
    }


def test_flags_are_booleans_and_can_be_left_out() -> None:
    fitted = fit(clean.Impute(), x=[1.0, NAN])
    assert fitted.plan.outputs[1] == ColumnInfo("x_missing", "number", "boolean")
    assert after(clean.Impute(flags=False), x=[1.0, NAN]) == {"x": [1.0, 1.0]}


def test_gaps_that_come_later_are_filled_too() -> None:
    fitted = fit(clean.Impute(), x=[1.0, 3.0])
    assert served(fitted, x=[NAN]) == {"x": [2.0]}


def test_a_column_without_any_value_ends() -> None:
    fitted = fit(clean.Impute(), x=[NAN, NAN], y=[1.0, 2.0])
    assert [info.name for info in fitted.plan.outputs] == ["y"]
    assert fitted.learnt[0][1] == "y: 1.5 (1 column had gaps); dropped, no value at all: x"
    assert after(clean.Impute(0, flags=False), x=[NAN, NAN]) == {"x": [0.0, 0.0]}


def test_words_can_be_filled() -> None:
    made = after(clean.Impute("most_frequent", columns="w"), "string", w=["a", "", "b", "b"])
    assert made == {"w": ["a", "b", "b", "b"], "w_missing": [0.0, 1.0, 0.0, 0.0]}
    made = after(clean.Impute("none", columns="w", flags=False), "string", w=["a", ""])
    assert made == {"w": ["a", "none"]}


def test_strategies_must_suit_the_columns() -> None:
    with pytest.raises(SettingError, match=r"strategy must be .* received 'medain'"):
        fit(clean.Impute("medain"), x=[1.0])
    with pytest.raises(SettingError, match=r"acts on words.* not 'median'"):
        fit(clean.Impute(columns="w"), "string", w=["a"])
    frame = pl.DataFrame({"x": [1.0], "w": ["a"]})
    columns = {
        "x": ColumnInfo("x", "number", "number"),
        "w": ColumnInfo("w", "string", "category"),
    }
    with pytest.raises(SettingError, match=r"columns of several types \(number, string\)"):
        fit_steps(frame, columns, [clean.Impute("most_frequent", columns=["x", "w"])])


# -- outliers --------------------------------------------------------------------------------------


def test_clipping_at_quantiles_fences_and_given_edges() -> None:
    values = [float(x) for x in range(101)]
    assert after(clean.Clip((0.1, 0.9)), x=values)["x"] == [min(max(x, 10.0), 90.0) for x in values]
    assert after(clean.Clip(iqr=0.1), x=values)["x"] == [min(max(x, 20.0), 80.0) for x in values]
    assert after(clean.Clip(low=50, high=60), x=values)["x"][0] == 50.0
    assert after(clean.Clip(high=60), x=values)["x"][::100] == [0.0, 60.0]


def test_a_column_with_equal_quartiles_is_not_fenced() -> None:
    values = [0.0] * 92 + [5.0] * 8
    assert after(clean.Clip(iqr=1.5), x=values)["x"] == values


def test_clipping_leaves_gaps_and_empty_columns() -> None:
    made = after(clean.Clip(), x=[NAN, 1.0], y=[NAN, NAN])
    assert str(made) == "{'x': [nan, 1.0], 'y': [nan, nan]}"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (clean.Clip((0.1, 0.9), iqr=1.5), "one of the three"),
        (clean.Clip(iqr=1.5, low=0), "one of the three"),
        (clean.Clip((0.9, 0.1)), r"the lower one first, received \(0.9, 0.1\)"),
        (clean.Clip(iqr=0), "iqr must be above 0, received 0"),
        (clean.Clip(low=2, high=1), "low must not be above high"),
    ],
)
def test_edges_that_make_no_sense_are_refused(step: clean.Clip, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        fit(step, x=[1.0, 2.0])


# -- wrong values ----------------------------------------------------------------------------------


def test_numbers_are_replaced_all_at_once() -> None:
    made = after(clean.Replace({1: 2, 2: 1, INF: None, None: 0}), x=[1.0, 2.0, INF, NAN])
    assert str(made) == "{'x': [2.0, 1.0, nan, 0.0]}"


def test_words_are_replaced() -> None:
    made = after(clean.Replace({"?": None, "NY": "New York"}), "string", w=["?", "NY", "", "ny"])
    assert made == {"w": ["", "New York", "", "ny"]}


@pytest.mark.parametrize("mapping", [{}, {1: "a"}, {"a": 1}, {"a": "b", 2: 3}, {1: [2]}])
def test_mixed_mappings_are_refused(mapping: dict[Any, Any]) -> None:
    with pytest.raises(SettingError, match="numbers to numbers or of words to words"):
        fit(clean.Replace(mapping), x=[1.0])


# -- rare words ------------------------------------------------------------------------------------


def test_rare_words_become_one() -> None:
    words = ["a"] * 10 + ["b"] * 9 + [""]
    assert after(clean.GroupRare(), "string", w=words)["w"] == ["a"] * 10 + ["(rare)"] * 9 + [""]
    assert after(clean.GroupRare(min_share=0.48), "string", w=words)["w"][9:11] == ["a", "(rare)"]
    assert after(clean.GroupRare(top=1, other="?"), "string", w=words)["w"][9:11] == ["a", "?"]


def test_unseen_words_are_rare_too() -> None:
    fitted = fit(clean.GroupRare(min_count=1), "string", w=["a", "b"])
    assert served(fitted, w=["b", "new", ""]) == {"w": ["b", "(rare)", ""]}
    assert fitted.learnt[0][1] == "w: 2 of 2 words"
