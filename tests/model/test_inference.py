"""What a target column is: ordered classes, counts, distributions of numbers."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from headrace.errors import DataError, SettingError
from headrace.model.target import TargetSpec

GRADES = pl.Enum(["low", "mid", "high"])


def infer(values: Any, dtype: Any = None, **settings: Any) -> TargetSpec:
    return TargetSpec.infer(pl.Series("y", values, dtype=dtype), **settings)


def test_ordered_classes_are_in_the_order_of_the_enum() -> None:
    spec = infer(["mid", "low", "high", "mid"], GRADES, task="ordinal")
    assert (spec.task, spec.likelihood) == ("multiclass", "ordinal")
    assert spec.classes == ("low", "mid", "high")
    assert spec.outputs == 3
    assert spec.encode(pl.Series("y", ["high", "low"])).tolist() == [2, 0]
    assert spec.encode(pl.Series("y", ["high", "low"], dtype=GRADES)).tolist() == [2, 0]


def test_ordered_numbers_are_in_their_own_order() -> None:
    assert infer([10, 2, 1, 10], task="ordinal").classes == (1, 2, 10)


def test_without_being_asked_an_enum_has_no_order() -> None:
    spec = infer(["mid", "low", "high"], GRADES)
    assert (spec.classes, spec.likelihood) == (("high", "low", "mid"), "categorical")


@pytest.mark.parametrize(
    ("values", "dtype", "text"),
    [
        (["b", "a", "c"], None, "needs an order, and text has none.*pl.Enum"),
        (["b", "a", "c"], pl.Categorical, "needs an order"),
        ([1, 2, 1], None, "needs three labels or more, it has 2.*task='binary'"),
    ],
)
def test_what_has_no_order(values: Any, dtype: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        infer(values, dtype, task="ordinal")


@pytest.mark.parametrize("settings", [{"task": "count"}, {"loss": "poisson"}])
def test_counts_are_in_units_of_their_mean(settings: dict[str, Any]) -> None:
    spec = infer([0, 2, 4, 2], **settings)
    assert (spec.task, spec.likelihood) == ("regression", "poisson")
    assert (spec.mean, spec.scale) == (0, 2)
    assert spec.encode(pl.Series("y", [4, 0])).tolist() == [2, 0]


def test_counts_below_0_are_named_by_their_row() -> None:
    with pytest.raises(
        DataError, match=r"row 2: expected a count, 0 or more, received -1"
    ) as caught:
        infer([0, 2, -1], task="count")
    assert caught.value.problems[0].row == 2
    with pytest.raises(DataError, match="0 or more"):
        infer([0, 2, 1], task="count").encode(pl.Series("y", [-3]))


def test_likelihoods_of_numbers() -> None:
    few = [1, 2, 3] * 5  # classes, unless something speaks for numbers
    assert infer(few).task == "multiclass"
    normal = infer(few, loss="gaussian")
    assert (normal.task, normal.likelihood, normal.outputs) == ("regression", "normal", 2)
    quantiles = infer(few, quantiles=[0.1, 0.9])
    assert (quantiles.likelihood, quantiles.quantiles) == ("quantiles", (0.1, 0.9))
    assert infer(few, quantiles=[0.1, 0.9], loss="pinball") == quantiles
    assert infer(few, task="regression", loss="mse").likelihood == "point"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"quantiles": (0.9, 0.1)}, r"increasing numbers between 0 and 1.*\(0.9, 0.1\)"),
        ({"quantiles": (0.0, 0.5)}, "increasing numbers between 0 and 1"),
        ({"quantiles": ()}, "needs them"),
        ({"quantiles": (0.5,), "loss": "mse"}, "loss 'pinball', received the loss 'mse'"),
        ({"quantiles": (0.5,), "task": "binary"}, "task='binary' do not go together"),
        ({"quantiles": (0.5,), "task": "count"}, "'poisson', received quantiles"),
        ({"loss": "pinball"}, "needs quantiles, such as"),
        ({"loss": "gaussian", "task": "multiclass"}, "the loss 'gaussian' and task='multiclass'"),
        ({"loss": "mse", "task": "count"}, "counts are trained with the loss 'poisson'"),
        ({"task": "ordnal"}, "perhaps 'ordinal' is meant"),
    ],
)
def test_what_does_not_go_together(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        infer([0.0, 1.0, 2.5], **settings)
