from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.evaluate.baseline import baselines, gradient_boosting
from headrace.evaluate.evaluation import evaluate
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANDOM = np.random.default_rng(0)


def rows(number: int, cardinality: int = 5) -> Features:
    return Features(
        RANDOM.normal(size=(number, 2)), RANDOM.integers(0, cardinality, size=(number, 1))
    )


SPEC = FeatureSpec(("a", "b"), ("town",), (5,))
TRAIN, TEST = rows(600), rows(200)


def signal(features: Features) -> NDArray[Any]:
    return features.numbers[:, 0] + (features.categories[:, 0] == 3)


def test_binary() -> None:
    target = TargetSpec("y", "binary", classes=("no", "yes"))
    truth, expected = (signal(TRAIN) > 0.5).astype(np.int32), (signal(TEST) > 0.5).astype(int)
    found = baselines(target, SPEC, TRAIN, truth, TEST)
    assert {name: output.shape for name, output in found.items()} == {
        "dummy": (200, 1),
        "gradient_boosting": (200, 1),
    }
    assert found["dummy"][0] == pytest.approx(truth.mean())
    answer = evaluate(target, expected, found["gradient_boosting"], baselines=found)
    assert answer.metrics["roc_auc"].low > 0.9
    assert answer.comparisons["dummy"].verdict == "better"
    assert answer.comparisons["gradient_boosting"].verdict == "not enough data to tell"


def test_multiclass_keeps_a_column_for_a_class_without_training_rows() -> None:
    target = TargetSpec("y", "multiclass", classes=("a", "b", "c", "d"))
    truth = np.digitize(signal(TRAIN), [0, 1]).astype(np.int32)
    found = baselines(target, SPEC, TRAIN, truth, TEST)
    for output in found.values():
        assert output.shape == (200, 4)
        assert output.sum(axis=1) == pytest.approx(np.ones(200))
        assert (output[:, 3] == 0).all()


def test_regression_is_standardised_like_the_output_of_a_network() -> None:
    target = TargetSpec("y", "regression", mean=50.0, scale=2.0)
    truth = signal(TRAIN).astype(np.float32)
    found = baselines(target, SPEC, TRAIN, truth, TEST)
    answer = evaluate(target, 50 + 2 * signal(TEST), found["gradient_boosting"], baselines=found)
    assert answer.metrics["r2"].value > 0.9
    assert answer.comparisons["dummy"].verdict == "better"
    assert found["dummy"].shape == (200, 1)


def test_columns_with_many_categories_are_read_as_numbers() -> None:
    target = TargetSpec("y", "regression")
    train = rows(500, cardinality=400)
    spec = FeatureSpec(("a", "b"), ("town",), (400,))
    truth = (train.categories[:, 0] > 200).astype(np.float32)
    output = gradient_boosting(target, spec, train, truth, train)
    assert np.abs(output[:, 0] - truth).mean() < 0.1


def test_the_same_seed_gives_the_same_answer() -> None:
    target = TargetSpec("y", "regression")
    first, second = (
        gradient_boosting(target, SPEC, TRAIN, signal(TRAIN), TEST, seed=1) for _ in range(2)
    )
    assert (first == second).all()


def test_an_unknown_baseline_is_refused() -> None:
    target = TargetSpec("y", "regression")
    with pytest.raises(SettingError, match="received 'dumy'; perhaps 'dummy' is meant"):
        baselines(target, SPEC, TRAIN, signal(TRAIN), TEST, names=["dumy"])
