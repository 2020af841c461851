from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.data.levels import Levels
from headrace.errors import DataError, SettingError
from headrace.evaluate.slices import search_slices


def columns(random: np.random.Generator, rows: int, number: int = 6) -> list[Levels]:
    return [
        Levels(f"c{one}", random.integers(0, 4, rows), tuple(f"c{one} = {v}" for v in "abcd"))
        for one in range(number)
    ]


def test_noise_has_no_slices() -> None:
    """In 200 tables of noise something is found in at most about 5 of 100."""
    found = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        loss = random.exponential(size=800)
        found += bool(search_slices(loss, columns(random, 800), seed=seed).found)
    assert found / 200 <= 0.085


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_planted_slice_is_found_at_its_depth(depth: int) -> None:
    random = np.random.default_rng(depth)
    groups = columns(random, 6_000)
    inside = np.ones(6_000, dtype=bool)
    for one in groups[:depth]:
        inside &= one.codes == 2
    loss = random.exponential(size=6_000) + 2 * inside
    found = search_slices(loss, groups, depth=depth)
    first = found.found[0]
    assert first.name == " and ".join(f"c{one} = c" for one in range(depth))
    assert first.difference == pytest.approx(2, abs=0.4)
    assert first.low < first.difference < first.high
    assert first.rows == pytest.approx(inside.sum() / 2, rel=0.25)


def test_parts_of_a_slice_and_the_same_rows_are_told_once() -> None:
    random = np.random.default_rng(0)
    groups = columns(random, 4_000, number=3)
    twin = Levels("twin", groups[0].codes, tuple(f"twin = {v}" for v in "abcd"))
    loss = random.exponential(size=4_000) + 3 * (groups[0].codes == 1)
    names = [one.name for one in search_slices(loss, [*groups, twin]).found]
    assert names in (["c0 = b"], ["twin = b"])


def test_a_constant_loss_has_no_slices() -> None:
    random = np.random.default_rng(0)
    found = search_slices(np.full(200, 0.25), columns(random, 200))
    assert found.found == ()
    assert found.summary().startswith("No slice is worse for sure: of ")


def test_the_slices_of_a_pipeline(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    both = pl.concat([fresh] * 2)
    found = hr.find_slices(trained, both, columns=["age", "job", "joined", "member"], clusters=3)
    assert found.search_rows + found.test_rows == 600
    assert found.searched > 30
    json.dumps(found.to_dict())
    assert hr.find_slices(trained, both, loss="surprise").loss.startswith("squared error beyond")


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"columns": ["jobs"]}, SettingError, "slices can be made of the columns age, .*'jobs'"),
        ({"depth": 4}, SettingError, "depth must be 1, 2 or 3, received 4"),
        ({"fewest": 1}, SettingError, "fewest must be 2 or more: one row has no spread"),
        ({"fewest": 200}, DataError, "300 rows are too few: a slice needs 200 in either half"),
    ],
)
def test_bad_settings_are_named(
    trained: hr.Pipeline, fresh: pl.DataFrame, settings: dict[str, object], kind: type, message: str
) -> None:
    with pytest.raises(kind, match=message):
        hr.find_slices(trained, fresh, **settings)


def test_numbers_have_no_surprise(regression: hr.Pipeline, fresh: pl.DataFrame) -> None:
    with pytest.raises(SettingError, match="the loss 'surprise' needs probabilities"):
        hr.find_slices(regression, fresh, loss="surprise")
    assert hr.find_slices(regression, fresh).loss == "squared error"
