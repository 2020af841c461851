"""Interpolate and Bin against NumPy and scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import KBinsDiscretizer

from headrace.errors import SettingError
from headrace.plan.piecewise import Bin, Interpolate

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.plan.operation import Operation

NAN, INF = float("nan"), float("inf")

some_knots = st.lists(st.integers(-1000, 1000), min_size=2, max_size=90, unique=True).map(sorted)


def run(operation: Operation, values: np.ndarray) -> np.ndarray:
    frame = pl.DataFrame({"x": values})
    return frame.select(*operation.polars([pl.col("x")])).to_series().to_numpy()


@settings(deadline=None)
@given(some_knots, st.lists(st.floats(-1100, 1100) | st.just(NAN) | st.just(INF), max_size=30))
def test_interpolate_is_numpy_interp(knots: list[int], values: list[float]) -> None:
    x, y = np.array(knots, float), np.linspace(0, 1, len(knots))
    np.testing.assert_array_equal(
        run(Interpolate([x], [y]), np.array(values, float)), np.interp(values, x, y)
    )


@pytest.mark.parametrize("k", [2, 3, 31, 32, 33, 64, 65, 100, 1000])
def test_the_graph_finds_the_same_pieces_whatever_the_number_of_knots(k: int) -> None:
    import tensorflow as tf

    random = np.random.default_rng(k)
    x, y = np.sort(random.normal(size=(2, k))), random.normal(size=(2, k))
    near = [np.concatenate([row, np.nextafter(row, INF), np.nextafter(row, -INF)]) for row in x]
    block = np.array([*near, random.normal(size=3 * k)])[:2].T
    block = np.concatenate([block, [[NAN, INF], [-INF, NAN], [1e300, -1e300]]])
    answer = Interpolate(x, y).tensorflow(tf.constant(block)).numpy()
    for column in range(2):
        wanted = np.interp(block[:, column], x[column], y[column])
        np.testing.assert_allclose(answer[:, column], wanted, rtol=1e-12, atol=1e-12)


@settings(deadline=None)
@given(some_knots, st.lists(st.floats(), max_size=30))
def test_bin_counts_the_edges_at_or_below(edges: list[int], values: list[float]) -> None:
    x = np.array(values, float)
    wanted = np.where(np.isnan(x), 0, np.searchsorted(edges, x, side="right") + 1)
    np.testing.assert_array_equal(run(Bin([edges]), x), wanted)


def test_bins_are_those_of_scikit_learn() -> None:
    x = np.random.default_rng(0).normal(size=(500, 1))
    peer = KBinsDiscretizer(6, encode="ordinal", quantile_method="averaged_inverted_cdf").fit(x)
    bins = Bin([peer.bin_edges_[0][1:-1]])
    np.testing.assert_array_equal(run(bins, x[:, 0]), peer.transform(x)[:, 0] + 1)
    assert bins.cardinalities() == (7,)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Interpolate([[0.0, 0.0]], [[0.0, 1.0]]), "column 0 must be.*strictly increasing"),
        (
            lambda: Interpolate([[0, 1], [1, INF]], [[0, 1], [0, 1]]),
            "column 1 must be at least two",
        ),
        (lambda: Interpolate([[0.0, INF, 1.0]], [[0, 1, 2]]), "only their rest may be inf"),
        (lambda: Interpolate([[0.0, NAN]], [[0, 1]]), "column 0 must be"),
        (lambda: Interpolate([[0.0, 5e-324]], [[0, 1]]), "slopes between them are finite"),
        (lambda: Interpolate([[0.0, 1]], [[0, NAN]]), "heights of column 0 must be finite"),
        (lambda: Interpolate([[0.0, 1]], [[0, 1, 2]]), r"received \(1, 2\) and \(1, 3\)"),
        (lambda: Interpolate([0.0, 1], [0, 1]), r"expected knots \(columns, k\)"),
        (lambda: Bin([[0.0], [1.0, 1.0]]), r"edges of column 1 .* received \[1.0, 1.0\]"),
        (lambda: Bin([[INF]]), "must be finite"),
    ],
)
def test_knots_that_do_not_fit_are_named(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        make()
