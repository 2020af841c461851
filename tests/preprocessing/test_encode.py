"""Words to codes, flags, shares and target means."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from headrace.errors import SettingError
from headrace.plan.counts import FOLD, TARGET, target_column
from headrace.plan.plan import ColumnInfo
from headrace.preprocessing import transform
from headrace.preprocessing.fit import FittedSteps, fit_steps

WORD = {"w": ColumnInfo("w", "string", "category")}


def fit(step: Any, words: list[str], **more: list[Any]) -> FittedSteps:
    return fit_steps(pl.DataFrame({"w": words, **more}), dict(WORD), [step])


def served(fitted: FittedSteps, words: list[str]) -> dict[str, list[Any]]:
    return fitted.plan.polars(pl.LazyFrame({"w": words})).collect().to_dict(as_series=False)


def test_codes_say_missing_unseen_rare_and_known() -> None:
    fitted = fit(transform.Encode(min_count=2), ["b", "b", "b", "a", "a", "c", "é", "é"])
    made = served(fitted, ["", "new", "c", "b", "a", "é", "e\u0301"])
    assert made == {"w": [0, 1, 2, 3, 4, 5, 1]}
    assert fitted.plan.outputs == (ColumnInfo("w", "code", "category", 6),)


def test_only_so_many_words_get_a_code() -> None:
    fitted = fit(transform.Encode(min_count=1, max_values=1), ["b", "b", "a"])
    assert served(fitted, ["b", "a", "c"]) == {"w": [3, 2, 1]}
    assert fitted.learnt[0][1] == "w: 1 value and 1 rare"


def test_a_column_without_words_has_codes_too() -> None:
    fitted = fit(transform.Encode(), ["", ""])
    assert served(fitted, ["", "x"]) == {"w": [0, 1]}


@pytest.mark.parametrize("setting", [{"min_count": 0}, {"max_values": 0}])
def test_limits_that_leave_nothing_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(SettingError, match=f"Encode's {next(iter(setting))} must be at least 1"):
        fit(transform.Encode(**setting), ["a"])  # type: ignore[arg-type]


def test_flags_for_known_words() -> None:
    fitted = fit(transform.OneHot(min_count=2), ["a", "b", "a", "b", "c"])
    made = served(fitted, ["a", "c", "new", ""])
    assert made == {
        "w=(rare)": [0.0, 1.0, 0.0, 0.0],
        "w=a": [1.0, 0.0, 0.0, 0.0],
        "w=b": [0.0, 0.0, 0.0, 0.0],
    }
    assert {info.kind for info in fitted.plan.outputs} == {"boolean"}


def test_hashes_need_no_training() -> None:
    fitted = fit(transform.Hash(8), ["a"])
    made = served(fitted, ["", "a", "b", "c", "日本"])["w"]
    assert made[0] == 0
    assert all(1 <= code <= 8 for code in made[1:])
    assert fitted.scans == 0
    assert fitted.plan.outputs[0].cardinality == 9


def test_shares_of_the_training_rows() -> None:
    fitted = fit(transform.Frequency(keep=True), ["a", "a", "b", ""])
    assert served(fitted, ["a", "", "new"]) == {
        "w": ["a", "", "new"],
        "w_frequency": [0.5, 0.25, 0.0],
    }


def test_target_means_are_smoothed_and_unseen_words_get_the_overall_mean() -> None:
    target = [1.0, 1.0, 0.0, 0.0]
    more = {TARGET: target, FOLD: [0, 1, 0, 1]}
    fitted = fit(transform.TargetMean(smoothing=2.0, folds=2), ["a", "a", "b", ""], **more)
    made = served(fitted, ["a", "b", "new", ""])["w_target"]
    assert made == pytest.approx([(2 + 1) / 4, (0 + 1) / 3, 0.5, 1 / 3])


def test_training_rows_are_encoded_from_the_other_folds() -> None:
    more = {TARGET: [1.0, 0.0, 1.0, 0.0], FOLD: [0, 1, 0, 1]}
    fitted = fit(transform.TargetMean(smoothing=0.0, folds=2), ["a", "a", "b", "c"], **more)
    made = fitted.rows.lazy().collect()["w_target"].to_list()
    # Rows of fold 0 see the mean of fold 1 (0), and those of fold 1 that of fold 0 (1); words
    # that the other fold does not have get its overall mean.
    assert made == [0.0, 1.0, 0.0, 1.0]


def test_every_class_has_its_column() -> None:
    words, labels = ["a", "a", "b", "b"], np.array([0, 1, 2, 2])
    more: dict[str, list[Any]] = {FOLD: [0, 1, 0, 1], TARGET: labels.astype(float).tolist()}
    for place in range(3):
        more[target_column(place)] = (labels == place).astype(float).tolist()
    fitted = fit(transform.TargetMean(smoothing=0.0, folds=2), words, **more)
    assert [info.name for info in fitted.plan.outputs] == ["w_target_0", "w_target_1", "w_target_2"]
    made = served(fitted, ["a", "b"])
    assert list(made.values()) == [[0.5, 0.0], [0.5, 0.0], [0.0, 1.0]]


def test_the_folded_table_stays_behind() -> None:
    more = {TARGET: [1.0, 0.0], FOLD: [0, 1]}
    fitted = fit(transform.TargetMean(folds=2), ["a", "b"], **more)
    (node,) = fitted.plan.to_dict()["nodes"]
    assert node["compute"]["operation"] == "Map"


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"folds": 1}, "at least 2 folds, received 1"), ({"smoothing": -1}, "not be negative")],
)
def test_settings_of_target_means(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        fit(transform.TargetMean(**setting), ["a"], **{TARGET: [1.0], FOLD: [0]})
