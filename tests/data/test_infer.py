from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from headrace.data import infer
from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.data.schema import Column
from headrace.data.source import read
from headrace.errors import DataError, SettingError

MANY = 60


def column_of(values: Any, name: str = "x", **settings: Any) -> Column:
    return infer_schema(read({name: values}), **settings)[name]


# ---------------------------------------------------------------- dtypes


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (pl.Series([True, None]), "boolean", "dtype Boolean"),
        (pl.Series([date(2024, 1, 1)]), "datetime", "dtype Date"),
        (pl.Series([datetime(2024, 1, 1)]), "datetime", r"dtype Datetime"),
        (pl.Series(["a", "b"], dtype=pl.Categorical), "category", "dtype Categorical, 2 distinct"),
        (pl.Series(["a"], dtype=pl.Enum(["a", "b"])), "category", "dtype Enum, constant"),
        (pl.Series([timedelta(1)]), "number", "read as seconds"),
        (pl.Series([time(1)]), "number", "read as seconds"),
        (pl.Series([Decimal("1.5")]), "number", "numbers, constant 1.5"),
        ([1, 2, 2, 3], "number", r"whole numbers, 3 distinct from 1 to 3 \(codes\? then say category\)"),
        ([0, 1, 1], "number", "whole numbers, 2 distinct from 0 to 1"),
        ([0.5, None, float("nan")], "number", "numbers, constant 0.5"),
        ([None, None], "category", "no value in 2 rows"),
        (pl.Series([None, None], dtype=pl.Float64), "number", "no value in 2 rows"),
        (pl.Series([float("nan")] * 3), "number", "no value in 3 rows"),
        (["", None], "category", "no value in 2 rows"),
        (["a"], "category", "text, constant in 1 row"),
    ],
)  # fmt: skip
def test_dtypes(values: Any, kind: str, reason: str) -> None:
    column = column_of(values)
    assert column.kind == kind
    assert pl.Series([column.reason]).str.contains(reason).all(), column.reason


