"""How good the default network is on real tables, behind the default steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import headrace as hr

DATA = Path(__file__).resolve().parents[2] / "data"

pytestmark = pytest.mark.slow


def read(name: str, target: str, *, stratify: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A fifth of the rows for the test; of the rest, training holds out a fifth for itself."""
    frame = pl.read_csv(DATA / name, infer_schema_length=None)
    strata = frame[target].to_numpy() if stratify else None
    train, test = train_test_split(
        np.arange(frame.height), test_size=0.2, random_state=0, stratify=strata
    )
    return frame[train], frame[test]


def test_incomes_are_told_apart() -> None:
    train, test = read("adult.csv.gz", "income", stratify=True)
    pipe = hr.Pipeline(target="income")
    pipe.train(train)
    positive = test["income"].to_numpy() == pipe.classes[1]
    assert roc_auc_score(positive, pipe.predict_proba(test)[:, 1]) >= 0.920


def test_house_values_are_predicted() -> None:
    target = "median_house_value"
    train, test = read("california_housing.csv.gz", target, stratify=False)
    pipe = hr.Pipeline(target=target)
    pipe.train(train)
    error = pipe.predict(test).to_numpy() - test[target].to_numpy()
    assert np.sqrt(np.mean(error**2)) <= 46_500


def test_the_default_network_is_repeatable_to_the_bit() -> None:
    train, _ = read("california_housing.csv.gz", "median_house_value", stratify=False)

    def weights() -> list[Any]:
        pipe = hr.Pipeline([hr.Network(epochs=2)], target="median_house_value")
        pipe.train(train.drop("ocean_proximity").drop_nulls())
        return pipe.fitted.network.weights()

    assert all(np.array_equal(a, b) for a, b in zip(weights(), weights(), strict=True))
