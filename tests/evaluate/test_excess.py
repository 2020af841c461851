from __future__ import annotations

import numpy as np
import pytest

from headrace.evaluate.excess import excess


def test_the_far_tail_is_right_for_few_rows_of_a_bounded_loss() -> None:
    """Welch's own p-value is below 0.004 in about 0.7 of 100 such tables, not in 0.4."""
    inside = np.arange(200) < 12
    found = np.array(
        [
            excess(np.random.default_rng(seed).beta(6, 1, 200), inside, seed=seed).p_value  # type: ignore[union-attr]
            for seed in range(3_000)
        ]
    )
    assert (found < 0.004).mean() <= 0.0075
    assert (found < 0.05).mean() <= 0.06


def test_intervals_hold_the_truth_where_the_spreads_differ() -> None:
    held = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        inside = np.arange(300) < 40
        loss = random.normal(size=300) * np.where(inside, 3, 1) + inside
        found = excess(loss, inside)
        assert found is not None
        held += found.low <= 1 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_a_sure_difference_is_sure_with_few_and_with_many_rows() -> None:
    loss = np.random.default_rng(0).random(2_000)
    for rows, most in ((50, 0.001), (500, 1e-50)):
        inside = np.arange(2_000) < rows
        found = excess(loss + inside, inside)
        assert found is not None
        assert found.p_value < most
        assert found.difference == pytest.approx(1, abs=0.15)


def test_equal_losses_and_single_rows() -> None:
    assert excess(np.ones(10), np.arange(10) < 1) is None
    found = excess(np.ones(10), np.arange(10) < 5)
    assert found is not None
    assert found.p_value == 1
    surely = excess(np.repeat([1.0, 0.0], 5), np.arange(10) < 5)
    assert surely is not None
    assert (surely.p_value, surely.low, surely.high) == (0, 1, 1)