# ---------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("values", "kind", "settings"),
    [
        (["1", " 12.5", "-3e2"], "number", {}),
        (["1", "?", "2"], "number", {"missing": ("?",)}),
        (["1", "NA", "n/a", "-", ""], "number", {"missing": ("NA", "n/a", "-")}),
        (["1", "  ? "], "number", {"missing": ("?",)}),
        (["1", " ?"], "number", {"missing": ("?",)}),
        (["007", "1"], "category", {}),
        (["0", "0.5"], "number", {}),
        (["1234567890123456", "1"], "category", {}),
        (["1", "inf"], "category", {}),
        (["1", "1e400"], "category", {}),
        (["1", "nan"], "number", {"missing": ("nan",)}),
        (["yes", "No", "YES"], "boolean", {"true": ("YES", "yes"), "false": ("No",)}),
        (["t", "f", None], "boolean", {"true": ("t",), "false": ("f",)}),
        (
            ["true", "false", "NA"],
            "boolean",
            {"true": ("true",), "false": ("false",), "missing": ("NA",)},
        ),
        (["yes", "yes"], "category", {}),
        (["yes", "no", "maybe"], "category", {}),
        (["1", "0"], "number", {}),
        (["2024-01-31", "2024-02-01T12:00:00Z"], "datetime", {}),
        (["2024-01-31", "0000-00-00"], "datetime", {"missing": ("0000-00-00",)}),
        (["2024-01-31", "null"], "datetime", {"missing": ("null",)}),
        (["2024-01-31", "2024-02-30"], "category", {}),
        (["31/01/2024", "01/02/2024"], "datetime", {"format": "%d/%m/%Y"}),
        (["01/31/2024", "01/02/2024"], "datetime", {"format": "%m/%d/%Y"}),
        (["01/02/2024", "03/04/2024"], "category", {}),
        (["01.02.2024 10:00"], "datetime", {"format": "%d.%m.%Y %H:%M"}),
        (["Jan 3, 2024", "Dec 31, 2023"], "datetime", {"format": "%b %d, %Y"}),
        (["03-Jan-1995"], "datetime", {"format": "%d-%b-%Y"}),
        (["1949-01", "1949-02"], "datetime", {"format": "%Y-%m"}),
        (["2024-1-5", "2024-10-15"], "datetime", {"format": "%Y-%m-%d"}),
        (["1,5", "2,5"], "category", {}),
        (["a", "?", "b"], "category", {"missing": ("?",)}),
        (["a", " ?", "b"], "category", {"missing": (" ?",)}),
        (["+", "-", "+"], "category", {}),
        (["a", "?", "-"], "category", {}),
        (["a", "NA", "none", "N/A"], "category", {}),
        (["a", "NaN", "<NA>", "#N/A"], "category", {"missing": ("NaN", "<NA>", "#N/A")}),
        (["東京", "大阪"], "category", {}),
    ],
)
def test_text(values: list[Any], kind: str, settings: dict[str, Any]) -> None:
    column = column_of(values)
    expected = Column("x", kind, column.reason, **settings)  # type: ignore[arg-type]
    got = {**column.to_dict(), "missing": sorted(column.missing)}
    assert got == {**expected.to_dict(), "missing": sorted(expected.missing)}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["007"], "digits with leading zeros such as '007', kept as text"),
        (["1" * 16], "digits too many for an exact number such as '1111111111111111', kept as text"),
        (["01/02/2024"], "dates that could be %d/%m/%Y or %m/%d/%Y in every row; say kinds="),
        (["01/02/2024"], "{'x': 'datetime:%d/%m/%Y'} or kinds={'x': 'datetime:%m/%d/%Y'}"),
        ([*map(str, range(20)), "abc"], "of the distinct values are numbers but not 'abc'; if that"),
        ([*map(str, range(20)), "abc"], "say kinds={'x': 'number'} and missing={'x': ['abc']}"),
        ([f"2024-01-{i:02d}" for i in range(1, 25)] + ["soon"], "are dates but not 'soon'"),
        (["a", "none", "none"], "'none' (2 rows) kept as a value, if missing say missing={'x': ['none']}"),
        (["1,5"], "looks like numbers with commas, such as '1,5'; write a point to have numbers"),
        (["1", "?", "?"], "'?' (2 rows) read as missing"),
        (["yes", "no"], "text, all 'yes' or 'no'"),
        (["2024-01-31"], "text, all dates written by ISO 8601"),
        (["31.01.2024"], "text, all dates written as '%d.%m.%Y'"),
    ],
)  # fmt: skip
def test_the_reason_says_what_decided(values: list[str], reason: str) -> None:
    assert reason in column_of(values).reason


# ---------------------------------------------------------------- ids, codes, long text


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("PassengerId", [1, 5, 9], "id"),
        ("user_id", [1, 1, 2], "category"),
        ("user_id", [1.0, 1.0, None], "category"),
        ("user_id", ["1", "1", "2"], "category"),
        ("paid", [1, 5, 9], "number"),
        ("zip", [1010, 9490, 1010], "category"),
        ("Zip Code", ["1010", "9490"], "category"),
        ("customerID", ["7590-VHVEG", "5575-GNVDE"], "id"),
        ("Unnamed: 0", list(range(30)), "id"),
        ("", list(range(1, 31)), "id"),
        ("index", [3, 4, 5], "number"),
        ("x", list(range(30)), "number"),
        ("hash", [2**60 + i for i in range(5)], "id"),
        ("hash", [2**60, 2**60, 1], "category"),
        ("plate", [f"N{i}X" for i in range(MANY)], "id"),
        ("plate", [f"N{i}X" for i in range(20)], "category"),
        ("name", [f"Ada Lovelace {i}" for i in range(MANY)], "text"),
        ("review", [f"非常好的酒店{i}" for i in range(MANY)], "text"),
        ("review", ["word " * 30 + str(i) for i in range(3)], "text"),
        ("order_date", [20240131, 20231231], "datetime"),
        ("order_date", ["20240131", "20231231"], "datetime"),
        ("order_date", [20240131, 20241331], "number"),
        ("amount", [20240131, 20231231], "number"),
        ("timestamp", [881250949, 893286638], "datetime"),
        ("timestamp", ["1706745600123", "1706745600124"], "datetime"),
        ("timestamp", [1, 2, 3], "number"),
    ],
)
def test_names_and_repetition(name: str, values: list[Any], kind: str) -> None:
    column = column_of(values, name)
    assert column.kind == kind, column.reason


# ---------------------------------------------------------------- what the user says


