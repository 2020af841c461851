from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.conformal.fitted import FittedConformal
from headrace.conformal.learning import Scored, chosen, learn
from headrace.conformal.settings import Conformal
from headrace.data.rows import Blocks
from headrace.data.schema import Column, Schema
from headrace.errors import ReleaseError, SettingError
from headrace.model.target import TargetSpec
from headrace.storage.arrays import array_from_bytes
from headrace.storage.documents import document_bytes, document_from_bytes

GRADE = TargetSpec("grade", "multiclass", ("low", "mid", "high"))
BOUGHT = TargetSpec("bought", "binary", ("no", "yes"), threshold=0.2)
PRICE = TargetSpec("price", "regression")
REGION = Schema((Column("region", "category"),))


def rows(count: int, classes: int = 1, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    words = np.array([["a"], ["b"]], dtype=object)[random.integers(0, 2, count)]
    beside = Blocks(np.empty((count, 0)), words, np.empty((count, 0), np.int64))
    return Scored(random.uniform(size=(1, count)), random.integers(0, classes, count), beside)


def fitted(spec: TargetSpec, count: int = 500, **given: Any) -> FittedConformal:
    settings = chosen(Conformal(**given), spec)
    beside = REGION if "region" in settings.columns else Schema(())
    return learn(settings, spec, rows(count, max(1, len(spec.classes))), beside)


def test_the_prediction_is_in_every_set() -> None:
    chances = np.array([[0.4, 0.35, 0.25], [0.05, 0.9, 0.05]])
    found = fitted(GRADE).predicted(GRADE, {"probabilities": chances}, 0.01)
    assert found.columns()["set"] == [["low"], ["mid"]]
    assert found.prediction.tolist() == ["low", "mid"]


def test_the_threshold_decides_what_the_prediction_is() -> None:
    chances = np.array([[0.7, 0.3], [0.9, 0.1]])
    found = fitted(BOUGHT).predicted(BOUGHT, {"probabilities": chances}, 0.01)
    assert found.prediction.tolist() == ["yes", "no"]
    assert found.sets() == [["yes"], ["no"]]


def test_higher_levels_give_larger_intervals_and_sets() -> None:
    conformal, chances = fitted(GRADE), np.full((4, 3), 1 / 3)
    sizes = [
        conformal.predicted(GRADE, {"probabilities": chances}, level).member.sum()
        for level in (0.3, 0.6, 0.9)
    ]
    assert sizes == sorted(sizes)


def test_groups_need_the_rows() -> None:
    with pytest.raises(SettingError, match="intervals by group need the rows"):
        fitted(PRICE, by="region").predicted(PRICE, {"prediction": np.zeros(3)}, 0.9)


@pytest.mark.parametrize("given", [{}, {"by": "region"}, {"by": ("region", "grade")}])
def test_what_is_stored_comes_back(given: dict[str, Any]) -> None:
    spec = GRADE if "grade" in str(given) else PRICE
    before = fitted(spec, **given)
    text, files = document_bytes(before.to_dict(), "conformal")
    stored = document_from_bytes(
        text, "conformal", lambda name: array_from_bytes(files[name], name)
    )
    after = FittedConformal.from_dict(stored)
    for level in (0.5, 0.9, 0.99):
        assert np.array_equal(after.reach(spec, level), before.reach(spec, level))
    assert after.settings == before.settings
    assert after.names(spec) == before.names(spec)


def test_altered_documents_are_refused() -> None:
    stored = fitted(PRICE).to_dict()
    for broken in (
        stored | {"shape": [1, 4, 1]},
        stored | {"shape": [3, 1, 1]},
        {name: value for name, value in stored.items() if name != "ranks"},
        stored | {"settings": {"method": "magic"}},
        stored | {"settings": {"colour": "red"}},
    ):
        with pytest.raises(ReleaseError, match="the prediction intervals"):
            FittedConformal.from_dict(broken)


def test_classes_with_few_rows_fall_back_to_the_others() -> None:
    count = 420
    truth = np.array([0] * 200 + [1] * 200 + [2] * 20)
    beside = Blocks(
        np.empty((count, 0)), np.empty((count, 0), object), np.empty((count, 0), np.int64)
    )
    scores = np.concatenate([np.linspace(0, 0.5, 200), np.linspace(0, 0.9, 200), np.zeros(20)])
    made = {}
    for fallback in ("widest", "pooled"):
        settings = chosen(Conformal(by="grade", fallback=fallback), GRADE)
        made[fallback] = learn(
            settings, GRADE, Scored(scores[np.newaxis], truth, beside), Schema(())
        )
    assert made["widest"].names(GRADE) == ["grade low", "grade mid", "grade high"]
    assert made["widest"].too_few(GRADE, 0.9) == ["grade high"]
    widest, pooled = (made[name].reach(GRADE, 0.9)[0] for name in ("widest", "pooled"))
    assert widest[2] == widest[1]
    assert widest[0] < pooled[2] < widest[1]


def test_a_million_levels_do_not_fill_the_memory() -> None:
    conformal = fitted(PRICE)
    for level in np.linspace(0.1, 0.9, 500).tolist():
        conformal.reach(PRICE, level)
    assert len(conformal._reaches) <= 64
