"""The target column: taken from the raw rows, its gaps left out and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from headrace.data.source import natural
from headrace.errors import DataError, Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LABEL", "label_series", "labels_given", "ordered_labels", "require_column"]

LABEL = "__headrace_label__"
"""Column of the training rows with the target as it came."""


def require_column(name: str, names: Sequence[str], what: str) -> None:
    """Raise `DataError` naming the nearest column when a column is not there."""
    if name in names:
        return
    close = nearest(name, names)
    hint = f"Did you mean {close!r}?" if close else f"The columns are: {', '.join(names)}"
    raise DataError([Problem(f"the {what} is not among the columns", column=name, hint=hint)])


def label_series(rows: pl.DataFrame, target: str) -> pl.Series:
    """Answer the target column in a plain type: numbers, booleans or words, null where missing.

    Numbers held as text, as in every CSV file, become numbers (see `headrace.data.source.natural`).
    """
    require_column(target, rows.columns, "target")
    values = rows[target]
    if isinstance(values.dtype, (pl.Categorical, pl.Enum)):
        values = values.cast(pl.String)
    if values.dtype.is_decimal():
        values = values.cast(pl.Float64)
    values = natural(values)
    return values.fill_nan(None) if values.dtype.is_float() else values


def ordered_labels(rows: pl.DataFrame, target: str | Sequence[str]) -> pl.Series:
    """Answer the target column as `label_series` does, with the order of an Enum kept.

    Several targets become one struct, null where none of them is known.
    """
    if not isinstance(target, str):
        fields = pl.DataFrame([ordered_labels(rows, name) for name in target])
        known = pl.any_horizontal(pl.all().is_not_null())
        return fields.select(pl.when(known).then(pl.struct(pl.all())).alias(LABEL))[LABEL]
    values, dtype = label_series(rows, target), rows[target].dtype
    return (
        values.cast(dtype) if isinstance(dtype, pl.Enum) and values.dtype == pl.String else values
    )


def labels_given(labels: object, rows: int, name: str) -> pl.Series:
    """Answer labels that came beside the rows, checked for their number.

    Raises:
        DataError: If there are more or fewer labels than rows.
    """
    values = labels if isinstance(labels, pl.Series) else pl.Series(name, _listed(labels))
    if len(values) != rows:
        raise DataError(
            [Problem(f"{rows} rows came with {len(values)} labels; each row needs one", name)]
        )
    return label_series(values.alias(name).to_frame(), name)


def _listed(labels: object) -> list[object]:
    listed = labels.tolist() if hasattr(labels, "tolist") else list(labels)  # type: ignore[call-overload]
    return [None if _gap(value) else value for value in listed]


def _gap(value: object) -> bool:
    # NaN, NaT and pandas.NA are the values that do not equal themselves (or refuse to say).
    try:
        return value is None or bool(value != value)  # noqa: PLR0124
    except TypeError:
        return True
