"""Rows for methods that need to see them."""

from __future__ import annotations

import numpy as np
import polars as pl

from headrace.plan.sample import RowSample
from headrace.plan.statistic import learn

NAN = float("nan")


def chunks(rows: np.ndarray, count: int) -> list[pl.DataFrame]:
    return [pl.DataFrame(part, schema=["x", "y"]) for part in np.array_split(rows, count)]


def test_a_sample_of_different_rows_does_not_depend_on_the_split() -> None:
    rows = np.random.default_rng(0).normal(size=(5000, 2))
    samples = [
        learn(iter(chunks(rows, count)), ["x", "y"], RowSample(cap=300)) for count in (1, 3, 17)
    ]
    assert {sample.rows.shape for sample in samples} == {(300, 2)}
    assert all(np.array_equal(samples[0].rows, sample.rows) for sample in samples)
    assert {sample.count for sample in samples} == {5000}


def test_seeds_choose_other_rows() -> None:
    parts = chunks(np.random.default_rng(0).normal(size=(500, 2)), 2)
    first, second = (learn(parts, ["x", "y"], RowSample(cap=50, seed=seed)) for seed in (0, 1))
    assert not np.array_equal(first.rows, second.rows)


def test_equal_rows_come_as_often_as_they_should() -> None:
    """Of two rows of which one comes nine times as often, the sample has about nine to one."""
    rows = np.repeat([[0.0, 0.0], [1.0, 1.0]], [9000, 1000], axis=0)
    np.random.default_rng(0).shuffle(rows)
    sample = learn(chunks(rows, 4), ["x", "y"], RowSample(cap=1000)).rows
    assert 0.05 < sample[:, 0].mean() < 0.15


def test_gaps_are_counted_in_all_rows() -> None:
    rows = np.zeros((100, 2))
    rows[:30, 1] = NAN
    for data in (pl.DataFrame(rows, schema=["x", "y"]), chunks(rows, 7)):
        assert learn(data, ["x", "y"], RowSample(cap=10)).missing.tolist() == [0, 30]
