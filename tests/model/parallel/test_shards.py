"""All workers together take the batches that one process takes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.parallel.shards import Division


@st.composite
def divisions(draw: st.DrawFn) -> Division:
    rows = draw(st.integers(1, 400))
    return Division(rows, draw(st.integers(1, rows)), draw(st.integers(1, min(rows, 9))))


@given(divisions(), st.integers(0, 5))
def test_the_parts_of_a_batch_are_the_batch(division: Division, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(division.rows).astype(np.int32)
    width = division.width(order)
    parts = [division.own_steps(order, worker, width) for worker in range(division.workers)]
    for step in range(division.steps):
        taken = [
            division.owned(worker).start + own.rows[step, : own.counts[step]]
            for worker, own in enumerate(parts)
        ]
        whole = order[step * division.batch : (step + 1) * division.batch]
        assert sorted(np.concatenate(taken)) == sorted(whole)
        assert {int(own.batches[step]) for own in parts} == {len(whole)}


@given(divisions())
def test_every_row_has_one_owner(division: Division) -> None:
    owned = [np.arange(division.rows)[division.owned(n)] for n in range(division.workers)]
    assert np.concatenate(owned).tolist() == list(range(division.rows))
    assert all(len(rows) for rows in owned)
    assert max(map(len, owned)) - min(map(len, owned)) <= 1


@given(divisions(), st.integers(0, 5))
def test_all_parts_have_the_width_that_all_workers_agree_on(division: Division, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(division.rows).astype(np.int32)
    width = division.width(order)
    assert width <= division.batch
    for worker in range(division.workers):
        own = division.own_steps(order, worker, width)
        assert own.rows.shape == (division.steps, width)
        assert own.counts.max() <= width
