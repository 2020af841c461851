"""The fitted network: predictions in any number of rows, and the way into a release and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from headrace.errors import ReleaseError
from headrace.model.fitted import FittedNetwork
from headrace.model.network import Network


@pytest.fixture(scope="module")
def rows(table: Any) -> Any:
    return table("multiclass", rows=60)


@pytest.fixture(scope="module")
def fitted(rows: Any) -> FittedNetwork:
    network = Network(epochs=1, settings={"members": 2, "hidden": [4]})
    result: FittedNetwork = rows.fit(network, validation=rows.part(slice(0, 9)))
    return result


def test_predictions_do_not_depend_on_the_rows_beside_them(
    fitted: FittedNetwork, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted.predict(rows.features)
    assert whole.shape == (60, 3)
    assert whole.dtype == np.float32
    assert np.allclose(whole.sum(axis=1), 1, atol=1e-5)
    single = np.concatenate([fitted.predict(rows.features.take(slice(i, i + 1))) for i in range(9)])
    assert np.allclose(single, whole[:9], atol=1e-6)
    monkeypatch.setattr("headrace.model.fitted._CHUNK", 7)
    assert np.allclose(fitted.predict(rows.features), whole, atol=1e-6)
    assert fitted.predict(rows.features.take(slice(0, 0))).shape == (0, 3)


def test_the_graph_answers_the_same(fitted: FittedNetwork, rows: Any) -> None:
    blocks = {
        "numbers": tf.constant(rows.features.numbers),
        "categories": tf.constant(rows.features.categories),
    }
    inside = tf.function(fitted.tensorflow)(blocks)
    assert np.allclose(inside, fitted.predict(rows.features), atol=1e-6)


def test_a_rebuilt_network_is_the_same_to_the_bit(fitted: FittedNetwork, rows: Any) -> None:
    description = json.loads(json.dumps(fitted.description()))
    assert fitted.custom() is None
    again = FittedNetwork.rebuild(description, fitted.weights())
    assert np.array_equal(again.predict(rows.features), fitted.predict(rows.features))
    assert again.description() == fitted.description()
    assert (again.history, again.best_epoch, again.epochs) == ({}, 0, 0)


def test_what_training_told_is_kept(fitted: FittedNetwork) -> None:
    assert fitted.epochs == fitted.best_epoch == 1
    assert set(fitted.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert fitted.seconds == pytest.approx(sum(fitted.training.seconds.values()))
    assert fitted.notes == ()


def test_weights_of_another_network_are_refused(fitted: FittedNetwork) -> None:
    description, weights = fitted.description(), fitted.weights()
    with pytest.raises(ReleaseError, match=r"the weights do not fit .* it has \d+ arrays"):
        FittedNetwork.rebuild(description, weights[:-1])
    weights[-1] = weights[-1][:, :2]
    with pytest.raises(ReleaseError, match=r"has the shape \(2, 3\), received \(2, 2\)"):
        FittedNetwork.rebuild(description, weights)
    with pytest.raises(ReleaseError, match="its file is lost"):
        FittedNetwork.rebuild({**description, "architecture": "custom"}, weights)
