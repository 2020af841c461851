"""Where a loss broke: the step, its rows, and the column that is most likely the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.model.fused import FusedSteps
    from headrace.model.stored import AnyRows

__all__ = ["suspect", "where_it_broke"]

_SHOWN_ROWS = 3
_SAMPLE = 100_000
_FAR = 20.0
"""A value that lies so many widths of the middle nine tenths of its column away is suspect."""


def where_it_broke(steps: FusedSteps, rows: AnyRows, columns: Sequence[str]) -> str:
    """Answer the step in which the loss broke, its rows and the suspect column, in words.

    Args:
        steps: The compiled steps.
        rows: The training rows.
        columns: Names of the number columns.
    """
    if steps.broken is None:
        return ""
    batch = steps.rows_of(steps.broken)
    shown = ", ".join(str(row) for row in batch[:_SHOWN_ROWS])
    more = ", …" if len(batch) > _SHOWN_ROWS else ""
    text = f", step {steps.broken + 1} (training rows {shown}{more})"
    numbers = rows.inputs.get("numbers")
    return text if numbers is None else text + suspect(numbers, batch, columns)


def suspect(numbers: NDArray[Any], batch: NDArray[np.intp], columns: Sequence[str]) -> str:
    """Answer which value of a batch lies furthest from the others of its column, in words.

    Args:
        numbers: (rows, columns) of all training rows.
        batch: Which rows made up the batch.
        columns: The names.

    Returns:
        Words to go behind others; empty when no value is far out.

    Example:
        >>> table = np.arange(200.0).reshape(100, 2)
        >>> table[7, 1] = 1e9
        >>> suspect(table, np.array([3, 7]), ["a", "b"])
        ", where column 'b' holds 1e+09 in row 7, far from its other values"
    """
    sample = numbers[:_SAMPLE]
    low, middle, high = np.quantile(sample, [0.05, 0.5, 0.95], axis=0)
    width = np.where(high > low, high - low, np.maximum(np.abs(middle), 1.0))
    distance = np.abs(numbers[batch] - middle) / width
    row, column = np.unravel_index(int(np.argmax(distance)), distance.shape)
    if distance[row, column] < _FAR:
        return ""
    name, value = columns[int(column)], numbers[batch[row], column]
    return (
        f", where column {name!r} holds {value:.4g} in row {batch[row]}, far from its other values"
    )
