"""The clusters of HDBSCAN: regions of many rows, of any shape, with noise between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from headrace.clustering.fitted import NOISE, FittedClusters, matrix_of
from headrace.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["FittedDensity"]

_PIECE = 8_192  # rows
_SAME = 1e-12
"""Squares below this share of the largest one are lost in rounding: they count as 0."""


@dataclass(frozen=True, eq=False, repr=False)
class FittedDensity(FittedClusters):
    """Rows that stand for the clusters, and how far around them a cluster reaches.

    A row's distance to a cluster is that to the nearest row that stands for it, in units of the
    cluster's own reach; so a row farther than 1 from all of them is noise.

    Attributes:
        prototypes: (prototypes, columns) the rows that stand for the clusters, sorted by cluster.
        counts: (clusters,) how many of them each cluster has.
        radii: (clusters,) how far around them each reaches.
        agreement: The share of the training rows to which this gives what HDBSCAN gave.

    Example:
        >>> found = FittedDensity(np.array([[0.0], [9.0]]), 0.0, np.array([5, 5]), 1,
        ...     prototypes=np.array([[0.0], [9.0]]), counts=np.array([1, 1]),
        ...     radii=np.array([1.0, 2.0]))
        >>> found.predict(np.array([[0.5], [7.5], [4.0]])).tolist()
        [0, 1, -1]
    """

    prototypes: NDArray[np.float64] = field(kw_only=True)
    counts: NDArray[np.int64] = field(kw_only=True)
    radii: NDArray[np.float64] = field(kw_only=True)
    agreement: float = field(default=1.0, kw_only=True)

    kind: ClassVar[str] = "hdbscan"

    def distances(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the distance of each row to each cluster in its reaches, (rows, clusters)."""
        rows = matrix_of(matrix, width=self.centres.shape[1])
        made = [
            self._of_piece(rows[start : start + _PIECE]) for start in range(0, len(rows), _PIECE)
        ]
        return np.concatenate(made) if made else np.zeros((0, len(self.centres)))

    def assign(self, distances: NDArray[np.float64]) -> NDArray[np.int64]:
        """Answer the cluster of rows whose distances are known, (rows,); -1 for noise."""
        return np.where(distances.min(axis=1) > 1, NOISE, super().assign(distances))

    def tensorflow(self, matrix: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer `cluster` (rows,) int64 and `distances` (rows, clusters) float64, in a graph."""
        import tensorflow as tf

        points, origin = self._points()
        rows = matrix - origin
        squares = (
            tf.reduce_sum(rows * rows, axis=1, keepdims=True)
            - 2 * tf.matmul(rows, tf.constant(points.T))
            + (points**2).sum(axis=1)
        )
        least = [
            tf.reduce_min(part, axis=1) for part in tf.split(squares, self.counts.tolist(), axis=1)
        ]
        squares = tf.stack(least, axis=1)
        squares = tf.where(squares < _lost(points), tf.constant(0.0, tf.float64), squares)
        distances = tf.sqrt(squares) / self.radii
        noise = tf.reduce_min(distances, axis=1) > 1
        nearest = tf.argmin(distances, axis=1)
        return {
            "cluster": tf.where(noise, tf.constant(NOISE, tf.int64), nearest),
            "distances": distances,
        }

    def extra(self) -> dict[str, Any]:
        """Answer the rows that stand for the clusters, and their reach."""
        names = ("prototypes", "counts", "radii", "agreement")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def _restored(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        prototypes = np.array(data["prototypes"], dtype=np.float64)
        counts = np.array(data["counts"], dtype=np.int64)
        radii = np.array(data["radii"], dtype=np.float64)
        clusters, columns = np.shape(data["centres"])
        fits = prototypes.shape == (counts.sum(), columns) and radii.shape == (clusters,)
        if not fits or counts.shape != (clusters,) or (counts < 1).any() or (radii <= 0).any():
            raise ReleaseError(
                f"the clusters cannot be rebuilt: {prototypes.shape} rows for counts "
                f"{counts.tolist()} of {clusters} clusters in {columns} columns"
            )
        agreement = float(data["agreement"])
        return {"prototypes": prototypes, "counts": counts, "radii": radii, "agreement": agreement}

    def ordered(self, order: Sequence[int]) -> Self:
        """Answer the same clusters in another order."""
        places = np.asarray(order, dtype=np.intp)
        parts = np.split(self.prototypes, np.cumsum(self.counts)[:-1])
        return replace(
            super().ordered(order),
            prototypes=np.concatenate([parts[place] for place in places]),
            counts=self.counts[places],
            radii=self.radii[places],
        )

    def _points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # Seen from their middle, products of coordinates keep their digits.
        origin = self.prototypes.mean(axis=0)
        return self.prototypes - origin, origin

    def _of_piece(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        points, origin = self._points()
        rows = rows - origin
        squares = (
            (rows * rows).sum(axis=1, keepdims=True) - 2 * rows @ points.T + (points**2).sum(axis=1)
        )
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        least = np.minimum.reduceat(squares, starts, axis=1)
        least[least < _lost(points)] = 0.0
        distances: NDArray[np.float64] = np.sqrt(least) / self.radii
        return distances


def _lost(points: NDArray[np.float64]) -> float:
    return float(_SAME * (points**2).sum(axis=1).max())
