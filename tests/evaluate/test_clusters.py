from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from headrace.errors import DataError, SettingError
from headrace.evaluate.clusters import evaluate_clusters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.evaluate.result import ClusterEvaluation

RANDOM = np.random.default_rng(0)
APART = np.concatenate([RANDOM.normal(centre, 1, (60, 2)) for centre in (0, 10, 20)])
UNIFORM = RANDOM.random((200, 2))


def clustered(
    rows: NDArray[Any], clusters: int = 3, **settings: Any
) -> tuple[Any, ClusterEvaluation]:
    fitted = KMeans(clusters, n_init=3, random_state=0).fit(rows)

    def refit(sample: NDArray[Any], seed: int) -> Any:
        return KMeans(clusters, n_init=1, random_state=seed).fit(sample).predict

    return fitted, evaluate_clusters(
        rows, fitted.labels_, fitted.cluster_centers_, refit=refit, **settings
    )


def test_figures_agree_with_scikit_learn() -> None:
    fitted, found = clustered(APART)
    functions = {
        "silhouette": silhouette_score,
        "davies_bouldin": davies_bouldin_score,
        "calinski_harabasz": calinski_harabasz_score,
    }
    for name, function in functions.items():
        metric = found.metrics[name]
        assert metric.value == pytest.approx(function(APART, fitted.labels_))
        assert metric.low < metric.value < metric.high
    assert found.inertia == pytest.approx(fitted.inertia_)
    assert sorted(found.sizes) == [60, 60, 60]
    assert found.clusters == 3


def test_clusters_that_are_there_are_found_again() -> None:
    _, found = clustered(APART)
    assert found.metrics["stability"].value > 0.99
    assert min(found.recovery) > 0.99


def test_clusters_of_uniform_rows_are_an_accident() -> None:
    _, found = clustered(UNIFORM, clusters=7)
    assert found.metrics["stability"].high < 0.9
    assert min(found.recovery) < 0.75
    assert found.metrics["silhouette"].high < 0.5


def test_without_clustering_again_there_is_no_stability() -> None:
    fitted = KMeans(3, n_init=1, random_state=0).fit(APART)
    found = evaluate_clusters(APART, fitted.labels_, fitted.cluster_centers_)
    assert "stability" not in found.metrics
    assert found.recovery == ()
    assert found.metrics["davies_bouldin"].note == "no interval without clustering again"
    assert found.metrics["davies_bouldin"].low == 0


def test_large_tables_are_sampled() -> None:
    _, found = clustered(APART, most_rows=50)
    assert found.rows == 180
    assert sum(found.sizes) == 180
    assert found.matrix.shape == (50, 2)
    assert "sample of 50 rows" in found.notes[0]


def test_one_cluster_says_why_there_is_no_figure() -> None:
    found = evaluate_clusters(APART, np.zeros(180, int), APART.mean(axis=0, keepdims=True))
    assert np.isnan(found.metrics["silhouette"].value)
    assert "at least two clusters" in found.metrics["silhouette"].note
    assert json.loads(json.dumps(found.to_dict()))["metrics"]["silhouette"]["value"] is None
    assert "–" in found.summary()


def test_empty_clusters_are_told() -> None:
    centres = np.array([[0.0, 0.0], [15.0, 15.0], [99.0, 99.0]])
    labels = np.repeat([0, 1], [60, 120])
    found = evaluate_clusters(APART, labels, centres)
    assert found.sizes == (60, 120, 0)
    assert found.notes == ("1 of 3 clusters have no row",)


def test_summary_and_html() -> None:
    _, found = clustered(APART, columns=["length", "width"], notes=["seen once"])
    assert found.summary().startswith("3 clusters of 180 rows, inertia ")
    assert "found again" in found.summary()
    assert found.summary().endswith("note: seen once")
    assert found._repr_html_().count("<table") == 2
    assert found.columns == ("length", "width")


@pytest.mark.parametrize(
    ("matrix", "labels", "centres", "text"),
    [
        (np.zeros(3), [0, 0, 0], [[0.0]], r"expected rows and columns to judge, received \(3,\)"),
        (np.array([[1.0], [np.nan]]), [0, 0], [[0.0]], "row 1: the rows must be finite"),
        (np.zeros((3, 1)), [0, 0], [[0.0]], "one cluster for each of 3 rows"),
        (np.zeros((3, 1)), [0, 0, 0], [[0.0, 1.0]], "centres must have the columns of the rows"),
        (np.zeros((3, 1)), [0, 0, 2], [[0.0], [1.0]], "numbered from 0 to 1"),
    ],
)
def test_bad_input_is_refused(
    matrix: NDArray[Any], labels: NDArray[Any], centres: NDArray[Any], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        evaluate_clusters(matrix, np.array(labels), np.array(centres))


def test_a_handful_of_refits_is_refused() -> None:
    with pytest.raises(SettingError, match="refits must be 20 or more"):
        clustered(APART, refits=3)
