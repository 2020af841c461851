from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headrace.errors import SettingError
from headrace.evaluate.intervals import Interval, Resampled, check_confidence
from headrace.evaluate.resampling import drawn_weights, resample
from headrace.metrics.measure import Kernel, find

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mean_of(values: NDArray[Any]) -> Kernel:
    return lambda weights: weights @ values / weights.sum(axis=1)


def test_every_draw_is_as_many_rows_as_there_are() -> None:
    blocks = [block.copy() for block in drawn_weights(70_000, 12, seed=1)]
    weights = np.concatenate(blocks)
    assert len(blocks) > 1
    assert weights.shape == (12, 70_000)
    assert (weights.sum(axis=1) == 70_000).all()
    assert weights.var() == pytest.approx(1, abs=0.01)


def test_the_seed_decides() -> None:
    values = np.random.default_rng(0).normal(size=50)
    first, again, other = (
        resample([mean_of(values)], 50, resamples=100, seed=seed)[0].interval()
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_the_interval_of_a_mean_is_that_of_student() -> None:
    from scipy import stats

    values = np.random.default_rng(0).normal(size=500)
    low, high, note = resample([mean_of(values)], 500, resamples=4000)[0].interval(0.9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    width = expected.high - expected.low
    assert low == pytest.approx(expected.low, abs=0.03 * width)
    assert high == pytest.approx(expected.high, abs=0.03 * width)
    assert note == ""


def test_more_confidence_is_a_wider_interval() -> None:
    (one,) = resample([mean_of(np.arange(60.0))], 60, resamples=200)
    widths = [one.interval(level).high - one.interval(level).low for level in (0.8, 0.95, 0.99)]
    assert widths == sorted(widths)


def test_an_interval_stays_in_the_range_of_its_metric() -> None:
    truth, score = np.array([0] * 50 + [1] * 50), np.linspace(0, 1, 100) ** 2
    score[[49, 50]] = score[[50, 49]]
    (measure,) = find(["roc_auc"], "binary")
    (one,) = resample([measure.prepare(truth, score)], 100, resamples=300)
    low, high, _ = one.interval(lowest=0, highest=1)
    assert 0.98 < low < one.value < high < 1


def test_a_perfect_score_of_few_rows_is_no_proof() -> None:
    def interval(rows: int) -> Interval:
        truth, score = np.repeat([0, 1], rows), np.repeat([0.1, 0.9], rows)
        (measure,) = find(["roc_auc"], "binary")
        (one,) = resample([measure.prepare(truth, score)], 2 * rows, resamples=50, deciding=[rows])
        assert one.value == 1
        return one.interval(lowest=0, highest=1)

    assert interval(10).low == pytest.approx(0.722, abs=0.001)
    assert interval(1000).low > 0.995
    assert interval(10).high == 1
    assert (
        "as good or bad as can be: the interval says what 10 rows can rule out" in interval(10).note
    )


def test_one_row_says_nothing() -> None:
    (one,) = resample([mean_of(np.array([3.0]))], 1, resamples=50)
    assert one.interval(lowest=0, highest=10) == (
        0,
        10,
        "1 row cannot tell how far it would move: its whole range is given",
    )


def test_two_rows_say_little() -> None:
    (one,) = resample([mean_of(np.array([3.0, 4.0]))], 2, resamples=200)
    low, high, _ = one.interval()
    assert low < 0
    assert high > 7


def test_what_never_changes_has_no_width() -> None:
    (one,) = resample([mean_of(np.full(20, 3.0))], 20, resamples=50)
    assert one.interval() == (3, 3, "the same in every resample")
    assert one.interval(lowest=3) == (3, 3, "the same in every resample")


def test_resamples_without_a_value_are_told() -> None:
    values = np.concatenate([np.arange(6.0), np.full(30, np.nan)])

    def mean_of_six(weights: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(invalid="ignore"):
            return weights[:, :6] @ values[:6] / weights[:, :6].sum(axis=1)

    (one,) = resample([mean_of_six], 36, resamples=1000)
    thinned = Resampled(
        one.value, np.where(np.arange(1000) % 10, one.draws, np.nan), one.left_out, one.rows
    )
    assert thinned.interval().note == "undefined in 10% of the resamples"


def test_differences_and_means_are_resampled_too() -> None:
    random = np.random.default_rng(0)
    first = random.normal(size=100)
    second = first + 1
    one, two = resample([mean_of(first), mean_of(second)], 100, resamples=100)
    difference = two - one
    assert difference.value == pytest.approx(1)
    assert difference.draws == pytest.approx(np.ones(100))
    average = Resampled.mean([one, two])
    assert average.value == pytest.approx(one.value + 0.5)
    assert average.draws == pytest.approx(one.draws + 0.5)


@pytest.mark.parametrize("confidence", [0.3, 1.0, 95, math.nan])
def test_a_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(SettingError, match="confidence must be at least"):
        check_confidence(confidence)


def test_a_handful_of_resamples_is_refused() -> None:
    with pytest.raises(SettingError, match="resamples must be 20 or more, received 5"):
        resample([mean_of(np.arange(3.0))], 3, resamples=5)


def normal_scores(
    random: np.random.Generator, rows: int, share: float, separation: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores of two normal distributions: the area under the curve is known."""
    truth = (random.random(rows) < share).astype(int)
    return truth, random.normal(size=rows) + separation * truth


def heavy_errors(random: np.random.Generator, rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.zeros(rows), random.standard_t(6, rows)


CASES = {
    "auc, balanced": (
        "roc_auc",
        "binary",
        lambda random: normal_scores(random, 200, 0.5, 1.1902),
        0.8,
    ),
    "auc, 5 % positive": (
        "roc_auc",
        "binary",
        lambda random: normal_scores(random, 200, 0.05, 1.1902),
        0.8,
    ),
    "auc, few rows": (
        "roc_auc",
        "binary",
        lambda random: normal_scores(random, 30, 0.3, 1.1902),
        0.8,
    ),
    "rmse": (
        "rmse",
        "regression",
        lambda random: (np.zeros(100), random.normal(size=100)),
        1.0,
    ),
    "mae, heavy tails": (
        "mae",
        "regression",
        lambda random: heavy_errors(random, 200),
        0.9186,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_95_percent_intervals_hold_the_truth_in_95_of_100_cases(case: str) -> None:
    """400 tables: chance moves the count by 1.1 points; `benchmarks/statistics.py` has more."""
    name, task, draw, true = CASES[case]
    (measure,) = find([name], task)
    random = np.random.default_rng(0)
    held = []
    for seed in range(400):
        truth, output = draw(random)
        if task == "binary" and len(set(truth)) == 1:
            continue
        deciding = [measure.deciding_rows(truth, output)]
        kernels = [measure.prepare(truth, output)]
        (one,) = resample(kernels, len(truth), resamples=200, seed=seed, deciding=deciding)
        low, high, _ = one.interval(lowest=measure.lowest, highest=measure.highest)
        held.append(low <= true <= high)
    assert 0.92 <= np.mean(held) <= 0.99
