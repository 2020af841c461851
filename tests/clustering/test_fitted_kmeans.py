from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from headrace.clustering.fitted import FittedClusters
from headrace.clustering.kmeans import KMeans
from headrace.errors import ReleaseError, SettingError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rows_of(count: int, seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return random.normal(size=(count, 2)) + 10 * random.integers(0, 2, (count, 1))


def test_outlier_scores_of_new_rows_are_spread_evenly() -> None:
    fitted = KMeans(2, random_state=0).fit_matrix(rows_of(20_000, 0))
    scores = fitted.outlier_score(rows_of(20_000, 1))
    assert np.quantile(scores, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.02)
    assert fitted.outlier_score(np.array([[500.0, -500.0]])).tolist() == [1.0]
    assert (fitted.outlier_score(fitted.centres) < 0.02).all()


def test_equal_rows_are_in_the_middle_of_their_cluster() -> None:
    fitted = KMeans(2, random_state=0).fit_matrix(np.array([[0.0], [0.0], [9.0], [9.0]]))
    assert fitted.outlier_score(np.array([[0.0], [9.0]])).tolist() == [0.5, 0.5]


def test_centres_follow_rows_that_drift_when_they_forget() -> None:
    first = KMeans(2, random_state=0).fit_matrix(rows_of(5_000, 0))
    keeping, forgetting = first, first
    for step in range(20):
        part = rows_of(500, step) + np.array([0.2 * step, 0])
        keeping = keeping.partial_fit(part)
        forgetting = forgetting.partial_fit(part, half_life=1_000)
    truth = first.centres + np.array([0.2 * 19, 0])
    assert np.abs(forgetting.centres - truth).max() < np.abs(keeping.centres - truth).max()
    assert np.abs(forgetting.centres - truth).max() < 1.0
    assert keeping.sizes.sum() == 15_000
    assert forgetting.sizes.sum() < 5_000


def test_no_further_rows_change_nothing() -> None:
    fitted = KMeans(2, random_state=0).fit_matrix(rows_of(50, 0))
    assert fitted.partial_fit(np.empty((0, 2))) is fitted


def test_a_half_life_is_above_0() -> None:
    fitted = KMeans(2, random_state=0).fit_matrix(rows_of(50, 0))
    with pytest.raises(SettingError, match="half_life is a number of rows above 0, received 0"):
        fitted.partial_fit(rows_of(5, 1), half_life=0)


def test_older_releases_do_not_know_their_reach() -> None:
    stored = KMeans(2, random_state=0).fit_matrix(rows_of(50, 0)).to_dict()
    old = FittedClusters.from_dict({k: v for k, v in stored.items() if k not in {"kind", "reach"}})
    with pytest.raises(SettingError, match="saved before outlier scores came"):
        old.outlier_score(rows_of(5, 1))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ReleaseError, match="their kind is 'spectral', not kmeans, mixture"):
        FittedClusters.from_dict({"kind": "spectral"})
