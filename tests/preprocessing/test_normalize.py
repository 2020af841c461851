"""Normalisation: the numbers of scikit-learn, and columns that break simple formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from sklearn import preprocessing

from headrace.errors import SettingError
from headrace.plan.plan import ColumnInfo
from headrace.preprocessing import normalize
from headrace.preprocessing.curves import quantile_curve
from headrace.preprocessing.fit import fit_steps
from headrace.preprocessing.yeojohnson import best_exponent

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAN, INF = float("nan"), float("inf")
X = {"x": ColumnInfo("x", "number", "number")}


def fitted(step: Any, values: Any) -> Any:
    return fit_steps(pl.DataFrame({"x": np.asarray(values, np.float64)}), dict(X), [step])


def through(step: Any, values: Any, later: Any = None) -> NDArray[np.float64]:
    plan = fitted(step, values).plan
    rows = pl.LazyFrame({"x": np.asarray(values if later is None else later, np.float64)})
    return plan.polars(rows).collect()["x"].to_numpy()


def columns() -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(0)
    return {
        "normal": random.normal(50, 10, 3000),
        "lognormal": random.lognormal(0, 1, 3000),
        "negative": -random.exponential(2, 3000),
        "uniform": random.uniform(-1, 1, 3000),
        "whole": random.integers(0, 10, 3000).astype(float),
        "zeros": np.where(random.random(3000) < 0.92, 0.0, random.lognormal(8, 1, 3000)),
        "gaps": np.where(random.random(3000) < 0.2, NAN, random.normal(size=3000)),
    }


every_column = pytest.mark.parametrize("name", columns())


@every_column
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (normalize.Standardize(), preprocessing.StandardScaler()),
        (normalize.MinMax(-1, 1), preprocessing.MinMaxScaler((-1, 1))),
        (normalize.MinMax(clip=True), preprocessing.MinMaxScaler(clip=True)),
        (normalize.Robust(squash=None), preprocessing.RobustScaler()),
    ],
    ids=repr,
)
def test_scales_are_scikit_learns(name: str, ours: Any, theirs: Any) -> None:
    values = columns()[name]
    if name == "zeros" and isinstance(ours, normalize.Robust):
        pytest.skip("its quartiles are equal: scikit-learn leaves it alone")
    later = np.array([NAN, -1e6, 0.0, 3.0, 1e6])
    expected = theirs.fit(values[:, None]).transform(later[:, None])[:, 0]
    assert through(ours, values, later) == pytest.approx(expected, rel=1e-9, nan_ok=True)


STEPS = [
    normalize.Standardize(),
    normalize.MinMax(),
    normalize.Robust(),
    normalize.Quantile(),
    normalize.Quantile("uniform"),
    normalize.Power(),
]


@pytest.mark.parametrize("step", STEPS, ids=repr)
@pytest.mark.parametrize(
    "values",
    [
        [3.0, 3.0, 3.0],
        [1e300, 1e300],
        [NAN, NAN],
        [5.0],
        [1e9, 1e9 + 1e-6, 1e9],
        [-1.7e308, 1.7e308, 0.0],
        [5e-324, 0.0, 1e-300],
        [INF, 1.0, 2.0, 3.0],
        [-INF, 1.0, INF, 3.0],
        [0.0] * 99 + [1e-12],
    ],
    ids=str,
)
def test_no_gap_comes_of_a_number(step: Any, values: list[float]) -> None:
    later = np.array([0.0, 1.0, -1.0, 3.0, 1e9, 1e300, -1e300, NAN])
    made = through(step, values, later)
    assert np.isnan(made[-1])
    assert not np.isnan(made[:-1]).any()


def test_a_constant_column_becomes_zero() -> None:
    for step in (
        normalize.Standardize(),
        normalize.Robust(),
        normalize.Quantile(),
        normalize.MinMax(),
    ):
        assert through(step, [3.0, 3.0, 3.0]).tolist() == [0.0, 0.0, 0.0]
    assert through(normalize.Quantile("uniform"), [3.0, 3.0]).tolist() == [0.5, 0.5]


def test_robust_falls_back_on_the_range_and_squashes() -> None:
    values = [0.0] * 9 + [10.0]
    assert through(normalize.Robust(squash=None), values)[-1] == 2.0
    assert through(normalize.Robust(), values, [1e300])[0] == pytest.approx(3.0)


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(SettingError, match=r"low must be below high, .*MinMax\(1.0, high=0.0\)"):
        fitted(normalize.MinMax(1.0, 0.0), [1.0])


# -- quantiles -------------------------------------------------------------------------------------


@every_column
@pytest.mark.parametrize("output", ["uniform", "normal"])
def test_quantiles_are_scikit_learns_on_average(name: str, output: Any) -> None:
    values = columns()[name]
    knots = 100
    made = through(normalize.Quantile(output, knots=knots), values)
    theirs = preprocessing.QuantileTransformer(n_quantiles=knots, output_distribution=output)
    expected = theirs.fit_transform(values[:, None])[:, 0]
    inner = (values > np.nanmin(values)) & (values < np.nanmax(values))
    close = 0.006 if output == "uniform" else 0.05
    assert np.abs(made - expected)[inner].mean() < close
    assert np.isnan(made).sum() == np.isnan(values).sum()


def test_a_column_full_of_zeros_keeps_its_levels() -> None:
    values = columns()["zeros"]
    share = (values == 0).mean()
    made = through(normalize.Quantile("uniform"), values)
    assert np.unique(made[values == 0]).tolist() == pytest.approx([share / 2], abs=0.01)
    assert made[values > 0].min() == pytest.approx(share, abs=0.01)
    order = np.argsort(values)
    assert (np.diff(made[order]) >= 0).all()


@every_column
def test_normal_quantiles_are_about_standard(name: str) -> None:
    made = through(normalize.Quantile(), columns()[name])
    assert abs(np.nanmean(made)) < 0.1
    assert 0.4 < np.nanstd(made) < 1.1
    assert np.nanmax(np.abs(made)) < 4


def test_beyond_the_training_values_the_curve_is_flat() -> None:
    made = through(normalize.Quantile(), np.arange(1000.0), [-1e9, 0.0, 999.0, 1e9])
    assert made[0] == made[1]
    assert made[2] == made[3]
    assert made[3] == pytest.approx(-made[0])


def test_curves_rise_strictly_and_have_finite_slopes() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        k = int(random.integers(2, 40))
        values = np.sort(
            random.choice([-1e300, -1.0, 0.0, 5e-324, 1e-12, 1.0, 1 + 1e-15, 2, 1e300], k)
        )
        x, y = quantile_curve(np.linspace(0, 1, k), values, rows=k, normal=True)
        assert len(x) >= 2
        assert (np.diff(x) > 0).all()
        assert (np.diff(y) >= 0).all()
        with np.errstate(over="raise"):
            assert np.isfinite(np.diff(y) / np.diff(x)).all()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (normalize.Quantile("gauss"), "output must be 'normal' or 'uniform', received 'gauss'"),
        (normalize.Quantile(knots=1), "at least 2 knots, received 1"),
    ],
)
def test_settings_of_quantiles(step: normalize.Quantile, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        fitted(step, [1.0])


# -- power -----------------------------------------------------------------------------------------


@every_column
def test_exponents_are_scikit_learns(name: str) -> None:
    values = columns()[name]
    theirs = preprocessing.PowerTransformer().fit(values[:, None])
    operation = fitted(normalize.Power(), values).plan.nodes[0].operation
    assert operation.exponent[0] == pytest.approx(theirs.lambdas_[0], abs=0.01)
    made = through(normalize.Power(), values)
    assert made == pytest.approx(theirs.transform(values[:, None])[:, 0], abs=0.05, nan_ok=True)


def test_exponents_of_small_samples_are_scikit_learns_too() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0, 100.0])
    theirs = preprocessing.PowerTransformer().fit(values[:, None])
    found = fitted(normalize.Power(), values).plan.nodes[0].operation.exponent[0]
    assert found == pytest.approx(theirs.lambdas_[0], abs=0.01)


@pytest.mark.parametrize(
    "values", [[2.0, 2.0], [NAN, 1.0], [1e300, -1e300, 0.0], [1e9, 1e9 + 1e-5]]
)
def test_hopeless_columns_get_the_exponent_one(values: list[float]) -> None:
    assert best_exponent(np.array(values)) == 1.0


def test_rounding_errors_are_no_steps() -> None:
    """Twins that differ in the last bit get one height, so that libraries may differ in it too."""
    month = np.arange(1, 13) / 12 * 2 * np.pi
    sines = np.sort(np.tile(np.sin(month), 50))
    levels = np.linspace(0, 1, 101)
    x, y = quantile_curve(levels, np.quantile(sines, levels), rows=600, normal=True)
    for value in np.sin(month):
        beside = np.interp([np.nextafter(value, -9), value, np.nextafter(value, 9)], x, y)
        assert np.ptp(beside) < 1e-9
