from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from headrace.tune.front import Goal
from headrace.tune.predictions import Predictions
from headrace.tune.study import Tried, run_study

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("stored", [False, True])
def test_what_is_kept_comes_back(tmp_path: Path, stored: bool) -> None:
    path = tmp_path / "study.db" if stored else None
    kept = Predictions(path)
    assert kept.load([0, 1]) == {}
    random = np.random.default_rng(0)
    first, second = random.random(5).astype("f4"), random.random((4, 3))
    kept.save(0, second)
    kept.save(0, first)  # a second try of the same trial takes the place of the first one
    kept.save(7, second)
    found = (Predictions(path) if stored else kept).load([7, 0, 3])
    assert list(found) == [0, 7]
    np.testing.assert_array_equal(found[0], first)
    np.testing.assert_array_equal(found[7], second.astype("f4"))


def test_they_lie_in_the_file_of_the_study_and_survive_it(tmp_path: Path) -> None:
    path = tmp_path / "study.db"

    def objective(parameters: object, report: object) -> Tried:
        return Tried(0.5, output=np.arange(3))

    from headrace.tune.space import Real

    for trials in (2, 3):
        found = run_study(
            objective,
            {"x": Real(0.0, 1.0)},
            trials=trials,
            storage=path,
            goals=[Goal("auc", higher_is_better=True)],
            predictions=Predictions(path),
        )
    assert len(found.trials) == 3
    assert list(Predictions(path).load(range(9))) == [0, 1, 2]
