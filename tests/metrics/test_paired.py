from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from headrace.metrics.paired import delong, mcnemar


@pytest.mark.slow
def test_delong_finds_the_areas_and_the_jackknifes_variance() -> None:
    random = np.random.default_rng(0)
    truth = random.random(300) < 0.4
    first = np.round(truth + random.normal(size=300), 1)  # with ties
    second = np.round(truth + 2 * random.normal(size=300), 1)
    found = delong(truth, first, second, 0.95)
    assert found is not None
    expected = roc_auc_score(truth, first) - roc_auc_score(truth, second)
    assert found.difference == pytest.approx(expected)
    draws = []
    for _ in range(2_000):
        rows = np.concatenate(
            [random.choice(np.flatnonzero(truth == side), (truth == side).sum()) for side in (0, 1)]
        )
        areas = [roc_auc_score(truth[rows], score[rows]) for score in (first, second)]
        draws.append(areas[0] - areas[1])
    assert (found.high - found.low) / 2 == pytest.approx(1.98 * np.std(draws), rel=0.08)


def test_delong_needs_two_rows_of_each_class_and_a_spread() -> None:
    scores = np.arange(5.0)
    assert delong(np.array([True] + [False] * 4), scores, -scores, 0.95) is None
    truth = np.array([False, False, True, True])
    assert delong(truth, np.arange(4.0), np.arange(4.0) + 7, 0.95) is None


def test_equal_models_are_rarely_told_apart() -> None:
    random = np.random.default_rng(3)
    p_areas, p_shares = [], []
    for _ in range(400):
        truth = random.random(150) < 0.3
        shared = truth + random.normal(size=150)
        first, second = (shared + random.normal(size=150) for _ in range(2))
        tested = delong(truth, first, second, 0.95)
        assert tested is not None
        p_areas.append(tested.p_value)
        p_shares.append(mcnemar((first > 0.5) == truth, (second > 0.5) == truth, 0.95).p_value)
    assert 0.02 <= np.mean(np.array(p_areas) < 0.05) <= 0.075
    assert np.mean(np.array(p_shares) < 0.05) <= 0.06


def test_mcnemar_is_the_sign_test_of_the_rows_that_differ() -> None:
    first = np.array([True] * 12 + [False] * 4 + [True] * 20)
    second = np.array([False] * 12 + [True] * 4 + [True] * 20)
    found = mcnemar(first, second, 0.95)
    assert found.difference == pytest.approx(8 / 36)
    assert found.p_value == pytest.approx(0.0768, abs=1e-3)
    assert found.low < 8 / 36 < found.high
    same = mcnemar(first, first, 0.95)
    assert (same.difference, same.p_value) == (0.0, 1.0)
    assert same.low < 0 < same.high
