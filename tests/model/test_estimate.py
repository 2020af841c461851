"""What a training will take, told before it begins; and what it took."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
import pytest

from headrace.model.estimate import (
    MOST_CHUNK,
    Estimate,
    Pace,
    chunk_rows,
    estimate_bytes,
    floats_per_row,
)
from headrace.model.footprint import PeakMemory, resident
from headrace.model.layers import PiecewiseLinear
from headrace.model.network import Network
from headrace.model.rows import Rows


def dense(width: int, *, columns: int = 10) -> Any:
    inputs = keras.Input((columns,), name="numbers")
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(width)(inputs)))


def test_the_numbers_of_a_row_are_counted() -> None:
    assert floats_per_row(dense(64)) == 10 + 64 + 1


def test_the_numbers_inside_of_models_are_counted() -> None:
    inner = dense(64)
    inputs = keras.Input((10,))
    assert floats_per_row(keras.Model(inputs, inner(inputs))) == 10 + 1 + (10 + 64 + 1)


def test_the_bins_of_embedded_numbers_are_counted() -> None:
    inputs = keras.Input((10,))
    embedded = PiecewiseLinear(bins=48, width=8)(inputs)
    assert floats_per_row(keras.Model(inputs, embedded)) == 10 + 80 + 10 * 48


def test_wide_models_see_fewer_rows_at_once() -> None:
    assert chunk_rows(dense(64)) == MOST_CHUNK
    assert 32 <= chunk_rows(dense(200_000)) < 1000


def test_memory_grows_with_rows_and_weights() -> None:
    def rows(count: int) -> Rows:
        return Rows(
            {"numbers": np.zeros((count, 10), np.float32)}, np.zeros((count, 1), np.float32)
        )

    small = estimate_bytes(dense(64), rows(1000), None, 32)
    more_rows = estimate_bytes(dense(64), rows(1_000_000), None, 32)
    assert more_rows - small >= 2 * 999_000 * 11 * 4
    assert estimate_bytes(dense(100_000), rows(1000), None, 32) > small + 7 * 4 * 1_000_000


def test_epochs_that_fit_in() -> None:
    pace = Pace(2.0, 0.5)
    assert pace.epochs_until(time.perf_counter() + 21, 100) == 10
    assert pace.epochs_until(time.perf_counter() + 21, 5) == 5
    assert pace.epochs_until(time.perf_counter() - 1, 100) == 1


def test_a_deadline_bounds_the_estimate() -> None:
    pace = Pace(2.0, 0.5)
    assert pace.estimate(100, None, None, 7) == Estimate(200.0, 200.0, 7)
    bounded = pace.estimate(100, 16, time.perf_counter() + 30, 7)
    assert bounded.seconds == pytest.approx(30, abs=1)
    assert bounded.most_seconds == pytest.approx(30, abs=1)


def test_a_training_stays_within_its_estimate(table: Any) -> None:
    whole = table("binary", rows=4000)
    features, target = whole.part(slice(0, 1000))
    fitted = whole.fit(Network(epochs=3, settings={"hidden": [32]}), validation=(features, target))
    training = fitted.training
    assert training.estimate is not None
    assert 0 < training.estimate.seconds <= training.estimate.most_seconds
    assert training.peak_bytes <= training.estimate.bytes


def test_the_peak_is_seen() -> None:
    with PeakMemory() as peak:
        block = np.ones(30_000_000)
    assert peak.bytes > 200_000_000
    assert resident() > block.nbytes
