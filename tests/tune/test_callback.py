from __future__ import annotations

import keras
import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.tune.callback import Reporting

ROWS, TRUTH = np.zeros((8, 1), dtype=np.float32), np.ones(8, dtype=np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model


def test_the_training_stops_when_the_study_says_so(model: keras.Model) -> None:
    told: list[tuple[int, float]] = []

    def report(epoch: int, loss: float) -> bool:
        told.append((epoch, loss))
        return epoch == 2

    reporting = Reporting(report)
    history = model.fit(
        ROWS,
        TRUTH,
        validation_data=(ROWS, TRUTH),
        epochs=10,
        verbose=0,
        callbacks=[reporting],
    )
    assert reporting.stopped
    assert [epoch for epoch, _ in told] == [0, 1, 2]
    assert [loss for _, loss in told] == pytest.approx(history.history["val_loss"])


def test_without_validation_rows_it_says_what_is_missing(model: keras.Model) -> None:
    reporting = Reporting(lambda epoch, loss: False)
    with pytest.raises(SettingError, match="watches 'val_loss', but this training has only 'loss'"):
        model.fit(ROWS, TRUTH, epochs=1, verbose=0, callbacks=[reporting])
