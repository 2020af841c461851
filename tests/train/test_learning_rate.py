"""The search for a learning rate."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import SettingError
from headrace.model.network import Network
from headrace.model.recipe import Recipe
from headrace.train.learning_rate import (
    LearningRateSearch,
    find_learning_rate,
    smooth,
    suggest,
)


def make_rows(count: int = 600) -> pl.DataFrame:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, count))
    kind = random.choice(["a", "b"], size=count)
    price = 3 * x + np.sin(3 * y) + (kind == "a") + 50
    return pl.DataFrame(
        {"x": x, "y": y, "kind": kind, "weight": random.uniform(size=count), "price": price}
    )


@pytest.fixture(scope="module")
def search() -> LearningRateSearch:
    pipe = hr.Pipeline([hr.transform.Encode(), Network([16])], target="price")
    found = pipe.find_learning_rate(make_rows(), weight="weight", points=80)
    assert not pipe.is_trained
    return found


def test_the_rates_rise_by_equal_factors_until_the_loss_diverges(
    search: LearningRateSearch,
) -> None:
    factors = np.array(search.rates[1:]) / np.array(search.rates[:-1])
    assert np.allclose(factors, 1e6 ** (1 / 79))
    assert search.usual == Recipe().learning_rate
    assert search.rates[0] == pytest.approx(search.usual / 1000)
    assert len(search.losses) == len(search.rates) == len(search.smoothed)
    assert search.diverged
    assert min(search.smoothed) < search.smoothed[0] < search.smoothed[-1]


def test_the_suggestion_lies_on_the_way_down(search: LearningRateSearch) -> None:
    assert search.suggestion is not None
    lowest = search.rates[int(np.argmin(search.smoothed))]
    assert search.rates[0] < search.suggestion < lowest
    assert 1e-4 < search.suggestion < 0.3


def test_the_result_can_be_read_stored_and_drawn(search: LearningRateSearch) -> None:
    assert f"where the loss fell fast; it would have been {search.usual:.3g}" in search.summary()
    assert "until the loss diverged" in search.summary()
    stored = json.loads(json.dumps(search.to_dict()))
    assert stored["suggestion"] == search.suggestion
    assert stored["rates"] == list(search.rates)
    assert search.plot().get_xlabel() == "learning rate"


def test_the_same_seed_gives_the_same_losses_to_the_bit() -> None:
    steps = [hr.transform.Encode(), Network([4])]
    found = [
        find_learning_rate(
            make_rows(100), steps, target="price", points=50, low=0.001, high=0.01, seed=3
        )
        for _ in range(2)
    ]
    assert found[0].losses == found[1].losses
    assert not found[0].diverged
    assert (found[0].rates[0], found[0].rates[-1]) == pytest.approx((0.001, 0.01))


def test_an_optimizer_of_the_users_own_is_searched_with() -> None:
    steps = [hr.transform.Encode(), Network([4], optimizer="sgd")]
    found = find_learning_rate(make_rows(200), steps, target="price", points=60)
    assert found.usual == pytest.approx(0.01)
    assert found.rates[0] == pytest.approx(1e-5)
    assert found.diverged


def test_smoothing_is_its_formula() -> None:
    losses = np.random.default_rng(0).normal(size=9)
    expected = []
    for place in range(9):
        weights = [np.exp(-0.5 * ((place - other) / 4) ** 2) for other in range(9)]
        expected.append(np.dot(weights, losses) / np.sum(weights))
    assert np.allclose(smooth(losses), expected)


def test_a_loss_that_never_falls_gives_no_suggestion() -> None:
    rates = np.array([0.1, 1.0, 10.0])
    assert suggest(rates, np.array([1.0, 1.5, 2.0])) is None
    assert suggest(rates, np.array([1.0, 1.0, 1.0])) is None
    kept = LearningRateSearch((0.1,), (1.0,), (1.0,), None, 0.002, 32, diverged=True, seconds=1)
    assert "none, since the loss never fell" in kept.summary()
    kept.plot()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"low": 1.0, "high": 0.1}, r"must rise from above 0, received low=1\.0, high=0\.1"),
        ({"points": 3}, "points must be 50 or more, received 3"),
    ],
)
def test_a_range_that_is_none_is_an_error(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        find_learning_rate(make_rows(100), None, target="price", **settings)


def test_without_a_network_there_is_no_rate_to_find() -> None:
    with pytest.raises(SettingError, match="a learning rate is searched for a network"):
        find_learning_rate(make_rows(100).drop("price"), [hr.transform.Encode()], target=None)
