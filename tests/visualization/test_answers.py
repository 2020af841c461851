from __future__ import annotations

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.visualization.answers import Answers, class_scores, regression_values


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_binary_output_becomes_two_columns(shape: tuple[int, ...]) -> None:
    output = np.array([0.2, 0.9, 0.5]).reshape(shape)
    _, scores = class_scores(Answers(np.array([0, 1, 1]), output, ("no", "yes")))
    np.testing.assert_allclose(scores, [[0.8, 0.2], [0.1, 0.9], [0.5, 0.5]])


def test_wrong_pictures_for_a_task_are_refused() -> None:
    values = Answers(np.arange(3.0), np.arange(3.0))
    with pytest.raises(SettingError, match="needs the classes of a classification"):
        class_scores(values)
    with pytest.raises(SettingError, match="needs a regression, received a result with classes"):
        regression_values(Answers(np.arange(2), np.zeros((2, 2)), ("a", "b")))


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(SettingError, match="output has 3 columns for 2 classes"):
        class_scores(Answers(np.array([0, 1]), np.zeros((2, 3)), ("a", "b")))
    with pytest.raises(SettingError, match="3 true values for 2 predictions"):
        regression_values(Answers(np.arange(3.0), np.arange(2.0)))


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_a_result_without_its_rows_cannot_be_drawn(classes: tuple[str, ...]) -> None:
    read = class_scores if classes else regression_values
    for rows in (None, np.zeros(0)):
        with pytest.raises(SettingError, match="needs the rows of an evaluation"):
            read(Answers(rows, rows, classes))  # type: ignore[arg-type]
