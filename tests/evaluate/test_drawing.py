"""Rows that are alike are drawn together, and intervals then hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import SettingError
from headrace.evaluate.drawing import Blocks, Drawing, Groups, Singly, block_length, drawing_of
from headrace.evaluate.resampling import resample


@given(rows=st.integers(1, 60), seed=st.integers(0, 99), data=st.data())
def test_every_way_draws_as_much_as_there_is(rows: int, seed: int, data: st.DataObject) -> None:
    codes = np.array(data.draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows)))
    _, codes = np.unique(codes, return_inverse=True)
    length = data.draw(st.integers(1, rows))
    places = np.random.default_rng(seed).permutation(rows)
    for way in (Singly(rows), Groups(rows, codes), Blocks(rows, places, length)):
        weights = way.weights(np.random.default_rng(seed))
        assert weights.shape == (rows,)
        assert (weights >= 0).all()
        if isinstance(way, Groups):
            assert np.bincount(codes, weights).astype(bool).sum() <= way.units
            for code in range(way.units):
                assert len(set(weights[codes == code])) == 1
        else:
            assert weights.sum() == pytest.approx(rows)
        again = Drawing.from_dict(way.to_dict())
        assert (again.weights(np.random.default_rng(seed)) == weights).all()
        parts = way.parts(min(3, way.units), seed)
        assert set(parts) <= set(range(3))
        assert way.units_of(np.ones(rows, dtype=bool)) == way.units


def test_no_group_is_left_out_in_part() -> None:
    codes = np.repeat(np.arange(10), 7)
    parts = Groups(70, codes).parts(4, seed=3)
    assert all(len(set(parts[codes == code])) == 1 for code in range(10))


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"groups": np.zeros(3), "time": np.zeros(3)}, "by groups or by blocks of time: give one"),
        (
            {"groups": np.zeros(2)},
            r"groups must have one value for each of 3 rows, received \(2,\)",
        ),
        ({"time": np.array([1.0, np.nan, 2.0])}, "time is missing in 1 of 3 rows, .* row 1: leave"),
        ({"groups": np.array(["a", None, "b"], object)}, "groups is missing in 1 of 3 rows"),
        ({"time": np.array(["2020", "NaT", "2021"], "M8[D]")}, "time is missing in 1 of 3 rows"),
    ],
)
def test_what_cannot_be_drawn_is_refused(given_: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        drawing_of(3, **given_)


@pytest.mark.parametrize(
    "series", [np.zeros(100), np.ones(1), np.array([1.0, 2.0]), np.arange(4.0)]
)
def test_short_and_constant_series_have_short_blocks(series: np.ndarray) -> None:
    assert 1 <= block_length(series) <= max(1, len(series) // 3)


def held(values: np.ndarray, truth: float, way: Drawing) -> bool:
    kernel = [lambda weights: weights @ values / weights.sum(axis=1)]
    (one,) = resample(kernel, len(values), resamples=200, drawing=way)
    low, high, _ = one.interval(0.95)
    return low <= truth <= high


def test_intervals_of_patients_hold_the_truth() -> None:
    """40 patients of 15 rows each: drawn one by one, intervals are far too narrow."""
    random = np.random.default_rng(0)
    codes = np.repeat(np.arange(40), 15)
    tables = [random.normal(size=40)[codes] + random.normal(size=600) for _ in range(150)]
    together = np.mean([held(table, 0.0, Groups(600, codes)) for table in tables])
    alone = np.mean([held(table, 0.0, Singly(600)) for table in tables])
    assert together > 0.9
    assert alone < 0.7


def test_intervals_of_weather_hold_the_truth() -> None:
    """600 hours, each like the one before (correlation 0.8)."""
    random = np.random.default_rng(1)
    tables = []
    for _ in range(150):
        noise = random.normal(size=700)
        series = np.zeros(700)
        for hour in range(1, 700):
            series[hour] = 0.8 * series[hour - 1] + noise[hour]
        tables.append(series[100:])
    time = np.arange(600)
    together = np.mean(
        [held(table, 0.0, drawing_of(600, time=time, series=table)) for table in tables]
    )
    alone = np.mean([held(table, 0.0, Singly(600)) for table in tables])
    assert together > 0.87
    assert alone < 0.65
