"""Statistics of numbers: their values, their edges, and what they refuse."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from headrace.errors import SettingError
from headrace.plan.statistic import (
    Count,
    Covariance,
    Extremes,
    Mean,
    Missing,
    Quantiles,
    Statistic,
    Variance,
    learn,
    observe,
)
from headrace.plan.values import Mode, Varies

NAN, INF = float("nan"), float("inf")


def of(*values: float) -> pl.DataFrame:
    return pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})


@pytest.mark.parametrize(
    ("statistic", "values", "answer"),
    [
        (Count(), (1.0, NAN, 3.0), 2),
        (Missing(), (1.0, NAN, 3.0), 1),
        (Mean(), (1.0, NAN, 3.0), 2.0),
        (Variance(), (1.0, NAN, 3.0), 1.0),
        (Variance(), (5.0,), 0.0),
        (Extremes(), (2.0, NAN, -1.0), (-1.0, 2.0)),
        (Extremes(), (2.0, INF), (2.0, INF)),
        (Mode(), (3.0, 1.0, NAN, 1.0, 3.0), 1.0),
        (Count(), (), 0),
    ],
)
def test_values(statistic: Statistic, values: tuple[float, ...], answer: object) -> None:
    assert learn(of(*values), "x", statistic) == answer
    assert learn([of(v) for v in values] or [of()], "x", statistic) == answer


@pytest.mark.parametrize("statistic", [Mean(), Variance(), Extremes(), Mode()])
@pytest.mark.parametrize("values", [(), (NAN, NAN)])
def test_nothing_learnt_is_missing(statistic: Statistic, values: tuple[float, ...]) -> None:
    assert np.isnan(learn(of(*values), "x", statistic)).all()
    assert np.isnan(learn([of(*values), of()], "x", statistic)).all()


def test_the_variance_is_exact_far_from_zero() -> None:
    values = 1e9 + np.random.default_rng(0).normal(size=10_000)
    chunks = [of(*part) for part in np.array_split(values, 7)]
    assert learn(chunks, "x", Variance()) == pytest.approx(np.var(values - 1e9), rel=1e-6)


def test_covariance_is_numpys_over_complete_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3))
    rows[3, 1] = NAN
    frame = pl.DataFrame(rows, schema=["a", "b", "c"])
    complete = np.delete(rows, 3, axis=0)
    found = learn(frame, ["a", "b", "c"], Covariance())
    assert found == pytest.approx(np.cov(complete.T, ddof=0))


def test_covariance_of_nothing_is_missing() -> None:
    frame = pl.DataFrame({"a": [NAN], "b": [1.0]})
    assert np.isnan(learn(frame, ["a", "b"], Covariance())).all()


@pytest.mark.parametrize("levels", [(), (-0.1,), (0.5, 1.5)])
def test_levels_outside_of_zero_to_one_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(SettingError, match="quantile levels must be between 0 and 1, received"):
        Quantiles(levels)


@pytest.mark.parametrize(
    ("values", "varies", "value"),
    [
        ((1.0, 1.0), False, 1.0),
        ((1.0, 2.0), True, None),
        ((1.0, NAN), True, None),
        ((NAN, 1.0), True, None),
    ],
)
def test_varies(values: tuple[float, ...], varies: bool, value: float | None) -> None:
    for found in (
        learn(of(*values), "x", Varies()),
        learn([of(v) for v in values], "x", Varies()),
    ):
        assert (found.varies, found.value) == (varies, value)


def test_all_missing_does_not_vary() -> None:
    assert not learn([of(NAN), of(NAN, NAN), of()], "x", Varies()).varies


def test_many_statistics_are_observed_at_once() -> None:
    frame = of(1.0, 2.0, NAN)
    values = observe(frame, [(Mean(), ["x"]), (Quantiles(), ["x"]), (Covariance(), ["x", "x"])])
    assert values[0] == {"count": 2, "mean": 1.5}
    assert values[1]["0"] is not None
    assert list(values[2]) == ["0", "1"]
