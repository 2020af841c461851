from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from headrace.visualization import Answers, residuals


def test_the_median_shows_the_bias(random: np.random.Generator) -> None:
    y_true = random.random(2_000)
    ax = residuals(Answers(y_true, y_true - 0.5))
    [zero, median] = ax.lines
    np.testing.assert_allclose(median.get_ydata(), 0.5, atol=1e-9)
    assert zero.get_ydata()[0] == 0


def test_the_note_says_what_is_drawn(regression: Answers) -> None:
    note = residuals(regression).get_title(loc="right")
    assert note.endswith("5,000 rows, 4,000 rows drawn")


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_few_and_perfect_predictions_can_be_drawn(rows: int) -> None:
    residuals(Answers(np.ones(rows), np.ones(rows))).figure.savefig(BytesIO())
