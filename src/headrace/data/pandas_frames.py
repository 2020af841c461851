"""Pandas tables as Polars tables, dtype by dtype; pandas itself is never imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.expressions import text_of
from headrace.data.objects import column_of, table_of, unique_names
from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["from_pandas", "pandas_column"]


def from_pandas(frame: Any) -> pl.DataFrame:
    """Make a Polars table of a pandas table; the index is left out.

    Raises:
        DataError: Names that occur twice, or columns of several levels.

    Example:
        >>> import pandas as pd
        >>> from_pandas(pd.DataFrame({"a": ["x", 1, None]}))["a"].to_list()
        ['x', '1', None]
    """
    if getattr(frame.columns, "nlevels", 1) > 1:
        hint = "Join the levels: frame.columns = ['_'.join(map(str, c)) for c in frame.columns]"
        raise DataError([Problem("the column names have several levels", hint=hint)])
    names = unique_names(frame.columns)
    series = [pandas_column(name, frame.iloc[:, i]) for i, name in enumerate(names)]
    return table_of(series)


def pandas_column(name: str, series: Any) -> pl.Series:
    """Make a Polars column of a pandas series, whatever its dtype.

    Example:
        >>> import pandas as pd
        >>> pandas_column("a", pd.Series([1, None], dtype="Int64")).to_list()
        [1, None]
    """
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return column_of(name, series.to_numpy())
    make = _DTYPES.get(type(dtype).__name__)
    if make is None and getattr(dtype, "kind", "O") in "biuf":
        make = _nullable
    return make(name, series) if make else column_of(name, series.to_numpy(dtype=object))


def _zoned(name: str, series: Any) -> pl.Series:
    utc = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return column_of(name, utc.to_numpy()).dt.replace_time_zone("UTC")


def _arrow(name: str, series: Any) -> pl.Series:
    return pl.Series(name, series.array.__arrow_array__())


def _sparse(name: str, series: Any) -> pl.Series:
    return column_of(name, series.sparse.to_dense().to_numpy())


def _period(name: str, series: Any) -> pl.Series:
    return column_of(name, series.dt.to_timestamp().to_numpy())


def _interval(name: str, series: Any) -> pl.Series:
    return column_of(name, series.astype("string").to_numpy(dtype=object, na_value=None))


def _nullable(name: str, series: Any) -> pl.Series:
    """Read Int64, Float64 and boolean columns, which keep gaps in a mask."""
    gaps = series.isna().to_numpy()
    values = pl.Series(name, series.to_numpy(dtype=series.dtype.numpy_dtype, na_value=0))
    if not gaps.any():
        return values
    return values.to_frame().select(pl.when(pl.Series(~gaps)).then(pl.col(name)).alias(name))[name]


def _text(name: str, series: Any) -> pl.Series:
    if series.dtype.storage == "pyarrow":
        return pl.Series(name, series.array.__arrow_array__()).cast(pl.String)
    return column_of(name, series.to_numpy(dtype=object, na_value=None))


def _categorical(name: str, series: Any) -> pl.Series:
    """Keep categories as such: their text, so that they are not taken for numbers."""
    if not len(series.cat.categories):
        return pl.Series(name, [None] * len(series), dtype=pl.String)
    texts = column_of(name, list(series.cat.categories))
    if texts.dtype != pl.String:
        written = text_of(pl.col(name), texts.dtype)
        if written is None:
            return column_of(name, series.to_numpy(dtype=object))
        texts = texts.to_frame().select(written.alias(name))[name]
    codes = pl.Series(name, series.cat.codes.to_numpy()).cast(pl.Int64)
    values = texts.gather(codes.to_frame().select(pl.when(pl.col(name) >= 0).then(name))[name])
    if texts.n_unique() < texts.len():
        return values
    # Only an Enum has an order, which pandas says is there or not.
    return values.cast(pl.Enum(texts) if series.cat.ordered else pl.Categorical)


_DTYPES: dict[str, Callable[[str, Any], pl.Series]] = {
    "ArrowDtype": _arrow,
    "CategoricalDtype": _categorical,
    "DatetimeTZDtype": _zoned,
    "IntervalDtype": _interval,
    "PeriodDtype": _period,
    "SparseDtype": _sparse,
    "StringDtype": _text,
}
