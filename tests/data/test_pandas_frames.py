from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from headrace.data.conform import conform
from headrace.data.pandas_frames import from_pandas
from headrace.data.schema import MISSING_TIME, Column, Kind, Schema
from headrace.data.source import read

HOUR = 3_600_000_000


def series_of(values: list[Any], dtype: Any) -> pd.Series[Any]:
    return pd.Series(values, dtype=dtype)


@pytest.mark.parametrize(
    ("series", "expected", "dtype"),
    [
        (series_of([1, 2], "int8"), [1, 2], pl.Int8),
        (series_of([1.5, None], "float32"), [1.5, math.nan], pl.Float32),
        (series_of([True, False], "bool"), [True, False], pl.Boolean),
        (series_of([1, None], "Int64"), [1, None], pl.Int64),
        (series_of([1, None], "UInt8"), [1, None], pl.UInt8),
        (series_of([1.5, None], "Float64"), [1.5, None], pl.Float64),
        (series_of([True, None], "boolean"), [True, None], pl.Boolean),
        (series_of(["a", None], "str"), ["a", None], pl.String),
        (series_of(["a", None], "string"), ["a", None], pl.String),
        (series_of(["a", None], "string[python]"), ["a", None], pl.String),
        (series_of(["a", 1, 2.0, None, math.nan], object), ["a", "1", "2", None, None], pl.String),
        (series_of([1, None], pd.ArrowDtype(pa.int32())), [1, None], pl.Int32),
        (series_of(["a", None], pd.ArrowDtype(pa.string())), ["a", None], pl.String),
        (series_of([0, 1], pd.SparseDtype(int)), [0, 1], pl.Int64),
        (series_of([pd.Timestamp("2024"), None], "M8[ns]"), [datetime(2024, 1, 1), None], pl.Datetime),
        (series_of([pd.Timestamp("2024")], "M8[s]"), [datetime(2024, 1, 1)], pl.Datetime),
        (series_of(["2024-01"], "period[M]"), [datetime(2024, 1, 1)], pl.Datetime),
        (pd.Series(pd.interval_range(0, 1)), ["(0, 1]"], pl.String),
        (series_of([None, None], object), [None, None], pl.Null),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")) or None,
)  # fmt: skip
def test_every_dtype(series: pd.Series[Any], expected: list[Any], dtype: Any) -> None:
    column = from_pandas(series.to_frame("x"))["x"]
    assert repr(column.to_list()) == repr(expected)
    assert column.dtype.base_type() == dtype


@pytest.mark.parametrize(
    ("categories", "expected"),
    [(["b", "a", None, "b"], ["b", "a", None, "b"]), ([2, 1, None, 2], ["2", "1", None, "2"]),
     ([1.0, 2.5], ["1", "2.5"]), ([True, False], ["true", "false"]), ([None, None], [None, None])],
)  # fmt: skip
def test_categories_stay_categories_of_text(categories: list[Any], expected: list[Any]) -> None:
    column = from_pandas(pd.DataFrame({"x": pd.Categorical(categories)}))["x"]
    assert column.cast(pl.String).to_list() == expected
    assert column.dtype == (pl.Categorical if any(expected) else pl.String)


def test_ordered_categories_keep_their_order() -> None:
    values = pd.Categorical(["mid", "low"], ["low", "mid", "high"], ordered=True)
    assert from_pandas(pd.DataFrame({"x": values}))["x"].dtype == pl.Enum(["low", "mid", "high"])


def test_categories_that_share_their_text_are_merged() -> None:
    column = from_pandas(pd.DataFrame({"x": pd.Categorical([1, "1", None])}))["x"]
    assert column.to_list() == ["1", "1", None]


def test_zones_are_one_instant() -> None:
    moment = pd.Timestamp("2024-07-01 12:00", tz="Europe/Oslo")
    frame = pd.DataFrame({"t": pd.Series([moment, pd.NaT])})
    schema = Schema((Column("t", "datetime"),))
    expected = datetime(2024, 7, 1, 10, tzinfo=UTC).timestamp() * 1e6
    assert conform(read(frame), schema).collect()["t"].to_list() == [expected, MISSING_TIME]


KINDS: dict[str, tuple[Kind, list[Any]]] = {
    "n": ("number", [1.0, math.nan, 3.0]),
    "c": ("category", ["1", "", "3"]),
    "b": ("boolean", [1.0, math.nan, 0.0]),
}


@pytest.mark.parametrize("backend", ["numpy", "numpy_nullable", "pyarrow"])
def test_all_backends_become_the_same_canonical_columns(backend: str) -> None:
    frame = pd.DataFrame({"n": [1, None, 3], "c": [1, None, 3], "b": [True, None, False]})
    if backend != "numpy":
        frame = frame.convert_dtypes(dtype_backend=backend)  # type: ignore[call-overload]
    schema = Schema(tuple(Column(name, kind) for name, (kind, _) in KINDS.items()))
    table = conform(read(frame), schema).collect()
    for name, (_, expected) in KINDS.items():
        np.testing.assert_array_equal(table[name].to_numpy(), np.array(expected))


def test_the_index_is_left_out_and_names_become_text() -> None:
    frame = pd.DataFrame({1: [5], ("a", "b"): [6]}, index=["r"])
    assert from_pandas(frame).to_dict(as_series=False) == {"1": [5], "('a', 'b')": [6]}
