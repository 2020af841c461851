"""Intervals hold the truth as often as they say: the fast part of `benchmarks/conformal.py`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.conformal.learning import Scored, chosen, learn, score_rows
from headrace.conformal.settings import Conformal
from headrace.data.rows import Blocks
from headrace.data.schema import Column, Schema
from headrace.errors import DataError, SettingError
from headrace.model.target import TargetSpec

PRICE = TargetSpec("price", "regression")


def simulation() -> Any:
    """The worlds of the benchmark."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "conformal.py"
    spec = importlib.util.spec_from_file_location("conformal_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["conformal_benchmark"] = module
    spec.loader.exec_module(module)
    return module


WORLDS = simulation()


@pytest.mark.parametrize(("kind", "given"), WORLDS.CASES)
def test_intervals_and_sets_hold_the_truth_as_often_as_they_say(
    kind: str, given: dict[str, Any]
) -> None:
    share, groups, _ = WORLDS.simulate(
        WORLDS.WORLDS[kind], Conformal(**given), 0.9, rows=1000, fresh=1000, times=60, seed=5
    )
    assert abs(share - 0.9) < 0.012
    # Of a group there are as few as 100 rows, which promise up to a point more.
    assert all(-0.02 < one - 0.9 < 0.025 for one in groups.values())


def test_plain_intervals_do_not_hold_within_groups() -> None:
    random = np.random.default_rng(0)
    world = WORLDS.WORLDS["point"]
    conformal = WORLDS.calibrate(world, Conformal(), world.draw(3000, random))
    test = world.draw(20_000, random)
    held = WORLDS.inside(conformal.predicted(world.spec, test.answers, 0.9), test.truth)
    shares = [held[test.region == region].mean() for region in WORLDS.REGIONS]
    assert min(shares) < 0.85
    assert max(shares) > 0.95


def test_quantiles_give_narrow_intervals_where_the_errors_are_small() -> None:
    random = np.random.default_rng(0)
    spec = TargetSpec("y", "regression", likelihood="quantiles", quantiles=(0.05, 0.95))

    def draw(count: int) -> Any:
        x = random.uniform(0.2, 2, count)
        ends = np.outer(x, [-1.5, 1.5])  # five points of coverage too few
        answers = {"prediction": np.zeros(count), "quantiles": ends}
        return WORLDS.Rows(WORLDS.blocks(x, random), answers, x * random.normal(size=count))

    test = draw(20_000)
    x = test.blocks.numbers[:, 0]
    shares = {}
    for method in ("absolute", "cqr"):
        world = WORLDS.World(spec, draw)
        conformal = WORLDS.calibrate(world, Conformal(method=method), draw(3000))
        held = WORLDS.inside(conformal.predicted(spec, test.answers, 0.9), test.truth)
        assert abs(held.mean() - 0.9) < 0.02
        shares[method] = held[x < 0.5].mean() - held[x > 1.5].mean()
    assert shares["absolute"] > 0.15
    assert shares["cqr"] < 0.08


def test_under_drift_plain_intervals_fail_and_the_others_follow() -> None:
    lines = [WORLDS.under_drift(0.9, count=6000, late=50, seed=seed) for seed in range(3)]
    after = {name: np.mean([one[name][3500:].mean() for one in lines]) for name in lines[0]}
    assert after["split"] < 0.5
    assert after["half_life"] > 0.84
    assert abs(after["adaptive"] - 0.9) < 0.015


def scored(scores: np.ndarray, strings: np.ndarray | None = None, time: Any = None) -> Scored:
    count = len(scores)
    words = np.empty((count, 0), object) if strings is None else strings[:, np.newaxis]
    beside = Blocks(np.empty((count, 0)), words, np.empty((count, 0), np.int64))
    return Scored(scores[np.newaxis], np.zeros(count), beside, time)


def test_a_group_that_is_too_small_gets_the_widest_or_the_pooled_reach() -> None:
    region = np.array(["a"] * 200 + ["b"] * 200 + ["c"] * 20, dtype=object)
    scores = np.concatenate([np.linspace(0, 1, 200), np.linspace(0, 10, 200), np.full(20, 0.5)])
    schema = Schema((Column("region", "category"),))
    reaches = {}
    for fallback in ("widest", "pooled"):
        settings = chosen(Conformal(by="region", fallback=fallback), PRICE)
        found = learn(settings, PRICE, scored(scores, region), schema)
        assert found.ungrouped == 20
        assert found.names(PRICE) == ["region a", "region b"]
        reaches[fallback] = found.reach(PRICE, 0.9)[:, 0]
    assert reaches["widest"][:2].tolist() == reaches["pooled"][:2].tolist()
    assert reaches["widest"][2] == reaches["widest"][1] > reaches["pooled"][2]


def test_a_group_with_too_few_rows_for_a_level_falls_back_at_that_level_alone() -> None:
    region = np.array(["a"] * 60 + ["b"] * 400, dtype=object)
    schema = Schema((Column("region", "category"),))
    settings = chosen(Conformal(by="region"), PRICE)
    found = learn(settings, PRICE, scored(np.arange(460.0), region), schema)
    assert found.too_few(PRICE, 0.9) == []
    assert found.too_few(PRICE, 0.99) == ["region a"]
    assert found.reach(PRICE, 0.99)[0] == found.reach(PRICE, 0.99)[2]
    assert found.note(PRICE, 0.99) is None


def test_no_group_with_enough_rows_is_refused() -> None:
    region = np.array([f"r{i}" for i in range(40)], dtype=object)
    settings = chosen(Conformal(by="region"), PRICE)
    with pytest.raises(SettingError, match="no group by 'region' has 50 of the 40 calibration"):
        learn(
            settings,
            PRICE,
            scored(np.arange(40.0), region),
            Schema((Column("region", "category"),)),
        )


def test_too_few_rows_rule_nothing_out_and_say_so() -> None:
    found = learn(chosen(Conformal(), PRICE), PRICE, scored(np.arange(8.0)), Schema(()))
    assert np.isinf(found.reach(PRICE, 0.9)).all()
    assert found.note(PRICE, 0.9) == (
        "the 8 calibration rows of 'price' are too few for the level 0.9, which needs 9 at least: "
        "its intervals have no ends"
    )
    assert found.note(PRICE, 0.8) is None


def test_half_lives_weigh_by_rows_or_by_time() -> None:
    scores = np.concatenate([np.ones(500), np.full(500, 5.0)])
    by_rows = learn(chosen(Conformal(half_life=50), PRICE), PRICE, scored(scores), Schema(()))
    assert by_rows.reach(PRICE, 0.5)[0, 0] == 5.0
    day = 86_400_000_000
    time = np.concatenate([np.full(500, 0), np.full(500, 100 * day)])
    settings = chosen(Conformal(half_life="10d", time="day"), PRICE)
    by_time = learn(settings, PRICE, scored(scores[::-1], time=time[::-1]), Schema(()))
    assert by_time.reach(PRICE, 0.5)[0, 0] == 5.0


def test_all_equal_scores_are_no_problem() -> None:
    found = learn(chosen(Conformal(), PRICE), PRICE, scored(np.full(100, 2.0)), Schema(()))
    assert found.reach(PRICE, 0.9)[0, 0] == 2.0


def test_a_method_that_does_not_suit_the_answers_is_refused() -> None:
    with pytest.raises(
        SettingError,
        match="method='cqr' does not suit 'price', of which the "
        "network answers values alone: choose 'absolute'",
    ):
        chosen(Conformal(method="cqr"), PRICE)


def test_a_number_has_no_classes_to_divide_by() -> None:
    with pytest.raises(SettingError, match="by='price' asks for the same level within each class"):
        chosen(Conformal(by="price"), PRICE)


def test_answers_that_are_no_numbers_are_refused() -> None:
    answers = {"prediction": np.array([1.0, np.nan])}
    settings = chosen(Conformal(), PRICE)
    with pytest.raises(DataError, match="column 'price', row 1: the network answers no finite"):
        score_rows(settings, PRICE, answers, np.array([1.0, 2.0]))
