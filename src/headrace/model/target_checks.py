"""Checks of a target column and of what is asked of it.

The serving runtime reads this file, so it needs only the standard library and NumPy.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import DataError, Problem, SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

__all__ = [
    "check_counts",
    "check_name",
    "check_quantiles",
    "check_values",
    "target_numbers",
    "target_problem",
]


def check_values(values: pl.Series) -> None:
    """Raise `DataError` for a target without rows, with gaps, or of a type that is none."""
    if len(values) == 0:
        raise target_problem(values.name, "the target has no rows")
    if values.dtype.is_temporal() or values.dtype.is_nested():
        raise target_problem(
            values.name,
            f"expected text, booleans or numbers in the target, its type is {values.dtype}",
        )
    missing = values.null_count()
    if values.dtype.is_float():
        missing += int(values.is_nan().sum() or 0)
    if missing:
        raise target_problem(
            values.name,
            f"the target is missing in {missing} of {len(values)} rows",
            hint="Drop these rows",
        )
    if values.dtype.is_float() and bool(values.is_infinite().any()):
        row = int(values.is_infinite().arg_true()[0])
        raise target_problem(values.name, "expected a finite number", row=row, value=values[row])


def target_numbers(values: pl.Series) -> NDArray[np.float64]:
    """Answer the values as numbers, or raise `DataError` naming the row that holds none."""
    import polars as pl

    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count():
        row = int(numbers.is_null().arg_true()[0])
        raise target_problem(values.name, "expected a number", row=row, value=values[row])
    return numbers.to_numpy()


def check_counts(name: str, numbers: NDArray[np.float64]) -> None:
    """Check that counts are not below 0.

    Raises:
        DataError: One is; the error names the row.
    """
    bad = np.flatnonzero(numbers < 0)
    if len(bad):
        row = int(bad[0])
        raise target_problem(
            name,
            "expected a count, 0 or more",
            row=row,
            value=float(numbers[row]),
            hint="State task='regression' for values below 0",
        )


def check_quantiles(quantiles: Sequence[float], *, needed: bool) -> None:
    """Check that levels of quantiles are increasing numbers between 0 and 1.

    Raises:
        SettingError: They are not, or there are some and none are needed, or none and some are.
    """
    if bool(quantiles) != needed:
        raise SettingError(
            "quantiles belong to the likelihood 'quantiles', which needs them: "
            f"received {tuple(quantiles)!r}"
        )
    levels = [0.0, *quantiles, 1.0]
    if not all(low < high for low, high in pairwise(levels)):
        raise SettingError(
            "quantiles must be increasing numbers between 0 and 1, such as (0.05, 0.5, 0.95), "
            f"received {tuple(quantiles)!r}"
        )


def target_problem(name: str, text: str, **more: Any) -> DataError:
    """Answer an error about the target column."""
    return DataError([Problem(text, column=name or None, **more)])


def check_name(task: object, tasks: Sequence[str]) -> object:
    """Answer a task that is among the known ones, or raise `SettingError`."""
    if task not in tasks:
        close = nearest(str(task), tasks)
        meant = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(f"task must be one of {', '.join(tasks)}, received {task!r}{meant}")
    return task
