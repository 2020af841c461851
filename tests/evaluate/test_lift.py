from __future__ import annotations

import json

import numpy as np
import pytest

from headrace.errors import DataError, SettingError
from headrace.evaluate.lift import lift


def test_a_perfect_order_finds_all_first() -> None:
    positive = np.arange(100) < 20
    found = lift(positive, 1 - np.arange(100) / 100)
    assert [one.lift for one in found.parts[:3]] == [5.0, 5.0, 0.0]
    assert found.parts[1].gain == 1.0
    assert found.parts[-1].gain == 1.0
    assert sum(one.rows for one in found.parts) == 100
    json.dumps(found.to_dict())


def test_equal_probabilities_lift_nothing_in_whatever_order_they_come() -> None:
    positive = np.array([1] * 30 + [0] * 70)
    for order in (positive, positive[::-1]):
        found = lift(order, np.full(100, 0.3))
        assert [one.lift for one in found.parts] == pytest.approx([1.0] * 10)
        assert found.parts[4].gain == pytest.approx(0.5)


def test_intervals_of_the_first_part_hold_the_truth() -> None:
    held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        stated = random.random(1_000)
        found = lift(random.random(1_000) < stated, stated)
        held += found.parts[0].low <= 1.9 <= found.parts[0].high  # 0.95 of the rows over 0.5
    assert 0.92 <= held / 200 <= 1.0


def test_nothing_to_find_and_too_few_parts_are_refused() -> None:
    with pytest.raises(DataError, match="no row is positive: there is nothing to find"):
        lift(np.zeros(3), np.full(3, 0.5))
    with pytest.raises(SettingError, match="parts must be 2 or more, received 1"):
        lift(np.ones(3), np.full(3, 0.5), parts=1)