def test_kinds_can_be_given() -> None:
    frame = read({"zip": [1, 2], "a": ["1", "?"], "day": ["01/02/2024"] * 2, "t": [0, 1]})
    kinds = {
        "zip": "text",
        "a": "number",
        "day": "datetime:%d/%m/%Y",
        "t": Column("t", "datetime", format="unix s", optional=True),
    }
    schema = infer_schema(frame, kinds=kinds)
    assert [column.kind for column in schema] == ["text", "number", "datetime", "datetime"]
    assert schema["zip"].reason == "given"
    assert schema["a"].missing == ("?",)
    assert schema["a"].reason == "given; '?' (1 row) read as missing"
    assert schema["day"].format == "%d/%m/%Y"
    assert schema["t"].optional
    conform(frame, schema)


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([20240131, 20240201], "%Y%m%d"),
        ([0, 1_706_745_600], "unix s"),
        ([1_706_745_600_000.0, None], "unix ms"),
        ([1_706_745_600_000_000], "unix us"),
        ([1_706_745_600_000_000_000], "unix ns"),
        (["31/01/2024"], "%d/%m/%Y"),
        (["2024-01-31"], None),
        (pl.Series([date(2024, 1, 1)]), None),
    ],
)
def test_the_format_of_declared_dates_is_found(values: Any, form: str | None) -> None:
    assert column_of(values, kinds={"x": "datetime"}).format == form


def test_a_declared_date_that_can_be_read_in_two_ways_is_a_question() -> None:
    with pytest.raises(
        DataError,
        match="column 'x': the dates can be read in two ways; say kinds=.*'datetime:%d/%m/%Y' or",
    ):
        column_of(["01/02/2024"], kinds={"x": "datetime"})


def test_a_declared_truth_value_in_unknown_words_is_a_question() -> None:
    frame = read({"sex": ["Male", "Female"], "ok": ["yes", "?"]})
    with pytest.raises(
        DataError, match=r"column 'sex': which values are true\? Say kinds=\{'sex': Column"
    ):
        infer_schema(frame, kinds={"sex": "boolean"})
    column = Column("sex", "boolean", true=("Male",), false=("Female",))
    schema = infer_schema(frame, kinds={"sex": column, "ok": "boolean"})
    assert repr(conform(frame, schema).collect().rows()) == "[(1.0, 1.0), (0.0, nan)]"


def test_missing_can_be_given_and_ends_the_guessing() -> None:
    frame = read(
        {"a": ["1", "?", "-999"], "b": ["x", "?", "NA"], "c": [1, -999, 3], "d": ["1", "?", "x"]}
    )
    schema = infer_schema(frame, missing={"a": ["?", -999], "b": "NA", "c": -999.0, "d": ["x"]})
    assert schema["a"].missing == ("?", "-999")
    assert schema["a"].kind == "number"
    assert schema["b"].missing == ("NA",)
    assert schema["c"].missing == ("-999",)
    assert schema["d"].kind == "category"  # "?" was not declared
    table = conform(frame, schema).collect()
    assert repr(table["a"].to_list()) == "[1.0, nan, nan]"
    assert table["b"].to_list() == ["x", "?", ""]
    assert repr(table["c"].to_list()) == "[1.0, nan, 3.0]"


