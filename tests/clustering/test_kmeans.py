"""KMeans: scikit-learn's numbers, on its own, at the end of a pipeline, and as a step."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from sklearn import cluster
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from headrace.clustering.fitted_kmeans import FittedKMeans
from headrace.clustering.kmeans import KMeans
from headrace.errors import DataError, NotTrainedError, ReleaseError, SettingError
from headrace.plan.distance import Nearest
from headrace.plan.operation import plain
from headrace.plan.plan import ColumnInfo
from headrace.preprocessing.fit import fit_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAN = float("nan")
COLUMNS = {name: ColumnInfo(name, "number", "number") for name in ("x", "y")}


def points(rows: int = 300, seed: int = 0) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    middles = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    return middles[random.integers(0, 3, rows)] + random.normal(size=(rows, 2))


SETTINGS: list[dict[str, Any]] = [
    {"n_clusters": 3, "random_state": 0},
    {"n_clusters": 3, "init": "k-means++", "max_iter": 100, "n_init": 10, "random_state": 0},
    {"n_clusters": 5, "init": "random", "n_init": 3, "random_state": 7, "algorithm": "elkan"},
    {"n_clusters": 2, "init": [[0.0, 0.0], [5.0, 5.0]], "n_init": 1, "tol": 0.1},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_numbers_are_scikit_learns(settings: dict[str, Any]) -> None:
    rows, new = points(), points(100, seed=1)
    mine, theirs = KMeans(**settings).fit(rows), cluster.KMeans(**settings).fit(rows)
    assert np.array_equal(mine.labels_, theirs.labels_)
    assert np.array_equal(mine.cluster_centers_, theirs.cluster_centers_)
    assert mine.inertia_ == theirs.inertia_
    assert mine.n_iter_ == theirs.n_iter_
    assert np.array_equal(mine.predict(new), theirs.predict(new))
    assert np.array_equal(KMeans(**settings).fit_predict(rows), theirs.labels_)
    assert mine.found.distances(new) == pytest.approx(theirs.transform(new))


def test_defaults_are_scikit_learns() -> None:
    ours, theirs = KMeans().get_params(), cluster.KMeans().get_params()
    shared = ours.keys() & theirs.keys()
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}
    assert repr(clone(KMeans(3, random_state=1))) == "KMeans(3, random_state=1)"


def test_mini_batches_for_large_tables() -> None:
    rows = points(5000)
    settings: dict[str, Any] = {"batch_size": 256, "n_init": 3, "random_state": 0}
    mine = KMeans(3, **settings).fit(rows)
    theirs = cluster.MiniBatchKMeans(3, **settings).fit(rows)
    assert np.array_equal(mine.cluster_centers_, theirs.cluster_centers_)
    assert mine.inertia_ < 1.05 * KMeans(3, random_state=0).fit(rows).inertia_


def test_frames_and_lists_are_rows_too() -> None:
    rows = points()
    labels = KMeans(3, random_state=0).fit(rows).labels_
    for data in (pl.DataFrame(rows), rows.tolist(), rows.astype(np.float32).astype(np.float64)):
        assert KMeans(3, random_state=0).fit(data).labels_.shape == labels.shape
    assert np.array_equal(KMeans(3, random_state=0).fit(pl.DataFrame(rows)).labels_, labels)


def test_a_pipeline_gets_the_same_clusters_twice() -> None:
    first, second = (KMeans(3).fit_matrix(points()) for _ in range(2))
    assert np.array_equal(first.centres, second.centres)


def test_clusters_are_stored_as_plain_values() -> None:
    fitted = KMeans(3, random_state=0).fit_matrix(points())
    again = FittedKMeans.from_dict(json.loads(json.dumps(plain(fitted.to_dict()))))
    assert np.array_equal(again.centres, fitted.centres)
    assert np.array_equal(again.sizes, fitted.sizes)
    assert again.inertia == fitted.inertia
    assert again.labels is None
    assert fitted.sizes.sum() == 300
    assert np.array_equal(fitted.predict(points()), fitted.labels)


@pytest.mark.parametrize(
    "data", [{}, {"centres": [1.0], "sizes": [1], "inertia": 0, "iterations": 1}]
)
def test_broken_clusters_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ReleaseError, match="the clusters cannot be rebuilt"):
        FittedKMeans.from_dict(data)


def test_further_rows_move_the_centres_to_the_mean_of_all() -> None:
    fitted = FittedKMeans(np.array([[0.0], [10.0]]), 0.0, np.array([1, 3]), 1)
    moved = fitted.partial_fit(np.array([[2.0], [4.0]]))
    assert moved.centres.tolist() == [[2.0], [10.0]]
    assert moved.sizes.tolist() == [3, 3]
    step = KMeans(3, random_state=0)
    for seed in range(4):
        step.partial_fit(points(seed=seed))
    whole = KMeans(3, random_state=0).fit(np.concatenate([points(seed=s) for s in range(4)]))
    assert np.sort(step.cluster_centers_[:, 0]) == pytest.approx(
        np.sort(whole.cluster_centers_[:, 0]), abs=0.2
    )


# -- as a step -------------------------------------------------------------------------------------


def frame(rows: NDArray[np.float64]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["x", "y"])


def test_a_step_adds_distances_and_the_cluster() -> None:
    rows = points()
    fitted = fit_steps(frame(rows), dict(COLUMNS), [KMeans(3, random_state=0)])
    theirs = cluster.KMeans(3, random_state=0).fit(rows)
    made = fitted.plan.polars(frame(rows).lazy()).collect()
    assert made.columns == ["x", "y", "distance_1", "distance_2", "distance_3", "cluster"]
    assert made["cluster"].to_list() == (theirs.labels_ + 3).tolist()
    assert made.select("^distance_.*$").to_numpy() == pytest.approx(theirs.transform(rows))
    assert fitted.plan.outputs[-1] == ColumnInfo("cluster", "code", "category", 6)
    assert fitted.learnt[0][1] == "3 clusters of 300 rows in 2 columns"


def test_two_steps_need_two_prefixes() -> None:
    steps = [KMeans(2, columns=["x", "y"]), KMeans(2, columns=["x"], prefix="x_")]
    fitted = fit_steps(frame(points()), dict(COLUMNS), steps)
    assert {"cluster", "x_cluster"} <= {info.name for info in fitted.plan.outputs}
    with pytest.raises(DataError, match=r"column 'distance_1': .* there is one already"):
        fit_steps(frame(points()), dict(COLUMNS), [steps[0], KMeans(2, columns="x")])


def test_chunks_are_sampled() -> None:
    rows = points(3000)
    whole = fit_steps(frame(rows), dict(COLUMNS), [KMeans(3, random_state=0)])
    chunks = fit_steps(frame(rows).lazy(), dict(COLUMNS), [KMeans(3, random_state=0)])
    centres = [np.sort(f.plan.nodes[0].operation.centres[:, 0]) for f in (whole, chunks)]  # type: ignore[union-attr]
    assert centres[0] == pytest.approx(centres[1], abs=1e-6)


def test_the_graph_of_a_clusterer_at_the_end() -> None:
    tf = pytest.importorskip("tensorflow")
    fitted = KMeans(3, random_state=0).fit_matrix(points())
    matrix = tf.constant(points(50, seed=2))
    answers = fitted.tensorflow(matrix)
    assert np.array_equal(answers["cluster"].numpy(), fitted.predict(points(50, seed=2)))
    assert answers["distances"].numpy() == pytest.approx(fitted.distances(points(50, seed=2)))


# -- bad input -------------------------------------------------------------------------------------


def test_gaps_are_named() -> None:
    gaps = points()
    gaps[[3, 5], 1] = NAN
    with pytest.raises(DataError, match=r"column 'y': .* 2 of 300 are missing. Add clean.Impute"):
        fit_steps(frame(gaps), dict(COLUMNS), [KMeans(3)])
    with pytest.raises(DataError, match=r"column '1', row 3: a value is missing. .*Impute"):
        KMeans(3).fit(gaps)
    gaps[3, 1] = np.inf
    with pytest.raises(DataError, match="a value is infinite"):
        KMeans(3).fit(gaps)


@pytest.mark.parametrize(
    ("rows", "there"),
    [
        (np.zeros((1, 2)), "there is 1 row;"),
        (np.zeros((2, 2)), "there are 2 rows;"),
        (np.zeros((9, 2)), "there is 1 different row;"),
        (np.repeat([[1.0, 2.0], [3.0, 4.0]], 9, axis=0), "there are 2 different rows;"),
    ],
)
def test_too_few_rows_are_an_error(rows: NDArray[np.float64], there: str) -> None:
    with pytest.raises(DataError, match=f"3 clusters need at least 3 different rows, but {there}"):
        KMeans(3, random_state=0).fit(rows)


def test_scikit_learn_itself_would_only_warn() -> None:
    with pytest.warns(ConvergenceWarning, match="Number of distinct clusters"):
        cluster.KMeans(3, random_state=0).fit(np.zeros((9, 2)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_clusters": 0}, "n_clusters must be a whole number from 1, received 0"),
        ({"n_clusters": 2.5}, "n_clusters must be a whole number from 1, received 2.5"),
        ({"init": "kmeans"}, "cannot be used: .*init"),
        ({"n_clusters": 2, "init": [[0.0, 0.0]]}, "cannot be used: .*shape of the initial centers"),
    ],
)
def test_bad_settings_are_an_error(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        KMeans(**settings).fit(points())


def test_rows_must_fit_the_centres() -> None:
    kmeans = KMeans(3, random_state=0).fit(points())
    with pytest.raises(
        DataError, match=r"rows of 2 columns, received an array of shape \(300, 3\)"
    ):
        kmeans.predict(np.zeros((300, 3)))
    with pytest.raises(DataError, match=r"received an array of shape \(3,\)"):
        kmeans.predict([1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="KMeans got no columns"):
        KMeans(1).fit(np.zeros((5, 0)))


def test_what_is_not_fitted_says_so() -> None:
    with pytest.raises(NotTrainedError, match=r"call fit\(rows\) first"):
        KMeans(3).predict(points())


def test_one_cluster_and_no_rows_to_answer() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = KMeans(1, random_state=0).fit_matrix(points())
    assert fitted.predict(np.zeros((0, 2))).shape == (0,)
    assert fitted.distances(np.zeros((0, 2))).shape == (0, 1)


def test_ties_go_to_the_first_centre_on_every_path() -> None:
    fitted = FittedKMeans(np.array([[0.1], [0.3]]), 0.0, np.array([1, 1]), 1)
    middle = np.array([[0.2]])  # 0.2 - 0.1 and 0.3 - 0.2 differ in the last bit
    code = (
        pl.DataFrame({"x": middle[:, 0]})
        .select(*Nearest(fitted.centres).polars([pl.col("x")]))
        .item()
    )
    assert fitted.predict(middle)[0] == code == 0
