from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from headrace.data.source import Query, answer, natural, read
from headrace.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [(1, "x"), (2, None)]
FRAME = pl.DataFrame({"a": [1, 2], "b": ["x", None]})


class Stream:
    """A table of some other library: only the PyCapsule interface is known of it."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return FRAME.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "data",
    [
        FRAME,
        FRAME.lazy(),
        FRAME.lazy().filter(pl.col("a") > 0),
        FRAME.to_pandas(),
        FRAME.to_arrow(),
        pa.RecordBatchReader.from_batches(FRAME.to_arrow().schema, FRAME.to_arrow().to_batches()),
        Stream(),
        FRAME.to_dict(),
        FRAME.to_dict(as_series=False),
        FRAME.to_dicts(),
        tuple(FRAME.to_dicts()),
        (np.array(ROWS, dtype=object), ["a", "b"]),
        np.array([(1, "x"), (2, None)], dtype=[("a", int), ("b", object)]),
    ],
    ids=lambda data: type(data).__name__,
)
def test_every_container_gives_the_same_table(data: Any) -> None:
    frame = read(data)
    assert isinstance(frame, pl.LazyFrame)
    assert frame.collect().rows() == ROWS
    assert frame.collect_schema().names() == ["a", "b"]


@pytest.mark.parametrize(
    "data",
    [np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]], [(1, 2), (3, 4)], [np.array([1, 2]), [3, 4]]],
)
def test_columns_without_names_get_some(data: Any) -> None:
    assert read(data).collect().to_dict(as_series=False) == {"x0": [1, 3], "x1": [2, 4]}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (5, r"expected a pandas or Polars table, .* received an int$"),
        (None, r"received a NoneType"),
        (pl.Series([1]), r"received a polars\..*Series \(give a table: \.to_frame\(\)\)"),
        (pd.Series([1]), r"received a pandas\..*Series \(give a table: \.to_frame\(\)\)"),
        ({1, 2}, "received a set"),
        ([], "the table is empty: the list holds no rows"),
        ({}, "the table has no columns"),
        (pl.DataFrame(), "the table has no columns"),
        (FRAME.head(0), "the table is empty: it has no rows .columns 'a', 'b'."),
        (FRAME.to_pandas().head(0), "the table is empty"),
        (np.empty((0, 3)), "the table is empty"),
        (np.empty((3, 0)), "the table has no columns"),
        (np.array([1, 2]), r"received the shape \(2,\)\. Reshape it: array\.reshape\(-1, 1\)"),
        (np.zeros((2, 2, 2)), r"received the shape \(2, 2, 2\)"),
        ((np.eye(2), ["a"]), "1 names were given for 2 columns"),
        ((np.eye(2), ["a", "a"]), "column 'a': 2 columns have this name. Rename them"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "column 'a': 2 columns have this name"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "column '1': 2 columns have this name"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "several levels"),
        (pa.table([[1], [2]], names=["a", "a"]), "two columns have one name"),
        (pa.array([1]), r"received a pyarrow\..*Array"),
        ({"a": [1], "b": [1, 2]}, r"the columns differ in length: 'a': 1, 'b': 2"),
        ({"a": 1}, "column 'a': expected a sequence of values, received an int"),
        ({"a": "text"}, "column 'a': expected a sequence of values, received a str"),
        ({"a": np.eye(2)}, r"column 'a': .* received an array of the shape \(2, 2\)"),
        ([{"a": 1}, 5], "expected a list of mappings, or of rows of one length; received dict, int"),
        ([[1, 2], [1]], "expected a list of mappings, or of rows of one length; received list"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(data: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        read(data)


def test_reading_needs_no_pandas() -> None:
    code = (
        "import sys; from headrace.data.source import read; read({'a': [1]}); "
        "print(sorted({'pandas', 'sqlalchemy', 'sklearn', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_answers_come_in_the_container_of_the_data() -> None:
    values = np.array([0.5, 1.5])
    table = pd.DataFrame({"a": [1, 2]}, index=["r", "s"])
    series = answer(values, table, "price")
    assert isinstance(series, pd.Series)
    assert series.name == "price"
    assert series.index.equals(table.index)
    assert series.tolist() == [0.5, 1.5]
    for data in (FRAME, FRAME.lazy()):
        column = answer(values, data, "price")
        assert isinstance(column, pl.Series)
        assert (column.name, column.to_list()) == ("price", [0.5, 1.5])
    assert answer(values, "a.csv", "price") is values
    labels = np.array(["yes", "no"], dtype=object)
    assert answer(labels, FRAME, "income").to_list() == ["yes", "no"]


@pytest.mark.parametrize(
    ("values", "expected", "dtype"),
    [
        (["1", "20", None, ""], [1, 20, None, None], pl.Int64),
        (["1", "2.5"], [1.0, 2.5], pl.Float64),
        (["-1", "0"], [-1, 0], pl.Int64),
        (["01", "2"], ["01", "2"], pl.String),
        (["true", "false"], [True, False], pl.Boolean),
        (["yes", "no"], ["yes", "no"], pl.String),
        (["1", "1e400"], ["1", "1e400"], pl.String),
        (["1", "nan"], ["1", "nan"], pl.String),
        (["9" * 30], ["9" * 30], pl.String),
        (["+1"], [1.0], pl.Float64),
        ([None, ""], [None, None], pl.String),
        ([">50K", "1"], [">50K", "1"], pl.String),
    ],
)
def test_text_gets_the_dtype_of_its_values(
    values: list[Any], expected: list[Any], dtype: Any
) -> None:
    series = natural(pl.Series("y", values, dtype=pl.String))
    assert series.to_list() == expected
    assert series.dtype == dtype
    assert series.name == "y"


def test_other_dtypes_stay() -> None:
    series = pl.Series("y", [1, 2], dtype=pl.Int8)
    assert natural(series) is series


def test_a_query_is_a_source() -> None:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (a int, b text)")
    connection.executemany("insert into t values (?, ?)", ROWS)
    assert read(Query("select * from t", connection)).collect().rows() == ROWS
    connection.close()


def test_a_path_is_a_source(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "t.parquet")
    for data in (tmp_path / "t.parquet", str(tmp_path / "t.parquet"), [tmp_path / "t.parquet"]):
        assert read(data).collect().rows() == ROWS
