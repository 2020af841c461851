"""Any source of rows as a lazy Polars table, and answers back in the container they came in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import polars as pl

from headrace.data.files import from_paths
from headrace.data.objects import column_of, from_array, from_columns, from_rows
from headrace.data.problems import with_article
from headrace.data.query import Query
from headrace.data.scan import collect, in_memory
from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Query", "answer", "answer_frame", "collect", "in_memory", "is_lazy", "natural", "read"]

_ACCEPTED = (
    "a pandas or Polars table, an Arrow table, a NumPy array with two dimensions, "
    "(array, names), a dict of columns, a list of dicts, a path, a glob, a list of paths, "
    "or headrace.Query(sql, connection)"
)


def read(data: object, *, empty: bool = False) -> pl.LazyFrame:
    """Answer any source as a lazy table with the dtypes that the source gives.

    Sources: pandas (every dtype), Polars (eager and lazy), whatever speaks the Arrow PyCapsule
    interface, NumPy with two dimensions (columns x0, x1, …, or `(array, names)`), a dict of
    columns, a list of dicts or of rows, a path, folder or glob or a list of these (CSV, TSV,
    Parquet, NDJSON, JSON, Arrow IPC; text also with .gz and .zst), and a `Query`.

    Columns of CSV files are text, whatever they hold, so that nothing is lost ("007" stays "007");
    `infer_schema` decides what they are and `conform` reads them. Fields are separated by commas,
    or, when the header holds none, by semicolons, tabs or bars. Text files up to 64 MiB are read
    at once; larger ones are scanned anew by each pass, and rows that are too short are then filled
    with missing values instead of refused.

    Args:
        data: The source.
        empty: Whether a table without rows is welcome, as it is where each row gets an answer.

    Raises:
        DataError: A source of another type, an absent, damaged or mistaken file, duplicate
            column names, or a table without columns or, unless `empty`, without rows.

    Example:
        >>> read({"a": [1, 2], "b": ["x", None]}).collect().rows()
        [(1, 'x'), (2, None)]
        >>> read("no such file.csv")
        Traceback (most recent call last):
        headrace.errors.DataError: there is no file 'no such file.csv'
    """
    table = _table(data)
    if isinstance(table, pl.LazyFrame):
        return table
    if table.width == 0:
        raise DataError([Problem("the table has no columns")])
    if table.height == 0 and not empty:
        columns = ", ".join(repr(name) for name in table.columns[:5])
        raise DataError([Problem(f"the table is empty: it has no rows (columns {columns})")])
    return table.lazy()


def _table(data: object) -> pl.DataFrame | pl.LazyFrame:
    for accepts, make in _SOURCES:
        if accepts(data):
            return make(data)
    raise DataError([Problem(f"expected {_ACCEPTED}; received {_described(data)}")])


def _is_a(*types: type) -> Callable[[object], bool]:
    return lambda data: isinstance(data, types)


def _is_named_array(data: object) -> bool:
    return isinstance(data, tuple) and len(data) == 2 and getattr(data[0], "ndim", 0) == 2


def _is_arrow(data: object) -> bool:
    # A Polars Series is one column with no table around it, although it streams as Arrow.
    return hasattr(data, "__arrow_c_stream__") and not isinstance(data, pl.Series)


def _of_pandas(data: Any) -> pl.DataFrame:
    from headrace.data.pandas_frames import from_pandas

    return from_pandas(data)


def _of_path(data: str | Path) -> pl.DataFrame | pl.LazyFrame:
    return _checked(from_paths([data]))


def _of_named_array(data: tuple[Any, Any]) -> pl.DataFrame:
    return from_array(np.asarray(data[0]), data[1])


def _checked(frame: pl.LazyFrame) -> pl.DataFrame | pl.LazyFrame:
    return frame.collect() if in_memory(frame) else frame


def _is_pandas(data: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def _without_objects(frame: pl.DataFrame) -> pl.DataFrame:
    held = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    return frame.with_columns(column_of(name, frame[name]) for name in held) if held else frame


def _of_list(data: list[Any] | tuple[Any, ...]) -> pl.DataFrame | pl.LazyFrame:
    if not data:
        raise DataError([Problem("the table is empty: the list holds no rows")])
    if all(isinstance(item, (str, Path)) for item in data):
        return _checked(from_paths(data))
    return from_rows(data)


def _of_arrow(data: Any) -> pl.DataFrame:
    try:
        return pl.DataFrame(data)
    except pl.exceptions.DuplicateError as error:
        raise DataError([Problem(f"two columns have one name: {error}")]) from error
    except pl.exceptions.SchemaError as error:  # an array, not a table
        text = f"expected {_ACCEPTED}; received {_described(data)}"
        raise DataError([Problem(text)]) from error


_SOURCES: tuple[tuple[Callable[[object], bool], Callable[[Any], pl.DataFrame | pl.LazyFrame]], ...]
_SOURCES = (
    (_is_a(pl.LazyFrame), lambda data: data),
    (_is_a(pl.DataFrame), _without_objects),
    (_is_pandas, _of_pandas),
    (_is_a(Query), Query.read),
    (_is_a(str, Path), _of_path),
    (_is_a(np.ndarray), from_array),
    (_is_named_array, _of_named_array),
    (_is_a(Mapping), from_columns),
    (_is_a(list, tuple), _of_list),
    (_is_arrow, _of_arrow),
)
"""Each kind of source: how it is known, and what makes a table of it; the first that fits."""


def _described(data: object) -> str:
    kind = type(data)
    outside = kind.__module__ not in ("builtins", "numpy")
    name = with_article(f"{kind.__module__}.{kind.__name__}" if outside else kind.__name__)
    if name.endswith("Series"):
        return f"{name} (give a table: .to_frame())"
    return name


def answer(values: NDArray[Any], data: object, name: str) -> Any:
    """Put predictions in the container that the data came in.

    Args:
        values: (rows,) the predictions.
        data: What was given to `read`.
        name: The name of the answered column.

    Returns:
        A pandas Series with the index of a pandas table, a Polars Series for a Polars table, the
        array itself for anything else.

    Example:
        >>> import numpy as np
        >>> answer(np.array([1.5]), {"a": [1]}, "price")
        array([1.5])
    """
    if _is_pandas(data):
        frame: Any = data
        return sys.modules["pandas"].Series(values, index=frame.index, name=name)
    if isinstance(data, (pl.DataFrame, pl.LazyFrame)):
        return column_of(name, values)
    return values


def answers(columns: Mapping[str, NDArray[Any]], data: object) -> Any:
    """Put several columns of predictions in a frame: of pandas for pandas, else of Polars."""
    if _is_pandas(data):
        frame: Any = data
        return sys.modules["pandas"].DataFrame(dict(columns), index=frame.index)
    return pl.DataFrame([column_of(name, values) for name, values in columns.items()])


def answer_frame(frame: pl.DataFrame, data: object) -> Any:
    """Answer a frame of predictions as pandas for pandas, with its index, else as it is.

    Lists of a Polars column become Python lists.
    """
    if not _is_pandas(data):
        return frame
    given: Any = data
    columns = {
        column.name: column.to_list() if column.dtype.is_nested() else column.to_numpy()
        for column in frame
    }
    return sys.modules["pandas"].DataFrame(columns, index=given.index)


def is_lazy(data: object) -> TypeGuard[pl.LazyFrame]:
    """Answer whether a source is a Polars LazyFrame, so that answers are lazy too.

    Example:
        >>> import polars as pl
        >>> is_lazy(pl.LazyFrame({"a": [1]})), is_lazy({"a": [1]})
        (True, False)
    """
    return isinstance(data, pl.LazyFrame)


def natural(values: pl.Series) -> pl.Series:
    """Give a column of text the dtype that its values have, if that loses nothing.

    Columns of CSV files are text; a target among them needs its own type. All values "true" or
    "false" become Boolean; all whole numbers as a computer writes them (no leading zeros, no
    sign but minus) become Int64; all numbers become Float64; anything else stays text. Empty text
    is missing.

    Args:
        values: A column of any dtype; only text is changed.

    Example:
        >>> import polars as pl
        >>> natural(pl.Series(["1", "20", None])).to_list(), natural(pl.Series(["01", "20"])).dtype
        ([1, 20, None], String)
    """
    if values.dtype != pl.String:
        return values
    text = values.set(values == "", None)
    held = text.drop_nulls()
    if held.is_empty():
        return text
    if held.is_in(["true", "false"]).all():
        return text == "true"
    if held.str.contains("^[+-]?0[0-9]").any():
        return text
    if held.str.contains("^(0|-?[1-9][0-9]*)$").all():
        whole = text.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == text.null_count() else text
    number = text.cast(pl.Float64, strict=False)
    fits = number.null_count() == text.null_count() and number.is_finite().all()
    return number if fits else text
