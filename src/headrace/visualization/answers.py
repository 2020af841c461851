"""What pictures of a model need to know: the true values, and what the model said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Answered", "Answers", "class_scores", "predicted_classes", "regression_values"]


class Answered(Protocol):
    """An evaluation result, or plain arrays as `Answers`."""

    @property
    def y_true(self) -> NDArray[Any] | None:
        """(rows,): class index 0, 1, … or the target in its own units."""

    @property
    def output(self) -> NDArray[Any] | None:
        """Binary: (rows,) or (rows, 1) probability of the last class; else (rows, classes)."""

    @property
    def classes(self) -> Sequence[object]:
        """The labels in the order of the class indices; empty for regression."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Plain arrays in the form of a result.

    Attributes:
        y_true: (rows,) class index 0, 1, … or the target in its own units.
        output: Binary: (rows,) or (rows, 1) probability of the last class; multiclass: (rows,
            classes); regression: (rows,) in the target's own units.
        classes: The labels; empty for regression.

    Example:
        >>> Answers(np.array([0, 1]), np.array([0.2, 0.9]), ("no", "yes")).classes
        ('no', 'yes')
    """

    y_true: NDArray[Any]
    output: NDArray[Any]
    classes: Sequence[object] = ()


def class_scores(result: Answered) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Answer the true class (rows,) and the probability of each class (rows, classes).

    Raises:
        SettingError: The result is of a regression, has no rows, or the shapes do not fit.
    """
    _check_rows(result)
    if not len(result.classes):
        raise SettingError(
            "this picture needs the classes of a classification, received a result without classes"
        )
    y_true = np.asarray(result.y_true, dtype=np.intp).ravel()
    output = np.asarray(result.output, dtype=np.float64).reshape(len(y_true), -1)
    if output.shape[1] == 1:
        output = np.hstack([1 - output, output])
    if output.shape[1] != len(result.classes):
        raise SettingError(
            f"the output has {output.shape[1]} columns for {len(result.classes)} classes"
        )
    return y_true, output


def predicted_classes(scores: NDArray[np.float64], threshold: float = 0.5) -> NDArray[np.intp]:
    """Answer the most likely class of each row; of two classes the last one above the threshold."""
    if scores.shape[1] == 2:
        return np.asarray(scores[:, 1] > threshold, dtype=np.intp)
    return np.asarray(np.argmax(scores, axis=1), dtype=np.intp)


def regression_values(result: Answered) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answer the true and the predicted values, (rows,) each.

    Raises:
        SettingError: The result is of a classification, has no rows, or the lengths differ.
    """
    _check_rows(result)
    if len(result.classes):
        raise SettingError("this picture needs a regression, received a result with classes")
    y_true = np.asarray(result.y_true, dtype=np.float64).ravel()
    predicted = np.asarray(result.output, dtype=np.float64).ravel()
    if len(y_true) != len(predicted):
        raise SettingError(f"{len(y_true)} true values for {len(predicted)} predictions")
    return y_true, predicted


def _check_rows(result: Answered) -> None:
    if result.y_true is None or result.output is None or not len(result.y_true):
        raise SettingError(
            "this picture needs the rows of an evaluation, received a result without them: "
            "evaluate again in this session"
        )
