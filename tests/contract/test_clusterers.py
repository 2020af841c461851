"""What every clusterer keeps: one interface, in the pipeline, in the release, on its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score

import headrace as hr
from headrace.clustering.fitted import NOISE, FittedClusters
from headrace.clustering.step import ClusterStep
from headrace.errors import DataError, NotTrainedError, SettingError
from headrace.plan.operation import plain
from headrace.preprocessing.step import Step

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CLUSTERERS: dict[str, ClusterStep] = {
    "KMeans": hr.KMeans(3),
    "GaussianMixture": hr.GaussianMixture(3),
    "HDBSCAN": hr.HDBSCAN(25),
    "DeepClusters": hr.DeepClusters(3, layers=[16], code=2, epochs=15, refine=5, batch_size=50),
}
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 3, 600)
ROWS = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])[TRUTH] + RANDOM.normal(size=(600, 2))
TABLE = pl.DataFrame(ROWS, schema=["wörter", "y"], orient="row").with_columns(
    kind=pl.Series(np.array(["a", "b", "c"])[TRUTH])
)


@pytest.fixture(params=CLUSTERERS)
def clusterer(request: pytest.FixtureRequest) -> ClusterStep:
    return CLUSTERERS[request.param].copy()


def pipeline(clusterer: ClusterStep) -> hr.Pipeline:
    steps = [hr.transform.Drop("kind", reason="the truth"), hr.normalize.Standardize(), clusterer]
    return hr.Pipeline(steps)


def test_every_clusterer_is_here() -> None:
    ours = {
        kind.__name__
        for kind in Step.known.values()
        if issubclass(kind, ClusterStep) and kind.__module__.startswith("headrace.")
    }
    assert ours - {"ClusterStep"} == CLUSTERERS.keys()


def test_planted_clusters_are_found_and_the_same_twice(clusterer: ClusterStep) -> None:
    found, again = (clusterer.copy().fit_matrix(ROWS, seed=1) for _ in range(2))
    assert found.labels is not None
    inside = found.labels != NOISE
    assert adjusted_rand_score(TRUTH[inside], found.labels[inside]) > 0.95
    assert np.array_equal(found.labels, again.labels)
    assert found.sizes.sum() == inside.sum()
    assert found.inertia > 0


def test_the_graph_agrees_with_numpy(clusterer: ClusterStep) -> None:
    import tensorflow as tf

    found = clusterer.fit_matrix(ROWS)
    rows = np.concatenate([ROWS, 100 * ROWS[:5], found.centres])
    answers = found.tensorflow(tf.constant(rows))
    assert np.array_equal(answers["cluster"].numpy(), found.predict(rows))
    assert answers["distances"].numpy() == pytest.approx(found.distances(rows), rel=1e-6, abs=1e-6)


def test_they_are_stored_as_plain_values(clusterer: ClusterStep) -> None:
    found = clusterer.fit_matrix(ROWS)
    again = FittedClusters.from_dict(json.loads(json.dumps(plain(found.to_dict()))))
    assert type(again) is type(found)
    assert np.array_equal(again.distances(ROWS), found.distances(ROWS))
    assert np.array_equal(again.outlier_score(ROWS), found.outlier_score(ROWS))


def test_another_order_is_the_same_clusters(clusterer: ClusterStep) -> None:
    found = clusterer.fit_matrix(ROWS)
    order = [2, 0, 1]
    other = found.ordered(order)
    numbers = np.append(np.argsort(order), NOISE)
    assert np.array_equal(other.predict(ROWS), numbers[found.predict(ROWS)])
    assert np.array_equal(other.labels, numbers[found.labels])
    assert other.outlier_score(ROWS) == pytest.approx(found.outlier_score(ROWS), abs=1e-6)


def test_outlier_scores_tell_far_rows(clusterer: ClusterStep) -> None:
    found = clusterer.fit_matrix(ROWS)
    scores = found.outlier_score(ROWS)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert found.outlier_score(np.array([[500.0, 500.0]])).tolist() == [1.0]
    assert np.median(scores) == pytest.approx(0.5, abs=0.1)


def test_the_whole_life(clusterer: ClusterStep, tmp_path: Path) -> None:
    pipe = pipeline(clusterer)
    result = pipe.train(TABLE)
    assert result.task == "clustering"
    predicted = pipe.predict(TABLE)
    evaluation = pipe.evaluate(TABLE)
    assert evaluation.metrics["silhouette"].low > 0.5
    assert evaluation.metrics["stability"].value > 0.5
    deployed = pipe.deploy(tmp_path / "models")
    assert deployed.verification is not None
    assert deployed.verification.passed
    runtime = hr.Runtime(tmp_path / "models")
    assert np.array_equal(runtime.predict(TABLE), predicted)
    scores = hr.outlier_scores(pipe, TABLE)
    assert hr.outlier_scores(runtime, TABLE) == pytest.approx(scores, abs=1e-6)
    loaded = hr.load(tmp_path / "models")
    assert np.array_equal(loaded.predict(TABLE), predicted)
    before = predicted.to_numpy()
    loaded.train(TABLE.sample(fraction=0.8, seed=3))
    assert (loaded.predict(TABLE).to_numpy() == before).mean() > 0.9


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (np.zeros((0, 2)), "but there are 0 rows"),
        (np.full((30, 2), np.nan), "a value is missing"),
        (np.zeros((30, 0)), "got no columns"),
    ],
)
def test_bad_rows_are_named(clusterer: ClusterStep, rows: NDArray[np.float64], text: str) -> None:
    with pytest.raises(DataError, match=text):
        clusterer.fit_matrix(rows)


def test_equal_rows_are_no_clusters(clusterer: ClusterStep) -> None:
    if isinstance(clusterer, hr.HDBSCAN):
        with pytest.raises(DataError, match="dense enough"):
            clusterer.fit_matrix(np.random.default_rng(0).uniform(size=(30, 2)))
    else:
        with pytest.raises(DataError, match="3 different rows, but there is 1 different row"):
            clusterer.fit_matrix(np.ones((30, 2)))


def test_what_is_not_fitted_says_so(clusterer: ClusterStep) -> None:
    with pytest.raises(NotTrainedError, match="has no clusters yet"):
        clusterer.predict(ROWS)


def test_a_pipeline_with_a_target_has_no_outliers(
    trained: hr.Pipeline, fresh: pl.DataFrame
) -> None:
    with pytest.raises(NotTrainedError, match="has no clusters"):
        hr.outlier_scores(trained, fresh)


def test_only_centres_follow_a_stream() -> None:
    pipe = pipeline(hr.GaussianMixture(2))
    pipe.train(TABLE)
    with pytest.raises(SettingError, match=r"only the centres of hr\.KMeans follow"):
        hr.update_clusters(pipe, TABLE)


def test_clusters_follow_a_stream() -> None:
    pipe = pipeline(hr.KMeans(3))
    pipe.train(TABLE)
    before = pipe.predict(TABLE)
    for step in range(20):
        moved = TABLE.with_columns(pl.col("y") + 0.25 * step)
        hr.update_clusters(pipe, moved, half_life=600)
    assert (pipe.predict(moved) == before).mean() > 0.99
    assert np.median(hr.outlier_scores(pipe, moved)) < 0.7
