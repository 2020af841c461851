"""Parity: the same rows down every path of a pipeline, and the largest difference between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.deploy.probes import probe_rows
from headrace.errors import DataError, Problem
from headrace.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "ColumnDifference",
    "Verification",
    "difference_by_row",
    "first_differing_column",
    "probe_rows",
    "verify_paths",
]

TOLERANCE = 1e-5
"""The largest difference of probabilities that two paths may have."""


@dataclass(frozen=True)
class ColumnDifference:
    """Where two lowerings of a plan first part.

    Attributes:
        column: The first column, in the plan's order, that differs.
        row: The row with the largest difference, counted from 0.
        expected: Its value on the Polars path.
        found: Its value in the graph.
    """

    column: str
    row: int
    expected: object
    found: object

    def __str__(self) -> str:
        return f"{self.column!r}, row {self.row}: {self.expected!r} against {self.found!r}"


@dataclass(frozen=True)
class Verification(Result):
    """What the comparison of all paths found.

    Attributes:
        rows: How many rows went down each path.
        differences: The largest difference of each path from the pipeline's own answers.
        tolerance: The largest difference that passes.
        worst_row: The row of the largest difference; None where all are the same.
        column: The first column that differs inside the plan, where that was looked for.
        failures: What went wrong in paths that gave no answer.
    """

    rows: int
    differences: Mapping[str, float]
    tolerance: float = TOLERANCE
    worst_row: int | None = None
    column: ColumnDifference | None = None
    failures: Mapping[str, str] | None = None

    @property
    def difference(self) -> float:
        """The largest difference over all paths; infinite when a path gave no answer."""
        return max(self.differences.values(), default=0.0)

    @property
    def passed(self) -> bool:
        """Whether every path agrees with the pipeline, within the tolerance."""
        return self.difference <= self.tolerance

    def with_column(self, column: ColumnDifference | None) -> Verification:
        """Answer the same verification with the first differing column noted."""
        return replace(self, column=column)

    def summary(self) -> str:
        """Answer the verdict, each path's largest difference, and where the paths part."""
        verdict = "all paths agree" if self.passed else "the paths disagree"
        largest = f"largest difference {self.difference:.3g} over {self.rows:,} rows"
        lines = [f"{verdict}: {largest} (tolerance {self.tolerance:.3g})"]
        width = max((len(path) for path in self.differences), default=0)
        for path, difference in self.differences.items():
            failure = (self.failures or {}).get(path)
            lines.append(f"  {path:<{width}}  {failure or format(difference, '.3g')}")
        if not self.passed and self.worst_row is not None:
            lines.append(f"  largest in row {self.worst_row}")
        if self.column is not None:
            lines.append(f"  first differing column: {self.column}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures; an infinite difference is written as text."""
        return {
            "passed": self.passed,
            "rows": self.rows,
            "difference": _plain(self.difference),
            "tolerance": self.tolerance,
            "differences": {path: _plain(value) for path, value in self.differences.items()},
            "worst_row": self.worst_row,
            "column": None if self.column is None else str(self.column),
            "failures": dict(self.failures or {}),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the difference of each path against the tolerance, on a logarithmic scale."""
        from headrace import visualization

        axes: Axes = visualization.parity(self, ax=ax)
        return axes


def verify_paths(
    reference: NDArray[Any],
    paths: Mapping[str, Callable[[], NDArray[Any]]],
    *,
    tolerance: float = TOLERANCE,
) -> Verification:
    """Compare the answers of several paths with the pipeline's own.

    Args:
        reference: The pipeline's answers, (rows,) or (rows, columns).
        paths: Each path by name: a function that answers the same rows.
        tolerance: The largest difference that passes.

    Raises:
        DataError: There are no rows to compare.

    Example:
        >>> answers = np.array([[0.2, 0.8]])
        >>> print(verify_paths(answers, {"ONNX": lambda: answers + 1e-7}).summary())
        all paths agree: largest difference 1e-07 over 1 rows (tolerance 1e-05)
          ONNX  1e-07
    """
    if not len(reference):
        raise DataError([Problem("expected at least one row to compare the paths with")])
    differences: dict[str, float] = {}
    failures: dict[str, str] = {}
    worst, worst_row = 0.0, None
    for name, path in paths.items():
        try:
            by_row = difference_by_row(reference, path())
        except Exception as error:  # noqa: BLE001 - a path that fails is a finding of the comparison
            failures[name] = f"gave no answer: {type(error).__name__}: {error}"
            differences[name] = float("inf")
            continue
        differences[name] = float(by_row.max())
        if differences[name] > worst:
            worst, worst_row = differences[name], int(by_row.argmax())
    return Verification(len(reference), differences, tolerance, worst_row, None, failures)


def difference_by_row(expected: NDArray[Any], found: NDArray[Any]) -> NDArray[np.float64]:
    """Answer the largest absolute difference in each row, (rows,).

    NaN equals NaN and infinity equals itself; against anything else they are infinitely far. Text
    and other objects are equal or infinitely far.

    Raises:
        ValueError: The shapes differ.
    """
    if expected.shape != found.shape:
        raise ValueError(f"expected answers of shape {expected.shape}, received {found.shape}")
    if {expected.dtype.kind, found.dtype.kind} <= set("fiub"):
        left, right = expected.astype(np.float64), found.astype(np.float64)
        same = (left == right) | (np.isnan(left) & np.isnan(right))
        with np.errstate(invalid="ignore"):
            apart = np.abs(left - right)
        apart = np.where(same, 0.0, np.where(np.isfinite(apart), apart, np.inf))
    else:
        apart = np.where(expected == found, 0.0, np.inf)
    by_row: NDArray[np.float64] = apart.reshape(len(apart), -1).max(axis=1, initial=0.0)
    return by_row


def first_differing_column(
    polars_columns: Mapping[str, NDArray[Any]],
    graph_columns: Mapping[str, NDArray[Any]],
    *,
    tolerance: float = TOLERANCE,
) -> ColumnDifference | None:
    """Answer the first column, in the plan's order, in which the two lowerings differ.

    Args:
        polars_columns: The columns on the Polars path, (rows,) each.
        graph_columns: The same columns out of the graph.
        tolerance: The largest difference that is none, relative to the size of the values.

    Example:
        >>> left = {"age": np.array([1.0, 2.0]), "pay": np.array([1.0, 5.0])}
        >>> right = {"age": np.array([1.0, 2.0]), "pay": np.array([1.0, 6.0])}
        >>> print(first_differing_column(left, right))
        'pay', row 1: 5.0 against 6.0
    """
    for name, values in polars_columns.items():
        expected, found = values, _decoded(graph_columns[name])
        apart = difference_by_row(expected, found)
        if expected.dtype.kind == "f":
            apart = apart / np.maximum(1.0, np.abs(np.nan_to_num(expected)))
        if len(apart) and apart.max() > tolerance:
            row = int(apart.argmax())
            return ColumnDifference(name, row, expected.tolist()[row], found.tolist()[row])
    return None


def _decoded(values: NDArray[Any]) -> NDArray[Any]:
    """Answer TensorFlow's strings, which are bytes, as text."""
    if values.dtype.kind not in "OS":
        return values
    text = [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]
    return np.array(text, dtype=object)


def _plain(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)
