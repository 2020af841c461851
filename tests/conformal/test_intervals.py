from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headrace.conformal.intervals import Absolute, Count, Normalized, NumberMeasure, Quantiles

ROWS = 7
values = arrays(np.float64, ROWS, elements=st.floats(-1e6, 1e6))
positive = arrays(np.float64, ROWS, elements=st.floats(0.01, 1e3))
whole = arrays(np.int64, ROWS, elements=st.integers(0, 10_000))


def inside(measure: NumberMeasure, answers: dict[str, np.ndarray], truth: np.ndarray) -> np.ndarray:
    """Whether each truth lies in the interval that reaches just as far as its own score."""
    scores = measure.scores(answers, truth)
    held = []
    for variant in range(measure.variants):
        reach = scores[variant] + 1e-9 * (1 + np.abs(scores[variant]))
        low, high = measure.interval(answers, reach, variant)
        slack = 1e-6 * (1 + np.abs(truth))
        held.append((low - slack <= truth) & (truth <= high + slack))
    return np.stack(held)


@given(values, values)
def test_a_truth_is_inside_what_reaches_its_own_error(
    truth: np.ndarray, middle: np.ndarray
) -> None:
    assert inside(Absolute(), {"prediction": middle}, truth).all()


@given(values, values, positive)
def test_deviations_widen_the_interval(
    truth: np.ndarray, middle: np.ndarray, deviation: np.ndarray
) -> None:
    answers = {"prediction": middle, "deviation": deviation}
    assert inside(Normalized(), answers, truth).all()
    low, high = Normalized().interval(answers, np.full(ROWS, 2.0), 0)
    assert np.allclose(high - low, 4 * deviation, atol=1e-6)


@given(values, values, positive, positive)
def test_quantiles_are_widened_or_narrowed(
    truth: np.ndarray, low: np.ndarray, first: np.ndarray, second: np.ndarray
) -> None:
    quantiles = np.stack([low, low + first, low + first + second], axis=1)
    measure = Quantiles((0.1, 0.5, 0.9))
    assert inside(measure, {"quantiles": quantiles}, truth).all()
    ends = measure.interval({"quantiles": quantiles}, np.full(ROWS, -1e9), 0)
    assert np.array_equal(*ends)  # narrowed to nothing is the middle, never a crossed pair


@given(whole, positive)
def test_counts_have_whole_ends_that_hold_the_truth(truth: np.ndarray, rate: np.ndarray) -> None:
    answers, measure = {"prediction": rate}, Count()
    assert inside(measure, answers, truth.astype(float)).all()
    low, high = measure.interval(answers, np.full(ROWS, 1.5), 0)
    assert (low >= 0).all()
    assert (low <= high).all()
    assert np.array_equal(low, np.round(low))
    assert np.array_equal(high, np.round(high))


def test_each_level_reads_the_pair_of_quantiles_that_is_nearest() -> None:
    measure = Quantiles((0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99))
    assert measure.variants == 3
    assert [measure.variant(level) for level in (0.99, 0.9, 0.6, 0.1)] == [0, 1, 2, 2]


@pytest.mark.parametrize("measure", [Absolute(), Count(), Quantiles((0.1, 0.9))])
def test_an_infinite_reach_has_no_ends(measure: NumberMeasure) -> None:
    answers = {"prediction": np.array([2.0]), "quantiles": np.array([[1.0, 3.0]])}
    low, high = measure.interval(answers, np.array([np.inf]), 0)
    assert high[0] == np.inf
    assert low[0] == (0 if isinstance(measure, Count) else -np.inf)
