from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from headrace.data.objects import column_of, from_columns, from_rows
from headrace.errors import DataError


@pytest.mark.parametrize(
    ("values", "expected", "dtype"),
    [
        ([1, None, 3], [1, None, 3], pl.Int64),
        ([1, math.nan], [1, None], pl.Int64),
        ([1, 2.5], [1.0, 2.5], pl.Float64),
        ([2**53 + 1, 0.5], [str(2**53 + 1), "0.5"], pl.String),
        ([2**63], [2**63], pl.Int128),
        ([2**200, 1], [str(2**200), "1"], pl.String),
        ([True, None], [True, None], pl.Boolean),
        ([True, 1], ["true", "1"], pl.String),
        (["a", 1, 1.0, None, math.nan], ["a", "1", "1", None, None], pl.String),
        ([None, None], [None, None], pl.Null),
        ([pd.NA, pd.NaT, 1], [None, None, 1], pl.Int64),
        ([np.int8(1), np.float32(0.5)], [1.0, 0.5], pl.Float64),
        ([np.str_("a"), "b"], ["a", "b"], pl.String),
        ([date(2024, 1, 1)], [date(2024, 1, 1)], pl.Date),
        ([timedelta(1)], [timedelta(1)], pl.Duration),
        ([time(1)], [time(1)], pl.Time),
        ([Decimal("1.5"), None], [Decimal("1.5"), None], pl.Decimal),
        ([Decimal("1E+37"), Decimal("1E-20")], ["1" + "0" * 37, "0." + "0" * 19 + "1"], pl.String),
        ([Decimal("NaN"), Decimal(1)], [None, Decimal(1)], pl.Decimal),
        ([date(2024, 1, 1), "x"], ["2024-01-01", "x"], pl.String),
        (range(3), [0, 1, 2], pl.Int64),
        (pd.Series([1, 2], index=[5, 6]), [1, 2], pl.Int64),
        (pl.Series([1, "a"], dtype=pl.Object), ["1", "a"], pl.String),
        (pl.Series([1.5]), [1.5], pl.Float64),
    ],
)
def test_a_column_keeps_its_values(values: Any, expected: list[Any], dtype: Any) -> None:
    series = column_of("x", values)
    assert series.to_list() == expected
    assert series.dtype == dtype
    assert series.name == "x"


@pytest.mark.parametrize(
    ("array", "expected", "dtype"),
    [
        (np.array([1.5, np.nan], np.float32), [1.5, math.nan], pl.Float32),
        (np.array([1, 2], np.uint16), [1, 2], pl.UInt16),
        (np.array([1.5], np.longdouble), [1.5], pl.Float64),
        (np.array(["a", "ü"]), ["a", "ü"], pl.String),
        (np.array([1, "a", None], dtype=object), ["1", "a", None], pl.String),
        (np.ma.masked_array([1, 2], [False, True]), [1, None], pl.Int64),
        (np.array(["2024-01-01", "NaT"], "M8[D]"), [datetime(2024, 1, 1), None], pl.Datetime),
        (np.array([1], "m8[s]"), [timedelta(seconds=1)], pl.Duration),
        (np.arange(6)[::2], [0, 2, 4], pl.Int64),
    ],
)  # fmt: skip
def test_an_array_keeps_its_values(array: Any, expected: list[Any], dtype: Any) -> None:
    series = column_of("x", array)
    assert repr(series.to_list()) == repr(expected)
    assert series.dtype.base_type() == dtype


def test_times_of_several_zones_are_one_instant() -> None:
    east = datetime(2024, 1, 1, 12, tzinfo=UTC).astimezone(pd.Timestamp("2024", tz="Asia/Tokyo").tz)
    series = column_of("x", [datetime(2024, 1, 1, 12, tzinfo=UTC), east])
    assert series.dtype == pl.Datetime("us", "UTC")
    assert series.n_unique() == 1


def test_what_has_no_text_is_kept_and_left_to_the_user() -> None:
    for values in ([b"1", b"2"], [[1], [2]], [{"a": 1}], [1 + 2j]):
        assert column_of("x", values).dtype == pl.Object
    frame = from_columns({"x": [[1], [2]], "y": [1, 2]})
    assert frame.lazy().select("y").collect().rows() == [(1,), (2,)]


def test_broken_text_is_named() -> None:
    with pytest.raises(DataError, match=r"column 'x', row 1: expected valid Unicode text"):
        column_of("x", ["a", "\ud800"])
    with pytest.raises(
        DataError, match="column 'x', row 1: expected a finite number, received inf"
    ):
        column_of("x", ["a", math.inf])


def test_rows_may_lack_names() -> None:
    assert from_rows([{"a": 1}, {"b": "x", "a": None}]).rows() == [(1, None), (None, "x")]
    with pytest.raises(DataError, match="column '1': 2 columns have this name"):
        from_rows([{1: 0, "1": 0}])


def test_a_pandas_series_keeps_what_its_dtype_says() -> None:
    levels = pd.Categorical(["mid", "low"], ["low", "mid", "high"], ordered=True)
    made = column_of("level", pd.Series(levels))
    assert made.dtype == pl.Enum(["low", "mid", "high"])
    assert column_of("n", pd.Series([1, None], dtype="Int64")).to_list() == [1, None]
    assert column_of("i", pd.Index([1, 2])).to_list() == [1, 2]
