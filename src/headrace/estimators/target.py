"""The target of an estimator: `y` as scikit-learn checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from headrace.data.objects import column_of
from headrace.data.source import natural
from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["check_classes", "free_name", "has_order", "labels", "numbers"]


def free_name(y: Any, columns: Sequence[str]) -> str:
    """Answer a name for the target: its own where it has one that no column has.

    Example:
        >>> free_name([1, 2], ["age", "target"])
        'target_'
    """
    own = getattr(y, "name", None)
    name = own if isinstance(own, str) and own and own not in columns else "target"
    while name in columns:
        name += "_"
    return name


def has_order(y: Any) -> bool:
    """Answer whether labels say how they are ordered, as pandas categories and Polars enums do.

    Example:
        >>> has_order(["low", "high"])
        False
    """
    return str(getattr(y, "dtype", "")).partition("(")[0] in ("category", "Enum")


def labels(y: Any) -> NDArray[Any]:
    """Answer labels of classes, (rows,), in their own type.

    Raises:
        ValueError: If they are no labels, more than one column, or missing.

    Example:
        >>> labels(["a", "b"]).tolist()
        ['a', 'b']
    """
    values = _one_column(y, dtype=None)
    check_classification_targets(values)
    empty = values == "" if values.dtype.kind in "OUT" else np.zeros(1, dtype=bool)
    if np.any(empty):
        text = "an empty text is a missing label, and each row of y needs a label"
        raise DataError([Problem(text, row=int(np.argmax(empty)))])
    return values


def check_classes(classes: NDArray[Any]) -> None:
    """Check that a network can tell some classes, (classes,), apart.

    Raises:
        DataError: If there is one only, or two of them are the same number.
    """
    if len(classes) < 2:
        text = "a classifier needs rows of two or more classes, all rows are of one class"
        raise DataError([Problem(text, column="y", value=classes.tolist()[0])])
    if natural(column_of("y", classes)).n_unique() < len(classes):
        text = "two labels are different texts of the same number, such as '1' and '1.0'"
        raise DataError([Problem(text, column="y", hint="Write each label in one way")])


def numbers(y: Any) -> NDArray[np.float64]:
    """Answer values of a regression target, (rows,).

    Raises:
        ValueError: If they are no numbers, more than one column, or missing.

    Example:
        >>> numbers([1, 2]).tolist()
        [1.0, 2.0]
    """
    values: NDArray[np.float64] = _one_column(y, dtype="numeric").astype(np.float64)
    return values


def _one_column(y: Any, *, dtype: str | None) -> NDArray[Any]:
    values: NDArray[Any] = check_array(y, ensure_2d=False, dtype=dtype, input_name="y")
    if values.ndim == 2 and values.shape[1] > 1:
        text = f"y should be a 1d array, one value for each row, received the shape {values.shape}"
        hint = "Fit one estimator for each column: sklearn.multioutput does it"
        raise DataError([Problem(text, hint=hint)])
    column: NDArray[Any] = column_or_1d(values, warn=True)
    return column
