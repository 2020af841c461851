from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.conformal.ranks import Ranks, packed, rows_needed, unpacked
from headrace.errors import ReleaseError

scores_of_rows = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
levels = st.floats(0.01, 0.99)


@given(scores_of_rows, levels)
def test_the_reach_has_the_rank_of_the_formula(scores: list[float], level: float) -> None:
    rank = math.ceil((len(scores) + 1) * level - 1e-6)
    expected = sorted(scores)[rank - 1] if rank <= len(scores) else math.inf
    assert Ranks.of(np.array(scores)).reach(level) == expected


@given(scores_of_rows, levels)
def test_equal_weights_of_one_change_nothing(scores: list[float], level: float) -> None:
    values = np.array(scores)
    assert Ranks.of(values, np.ones(len(values))).reach(level) == Ranks.of(values).reach(level)


@given(scores_of_rows, scores_of_rows, levels)
def test_ranks_of_parts_merge_to_those_of_all(
    left: list[float], right: list[float], level: float
) -> None:
    merged = Ranks.merged([Ranks.of(np.array(left)), Ranks.of(np.array(right))])
    whole = Ranks.of(np.array(left + right))
    assert merged.reach(level) == whole.reach(level)
    assert merged.rows == whole.rows


@given(scores_of_rows)
def test_a_higher_level_never_reaches_less(scores: list[float]) -> None:
    ranks = Ranks.of(np.array(scores))
    reaches = [ranks.reach(level) for level in (0.1, 0.5, 0.8, 0.9, 0.99)]
    assert reaches == sorted(reaches)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
def test_so_many_rows_are_needed_and_one_fewer_is_too_few(level: float) -> None:
    needed = rows_needed(level)
    assert math.isfinite(Ranks.of(np.arange(needed)).reach(level))
    assert needed == 1 or math.isinf(Ranks.of(np.arange(needed - 1)).reach(level))


def test_old_rows_that_hardly_count_are_too_few() -> None:
    scores = np.arange(1000.0)
    assert math.isinf(Ranks.of(scores, np.full(1000, 0.001)).reach(0.9))


def test_weights_move_the_reach_to_the_rows_that_count() -> None:
    scores = np.concatenate([np.full(500, 1.0), np.full(500, 9.0)])
    new = np.where(scores == 9, 1.0, 0.001)
    assert Ranks.of(scores).reach(0.4) == 1.0
    assert Ranks.of(scores, new).reach(0.4) == 9.0


def test_very_many_scores_are_kept_in_part_and_never_reach_too_little() -> None:
    scores = np.random.default_rng(0).exponential(size=200_000)
    rising = np.sort(scores)
    ranks = Ranks.of(scores)
    assert len(ranks.scores) == 20_000
    for level in (0.5, 0.9, 0.95, 0.99, 0.9999):
        rank = math.ceil(200_001 * level) - 1
        found = ranks.reach(level)
        assert rising[rank] <= found <= rising[min(rank + 13, 199_999)]
    assert ranks.reach(0.9999) == rising[math.ceil(200_001 * 0.9999) - 1]


def test_no_rows_rule_nothing_out() -> None:
    assert math.isinf(Ranks.of(np.array([])).reach(0.5))


def test_many_ranks_travel_as_a_few_arrays() -> None:
    tables = [Ranks.of(np.arange(5.0)), Ranks.of(np.array([])), Ranks.of(np.arange(3.0), [1, 2, 3])]
    again = unpacked(packed(tables))
    assert [one.reach(0.6) for one in again] == [one.reach(0.6) for one in tables]
    assert [one.rows for one in again] == [5, 0, 3]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("scores", np.array([3.0, 1.0, 2.0])),
        ("scores", np.array([1.0, np.nan, 2.0])),
        ("weights", np.array([3.0, 2.0, 1.0])),
        ("lengths", np.array([4])),
        ("lengths", np.array([-1, 4])),
    ],
)
def test_altered_arrays_are_refused(part: str, value: np.ndarray) -> None:
    stored = packed([Ranks.of(np.arange(3.0))]) | {part: value}
    with pytest.raises((ReleaseError, ValueError), match="scores|zip"):
        unpacked(stored)
