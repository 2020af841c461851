from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import DataError, SettingError
from headrace.evaluate.pit import pit_of_parts

if TYPE_CHECKING:
    from typing import Any

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


def places(seed: int, rows: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """What a model says whose deviations are too small by a factor, and whose means are too low."""
    from scipy.special import ndtr

    error = np.random.default_rng([seed, rows]).normal(size=rows)
    return np.searchsorted(LEVELS, ndtr((error + shift) / scale))


def test_true_distributions_are_rarely_doubted() -> None:
    found = [pit_of_parts(places(seed, 60), LEVELS, resamples=400) for seed in range(400)]
    assert 0.02 <= np.mean([one.p_value < 0.05 for one in found]) <= 0.085
    levels = [one.off for result in found for one in (*result.levels, *result.intervals)]
    assert np.mean(levels) <= 0.07


@pytest.mark.parametrize(
    ("scale", "shift", "words"),
    [
        (0.7, 0.0, "they are too narrow"),
        (1.5, 0.0, "they are too wide"),
        (1.0, 0.5, "the predicted values are too low"),
        (1.0, -0.5, "the predicted values are too high"),
    ],
)
def test_what_is_wrong_is_said(scale: float, shift: float, words: str) -> None:
    found = pit_of_parts(places(0, 1_000, scale, shift), LEVELS)
    assert not found.calibrated
    assert found.sentence().endswith(f"{words}.")
    assert any(one.off for one in found.levels)


def test_levels_and_intervals_count_rows() -> None:
    found = pit_of_parts(np.array([0, 1, 1, 2, 3, 4, 5, 5]), LEVELS, notes=["a note"])
    assert found.parts == (1, 2, 1, 1, 1, 2)
    assert [one.observed for one in found.levels] == [0.125, 0.375, 0.5, 0.625, 0.75]
    assert [round(one.stated, 9) for one in found.intervals] == [0.8, 0.5]
    assert [one.observed for one in found.intervals] == [0.625, 0.25]
    assert found.summary().endswith("note: a note")
    json.dumps(found.to_dict())
    assert "<table" in found._repr_html_()
    assert found.plot().get_title(loc="left") == "Place in the distribution"


@pytest.mark.parametrize("levels", [(), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_levels_that_are_none_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(SettingError, match="levels must increase between 0 and 1, received"):
        pit_of_parts(np.array([0]), levels)


def test_no_row_is_refused_and_one_row_says_nothing() -> None:
    with pytest.raises(DataError, match="there is no row to judge the distributions by"):
        pit_of_parts(np.array([], dtype=np.intp), LEVELS)
    assert pit_of_parts(np.array([5]), LEVELS).calibrated


@pytest.mark.parametrize(
    "settings", [{"quantiles": (0.1, 0.5, 0.9)}, {"loss": "gaussian"}, {"task": "count"}]
)
@pytest.mark.slow
def test_the_distributions_of_a_pipeline(settings: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=600)
    rows = pl.DataFrame({"x": x, "y": random.poisson(np.exp(1 + 0.5 * x))})
    pipe = hr.Pipeline(target="y", network=hr.Network([16], epochs=20, **settings))
    pipe.train(rows.head(400))
    found = hr.pit(pipe, rows.tail(200))
    assert sum(found.parts) == found.rows == 200
    assert len(found.levels) == (3 if "quantiles" in settings else 9)
    middle = next(one for one in found.levels if one.stated == 0.5)
    assert middle.observed == pytest.approx(0.5, abs=0.25)
    wrong = hr.pit(pipe, rows.tail(200).with_columns(pl.col("y") + 20))
    assert "too low" in wrong.sentence()


def test_values_and_classes_are_sent_elsewhere(
    regression: hr.Pipeline, trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    with pytest.raises(SettingError, match="and no distribution: train it with quantiles="):
        hr.pit(regression, fresh)
    with pytest.raises(SettingError, match="ask evaluation.calibration"):
        hr.pit(trained, fresh)
