"""Counts of words, and the target's mean for each."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from headrace.plan.counts import FOLD, TARGET, TargetMeans, TargetTable, ValueCounts
from headrace.plan.statistic import learn


def words(*values: str) -> pl.DataFrame:
    return pl.DataFrame({"w": pl.Series(values, dtype=pl.String)})


def test_the_most_frequent_word_comes_first_and_ties_go_by_the_alphabet() -> None:
    counts = learn(words("b", "c", "a", "", "c", "日本", "日本"), "w", ValueCounts())
    assert counts.values == ("c", "日本", "a", "b")
    assert counts.counts.tolist() == [2, 2, 1, 1]
    assert (counts.missing, counts.other) == (1, 0)


def test_words_beyond_the_cap_are_counted_together() -> None:
    counts = learn(words("a", "a", "b", "c"), "w", ValueCounts(cap=1))
    assert (counts.values, counts.counts.tolist(), counts.other) == (("a",), [2], 2)


def test_no_words_at_all() -> None:
    for frame in (words(), words("", "")):
        counts = learn(frame, "w", ValueCounts())
        assert (counts.values, counts.missing) == ((), frame.height)


def table() -> TargetTable:
    frame = pl.DataFrame(
        {
            "w": ["a", "a", "a", "b", "b", ""],
            FOLD: [0, 0, 1, 0, 1, 1],
            TARGET: [1.0, 0.0, 1.0, 1.0, 1.0, 0.0],
        }
    )
    found: TargetTable = learn(frame, "w", TargetMeans(2))
    return found


def test_means_without_smoothing_are_the_means() -> None:
    assert table().values == ("", "a", "b")
    assert table().means(0.0)[0] == pytest.approx([0.0, 2 / 3, 1.0])
    assert table().prior() == pytest.approx([4 / 6])


def test_smoothing_pulls_towards_the_overall_mean() -> None:
    prior = 4 / 6
    expected = [(0 + 2 * prior) / 3, (2 + 2 * prior) / 5, (2 + 2 * prior) / 4]
    assert table().means(2.0)[0] == pytest.approx(expected)


def test_a_fold_left_out_is_not_seen() -> None:
    means = table().means(0.0, without=1)[0]
    assert means[1:] == pytest.approx([0.5, 1.0])
    assert means[0] == pytest.approx(2 / 3)  # no row of fold 0 is missing: the mean of fold 0
    assert table().prior(without=1) == pytest.approx([2 / 3])


def test_fold_numbers_are_taken_modulo() -> None:
    frame = pl.DataFrame({"w": ["a", "a"], FOLD: [7, 11], TARGET: [1.0, 3.0]})
    found = learn(frame, "w", TargetMeans(2))
    assert np.array_equal(found.counts, [[0, 2]])
