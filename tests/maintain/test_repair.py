from __future__ import annotations

import math

import polars as pl
import pytest

from headrace.data.conform import conform
from headrace.data.schema import MISSING_TIME, Column, Schema
from headrace.errors import DataError
from headrace.maintain.repair import repair

SCHEMA = Schema(
    (
        Column("age", "number"),
        Column("member", "boolean"),
        Column("city", "category"),
        Column("since", "datetime"),
    )
)


def test_good_rows_come_out_as_the_door_lets_them_in() -> None:
    rows = pl.LazyFrame(
        {
            "age": [39, None],
            "member": ["true", None],
            "city": [1.0, None],
            "since": ["2024-01-31", None],
        }
    )
    assert repair(rows, SCHEMA).collect().equals(conform(rows, SCHEMA).collect())


def test_what_does_not_fit_is_missing() -> None:
    rows = pl.LazyFrame(
        {
            "age": ["old", "40", "inf"],
            "member": ["perhaps", "true", "2"],
            "city": ["Oslo", "", None],
            "since": ["2024-13-01", "1970-01-01", "soon"],
        }
    )
    with pytest.raises(DataError, match="expected a number"):
        conform(rows, SCHEMA).collect()
    found = repair(rows, SCHEMA).collect()
    assert found["age"].fill_nan(None).to_list() == [None, 40.0, None]
    assert found["member"].fill_nan(None).to_list() == [None, 1.0, None]
    assert found["city"].to_list() == ["Oslo", "", ""]
    assert found["since"].to_list() == [MISSING_TIME, 0, MISSING_TIME]


def test_infinite_floats_are_missing() -> None:
    found = repair(pl.LazyFrame({"age": [1.0, math.inf, -math.inf]}), SCHEMA.select(["age"]))
    assert found.collect()["age"].fill_nan(None).to_list() == [1.0, None, None]


def test_columns_that_are_gone_or_cannot_fit_are_missing_in_every_row() -> None:
    rows = pl.LazyFrame({"member": [[1], [2]], "other": [1, 2]})
    found = repair(rows, SCHEMA, keep=["other"]).collect()
    assert found.columns == [*SCHEMA.names, "other"]
    assert found["age"].is_nan().all()
    assert found["member"].is_nan().all()
    assert found["city"].to_list() == ["", ""]
    assert found["since"].to_list() == [MISSING_TIME] * 2


def test_no_rows() -> None:
    assert repair(pl.LazyFrame({"age": []}), SCHEMA).collect().height == 0
