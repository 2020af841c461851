"""Dates, formulas, and the choice of columns."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from sklearn.base import clone

import headrace as hr
from headrace.data.schema import MISSING_TIME
from headrace.errors import DataError, SettingError
from headrace.plan.plan import ColumnInfo
from headrace.preprocessing import transform
from headrace.preprocessing.fit import FittedSteps, fit_steps

NAN = float("nan")
DAY = {"d": ColumnInfo("d", "time", "datetime")}
XY = {name: ColumnInfo(name, "number", "number") for name in ("x", "y")}


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def times(*values: datetime | None) -> pl.DataFrame:
    column = pl.Series("d", values, dtype=pl.Datetime("us", "UTC")).cast(pl.Int64)
    return pl.DataFrame(column.fill_null(MISSING_TIME))


def served(fitted: FittedSteps, frame: pl.DataFrame) -> dict[str, list[Any]]:
    return fitted.plan.polars(frame.lazy()).collect().to_dict(as_series=False)


# -- dates -----------------------------------------------------------------------------------------


def test_the_parts_that_vary_are_kept() -> None:
    frame = times(at(2024, 1, 31), at(2024, 3, 1))
    fitted = fit_steps(frame, dict(DAY), [transform.Dates(cyclic=False)])
    assert [info.name for info in fitted.plan.outputs] == ["d_month", "d_day", "d_weekday"]
    assert fitted.learnt[0][1] == "d: month day weekday"
    assert served(fitted, times(at(2030, 12, 24))) == {
        "d_month": [12.0],
        "d_day": [24.0],
        "d_weekday": [2.0],
    }


def test_december_is_near_january() -> None:
    frame = times(at(2024, 1, 1), at(2024, 12, 1), at(2024, 6, 1))
    fitted = fit_steps(frame, dict(DAY), [transform.Dates(["month"])])
    made = served(fitted, frame)
    points = list(zip(made["d_month_sin"], made["d_month_cos"], strict=True))
    assert math.dist(points[0], points[1]) == pytest.approx(2 * math.sin(math.pi / 12))
    assert math.dist(points[0], points[2]) > 1.9


def test_missing_dates_get_the_mean_and_a_flag() -> None:
    frame = times(at(2024, 1, 1), at(2024, 3, 1), None)
    fitted = fit_steps(frame, dict(DAY), [transform.Dates(["month"])])
    assert served(fitted, frame.tail(1)) == {
        "d_missing": [1.0],
        "d_month": [2.0],
        "d_month_sin": [0.0],
        "d_month_cos": [0.0],
    }
    assert fitted.plan.outputs[0].kind == "boolean"


def test_elapsed_days_count_from_the_first_training_row() -> None:
    frame = times(at(2024, 1, 1), at(2024, 1, 2, 12))
    fitted = fit_steps(frame, dict(DAY), [transform.Dates(["year"], elapsed=True)])
    made = served(fitted, times(at(2024, 1, 11)))
    assert made == {"d_year": [2024.0], "d_elapsed": [10.0]}


def test_a_date_that_never_varies_ends() -> None:
    for frame in (times(at(2024, 1, 1), at(2024, 1, 1)), times(None, None)):
        fitted = fit_steps(frame, dict(DAY), [transform.Dates()])
        assert fitted.plan.outputs == ()
        assert fitted.learnt[0][1] == "d: nothing varies"


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(SettingError, match=r"'moth' is none of .*; did you mean 'month'"):
        fit_steps(times(None), dict(DAY), [transform.Dates(["moth"])])


# -- formulas --------------------------------------------------------------------------------------


def rows() -> pl.DataFrame:
    return pl.DataFrame({"x": [1.0, 0.0, NAN], "y": [2.0, 5.0, 1.0]})


def test_formulas_make_columns_and_their_kinds() -> None:
    step = transform.Derive(ratio=hr.col("y") / hr.col("x"), large=hr.col("y") > 1)
    fitted = fit_steps(rows(), dict(XY), [step])
    made = served(fitted, rows())
    assert str(made["ratio"]) == "[2.0, nan, nan]"
    assert made["large"] == [1.0, 1.0, 0.0]
    assert [info.kind for info in fitted.plan.outputs] == ["number", "number", "number", "boolean"]


def test_all_formulas_see_the_columns_as_they_were() -> None:
    step = transform.Derive(x=hr.col("y"), y=hr.col("x"))
    made = served(fit_steps(rows(), dict(XY), [step]), rows())
    assert str(made) == "{'x': [2.0, 5.0, 1.0], 'y': [1.0, 0.0, nan]}"


def test_a_formula_may_replace_a_column_that_it_does_not_use() -> None:
    fitted = fit_steps(rows(), dict(XY), [transform.Derive(x=hr.col("y") * 2)])
    assert served(fitted, rows())["x"] == [4.0, 10.0, 2.0]


def test_formulas_are_parameters() -> None:
    step = transform.Derive(a=hr.col("x") + 1)
    assert step.get_params()["a"] is step.expressions["a"]
    assert repr(clone(step)) == repr(step) == "transform.Derive(a=hr.col('x') + 1)"
    step.set_params(b=hr.col("x") * 2)
    assert list(step.get_params()) == ["a", "b"]


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (transform.Derive(), SettingError, "Derive takes formulas by name"),
        (transform.Derive(a=3), SettingError, "Derive takes formulas by name"),  # type: ignore[arg-type]
        (transform.Derive(a=hr.col("z")), DataError, "column 'z': a step names this column"),
        (transform.Derive(a=hr.col("x").year()), SettingError, r"a: column 'x' .*\.year\(\) needs"),
    ],
)
def test_formulas_that_do_not_fit_are_refused(
    step: transform.Derive, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fit_steps(rows(), dict(XY), [step])


# -- the choice of columns -------------------------------------------------------------------------


def test_select_and_drop() -> None:
    fitted = fit_steps(rows(), dict(XY), [transform.Select("y")])
    assert served(fitted, rows()) == {"y": [2.0, 5.0, 1.0]}
    assert fitted.learnt[0][1] == "dropped 1 column: x"
    fitted = fit_steps(rows(), dict(XY), [transform.Drop("x", reason="leaks the answer")])
    assert served(fitted, rows()) == {"y": [2.0, 5.0, 1.0]}
    assert fitted.learnt[0][1] == "dropped 1 column: x (leaks the answer)"
