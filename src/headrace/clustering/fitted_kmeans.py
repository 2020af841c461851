"""The clusters of k-means: rows around centres, the nearest one decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headrace.clustering.fitted import FittedClusters, matrix_of, parts_of_rows, reach_of
from headrace.errors import SettingError
from headrace.plan.distance import Distance, Nearest

if TYPE_CHECKING:
    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["FittedKMeans"]


@dataclass(frozen=True, eq=False, repr=False)
class FittedKMeans(FittedClusters):
    """Centres of clusters; see `FittedClusters` for what they hold.

    Example:
        >>> clusters = FittedKMeans(np.array([[0.0], [10.0]]), 0.0, np.array([1, 1]), 1)
        >>> clusters.predict(np.array([[1.0], [8.0]])).tolist()
        [0, 1]
        >>> clusters.distances(np.array([[1.0]])).tolist()
        [[1.0, 9.0]]
    """

    kind: ClassVar[str] = "kmeans"

    @classmethod
    def of(
        cls,
        rows: NDArray[np.float64],
        labels: NDArray[np.int64],
        centres: NDArray[np.float64],
        iterations: int = 1,
    ) -> FittedKMeans:
        """Answer the clusters of rows that were assigned to centres.

        Args:
            rows: (rows, columns).
            labels: (rows,) the cluster of each.
            centres: (clusters, columns).
            iterations: How many passes it took.
        """
        own = np.sqrt(((rows - centres[labels]) ** 2).sum(axis=1))
        return cls(
            centres,
            float((own**2).sum()),
            np.bincount(labels, minlength=len(centres)),
            iterations,
            labels,
            reach=reach_of(labels, own, len(centres)),
        )

    def distances(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the Euclidean distance of each row to each centre, (rows, clusters).

        Args:
            matrix: (rows, columns) without gaps.

        Raises:
            DataError: If the matrix does not fit the centres.
        """
        rows = matrix_of(matrix, width=self.centres.shape[1])
        made = [np.sqrt(_squares(part, self.centres)) for part in parts_of_rows(rows)]
        return np.concatenate(made) if made else np.zeros((0, len(self.centres)))

    def tensorflow(self, matrix: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer `cluster` (rows,) int64 and `distances` (rows, clusters) float64, in a graph."""
        import tensorflow as tf

        cluster = Nearest(self.centres).tensorflow(matrix)[:, 0]
        return {
            "cluster": tf.cast(cluster, tf.int64),
            "distances": Distance(self.centres).tensorflow(matrix),
        }

    def partial_fit(self, matrix: NDArray[Any], *, half_life: float | None = None) -> FittedKMeans:
        """Answer centres moved by further rows, each in proportion to the rows that it has.

        Mini-batch k-means: D. Sculley, "Web-Scale K-Means Clustering" (2010); a centre is the mean
        of all rows that were ever closest to it. With a half-life older rows count less and less,
        so that the centres follow rows that drift. The clusters keep their numbers.

        Args:
            matrix: (rows, columns) without gaps.
            half_life: After so many further rows a row counts half; None to forget nothing.

        Raises:
            SettingError: The half-life is not above 0.
        """
        if half_life is not None and not half_life > 0:
            raise SettingError(f"half_life is a number of rows above 0, received {half_life}")
        rows = matrix_of(matrix, width=self.centres.shape[1])
        if not len(rows):
            return self
        weight = self.sizes * (1.0 if half_life is None else 0.5 ** (len(rows) / half_life))
        labels = self.predict(rows)
        added = np.bincount(labels, minlength=len(self.centres))
        sums = np.stack(
            [np.bincount(labels, column, len(self.centres)) for column in rows.T], axis=1
        )
        total = np.maximum(weight + added, 1e-300)[:, np.newaxis]
        moved = (self.centres * weight[:, np.newaxis] + sums) / total
        centres = np.where(added[:, np.newaxis] > 0, moved, self.centres)
        new = FittedKMeans.of(
            rows, FittedKMeans(centres, 0.0, added, 1).predict(rows), centres, self.iterations + 1
        )
        return FittedKMeans(
            centres,
            new.inertia,
            np.rint(weight + added).astype(np.int64),
            new.iterations,
            new.labels,
            reach=_mixed(self.reach, new.reach, weight, added),
        )

    def score(self, matrix: NDArray[Any]) -> float:
        """Answer the inertia of some rows: their summed squared distances to the nearest centre."""
        return float((self.distances(matrix).min(axis=1) ** 2).sum()) if len(matrix) else 0.0


def _mixed(
    before: NDArray[np.float64] | None,
    new: NDArray[np.float64] | None,
    weight: NDArray[np.float64],
    added: NDArray[np.int64],
) -> NDArray[np.float64] | None:
    """Answer the reach of old and new rows together, from that of each and how much they count."""
    if before is None or new is None:
        return None
    shares = np.linspace(0.0, 1.0, before.shape[1])
    found = before.copy()
    for cluster in np.flatnonzero(added):
        values = np.concatenate([before[cluster], new[cluster]])
        counts = np.repeat([weight[cluster], added[cluster]], before.shape[1])
        order = np.argsort(values, kind="stable")
        places = np.cumsum(counts[order]) - counts[order] / 2
        found[cluster] = np.interp(shares, places / counts.sum(), values[order])
    return found


def _squares(rows: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum squared differences: exact near a centre, where products lose half of the digits."""
    squares = np.empty((len(rows), len(centres)))
    for place, centre in enumerate(centres):
        gaps = rows - centre
        squares[:, place] = np.einsum("ij,ij->i", gaps, gaps)
    return squares