def test_columns_can_be_left_out() -> None:
    frame = read({"a": [1], "nested": pl.Series([[1]]), "y": [0]})
    assert infer_schema(frame, exclude=["y", "nested"]).names == ("a",)


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"kinds": {"agee": "number"}}, DataError, r"column 'agee': the column is missing\. Did you mean 'age'\?"),
        ({"missing": {"agee": "?"}}, DataError, r"Did you mean 'age'\?"),
        ({"exclude": ["agee"]}, DataError, r"Did you mean 'age'\?"),
        ({"kinds": {"age": "nummer"}}, SettingError, r"there is no kind 'nummer'; did you mean 'number'\?"),
        ({"kinds": {"age": "number:%Y"}}, SettingError, "format= is for kind datetime, not number"),
        ({"kinds": {"age": Column("city", "id")}}, SettingError, "the column 'city' is given under the name 'age'"),
        ({"exclude": ["age"]}, DataError, "the table has no columns"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(settings: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        infer_schema(read({"age": [1, 2]}), **settings)


def test_dtypes_that_no_kind_can_hold_are_all_named() -> None:
    frame = pl.LazyFrame({"l": [[1]], "s": [{"a": 1}], "b": [b"x"], "ok": [1]})
    with pytest.raises(DataError) as caught:
        infer_schema(frame)
    assert [problem.column for problem in caught.value.problems] == ["l", "s", "b"]
    assert "values of dtype List(Int64) are not supported. Leave it out (exclude)" in str(
        caught.value
    )


def test_an_empty_table_and_a_pattern_for_a_name() -> None:
    with pytest.raises(DataError, match="the table is empty: it has no rows"):
        infer_schema(pl.LazyFrame({"a": []}))
    with pytest.raises(
        DataError, match=r"column '\*': the name is a pattern to Polars\. Rename it"
    ):
        infer_schema(pl.LazyFrame({"*": [1]}))


# ---------------------------------------------------------------- samples and scans


@pytest.mark.parametrize("lazy", [False, True])
def test_the_sample_suggests_and_all_rows_decide(
    lazy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(infer, "_SAMPLE_ROWS", 5)
    start, n = ["1", "2", "3", "4", "5"], [""] * 5
    frame = pl.LazyFrame(
        {
            "number": [*start, "6", "?"],
            "broken": [*start, "6", "abc"],
            "late number": [*n, "1", "2"],
            "late date": [*n, "2024-01-31", ""],
            "late word": [*n, "a", ""],
            "never": [*n, "", ""],
            "bool": ["yes", "no", "no", "no", "no", "no", "maybe"],
            "day": ["01/02/2024"] * 6 + ["31/02/2024"],
            "month": ["01/02/2024"] * 6 + ["12/31/2024"],
        }
    )
    frame = frame.filter(pl.lit(True)) if lazy else frame
    schema = infer_schema(frame)
    assert {column.name: column.kind for column in schema} == {
        "number": "number",
        "broken": "category",
        "late number": "number",
        "late date": "datetime",
        "late word": "category",
        "never": "category",
        "bool": "category",
        "day": "category",
        "month": "datetime",
    }
    assert schema["number"].missing == ("?",)
    assert schema["month"].format == "%m/%d/%Y"
    assert "7 distinct" in schema["broken"].reason
    conform(frame, schema)


def test_whatever_is_inferred_reads_its_own_table() -> None:
    rng = np.random.default_rng(0)
    pool = [
        "1",
        "2.5",
        "?",
        "NA",
        "",
        " ",
        "yes",
        "no",
        "2024-01-31",
        "31/01/2024",
        "a",
        "007",
        "-",
        None,
        "nan",
        "  ? ",
    ]
    for _ in range(150):
        chosen = rng.choice(len(pool), size=rng.integers(1, 5))
        values = [pool[i] for i in rng.choice(chosen, size=rng.integers(1, 30))]
        frame = pl.LazyFrame({"x": pl.Series(values, dtype=pl.String)})
        schema = infer_schema(frame)
        assert conform(frame, schema).collect().height == len(values)


def test_odd_names() -> None:
    names = ["年龄", "a b", 'q"', "it's", "d.o.t", "n\nl", "", "😀", "0", "0 rows", "rows"]
    schema = infer_schema(read({name: ["1", "?"] for name in names}))
    assert schema.names == tuple(names)
    assert set(schema.numbers) == set(names)


def test_a_million_levels() -> None:
    frame = pl.LazyFrame({"x": pl.int_range(300_000, eager=True).cast(pl.String) + " x"})
    column = infer_schema(frame)["x"]
    assert column.kind == "text"
    assert "300,000 distinct" in column.reason


@pytest.mark.parametrize("rows", [60, 1000, 100_000])
def test_ids_are_found_in_scans_too(rows: int) -> None:
    frame = pl.LazyFrame({"user_id": range(rows), "item_id": [i % 7 for i in range(rows)]})
    frame = frame.with_columns(plate=pl.col("user_id").cast(pl.String) + "x")
    kinds = {column.name: column.kind for column in infer_schema(frame)}
    assert kinds == {"user_id": "id", "item_id": "category", "plate": "id"}


def test_estimates_of_a_scan_are_marked() -> None:
    frame = pl.LazyFrame({"x": list(range(1000))}).filter(pl.lit(True))
    assert "whole numbers, about " in infer_schema(frame)["x"].reason
