"""HDBSCAN as clusterer: clusters of any shape, as many as there are, and noise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headrace.clustering.fitted import NOISE, matrix_of, reach_of
from headrace.clustering.fitted_density import FittedDensity
from headrace.clustering.step import ClusterStep
from headrace.errors import DataError, Problem, SettingError
from headrace.preprocessing.selector import numbers
from headrace.preprocessing.space import Integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.preprocessing.selector import ColumnChoice

__all__ = ["HDBSCAN"]

_LEAST_RADIUS = 1e-5
"""Of the largest coordinate: nearer rows cannot be told apart."""


class HDBSCAN(ClusterStep):
    """Find clusters as regions of many rows: scikit-learn's HDBSCAN (Campello et al., 2013).

    It finds how many there are, and rows between them are noise, cluster -1. HDBSCAN itself says
    nothing of new rows. Here each cluster keeps some of its rows that cover it evenly, and a new
    row belongs to the cluster whose rows it is nearest to, in units of how far the cluster's own
    rows are from them; farther than that it is noise. `found.agreement` says how much of the
    training rows that gives back.

    Args:
        min_cluster_size: Fewer rows are no cluster.
        min_samples: How many neighbours make a row part of a dense region; None for as many as
            `min_cluster_size`.
        cluster_selection_epsilon: Clusters nearer to each other than this are one.
        max_cluster_size: More rows are no cluster; None for any number.
        allow_single_cluster: Whether all rows may be one cluster.
        prototypes: How many rows may stand for all clusters together.
        columns: The columns in which clusters are looked for.

    Example:
        >>> random = np.random.default_rng(0)
        >>> rows = np.concatenate([random.normal(at, 0.3, (60, 2)) for at in (0, 5)])
        >>> found = HDBSCAN(10).fit(np.concatenate([rows, [[50.0, 50.0]]]))
        >>> len(found.cluster_centers_), int(found.labels_[-1])
        (2, -1)
    """

    title: ClassVar[str] = "hdbscan"

    def __init__(
        self,
        min_cluster_size: int = 5,
        *,
        min_samples: int | None = None,
        cluster_selection_epsilon: float = 0.0,
        max_cluster_size: int | None = None,
        allow_single_cluster: bool = False,
        prototypes: int = 1000,
        columns: ColumnChoice = numbers(),
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.cluster_selection_epsilon = cluster_selection_epsilon
        self.max_cluster_size = max_cluster_size
        self.allow_single_cluster = allow_single_cluster
        self.prototypes = prototypes
        self.columns = columns

    def fit_matrix(self, matrix: NDArray[Any], *, seed: int | None = 0) -> FittedDensity:
        """Find the clusters of some rows.

        Args:
            matrix: (rows, columns) without gaps.
            seed: Not used: nothing is left to chance.

        Raises:
            DataError: There are gaps, or no region is dense enough to be a cluster.
            SettingError: If scikit-learn refuses a parameter.
        """
        del seed
        from sklearn.cluster import HDBSCAN as Estimator  # noqa: N811

        rows = matrix_of(matrix)
        self._check_width(rows.shape[1])
        self._check_count("min_cluster_size", self.min_cluster_size, len(rows))
        self._check_count("prototypes", self.prototypes, self.prototypes)
        settings = {
            name: value
            for name, value in self.get_params().items()
            if name not in {"columns", "prototypes"}
        }
        try:
            labels = np.asarray(Estimator(**settings, copy=True).fit(rows).labels_, dtype=np.int64)
        except ValueError as error:
            raise SettingError(f"{self!r} cannot be used: {error}") from error
        if (labels < 0).all():
            text = f"none of {len(rows):,} rows is in a region dense enough for a cluster"
            hint = "Choose a smaller min_cluster_size, or allow_single_cluster=True"
            raise DataError([Problem(text, hint=hint)])
        return _fitted(rows, labels, self.prototypes)

    def search_space(self) -> Mapping[str, Any]:
        """Answer how small a cluster may be."""
        return {"min_cluster_size": Integer(5, 500, log=True)}


def _fitted(rows: NDArray[np.float64], labels: NDArray[np.int64], most: int) -> FittedDensity:
    clusters = int(labels.max()) + 1
    members = [rows[labels == cluster] for cluster in range(clusters)]
    sizes = np.array([len(part) for part in members])
    # Each gets as many as its share of the rows, but no more than half of them: how far the others
    # are tells how far it reaches.
    wanted = np.maximum(1, np.minimum(sizes // 2, most * sizes // sizes.sum()))
    chosen = [_spread(part, count) for part, count in zip(members, wanted.tolist(), strict=True)]
    plain = FittedDensity(
        np.stack([part.mean(axis=0) for part in members]),
        float(sum(((part - part.mean(axis=0)) ** 2).sum() for part in members)),
        sizes,
        1,
        prototypes=np.concatenate(chosen),
        counts=np.array([len(part) for part in chosen]),
        radii=np.ones(clusters),
    )
    apart = plain.distances(rows)
    least = _LEAST_RADIUS * float(np.abs(plain.prototypes).max())
    radii = np.array([_radius(apart[:, c], labels, c) for c in range(clusters)])
    radii = np.maximum(radii, least or 1.0)  # of a cluster of equal rows
    found = replace(plain, radii=radii)
    distances = apart / radii
    given, known = found.assign(distances), labels >= 0
    own = distances[known, labels[known]]
    return replace(
        found,
        labels=labels,
        reach=reach_of(labels[known], own, clusters),
        agreement=float((given == labels).mean()),
    )


def _spread(rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Answer rows that cover all of them: each next one is the farthest from those before.

    T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance" (1985).
    """
    if count >= len(rows):
        return rows
    first = int(((rows - rows.mean(axis=0)) ** 2).sum(axis=1).argmin())
    chosen = [first]
    least = ((rows - rows[first]) ** 2).sum(axis=1)
    for _ in range(count - 1):
        chosen.append(int(least.argmax()))
        least = np.minimum(least, ((rows - rows[chosen[-1]]) ** 2).sum(axis=1))
    return rows[chosen]


def _radius(apart: NDArray[np.float64], labels: NDArray[np.int64], cluster: int) -> float:
    """Answer the distance that tells the rows of a cluster from noise with the fewest errors."""
    inside, outside = np.sort(apart[labels == cluster]), np.sort(apart[labels == NOISE])
    misses = len(inside) - np.arange(1, len(inside) + 1)
    wrong = misses + np.searchsorted(outside, inside, side="right")
    # Of several as good ones the farthest: what lies between is nobody's else.
    # A little farther: the last row inside must not hang on the last bit.
    return float(inside[len(wrong) - 1 - int(wrong[::-1].argmin())]) * (1 + 1e-6)
