"""Not one price but a range, and two answers from one network.

    python examples/price_ranges.py

First the 5 %, 50 % and 95 % quantiles of California's house prices: how often do the test rows lie
between the outer two? Then price and cut of diamonds, a number and a class, from one network.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import headrace as hr

DATA = Path(__file__).resolve().parents[1] / "data"


def ranges() -> None:
    """Predict quantiles and count how often they hold."""
    homes = pl.read_csv(DATA / "california_housing.csv.gz")
    train, test = hr.split(homes, share=0.2)
    network = hr.Network(preset="fast", quantiles=(0.05, 0.5, 0.95))
    pipe = hr.Pipeline(target="median_house_value", network=network)
    pipe.train(train)
    quantiles = pipe.predict_distribution(test)
    price = test["median_house_value"]
    inside = ((price >= quantiles["q0.05"]) & (price <= quantiles["q0.95"])).mean()
    print(quantiles.with_columns(price).head(5))
    print(f"{inside:.1%} of the test rows lie between the 5 % and the 95 % quantile")


def two_answers() -> None:
    """Predict a number and a class at once."""
    diamonds = pl.read_csv(DATA / "diamonds.csv.gz").sample(15_000, seed=0)
    train, test = hr.split(diamonds, share=0.2)
    pipe = hr.Pipeline(target=["price", "cut"], network=hr.Network(preset="fast"))
    pipe.train(train)
    print(pipe.predict(test).head(5))
    print(pipe.evaluate(test, importance=False).summary())


if __name__ == "__main__":
    ranges()
    two_answers()
