"""The feed: every row once an epoch, in an order that seed and epoch decide, from memory or disk."""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.model.feed import Feed, epoch_order, feed_of, steps_of
from headrace.model.labelled import Labelled, Window
from headrace.model.rows import Rows
from headrace.model.stored import StoredRows, mixing, sample
from headrace.plan.features import Features

if TYPE_CHECKING:
    from pathlib import Path


def labelled(rows: int, window: Window | None = None, folder: Path | None = None) -> Labelled:
    """Rows whose first number, code and target are their own place."""
    places = np.arange(rows)
    blocks = {
        "numbers": places.astype(np.float32)[:, np.newaxis],
        "categories": places.astype(np.int32)[:, np.newaxis],
        "target": places.astype(np.float32),
    }
    if folder is not None:
        blocks = {name: on_disk(folder / name, block) for name, block in blocks.items()}
    features = Features(blocks["numbers"], blocks["categories"])
    return Labelled(features, blocks["target"], window=window)


def on_disk(path: Path, block: Any) -> Any:
    block.tofile(path)
    return np.memmap(path, dtype=block.dtype, mode="r", shape=block.shape)


def convert(part: Labelled) -> Rows:
    return Rows({"numbers": part.features.numbers}, part.target[:, np.newaxis])


def stored(rows: int, window: Window, folder: Path | None = None) -> StoredRows:
    return StoredRows(labelled(rows, window, folder), window, convert)


def visited(feed: Feed, epoch: int, skip: int = 0) -> list[int]:
    """Which rows the steps of an epoch see, in order."""
    seen: list[int] = []
    for first, portion in feed.epoch(epoch, skip):
        order, target = portion.order.numpy(), portion.rows[1].numpy()[:, 0]
        start = max(0, skip - first) * feed.batch
        seen += target[order[start : portion.full * feed.batch]].astype(int).tolist()
    return seen


@settings(max_examples=60)
@given(
    rows=st.integers(1, 400),
    block=st.integers(1, 40),
    blocks=st.integers(1, 12),
    batch=st.integers(1, 50),
    epoch=st.integers(0, 3),
)
def test_an_epoch_sees_each_row_on_disk_at_most_once(
    rows: int, block: int, blocks: int, batch: int, epoch: int
) -> None:
    batch = min(batch, rows)
    chosen = stored(rows, Window(block * blocks, block))
    feed = feed_of(chosen, batch, seed=1)
    seen = visited(feed, epoch)
    feed.close()
    assert len(seen) == len(set(seen)) == feed.steps * batch
    assert feed.steps == steps_of(chosen.labelled, batch)
    windows = -(-rows // (max(blocks, -(-batch // block)) * block))
    # Only what is left over in a window waits for the next epoch.
    assert rows - len(seen) < batch * windows


def test_the_order_is_that_of_seed_and_epoch(tmp_path: Path) -> None:
    window = Window(40, 5)
    one, two = (feed_of(stored(203, window, tmp_path), 10, seed=3) for _ in range(2))
    other = feed_of(stored(203, window, tmp_path), 10, seed=4)
    assert visited(one, 0) == visited(two, 0)
    assert visited(one, 5) == visited(two, 5)
    assert visited(one, 0) != visited(one, 1)
    assert visited(one, 0) != visited(other, 0)
    for feed in (one, two, other):
        feed.close()


@pytest.mark.parametrize("skip", [0, 1, 3, 4, 5, 19])
def test_an_epoch_goes_on_behind_the_steps_that_are_done(skip: int) -> None:
    feed = feed_of(stored(200, Window(40, 5)), 10, seed=0)
    assert visited(feed, 2, skip) == visited(feed, 2)[skip * 10 :]
    feed.close()


def test_rows_in_memory_are_one_window_with_a_last_smaller_batch() -> None:
    part = labelled(25)
    feed = feed_of(convert(part), 10, seed=2)
    assert (feed.steps, feed.left) == (3, 5)
    [(first, portion)] = feed.epoch(4)
    assert (first, portion.full) == (0, 2)
    assert portion.order.numpy().tolist() == epoch_order(25, 2, 4).tolist()


def test_batches_for_keras_are_those_of_the_steps() -> None:
    feed = feed_of(convert(labelled(25)), 10, seed=2)
    given_out = feed.batches(3)
    epoch = [next(given_out)[1][:, 0].astype(int).tolist() for _ in range(3)]
    assert [len(batch) for batch in epoch] == [10, 10, 5]
    assert functools.reduce(operator.iadd, epoch, []) == epoch_order(25, 2, 3).tolist()
    assert next(given_out)[1][:, 0].astype(int).tolist() == (epoch_order(25, 2, 4)[:10].tolist())


def test_rows_on_disk_come_in_keras_form_a_slice_at_a_time(tmp_path: Path) -> None:
    rows = stored(100, Window(20, 5), tmp_path)
    inputs, target = rows.keras(slice(95, 200))
    assert inputs["numbers"][:, 0].tolist() == target[:, 0].tolist() == [95, 96, 97, 98, 99]
    assert len(rows) == 100
    assert rows.nbytes == 2 * 20 * 8  # two windows of a float32 number and target each


def test_a_sample_is_whole_blocks_from_anywhere(tmp_path: Path) -> None:
    part = labelled(103, Window(20, 5), tmp_path)
    held = sample(part, 22, seed=0)
    places = held.target.astype(int).tolist()
    assert len(places) in (25, 23)
    assert len({place // 5 for place in places}) == 5
    assert len(sample(part, 10**6, seed=0)) == 103
    assert sample(labelled(7), 3, seed=0).target.tolist() == labelled(7).target.tolist()


@pytest.mark.parametrize(("rows", "block"), [(10, 3), (2, 4), (0, 0)])
def test_a_window_holds_whole_blocks(rows: int, block: int) -> None:
    with pytest.raises(ValueError, match="a window must hold 1 block or more of 1 row or more"):
        Window(rows, block)


def test_mixing_is_what_the_batches_show() -> None:
    """The stated variance of batch means is the one that simulated batches have."""
    random = np.random.default_rng(0)
    target = np.repeat(random.normal(size=400), 50) + random.normal(size=20_000)
    window, batch = Window(2_000, 50), 100
    rows = StoredRows(
        Labelled(
            Features(np.zeros((20_000, 0), np.float32), np.zeros((20_000, 0), np.int32)),
            target.astype(np.float32),
            window=window,
        ),
        window,
        lambda part: Rows({}, part.target[:, np.newaxis]),
    )
    feed = feed_of(rows, batch, seed=0)
    means = []
    for epoch in range(8):
        for _, portion in feed.epoch(epoch):
            order, values = portion.order.numpy(), portion.rows[1].numpy()[:, 0]
            means += [
                values[order[step * batch : (step + 1) * batch]].mean()
                for step in range(portion.full)
            ]
    feed.close()
    measured = np.var(means) / (target.var() / batch)
    assert measured == pytest.approx(mixing(target, window, batch), rel=0.15)
    assert mixing(np.zeros(1000), window, batch) == 1.0
    assert mixing(target[:60], window, batch) == 1.0
