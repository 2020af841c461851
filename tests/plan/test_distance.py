"""Distances and nearest centres against scikit-learn's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import euclidean_distances

from headrace.errors import SettingError
from headrace.plan.distance import Distance, Nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.plan.operation import Operation

NAN, INF = float("nan"), float("inf")


def run(operation: Operation, rows: np.ndarray) -> np.ndarray:
    frame = pl.DataFrame(rows, schema=[f"x{i}" for i in range(rows.shape[1])], orient="row")
    made = operation.polars([pl.col(name) for name in frame.columns])
    names = operation.names(frame.columns)
    return frame.select(x.alias(n) for x, n in zip(made, names, strict=True)).to_numpy()


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(size=(9_000, 5)) + random.integers(0, 3, size=(9_000, 1)) * 4


def test_the_nearest_centre_is_the_cluster_that_kmeans_predicts(points: np.ndarray) -> None:
    peer = KMeans(7, n_init=1, random_state=0).fit(points)
    nearest = Nearest(peer.cluster_centers_)
    np.testing.assert_array_equal(run(nearest, points)[:, 0], peer.predict(points))
    assert nearest.cardinalities() == (7,)


def test_distances_are_those_of_scikit_learn(points: np.ndarray) -> None:
    centres = points[:3]
    found = run(Distance(centres), points)
    np.testing.assert_allclose(found, euclidean_distances(points, centres), atol=1e-6)
    assert Distance(centres, "away").names([]) == ("away_0", "away_1", "away_2")


def test_the_distance_of_a_centre_to_itself_is_0_far_from_the_origin_too(
    points: np.ndarray,
) -> None:
    far = points[:5] + 1e8
    assert (np.diag(run(Distance(far), far)) == 0).all()


def test_a_tie_goes_to_the_first_centre() -> None:
    rows = np.array([[0.2, 0.3], [0.1, 0.1], [INF, 0.0], [1e300, -1e300]])
    nearest = Nearest([[0.1, 0.3], [0.3, 0.3], [0.1, -0.1]])
    assert run(nearest, rows)[:, 0].tolist() == [0, 0, 0, 0]


def test_codes_name_the_centres_and_missing_values_have_their_own() -> None:
    nearest = Nearest([[0.0], [10.0]], [2, 1], missing=0, name="group")
    assert nearest.names(["a"]) == ("group",)
    assert nearest.cardinalities() == (3,)
    assert run(nearest, np.array([[1.0], [9.0], [NAN]]))[:, 0].tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Distance([1.0, 2.0]), r"centres \(k, columns\).*shape \(2,\)"),
        (lambda: Nearest(np.zeros((0, 2))), "at least one"),
        (lambda: Nearest([[NAN]]), "finite centres"),
        (lambda: Nearest([[0.0], [1.0]], [1]), r"for each of 2 centres; received \[1\]"),
        (lambda: Nearest([[0.0]], [-1]), "not negative"),
    ],
)
def test_parameters_that_do_not_fit_are_named(make: Callable[[], object], match: str) -> None:
    with pytest.raises(SettingError, match=match):
        make()
