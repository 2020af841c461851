from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from headrace.errors import SettingError
from headrace.evaluate.importance import (
    ColumnImportance,
    GroupImportance,
    Importance,
    permutation_importance,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANDOM = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "strong": RANDOM.normal(size=600),
        "weak": RANDOM.normal(size=600),
        "idle": [str(number) for number in range(600)],
    }
)


def predict(frame: pl.DataFrame) -> NDArray[Any]:
    odds = 3 * frame["strong"].to_numpy() + frame["weak"].to_numpy()
    return 1 / (1 + np.exp(-odds))


TRUTH = (predict(FRAME) > RANDOM.random(600)).astype(int)
FIXED = {"task": "binary", "resamples": 100}


def test_columns_are_ordered_by_what_the_model_loses() -> None:
    found = permutation_importance(predict, FRAME, TRUTH, **FIXED)
    assert [one.column for one in found.columns] == ["strong", "weak", "idle"]
    strong, weak, idle = found.columns
    assert strong.low > weak.high
    assert 0 < weak.low < weak.drop < weak.high
    assert (idle.drop, idle.low, idle.high) == (0, 0, 0)
    assert found.metric == "roc_auc"


def test_a_loss_that_rises_is_a_drop_too() -> None:
    found = permutation_importance(predict, FRAME, TRUTH, metric="log_loss", **FIXED)
    assert found.columns[0].column == "strong"
    assert found.columns[0].low > 0


def test_the_drop_is_that_of_a_shuffled_column_by_hand() -> None:
    found = permutation_importance(
        predict, FRAME, TRUTH, metric="accuracy", columns=["strong"], repeats=1, **FIXED
    )
    order = np.random.default_rng(0).permutation(600)
    shuffled = FRAME.with_columns(FRAME["strong"][order])
    right = [((predict(frame) > 0.5) == TRUTH).mean() for frame in (FRAME, shuffled)]
    assert found.columns[0].drop == pytest.approx(right[0] - right[1])
    assert found.value == pytest.approx(right[0])


def test_all_repeats_of_a_column_go_through_the_model_at_once() -> None:
    sizes = []

    def counting(frame: pl.DataFrame) -> NDArray[Any]:
        sizes.append(len(frame))
        return predict(frame)

    found = permutation_importance(
        counting, FRAME, TRUTH, columns=["weak"], repeats=3, most_rows=100, **FIXED
    )
    assert sizes == [100, 300]
    assert (found.rows, found.repeats) == (100, 3)


def test_multiclass_output() -> None:
    def three(frame: pl.DataFrame) -> NDArray[Any]:
        return np.stack([predict(frame) / 2, (1 - predict(frame)), predict(frame) / 2], axis=1)

    found = permutation_importance(three, FRAME, 1 - TRUTH, task="multiclass", resamples=50)
    assert found.columns[0].column == "strong"


def test_summary_and_dict() -> None:
    found = permutation_importance(predict, FRAME, TRUTH, **FIXED)
    assert "drop of roc_auc" in found.summary()
    assert found.summary().splitlines()[-1].endswith("may not matter")
    assert json.loads(json.dumps(found.to_dict()))["columns"][0]["column"] == "strong"


def test_bad_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="no column 'stong' to shuffle; perhaps 'strong'"):
        permutation_importance(predict, FRAME, TRUTH, columns=["stong"], **FIXED)
    with pytest.raises(SettingError, match="repeats must be 1 or more, received 0"):
        permutation_importance(predict, FRAME, TRUTH, repeats=0, **FIXED)


def test_one_row_has_nothing_to_be_shuffled_with() -> None:
    frame = pl.DataFrame({"x": [1.0]})
    answer = permutation_importance(
        lambda rows: rows["x"].to_numpy(), frame, np.array([1.0]), task="regression"
    )
    assert "cannot be told from these rows" in answer.summary()


def test_related_columns_matter_together_where_each_seems_not_to() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=400)
    frame = pl.DataFrame({"a": x, "b": x, "idle": random.normal(size=400)})

    def predict(rows: pl.DataFrame) -> NDArray[Any]:
        return np.maximum(rows["a"].to_numpy(), rows["b"].to_numpy())

    answer = permutation_importance(
        predict, frame, x, task="regression", groups=[["a", "b"]], resamples=100
    )
    (group,) = answer.groups
    assert group.columns == ("a", "b")
    assert group.low > max(one.drop for one in answer.columns)
    assert [answer.table()[-1][0], answer.table()[-1][-1]] == ["a + b", "together"]


def test_a_column_that_others_replace_says_which() -> None:
    one = ColumnImportance("a", 0.0, 0.0, 0.0)
    group = GroupImportance(("a", "b", "c"), 0.5, 0.4, 0.6)
    answer = Importance("r2", 0.9, (one,), 0.95, 100, 5, groups=(group,))
    assert answer.table()[0][-1] == "matters with b, c"


def test_an_unknown_column_of_a_group_is_an_error() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(SettingError, match="there is no column 'y' to shuffle"):
        permutation_importance(
            lambda rows: rows["x"].to_numpy(),
            frame,
            np.array([1.0, 2.0]),
            task="regression",
            groups=[["x", "y"]],
        )
