"""Where a canonical column has no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.data.schema import MISSING_TIME

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["gaps", "is_missing"]


def is_missing(values: pl.Expr, kind: str) -> pl.Expr:
    """Answer where a canonical column of a query has no value.

    Args:
        values: The column.
        kind: "string", "time" or "number", as `Column.type` says it.

    Example:
        >>> table = pl.DataFrame({"city": ["Oslo", ""]})
        >>> table.select(is_missing(pl.col("city"), "string"))["city"].to_list()
        [False, True]
    """
    if kind == "string":
        return values == ""
    return values == MISSING_TIME if kind == "time" else values.is_nan()


def gaps(values: pl.Series) -> NDArray[np.bool_]:
    """Answer where a canonical column has no value, (rows,).

    Example:
        >>> gaps(pl.Series([1.0, float("nan")])).tolist()
        [False, True]
    """
    if values.dtype == pl.String:
        return (values == "").to_numpy()
    raw = values.to_numpy()
    found: NDArray[np.bool_] = raw == MISSING_TIME if values.dtype == pl.Int64 else np.isnan(raw)
    return found
