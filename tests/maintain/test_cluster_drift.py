from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.clustering.kmeans import KMeans
from headrace.errors import DataError, NotTrainedError, SettingError
from headrace.maintain.cluster_drift import clusters_drifted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MIDDLES = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])


def rows(
    count: int, seed: int, *, shares: tuple[float, ...] = (0.3, 0.3, 0.4), spread: float = 1.0
) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return MIDDLES[random.choice(3, count, p=shares)] + random.normal(0, spread, (count, 2))


@pytest.mark.parametrize("count", [60, 2_000])
def test_unchanged_rows_raise_the_stated_share_of_alarms(count: int) -> None:
    alarms = 0
    for seed in range(150):
        clusters = KMeans(3, n_init=1).fit_matrix(rows(1_000, 2 * seed))
        new = clusters.distances(rows(count, 2 * seed + 1))
        alarms += clusters_drifted(clusters, new, false_alarm_rate=0.05, smallest_effect=0).alarm
    assert alarms <= 18  # 7.5 expected at 5 %


def test_other_shares_and_other_places_are_told_apart() -> None:
    clusters = KMeans(3).fit_matrix(rows(3_000, 0))
    shares = clusters_drifted(clusters, clusters.distances(rows(1_000, 1, shares=(0.6, 0.2, 0.2))))
    assert shares.alarm
    assert "their shares changed" in shares.sentence()
    assert "rows lie elsewhere" not in shares.sentence()
    places = clusters_drifted(clusters, clusters.distances(rows(1_000, 1, spread=1.5)))
    assert places.alarm
    assert "their shares changed" not in places.sentence()
    assert places.far > 0.03
    assert places.far_low < places.far < places.far_high


def test_small_changes_raise_no_alarm() -> None:
    clusters = KMeans(3).fit_matrix(rows(50_000, 0))
    drift = clusters_drifted(
        clusters, clusters.distances(rows(50_000, 1, shares=(0.31, 0.3, 0.39)))
    )
    assert drift.share_p < 0.01
    assert not drift.alarm


def test_a_release_knows_enough(tmp_path: Path) -> None:
    pipe = hr.Pipeline([hr.normalize.Standardize(), hr.KMeans(3)])
    table = pl.DataFrame(rows(2_000, 0), schema=["x", "y"], orient="row")
    new = pl.DataFrame(rows(500, 1, spread=2), schema=["x", "y"], orient="row")
    pipe.train(table)
    pipe.deploy(tmp_path / "models")
    here, there = (
        hr.cluster_drift(pipe, new),
        hr.cluster_drift(hr.Runtime(tmp_path / "models"), new),
    )
    assert here.alarm
    assert there.shares == here.shares
    assert there.distance_p == pytest.approx(here.distance_p)
    assert json.loads(json.dumps(here.to_dict(), allow_nan=False))["alarm"] is True
    assert "the chance of a false alarm is at most 1 %" in here.summary()


def test_an_empty_cluster_and_one_row() -> None:
    clusters = KMeans(3).fit_matrix(rows(3_000, 0))
    drift = clusters_drifted(clusters, clusters.distances(np.zeros((1, 2))))
    assert not drift.alarm
    assert sorted(one.rows for one in drift.shares) == [0, 0, 1]


def test_noise_is_in_no_cluster() -> None:
    clusters = hr.HDBSCAN(50).fit_matrix(rows(1_000, 0))
    drift = clusters_drifted(clusters, clusters.distances(np.full((20, 2), 1e3)))
    assert [one.rows for one in drift.shares] == [0, 0, 0]


def test_bad_input_is_named(trained: hr.Pipeline, fresh: pl.DataFrame) -> None:
    clusters = KMeans(3).fit_matrix(rows(300, 0))
    with pytest.raises(DataError, match="there are no new rows to compare"):
        clusters_drifted(clusters, np.zeros((0, 3)))
    with pytest.raises(SettingError, match="false_alarm_rate must be at least 0 and under 1"):
        clusters_drifted(clusters, np.zeros((1, 3)), false_alarm_rate=1)
    with pytest.raises(NotTrainedError, match="no clusters"):
        hr.cluster_drift(trained, fresh)


def test_the_picture_names_clusters() -> None:
    clusters = KMeans(3).fit_matrix(rows(300, 0))
    axes = clusters_drifted(clusters, clusters.distances(rows(300, 1))).plot()
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["cluster 0", "cluster 1", "cluster 2"]
    assert axes.get_title(loc="left") == "Clusters as in training"
