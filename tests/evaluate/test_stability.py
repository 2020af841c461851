from __future__ import annotations

import json

import numpy as np
import pytest

from headrace.errors import DataError, SettingError
from headrace.evaluate.stability import stability

TRUTH = np.array([0, 1, 1, 0])


def test_flips_are_counted_over_all_pairs() -> None:
    says = {
        0: [0.1, 0.9, 0.9, 0.1],
        1: [0.1, 0.9, 0.4, 0.1],
        2: [0.1, 0.9, 0.4, 0.8],
    }
    found = stability(lambda seed: np.array(says[seed]), TRUTH, task="binary", seeds=[0, 1, 2])
    # Rows 0 and 1 never flip; rows 2 and 3 differ in two of three pairs each.
    assert found.flips == pytest.approx(2 * (2 / 3) / 4)
    assert found.unanimous == 0.5
    assert found.metrics["accuracy"].values == (1.0, 0.75, 0.5)
    assert found.metrics["accuracy"].mean == 0.75
    assert found.metrics["accuracy"].deviation == pytest.approx(0.25)


def test_multiclass_flips() -> None:
    says = [np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 1, 1, 0]]]
    found = stability(lambda seed: says[seed], TRUTH, task="multiclass", seeds=[0, 1])
    assert (found.flips, found.unanimous) == (0.25, 0.75)


def test_regression_wobbles() -> None:
    found = stability(
        lambda seed: np.arange(4.0) + seed, np.arange(4.0), task="regression", seeds=[0, 2]
    )
    assert found.wobble == pytest.approx(np.sqrt(2))
    assert np.isnan(found.flips)
    assert "a prediction typically varies by 1.414" in found.summary()
    assert json.loads(json.dumps(found.to_dict()))["flips"] is None


def test_the_summary_names_what_flips() -> None:
    found = stability(
        lambda seed: np.array([0.1, 0.9, 0.9, 0.4 + 0.2 * seed]),
        TRUTH,
        task="binary",
        metrics=["accuracy"],
        seeds=[0, 1],
    )
    assert "25.0% of the predicted classes differ; all agree on 75.0% of 4 rows" in found.summary()
    assert list(found.metrics) == ["accuracy"]


def test_bad_input_is_refused() -> None:
    with pytest.raises(SettingError, match="two different seeds or more"):
        stability(lambda seed: TRUTH, TRUTH, task="binary", seeds=[3, 3])
    with pytest.raises(DataError, match="training 0 has 3 rows"):
        stability(lambda seed: TRUTH[:3], TRUTH, task="binary")
