"""Plain values: equal ones are equal in any process, others are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.cache.errors import NotComparable
from headrace.cache.values import plain

PAIRS: list[tuple[Any, Any]] = [
    (1, 2),
    (1.0, float("nan")),
    ("a", "b"),
    (b"a", b"b"),
    ([1, 2], [2, 1]),
    ({"a": 1}, {"a": 2}),
    ({1, 2}, {1, 3}),
    (np.float64(1.5), np.float64(2.5)),
    (np.arange(3), np.arange(4)),
    (np.array(["a"]), np.array(["b"])),
    (Path("a"), Path("b")),
    (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})),
    (pl.Series([1]), pl.Series([2])),
    (hr.Split(0.2), hr.Split(0.3)),
    (hr.Policy(min_rows=1), hr.Policy(min_rows=2)),
    (hr.numbers(), hr.categories()),
    (hr.col("a") + 1, hr.col("a") + 2),
    (hr.Mean(), hr.Variance()),
    (hr.clean.Clip(), hr.clean.Clip(low=0.5)),
    (len, max),
    (hr.clean.Impute, hr.clean.Clip),
    (lambda x: x, lambda x: -x),
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda value: type(value).__name__)
def test_other_values_have_other_answers(one: Any, other: Any) -> None:
    assert plain(one) == plain(one) != plain(other)
    json.dumps(plain(one), allow_nan=False)


def test_what_has_no_content_to_compare_is_said() -> None:
    with pytest.raises(NotComparable):
        plain(iter([1]))


def test_keras_objects_are_not_guessed_at() -> None:
    with pytest.raises(NotComparable):
        plain(keras.layers.Dense(3))
