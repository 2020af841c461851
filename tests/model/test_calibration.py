"""Calibration: probabilities that come true, the same on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import ReleaseError, SettingError
from headrace.model.calibration import METHODS, Calibration, calibrate, check_calibration
from headrace.model.target import TargetSpec

BINARY = TargetSpec("y", "binary", classes=("no", "yes"))
FOUR = TargetSpec("y", "multiclass", classes=("a", "b", "c", "d"))


def too_sure(classes: int, rows: int = 5000, *, seed: int = 0) -> tuple[Any, Any, Any]:
    """Labels, their true probabilities, and a network's that are twice as sure."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, classes)) * 1.5
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    sure = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) < random.uniform(size=(rows, 1))).sum(axis=1)
    if classes == 2:
        return labels, true[:, 1:], sure[:, 1:].astype(np.float32)
    return labels, true, sure.astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spec", [BINARY, FOUR], ids=["binary", "four classes"])
def test_what_was_too_sure_comes_true(method: str, spec: TargetSpec) -> None:
    labels, _, sure = too_sure(len(spec.classes))
    learnt = calibrate(method, spec, labels, sure)
    assert learnt is not None
    _, fresh_true, fresh = too_sure(len(spec.classes), seed=1)
    changed = learnt(fresh)
    assert changed.dtype == np.float32
    assert changed.shape == fresh.shape
    before, after = np.abs(fresh - fresh_true).mean(), np.abs(changed - fresh_true).mean()
    assert after < before / 3


def test_the_temperature_is_found() -> None:
    labels, _, sure = too_sure(4, rows=20_000)
    learnt = calibrate("temperature", FOUR, labels, sure)
    assert learnt is not None
    assert learnt.temperature == pytest.approx(2.0, rel=0.05)
    assert (
        learnt.text() == f"temperature {learnt.temperature:.3g}, learnt from 20,000 validation rows"
    )


def test_weights_count_rows() -> None:
    labels, _, sure = too_sure(2, rows=2000)
    weight = np.ones(2000)
    weight[:1000] = 2
    doubled = np.concatenate([np.arange(1000), np.arange(2000)])
    weighed = calibrate("temperature", BINARY, labels, sure, weight)
    repeated = calibrate("temperature", BINARY, labels[doubled], sure[doubled])
    assert weighed is not None
    assert repeated is not None
    assert weighed.temperature == pytest.approx(repeated.temperature, rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spec", [BINARY, FOUR], ids=["binary", "four classes"])
def test_numpy_and_tensorflow_agree(method: str, spec: TargetSpec) -> None:
    labels, _, sure = too_sure(len(spec.classes))
    learnt = calibrate(method, spec, labels, sure)
    assert learnt is not None
    sharp = np.concatenate([sure, np.round(sure)])  # certainties too
    graph = learnt.tensorflow(tf.constant(sharp)).numpy()
    assert np.abs(graph - learnt(sharp)).max() < 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_a_stored_calibration_is_the_same_to_the_bit(method: str) -> None:
    labels, _, sure = too_sure(4)
    learnt = calibrate(method, FOUR, labels, sure)
    assert learnt is not None
    again = Calibration.from_dict(learnt.to_dict())
    assert np.array_equal(again(sure), learnt(sure))
    assert again.rows == 5000


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=30))
def test_order_is_kept_and_sums_are_one(values: list[float]) -> None:
    labels, _, sure = too_sure(2, rows=2000)
    given_rows = np.sort(np.asarray(values, dtype=np.float32))[:, None]
    for method in METHODS:
        learnt = calibrate(method, BINARY, labels, sure)
        assert learnt is not None
        changed = learnt(given_rows)
        assert np.all(np.diff(changed[:, 0]) >= 0)
        assert np.all((changed >= 0) & (changed <= 1))
    four_labels, _, four = too_sure(4, rows=1000)
    learnt = calibrate("isotonic", FOUR, four_labels, four)
    assert learnt is not None
    assert np.allclose(learnt(four).sum(axis=1), 1, atol=1e-6)


def test_too_few_rows_teach_nothing() -> None:
    labels, _, sure = too_sure(2, rows=60)
    assert calibrate("temperature", BINARY, labels, sure) is not None
    assert calibrate("temperature", BINARY, labels[:40], sure[:40]) is None
    assert calibrate("isotonic", BINARY, labels, sure) is None


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(SettingError, match="perhaps 'isotonic' is meant"):
        check_calibration("isotonik")
    with pytest.raises(SettingError, match="'price' is a regression target"):
        calibrate("temperature", TargetSpec("price", "regression"), np.zeros(9), np.zeros((9, 1)))
    with pytest.raises(ReleaseError, match="unknown calibration 'magic'"):
        Calibration.from_dict({"method": "magic", "rows": 1})
