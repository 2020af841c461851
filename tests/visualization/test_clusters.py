from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.decomposition import PCA

from headrace.errors import SettingError
from headrace.visualization import cluster_scatter, silhouette

POINTS = np.array([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0], [8.0, 9.0]])
LABELS = [0, 0, 1, 1]


def test_the_picture_has_title_axis_labels_and_legend() -> None:
    ax = cluster_scatter(POINTS, LABELS, [[0.5, 0.5], [8.5, 9]], columns=["x", "y"], title="Two")
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == ("Two", "x", "y")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["0 · 2 rows", "1 · 2 rows", "centre"]
    assert ax.get_legend().get_title().get_text() == "cluster"


def test_clusters_differ_in_colour_and_in_shape() -> None:
    first, second = cluster_scatter(POINTS, LABELS).collections
    assert not np.array_equal(first.get_facecolor(), second.get_facecolor())
    assert len(first.get_paths()[0].vertices) != len(second.get_paths()[0].vertices)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_data_frame_names_its_columns(frame: type) -> None:
    ax = cluster_scatter(frame({"lon": [0, 1], "lat": [2, 3]}), [0, 1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("lon", "lat")


def test_more_columns_are_projected_as_scikit_learn_does(random: np.random.Generator) -> None:
    points = random.normal(size=(60, 5)) * [5, 3, 1, 1, 1] + 100
    ax = cluster_scatter(points, np.zeros(60, int))
    drawn = np.asarray(ax.collections[0].get_offsets())
    expected = PCA(2).fit(points)
    np.testing.assert_allclose(np.abs(drawn), np.abs(expected.transform(points)), atol=1e-9)
    share = expected.explained_variance_ratio_[0]
    assert ax.get_xlabel() == f"principal component 1 ({share:.0%} of the variance)"


def test_a_result_carries_its_own_points() -> None:
    result = SimpleNamespace(
        matrix=POINTS, labels=LABELS, centres=None, silhouettes=np.array([0.5, 0.4, 0.9, 0.8])
    )
    assert len(cluster_scatter(result).collections) == 2
    assert silhouette(result).get_title(loc="right") == "mean 0.650 · 4 rows"


def test_points_without_a_cluster_and_many_clusters() -> None:
    named = cluster_scatter(POINTS, [-1, 0, 0, 0]).get_legend().get_texts()
    assert named[0].get_text() == "none · 1 rows"
    many = cluster_scatter(np.tile(POINTS, (10, 1)), np.arange(40))
    assert many.get_legend() is None
    many.figure.savefig(BytesIO())


def test_many_points_are_thinned_but_counted(random: np.random.Generator) -> None:
    ax = cluster_scatter(random.random((50_000, 2)), random.integers(0, 3, 50_000))
    assert sum(len(c.get_offsets()) for c in ax.collections) < 7_000
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sum(int(name.split("·")[1].split()[0].replace(",", "")) for name in shown) == 50_000


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingError, match=r"two or more columns\), received \(4, 1\)"):
        cluster_scatter(POINTS[:, :1], LABELS)
    with pytest.raises(SettingError, match="4 points for 3 labels"):
        cluster_scatter(POINTS, LABELS[:3])
    with pytest.raises(SettingError, match="2 silhouettes for 4 labels"):
        silhouette([0.1, 0.2], LABELS)
