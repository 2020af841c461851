"""Training a second time on all rows, for as many epochs as were best by the newest ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import headrace as hr

ROWS = 300


def make_rows(count: int = ROWS, *, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(size=count)
    start = np.datetime64("2024-01-01", "us")
    return pl.DataFrame(
        {
            "x": x,
            "when": start + np.arange(count).astype("timedelta64[h]"),
            "y": np.where(x + 0.5 * random.normal(size=count) > 0, "up", "down"),
        }
    )


def train(validation: Any, **settings: Any) -> tuple[hr.Pipeline, Any]:
    network = hr.Network([8], epochs=6, embedding=None, **settings)
    steps = [hr.transform.Drop(hr.columns("when")), network]
    pipe = hr.Pipeline(steps, target="y", seed=3)
    return pipe, pipe.train(make_rows(), validation)


def said_of(result: Any) -> list[str]:
    return [note for note in result.notes if note.startswith("trained again")]


def test_the_newest_rows_are_learnt_from_too() -> None:
    pipe, result = train(hr.Split(time="when"))
    [note] = said_of(result)
    assert note.startswith(f"trained again on all {ROWS} rows for {result.best_epoch} epochs")
    assert (result.rows, result.validation_rows) == (ROWS, 60)
    assert pipe.fitted.kept.features.numbers.shape[0] == ROWS
    assert "refit" in result.seconds


def test_rows_drawn_at_random_are_held_out_unless_asked_for() -> None:
    assert not said_of(train(0.2)[1])
    assert said_of(train(0.2, refit=True)[1])
    assert not said_of(train(hr.Split(time="when"), refit=False)[1])


def test_the_second_training_is_a_training_on_all_rows() -> None:
    """The same as one without validation, for as many epochs, from the same seed."""
    pipe, result = train(hr.Split(time="when"))
    network = hr.Network([8], epochs=result.best_epoch, patience=None, embedding=None)
    plain = hr.Pipeline([hr.transform.Drop(hr.columns("when")), network], target="y", seed=3)
    plain.train(make_rows())
    mine, other = pipe.fitted.network.weights(), plain.fitted.network.weights()
    assert all(np.array_equal(*pair) for pair in zip(mine, other, strict=True))


def test_what_was_decided_by_the_validation_stays() -> None:
    pipe, result = train(hr.Split(time="when"), threshold="f1", calibrate="temperature")
    network = pipe.fitted.network
    assert network.calibration is not None
    assert network.target_spec.threshold == network.training.threshold.value
    assert pipe.fitted.target.threshold == network.target_spec.threshold
    assert set(result.decision) == {"threshold", "calibration"}
    probabilities = pipe.predict_proba(make_rows(seed=1))[:, 1]
    labels = pipe.predict(make_rows(seed=1)).to_list()
    threshold = network.target_spec.threshold
    assert labels == np.where(probabilities > threshold, "up", "down").tolist()


def test_rows_of_their_own_cannot_be_learnt_from() -> None:
    with pytest.raises(hr.SettingError, match="which came on their own here"):
        train(make_rows(60, seed=1), refit=True)
    assert not said_of(train(make_rows(60, seed=1))[1])


def test_half_of_the_time_is_for_the_second_training() -> None:
    pipe, result = train(hr.Split(time="when"), time="1h")
    assert said_of(result)
    assert pipe.fitted.steps[-1].time == "1h"  # the settings stay as they were written
