"""Fill, flag, clip, scale, squash and power against their formulas in NumPy and scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import PowerTransformer

from headrace.errors import SettingError
from headrace.plan.arithmetic import Affine, Clip, Fill, Indicate, Power, Squash

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.plan.operation import Operation

NAN, INF = float("nan"), float("inf")

any_numbers = st.lists(st.floats(), max_size=30)
finite = st.floats(-1e6, 1e6)


def run(operation: Operation, *columns: list[object]) -> list[np.ndarray]:
    frame = pl.DataFrame({f"x{i}": values for i, values in enumerate(columns)}, strict=False)
    if operation.takes == "number":
        frame = frame.cast(pl.Float64)
    made = operation.polars([pl.col(name) for name in frame.columns])
    return [frame.select(x).to_series().to_numpy() for x in made]


@settings(deadline=None)
@given(any_numbers, finite)
def test_fill_replaces_missing_values_alone(values: list[float], filling: float) -> None:
    x = np.array(values)
    np.testing.assert_array_equal(
        run(Fill([filling]), values)[0], np.where(np.isnan(x), filling, x)
    )


@settings(deadline=None)
@given(any_numbers, finite, finite)
def test_clip_is_numpy_clip(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    np.testing.assert_array_equal(run(Clip([low], [high]), values)[0], np.clip(values, low, high))


@settings(deadline=None)
@given(any_numbers, finite, finite)
def test_affine_is_a_product_and_a_sum(values: list[float], scale: float, shift: float) -> None:
    with np.errstate(all="ignore"):
        wanted = np.array(values) * scale + shift
    np.testing.assert_array_equal(run(Affine([scale], [shift]), values)[0], wanted)


@settings(deadline=None)
@given(any_numbers, st.floats(1e-6, 1e6))
def test_squash_stays_within_its_limit_and_keeps_the_order(
    values: list[float], limit: float
) -> None:
    x = np.array(values)
    y = run(Squash([limit]), values)[0]
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    assert (np.abs(y[~np.isnan(y)]) <= limit).all()
    assert (np.diff(y[np.argsort(x)][: (~np.isnan(x)).sum()]) >= 0).all()
    near = np.abs(x) < 1e100
    np.testing.assert_allclose(
        y[near], x[near] / np.sqrt(1 + (x[near] / limit) ** 2), 1e-14, 1e-300
    )


def test_squash_sends_infinity_and_huge_numbers_to_the_limit() -> None:
    np.testing.assert_array_equal(
        run(Squash([3.0]), [INF, -INF, 1e300, -1e300])[0], [3.0, -3.0, 3.0, -3.0]
    )


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30), st.floats(-4, 4))
def test_power_is_scikit_learns_yeo_johnson(values: list[float], exponent: float) -> None:
    peer = PowerTransformer(standardize=False).fit([[0.0], [1.0], [2.0]])
    peer.lambdas_ = np.array([exponent])
    wanted = peer.transform(np.array(values)[:, None])[:, 0]
    np.testing.assert_allclose(run(Power([exponent]), values)[0], wanted, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("exponent", [0.0, 2.0, 1.0, 1e-12, 2 - 1e-12, -0.5, 3.0, 0.37])
def test_power_agrees_to_the_last_digits_near_its_logarithms(exponent: float) -> None:
    x = np.linspace(-50, 50, 1001)
    peer = PowerTransformer(standardize=False).fit([[0.0], [1.0], [2.0]])
    peer.lambdas_ = np.array([exponent])
    np.testing.assert_allclose(
        run(Power([exponent]), x.tolist())[0], peer.transform(x[:, None])[:, 0], rtol=1e-8
    )


def test_power_hands_missing_and_infinite_values_on() -> None:
    np.testing.assert_array_equal(run(Power([0.0]), [NAN, INF])[0], [NAN, INF])
    np.testing.assert_array_equal(run(Power([-2.0]), [NAN, INF, -INF])[0], [NAN, 0.5, -INF])


@pytest.mark.parametrize(
    ("of", "values"),
    [
        ("number", [NAN, INF, 0.0]),
        ("string", ["", " ", "nan"]),
        ("time", [-(2**63), 0, -1]),
        ("code", [0, 1, 2]),
    ],
)
def test_indicate_flags_the_missing_value_of_each_type(of: Any, values: list[object]) -> None:
    flag = Indicate(of)
    assert flag.takes == of
    assert flag.gives == "number"
    assert flag.names(["a b"]) == ("a b_missing",)
    np.testing.assert_array_equal(run(flag, values)[0], [1.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Fill([NAN]), "Fill: value must be a number, received nan for column 0"),
        (lambda: Fill([[1.0]]), r"expected one number a column.*\(1, 1\)"),
        (lambda: Clip([0, 2], [1, 1]), "column 1 has low 2 and high 1"),
        (lambda: Clip([0, 2], [1]), "as many in each"),
        (lambda: Clip([NAN], [1]), "low must be a number"),
        (lambda: Affine([1, INF], [0, 0]), "scale must be finite, received inf for column 1"),
        (lambda: Squash([1, 0]), "limit must be above 0, received 0"),
        (lambda: Power([NAN]), "exponent must be finite"),
        (lambda: Indicate("text"), "of must be 'number', 'string', 'time' or 'code'"),
    ],
)
def test_parameters_that_do_not_fit_are_named(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        make()


def test_a_number_of_columns_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter|longer"):
        Fill([1.0]).polars([pl.col("a"), pl.col("b")])
