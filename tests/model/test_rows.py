"""Rows are checked before a network sees them, and weighted as stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.errors import DataError, SettingError
from headrace.model.rows import Rows, check_rows, class_weights, mean_weight
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec

SPEC = FeatureSpec(("age", "wage"), ("town",), (3,))
TARGET = TargetSpec("y", "binary", classes=("no", "yes"))


def features(numbers: Any = ((1, 2), (3, 4)), codes: Any = ((0,), (2,))) -> Features:
    return Features(np.array(numbers, dtype=np.float32), np.array(codes, dtype=np.int32))


def check(rows: Features, target: Any = (0, 1)) -> None:
    check_rows(rows, np.array(target), SPEC, TARGET)


def test_good_rows_pass() -> None:
    check(features())


@pytest.mark.parametrize(
    ("numbers", "codes", "target", "text"),
    [
        ([(1, 2)], [(0,)], [], "there are no training rows"),
        ([(1, 2)], [(0,)], [0, 1], r"expected numbers of the shape \(2, 2\)"),
        ([(1,), (2,)], [(0,), (1,)], [0, 1], r"received the shape \(2, 1\)"),
        ([(1, np.nan), (1, 2)], [(0,), (1,)], [0, 1], "column 'wage', row 0: .* 1 of 2 rows"),
        ([(1, 2), (np.inf, 2)], [(0,), (1,)], [0, 1], "received inf. Fill missing values"),
        ([(1, 2), (1, 2)], [(0,), (3,)], [0, 1], "'town', row 1: .* from 0 to 2, received 3"),
        ([(1, 2), (1, 2)], [(0,), (-1,)], [0, 1], "received -1"),
        ([(1, 2), (1, 2)], [(0,), (1,)], [0, 2], "expected encoded classes from 0 to 1"),
    ],
)
def test_bad_rows_are_named(numbers: Any, codes: Any, target: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        check(features(numbers, codes), target)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(DataError, match="2 problems") as caught:
        check(features([(np.nan, 1), (1, 1)], [(9,), (0,)]))
    assert [problem.column for problem in caught.value.problems] == ["age", "town"]


def test_balanced_classes_have_the_same_sum() -> None:
    target = np.array([0] * 90 + [1] * 10)
    weights = class_weights("balanced", target, TARGET)
    assert weights is not None
    assert weights @ np.bincount(target) == pytest.approx(100)
    assert weights[1] / weights[0] == pytest.approx(9)


def test_stated_class_weights_keep_their_ratio() -> None:
    weights = class_weights({"yes": 3}, np.array([0, 1]), TARGET)
    assert weights is not None
    assert weights.tolist() == [0.5, 1.5]
    assert class_weights(None, np.array([0, 1]), TARGET) is None


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        ({"yess": 2}, "the label 'yess', which 'y' does not have; perhaps 'yes' is meant"),
        ({"yes": -1}, "the class_weight of 'yes' must be a number above 0, received -1"),
        ("even", "class_weight must be 'balanced', a dict or None, received 'even'"),
    ],
)
def test_class_weights_that_cannot_be_used(stated: Any, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        class_weights(stated, np.array([0, 1]), TARGET)


def test_regression_has_no_class_weights() -> None:
    with pytest.raises(SettingError, match="class_weight needs classes"):
        class_weights("balanced", np.zeros(2), TargetSpec("y", "regression"))


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ([1.0], r"one weight for each of the 2 rows, received \(1,\)"),
        ([1.0, -1.0], "row 1: a row's weight must be a number, 0 or more, received -1.0"),
        ([1.0, np.nan], "received nan"),
        ([0.0, 0.0], "the weights of all rows are 0"),
    ],
)
def test_row_weights_that_cannot_be_used(weights: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        mean_weight(np.array(weights), 2)


def test_keras_gets_a_weight_only_where_there_is_one() -> None:
    inputs = {"numbers": np.arange(6).reshape(3, 2)}
    assert len(Rows(inputs, np.zeros(3)).keras()) == 2
    chosen, target, weight = Rows(inputs, np.zeros(3), np.ones(3, np.float32)).keras(slice(1, 3))
    assert chosen["numbers"].tolist() == [[2, 3], [4, 5]]
    assert len(target) == len(weight) == 2
