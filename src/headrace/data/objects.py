"""Tables held as Python objects: dicts, lists of rows, NumPy arrays and pandas frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data import grammar
from headrace.data.problems import Refused, with_article
from headrace.data.schema import Column
from headrace.data.values import is_missing_type, reader
from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["column_of", "from_array", "from_columns", "from_rows", "table_of", "unique_names"]

_EXACT = 2**53
_SIMPLE: dict[type, pl.DataType] = {
    bool: pl.Boolean(),
    str: pl.String(),
    timedelta: pl.Duration("us"),
    time: pl.Time(),
}
_FAMILIES = (bool, int, float, str, Decimal, datetime, date, timedelta, time)


def unique_names(names: Iterable[object]) -> list[str]:
    """Answer column names as text, and refuse those that occur twice.

    Raises:
        DataError: It names every duplicate.

    Example:
        >>> unique_names(["age", 1])
        ['age', '1']
    """
    texts = [name if type(name) is str else str(name) for name in names]
    twice = list(dict.fromkeys(name for name in texts if texts.count(name) > 1))
    if twice:
        hint = "Rename them: every column needs a name of its own"
        if all(grammar.parse_number(text) is not None for text in texts):
            hint = "Does the file lack a line of names? Read it yourself, with names, and give that"
        raise DataError(
            Problem(f"{texts.count(name)} columns have this name", column=name, hint=hint)
            for name in twice
        )
    return texts


def from_columns(columns: Mapping[Any, object]) -> pl.DataFrame:
    """Make a table of columns given by name.

    Args:
        columns: Sequences of the same length: lists, arrays, Polars or pandas series.

    Raises:
        DataError: A value that is no column, or lengths that differ.

    Example:
        >>> from_columns({"a": [1, "x", None]})["a"].to_list()
        ['1', 'x', None]
    """
    names = unique_names(columns)
    series = [column_of(name, held) for name, held in zip(names, columns.values(), strict=True)]
    lengths = {column.len() for column in series}
    if len(lengths) > 1:
        listed = ", ".join(f"{column.name!r}: {column.len():,}" for column in series)
        raise DataError([Problem(f"the columns differ in length: {listed}")])
    return table_of(series)


def from_rows(rows: Sequence[Any]) -> pl.DataFrame:
    """Make a table of rows: mappings from name to value, or sequences (columns x0, x1, …).

    A name that some rows lack is missing there.

    Raises:
        DataError: A row that is neither, or whose length differs.

    Example:
        >>> from_rows([{"a": 1}, {"b": 2.5}]).rows()
        [(1, None), (None, 2.5)]
    """
    if all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        unique_names(names)
        return from_columns({name: [row.get(name) for row in rows] for name in names})
    widths = {len(row) if isinstance(row, (list, tuple, np.ndarray)) else -1 for row in rows}
    if len(widths) > 1 or -1 in widths:
        wanted = "expected a list of mappings, or of rows of one length"
        kinds = sorted({type(row).__name__ for row in rows})
        raise DataError([Problem(f"{wanted}; received {', '.join(kinds)}")])
    return from_columns({f"x{i}": list(values) for i, values in enumerate(zip(*rows, strict=True))})


def from_array(array: NDArray[Any], names: Sequence[object] | None = None) -> pl.DataFrame:
    """Make a table of a two-dimensional array, or of a structured one.

    Args:
        array: (rows, columns), of any dtype that holds numbers, text, dates or objects.
        names: One name for each column; x0, x1, … when there are none.

    Raises:
        DataError: Another shape, or another number of names.

    Example:
        >>> import numpy as np
        >>> from_array(np.eye(2), ["a", "b"]).columns
        ['a', 'b']
    """
    if array.dtype.names is not None and array.ndim == 1:
        return from_columns({name: array[name] for name in array.dtype.names})
    if array.ndim != 2:
        hint = "Reshape it: array.reshape(-1, 1) is one column, array.reshape(1, -1) one row"
        text = f"expected an array of rows and columns, received the shape {array.shape}"
        raise DataError([Problem(text, hint=hint)])
    listed = unique_names(names) if names is not None else [f"x{i}" for i in range(array.shape[1])]
    if len(listed) != array.shape[1]:
        text = f"{len(listed)} names were given for {array.shape[1]} columns"
        raise DataError([Problem(text)])
    return table_of([column_of(name, array[:, i]) for i, name in enumerate(listed)])


def table_of(columns: list[pl.Series]) -> pl.DataFrame:
    """Make a table of columns whose names differ, and keep even an empty name."""
    return pl.DataFrame({column.name: column for column in columns})


def column_of(name: str, values: object) -> pl.Series:
    """Make one column of a sequence, an array or a series.

    Values of one type keep it. A mixture becomes text, each value written as a category would be,
    so that nothing is lost; whole numbers among fractions become floats. What has no such text
    (lists, bytes) is kept as it is and refused when the column is used.

    Example:
        >>> column_of("x", [1, None, 2.5]).to_list(), column_of("x", [True, 1]).to_list()
        ([1.0, None, 2.5], ['true', '1'])
    """
    if isinstance(values, pl.Series):
        return _polars(name, values)
    if _is_pandas_series(values):
        from headrace.data.pandas_frames import pandas_column

        return pandas_column(name, values)
    if isinstance(values, np.ma.MaskedArray):
        return _of_objects(name, values.tolist())
    if isinstance(values, np.ndarray):
        return _of_array(name, values)
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
        return _of_objects(name, list(values))
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        held: Any = values
        return pl.Series(name, held)
    text = f"expected a sequence of values, received {with_article(type(values).__name__)}"
    raise DataError([Problem(text, column=name, hint="Give one value for each row")])


def _is_pandas_series(values: object) -> bool:
    package = type(values).__module__.partition(".")[0]  # "pandas" itself, since pandas 3
    return package == "pandas" and hasattr(values, "dtype") and hasattr(values, "array")


def _polars(name: str, values: pl.Series) -> pl.Series:
    return _of_objects(name, values.to_list()) if values.dtype == pl.Object else values.alias(name)


def _of_array(name: str, values: NDArray[Any]) -> pl.Series:
    if values.ndim != 1:
        text = f"expected one value for each row, received an array of the shape {values.shape}"
        raise DataError([Problem(text, column=name)])
    if values.dtype.kind in "biuf" and values.dtype.itemsize <= 8:
        return pl.Series(name, np.ascontiguousarray(values))
    if values.dtype.kind in "mM":
        unit = np.datetime_data(values.dtype)[0]
        finer = unit if unit in ("ns", "us", "ms") else "us"
        return pl.Series(name, values.astype(f"{values.dtype.kind}8[{finer}]"))
    if values.dtype.kind == "f":
        return pl.Series(name, values.astype(np.float64))
    return _of_objects(name, values.tolist())


def _of_objects(name: str, values: list[Any]) -> pl.Series:
    types = set(map(type, values))
    nothing = {kind for kind in types if is_missing_type(kind)}
    if nothing - {type(None)}:
        values = [None if type(value) in nothing else value for value in values]
    types -= nothing
    families = {_family(kind) for kind in types}
    if float in families and families != {float}:
        values = [None if isinstance(v, float) and math.isnan(v) else v for v in values]
        families = {_family(kind) for kind in set(map(type, values)) - {type(None)}}
    if any(issubclass(kind, np.generic) for kind in types):
        values = [value.item() if isinstance(value, np.generic) else value for value in values]
    return _of_families(name, values, families)


def _family(kind: type) -> type:
    """Answer the plain type that values of a type are read as."""
    if issubclass(kind, np.bool_):
        return bool
    if issubclass(kind, (np.integer, np.floating)):
        return int if issubclass(kind, np.integer) else float
    if issubclass(kind, np.datetime64):
        return datetime
    return next((base for base in _FAMILIES if issubclass(kind, base)), object)


def _of_families(name: str, values: list[Any], families: set[type]) -> pl.Series:
    if not families:
        return pl.Series(name, values, dtype=pl.Null)
    if families <= {int, float}:
        return _numbers(name, values, families)
    if len(families) == 1:
        (family,) = families
        if family in _SIMPLE:
            return _simple(name, values, _SIMPLE[family])
        if family in (date, datetime):
            return _dates(name, values, family)
        if family is Decimal:
            return _decimals(name, values)
    return _texts(name, values)


def _numbers(name: str, values: list[Any], families: set[type]) -> pl.Series:
    if families == {float}:
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    if families == {int}:
        for dtype in (pl.Int64, pl.Int128):
            try:
                return pl.Series(name, values, dtype=dtype)
            except (OverflowError, TypeError):
                continue
        return _texts(name, values)
    if any(isinstance(value, int) and abs(value) > _EXACT for value in values):
        return _texts(name, values)
    return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)


def _simple(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    try:
        return pl.Series(name, values, dtype=dtype)
    except UnicodeEncodeError:
        return _texts(name, values)


def _dates(name: str, values: list[Any], family: type) -> pl.Series:
    if family is date:
        return pl.Series(name, values, dtype=pl.Date)
    zoned = {value.tzinfo is not None for value in values if value is not None}
    if len(zoned) > 1:
        return _texts(name, values)
    instants = [None if value is None else grammar.microseconds(value) for value in values]
    dtype = pl.Datetime("us", "UTC" if True in zoned else None)
    return pl.Series(name, instants, dtype=pl.Int64).cast(dtype)


def _decimals(name: str, values: list[Decimal | None]) -> pl.Series:
    values = [None if value is None or value.is_nan() else value for value in values]
    try:
        series = pl.Series(name, values)
    except (ValueError, TypeError, OverflowError, pl.exceptions.PolarsError):
        return _texts(name, values)
    held = series.null_count() == sum(value is None for value in values)
    return series if held and series.dtype.is_decimal() else _texts(name, values)


def _texts(name: str, values: list[Any]) -> pl.Series:
    """Write a mixture as text; keep it as objects when some value has none."""
    read = reader(Column(name, "text"))
    problems, texts = [], []
    for row, value in enumerate(values):
        try:
            texts.append(read[type(value)](value) if value is not None else None)
        except Refused as refusal:
            if not isinstance(value, (str, float, Decimal)):
                return pl.Series(name, values, dtype=pl.Object)
            problems.append(Problem(str(refusal), column=name, row=row, value=value))
    if problems:
        raise DataError(problems)
    return pl.Series(name, texts, dtype=pl.String)
