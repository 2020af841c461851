"""The losses, against written-out NumPy formulas."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from scipy import stats

from headrace.errors import SettingError
from headrace.model.choices import choose_loss, choose_metrics
from headrace.model.target import TargetSpec

RANDOM = np.random.default_rng(0)
ORDINAL = TargetSpec("y", "multiclass", classes=(1, 2, 3), likelihood="ordinal")
COUNT = TargetSpec("y", "regression", likelihood="poisson")
NORMAL = TargetSpec("y", "regression", likelihood="normal")
QUANTILES = TargetSpec("y", "regression", likelihood="quantiles", quantiles=(0.1, 0.5, 0.8))
BINARY = TargetSpec("y", "binary", classes=(0, 1))
SEVERAL = TargetSpec("y", "multiclass", classes=(0, 1, 2))


def losses(spec: TargetSpec, y: Any, output: Any, **settings: Any) -> Any:
    loss = choose_loss(None, spec, **settings)
    output = np.asarray(output, dtype=np.float32)
    return np.asarray(loss.function(loss.target(np.asarray(y), output.shape[1]), output))


def test_ordinal_loss_is_the_negative_log_likelihood() -> None:
    found = losses(ORDINAL, [2, 0], [[0.1, 0.2, 0.7], [1e-20, 0.5, 0.5]])
    np.testing.assert_allclose(found, [-math.log(0.7), 20 * math.log(10)], rtol=1e-5)


def test_poisson_loss_differs_from_the_likelihood_by_what_y_alone_gives() -> None:
    y, rate = np.array([0, 3, 7]), np.array([0.5, 2.0, 9.0])
    found = losses(COUNT, y, rate[:, None])
    own = np.array([math.lgamma(one + 1) for one in y])
    np.testing.assert_allclose(found + own, -stats.poisson.logpmf(y, rate), rtol=1e-5)


def test_gaussian_loss() -> None:
    y, mean, deviation = RANDOM.normal(size=(3, 5))
    deviation = np.abs(deviation) + 0.1
    found = losses(NORMAL, y, np.column_stack([mean, deviation]))
    np.testing.assert_allclose(found, -stats.norm.logpdf(y, mean, deviation), rtol=1e-4)


def test_pinball_loss() -> None:
    y, output = np.array([1.0, -1.0]), np.array([[0.0, 1.0, 3.0], [-1.0, 0.0, 1.0]])
    first = (0.1 * 1 + 0 + 0.2 * 2) / 3
    second = (0 + 0.5 * 1 + 0.2 * 2) / 3
    np.testing.assert_allclose(losses(QUANTILES, y, output), [first, second], rtol=1e-6)


def test_label_smoothing_is_that_of_keras() -> None:
    codes = np.array([2, 0, 1])
    raw = RANDOM.uniform(0.1, 1, (3, 3))
    output = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    expected = keras.losses.categorical_crossentropy(np.eye(3)[codes], output, label_smoothing=0.1)
    found = losses(SEVERAL, codes, output, label_smoothing=0.1)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-5)
    labels, output = np.array([0, 1, 1]), output[:, :1]
    expected = keras.losses.binary_crossentropy(labels[:, None], output, label_smoothing=0.1)
    found = losses(BINARY, labels, output, label_smoothing=0.1)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "spec", "smoothing", "text"),
    [
        ("mse", NORMAL, 0.0, "trained with the loss 'gaussian', received 'mse'"),
        ("mse", ORDINAL, 0.0, "trained with the loss 'ordinal', received 'mse'"),
        (None, COUNT, 0.1, "belongs to the cross-entropy of classes.*likelihood 'poisson'"),
        ("mse", BINARY, 0.1, "trained with the loss 'mse': leave it out"),
        (None, BINARY, 1.0, "from 0 to below 1, received 1.0"),
    ],
)
def test_losses_that_do_not_suit(loss: Any, spec: TargetSpec, smoothing: float, text: str) -> None:
    with pytest.raises(SettingError, match=text):
        choose_loss(loss, spec, smoothing)


def test_the_error_in_the_history_is_that_of_the_prediction() -> None:
    [error] = choose_metrics(None, QUANTILES)
    error.update_state(np.array([[1.0], [2.0]]), np.array([[0.0, 3.0, 9.0], [0.0, 2.0, 9.0]]))
    assert float(error.result()) == 1.0
    with pytest.raises(SettingError, match="3 columns for 'y', which the metric 'mse'"):
        choose_metrics(["mse"], QUANTILES)
