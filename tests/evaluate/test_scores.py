from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.errors import DataError, SettingError
from headrace.evaluate.scores import check_scores, to_scores
from headrace.model.target import TargetSpec, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINARY = TargetSpec("y", "binary", classes=("a", "b"))
THREE = TargetSpec("y", "multiclass", classes=("a", "b", "c"))
PRICE = TargetSpec("price", "regression", mean=100.0, scale=10.0)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_column_becomes_one_dimension(shape: tuple[int, ...]) -> None:
    assert to_scores(BINARY, np.full(shape, 0.5)).shape == (4,)
    assert to_scores(PRICE, np.full(shape, 0.5)).tolist() == [105.0] * 4


@pytest.mark.parametrize("shape", [(4, 2), (4,)])
def test_the_columns_must_be_the_classes(shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match=r"'multiclass' must have the shape \(rows, 3\)"):
        to_scores(THREE, np.zeros(shape))


def test_a_binary_output_has_one_column() -> None:
    with pytest.raises(
        SettingError, match=r"\(rows,\) or \(rows, 1\), received the shape \(4, 2\)"
    ):
        to_scores(BINARY, np.zeros((4, 2)))


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(DataError) as caught:
        check_scores("binary", np.array([0, 2]), np.array([0.5, 1.5]))
    text = str(caught.value)
    assert "row 1: the true value must be a class index from 0 to 1, received 2" in text
    assert "row 1: the output must be a probability from 0 to 1, received 1.5" in text


@pytest.mark.parametrize(
    ("task", "truth", "output", "text"),
    [
        ("binary", [], [], "there are no rows to evaluate"),
        ("binary", [0, 1], [0.5], "the output has 1 rows, but there are 2 true values"),
        ("binary", [[0], [1]], [0.5, 0.5], r"true values must have the shape \(rows,\)"),
        ("multiclass", [0, 1], [0.5, 0.5], r"must have the shape \(rows, classes\)"),
        ("regression", [0.0, np.nan], [1.0, 2.0], "row 1: the true value must be a finite number"),
        ("regression", [0.0, 1.0], [np.inf, np.nan], r"finite number \(wrong in 2 rows\)"),
        ("multiclass", [0, 1], [[0.5, 0.5], [np.nan, 1]], "row 1: the output must be a prob"),
    ],
)
def test_bad_rows_are_refused(
    task: Task, truth: NDArray[Any], output: NDArray[Any], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        check_scores(task, np.array(truth), np.array(output))


def test_float32_rounding_is_forgiven() -> None:
    _, scores = check_scores("binary", np.array([0, 1]), np.array([0.0, 1 + 1e-7]))
    assert len(scores) == 2
