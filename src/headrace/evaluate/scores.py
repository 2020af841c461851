"""What the metrics read: true values and model output in one agreed form, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import DataError, Problem, SettingError
from headrace.metrics.distributions import as_distribution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec, Task

__all__ = ["check_scores", "to_distribution", "to_scores"]


def to_scores(target: TargetSpec, output: NDArray[Any]) -> NDArray[Any]:
    """Answer the output of a network in the form that the metrics read.

    Args:
        target: The task; for regression also the mean and scale of the target.
        output: (rows, 1) or (rows,) for binary and regression, (rows, classes) for multiclass;
            for a regression that describes a distribution also (rows, outputs).

    Returns:
        binary: (rows,) probability of the second class; multiclass: (rows, classes)
        probabilities; regression: (rows,) float64 predicted values in the target's own units.

    Raises:
        SettingError: The shape does not suit the task.

    Example:
        >>> from headrace.model.target import TargetSpec
        >>> price = TargetSpec("price", "regression", mean=100.0, scale=10.0)
        >>> to_scores(price, np.array([[0.0], [1.5]])).tolist()
        [100.0, 115.0]
    """
    output = np.asarray(output)
    if target.task == "multiclass":
        expected = f"(rows, {len(target.classes)})"
        fits = output.ndim == 2 and output.shape[1] == len(target.classes)
    else:
        expected = "(rows,) or (rows, 1)"
        fits = output.ndim == 1 or (output.ndim == 2 and output.shape[1] in (1, target.outputs))
    if not fits:
        raise SettingError(
            f"an output for the task {target.task!r} must have the shape {expected}, "
            f"received the shape {output.shape}"
        )
    if target.task == "regression":
        return target.values(output)
    return output[:, 0] if target.task == "binary" and output.ndim == 2 else output


def to_distribution(target: TargetSpec, output: NDArray[Any]) -> NDArray[np.float64] | None:
    """Answer the distribution that an output describes, in the units of the target.

    Returns:
        (rows, quantiles), or (rows, 2) means and deviations; None where the output says no more
        than `to_scores` answers.

    Raises:
        DataError: A value is not finite.

    Example:
        >>> from headrace.model.target import TargetSpec
        >>> price = TargetSpec("price", "regression", mean=100.0, scale=10.0, likelihood="normal")
        >>> to_distribution(price, np.array([[1.0, 0.5]])).tolist()
        [[110.0, 5.0]]
    """
    found = as_distribution(target, output)
    if found is None:
        return None
    problems = _first(~np.isfinite(found), found, "the output must be a finite number")
    if problems:
        raise DataError(problems)
    return found


def check_scores(
    task: Task, y_true: NDArray[Any], output: NDArray[Any], *, name: str = "the output"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Answer true values and output as arrays that the metrics can read.

    Args:
        task: "binary", "multiclass" or "regression".
        y_true: (rows,) class index, or the target in its own units.
        output: (rows,), or (rows, classes) for multiclass.
        name: What the output is called in an error.

    Raises:
        DataError: There are no rows, the rows differ in number, a value is not finite, a class
            index is unknown or a probability is not between 0 and 1.
    """
    truth, scores = np.asarray(y_true), np.asarray(output)
    if scores.ndim == 2 and scores.shape[1] == 1 and task != "multiclass":
        scores = scores[:, 0]
    problems = _shape_problems(task, truth, scores, name) or [
        *_truth_problems(task, truth, scores),
        *_score_problems(task, scores, name),
    ]
    if problems:
        raise DataError(problems)
    return truth.astype(np.float64 if task == "regression" else np.intp), scores


def _shape_problems(
    task: Task, truth: NDArray[Any], scores: NDArray[Any], name: str
) -> list[Problem]:
    if len(truth) == 0:
        return [Problem("there are no rows to evaluate")]
    problems = []
    if truth.ndim != 1:
        problems.append(
            Problem(f"the true values must have the shape (rows,), received {truth.shape}")
        )
    if scores.ndim != (2 if task == "multiclass" else 1):
        shape = "(rows, classes)" if task == "multiclass" else "(rows,)"
        problems.append(
            Problem(f"{name} must have the shape {shape} for {task}, received {scores.shape}")
        )
    if len(scores) != len(truth):
        problems.append(
            Problem(f"{name} has {len(scores)} rows, but there are {len(truth)} true values")
        )
    return problems


def _truth_problems(task: Task, truth: NDArray[Any], scores: NDArray[Any]) -> list[Problem]:
    if task == "regression":
        return _first(~np.isfinite(truth), truth, "the true value must be a finite number")
    classes = scores.shape[1] if scores.ndim == 2 else 2
    known = np.isin(truth, np.arange(classes))
    return _first(~known, truth, f"the true value must be a class index from 0 to {classes - 1}")


def _score_problems(task: Task, scores: NDArray[Any], name: str) -> list[Problem]:
    wrong = ~np.isfinite(scores)
    text = f"{name} must be a finite number"
    if task != "regression":
        # Rounding in float32 may leave a probability a hair above 1.
        wrong |= (scores < -1e-6) | (scores > 1 + 1e-6)
        text = f"{name} must be a probability from 0 to 1"
    return _first(wrong, scores, text)


def _first(wrong: NDArray[np.bool_], values: NDArray[Any], text: str) -> list[Problem]:
    rows = np.flatnonzero(wrong if wrong.ndim == 1 else wrong.any(axis=1))
    if not len(rows):
        return []
    row = int(rows[0])
    place = wrong[row] if wrong.ndim == 2 else ...
    more = f" (wrong in {len(rows)} rows)" if len(rows) > 1 else ""
    return [Problem(text + more, row=row, value=np.ravel(values[row][place])[0].item())]
