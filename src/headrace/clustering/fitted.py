"""Clusters that were found: what every kind of them can say about new rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from headrace.errors import DataError, Problem, ReleaseError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["NOISE", "FittedClusters", "matrix_of", "parts_of_rows", "reach_of"]

NOISE = -1
"""The number of rows that belong to no cluster."""

_CHUNK_ROWS = 100_000
# Distances of another order of summation differ in their last bits: what is closer is a tie.
_TIE = 5e-13
_SHARES = np.linspace(0.0, 1.0, 101)
_KINDS = {
    "kmeans": "headrace.clustering.fitted_kmeans.FittedKMeans",
    "mixture": "headrace.clustering.fitted_mixture.FittedMixture",
    "hdbscan": "headrace.clustering.fitted_density.FittedDensity",
    "deep": "headrace.clustering.fitted_deep.FittedDeep",
}


@dataclass(frozen=True, eq=False, repr=False)
class FittedClusters(ABC):
    """Clusters, whatever found them.

    Attributes:
        centres: (clusters, columns), the mean of each.
        inertia: Sum over the training rows of the squared distance to the own centre.
        sizes: (clusters,) training rows of each.
        iterations: How many passes it took.
        labels: (training rows,) the cluster of each, from 0; None where the rows were not held.
        reach: (clusters, 101) how far 0, 1, …, 100 % of the training rows of each cluster are from
            it at the most; None in a release of an older format.
    """

    centres: NDArray[np.float64]
    inertia: float
    sizes: NDArray[np.int64]
    iterations: int
    labels: NDArray[np.int64] | None = None
    reach: NDArray[np.float64] | None = field(default=None, kw_only=True)

    kind: ClassVar[str] = ""

    def __repr__(self) -> str:
        clusters, columns = self.centres.shape
        rows = int(self.sizes.sum())
        return f"{type(self).__name__}({clusters} clusters of {rows:,} rows in {columns} columns)"

    # -- what each kind says for itself ------------------------------------------------------

    @abstractmethod
    def distances(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer how far each row is from each cluster, (rows, clusters).

        Args:
            matrix: (rows, columns) without gaps.

        Raises:
            DataError: If the matrix does not fit the clusters.
        """

    @abstractmethod
    def tensorflow(self, matrix: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer `cluster` (rows,) int64 and `distances` (rows, clusters) float64, in a graph."""

    def extra(self) -> dict[str, Any]:
        """Answer what the kind stores beside centres, as plain values and arrays."""
        return {}

    @classmethod
    def _restored(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the fields that `extra` stored."""
        del data
        return {}

    def ordered(self, order: Sequence[int]) -> Self:
        """Answer the same clusters in another order.

        Args:
            order: For each new number the number it had.

        Example:
            >>> from headrace.clustering.fitted_kmeans import FittedKMeans
            >>> two = FittedKMeans(np.array([[0.0], [9.0]]), 0.0, np.array([3, 4]), 1)
            >>> two.ordered([1, 0]).centres.tolist()
            [[9.0], [0.0]]
        """
        places = np.asarray(order, dtype=np.intp)
        labels = self.labels
        if labels is not None:
            numbers = np.append(np.argsort(places), NOISE)  # the last one is that of noise, -1
            labels = numbers[labels]
        return replace(
            self,
            centres=self.centres[places],
            sizes=self.sizes[places],
            labels=labels,
            reach=None if self.reach is None else self.reach[places],
        )

    # -- what follows from it ----------------------------------------------------------------

    def predict(self, matrix: NDArray[Any]) -> NDArray[np.int64]:
        """Answer the cluster of each row, (rows,); the first one of a tie, -1 for noise."""
        return self.assign(self.distances(matrix))

    def assign(self, distances: NDArray[np.float64]) -> NDArray[np.int64]:
        """Answer the cluster of rows whose distances are known, (rows,)."""
        least = distances.min(axis=1, keepdims=True)
        nearest: NDArray[np.int64] = np.argmax(distances <= least + np.abs(least) * _TIE, axis=1)
        return nearest

    def outlier_score(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer how far out each row is in its cluster, (rows,) from 0 to 1.

        It is the share of the cluster's training rows that are nearer to it, so 0.99 means: one in
        a hundred rows of training was as far out. 1 is farther than all of them.

        Args:
            matrix: (rows, columns) without gaps.

        Raises:
            SettingError: The clusters are from a release that does not know their reach.
        """
        return self.outlier_score_of(self.distances(matrix))

    def outlier_score_of(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Answer `outlier_score` of rows whose distances are known, (rows,)."""
        if self.reach is None:
            raise SettingError(
                "these clusters were saved before outlier scores came: train the pipeline again"
            )
        nearest, scores = distances.argmin(axis=1), np.empty(len(distances))
        for cluster, reach in enumerate(self.reach):
            of_cluster = nearest == cluster
            scores[of_cluster] = _shares(reach, distances[of_cluster, cluster])
        return scores

    # -- stored ------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Answer the clusters as plain values and arrays; the training rows' labels stay behind."""
        return {
            "kind": self.kind,
            "centres": self.centres,
            "inertia": self.inertia,
            "sizes": self.sizes,
            "iterations": self.iterations,
            "reach": self.reach,
            **self.extra(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild clusters from `to_dict` or from the JSON made of it.

        Raises:
            ReleaseError: If the values describe no clusters.
        """
        kind: Any = cls if cls.kind else _kind(data.get("kind", "kmeans"))
        try:
            centres = np.array(data["centres"], dtype=np.float64)
            sizes = np.array(data["sizes"], dtype=np.int64)
            reach = data.get("reach")
            found: Self = kind(
                centres,
                float(data["inertia"]),
                sizes,
                int(data["iterations"]),
                reach=None if reach is None else np.array(reach, dtype=np.float64),
                **kind._restored(data),  # noqa: SLF001
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ReleaseError(f"the clusters cannot be rebuilt: {error}") from error
        if centres.ndim != 2 or not len(centres) or sizes.shape != (len(centres),):
            raise ReleaseError(
                f"the clusters cannot be rebuilt: centres of shape {centres.shape}, "
                f"sizes of shape {sizes.shape}"
            )
        return found


def _kind(name: object) -> type[FittedClusters]:
    """Answer the class of a kind, whose module is imported when it is needed."""
    if name not in _KINDS:
        known = ", ".join(_KINDS)
        raise ReleaseError(f"the clusters cannot be rebuilt: their kind is {name!r}, not {known}")
    module, _, found = _KINDS[str(name)].rpartition(".")
    kind: type[FittedClusters] = getattr(import_module(module), found)
    return kind


def matrix_of(data: Any, *, width: int | None = None) -> NDArray[np.float64]:
    """Answer rows of numbers as a (rows, columns) float64 matrix without gaps.

    Args:
        data: An array, a data frame, or nested lists.
        width: How many columns there must be.

    Raises:
        DataError: If it is no matrix, has another width, or a value is missing or infinite.
    """
    rows = np.asarray(data, dtype=np.float64)
    if rows.ndim != 2 or (width is not None and rows.shape[1] != width):
        columns = "any number of" if width is None else width
        raise DataError(
            [
                Problem(
                    f"expected rows of {columns} columns, received an array of shape {rows.shape}"
                )
            ]
        )
    bad = ~np.isfinite(rows)
    if bad.any():
        row, column = (int(place) for place in np.argwhere(bad)[0])
        what = "missing" if np.isnan(rows[row, column]) else "infinite"
        hint = "Fill gaps with clean.Impute() before the clusters"
        raise DataError([Problem(f"a value is {what}", column=str(column), row=row, hint=hint)])
    return rows


def parts_of_rows(rows: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Cut many rows into parts whose distances fit the memory."""
    for start in range(0, len(rows), _CHUNK_ROWS):
        yield rows[start : start + _CHUNK_ROWS]


def reach_of(
    labels: NDArray[np.int64], own: NDArray[np.float64], clusters: int
) -> NDArray[np.float64]:
    """Answer how far 0 to 100 % of the rows of each cluster are from it, (clusters, 101).

    Args:
        labels: (rows,) the cluster of each.
        own: (rows,) the distance to it.
        clusters: How many clusters there are; one without rows reaches nowhere.
    """
    found = np.zeros((clusters, len(_SHARES)))
    for cluster in range(clusters):
        distances = own[labels == cluster]
        if len(distances):
            found[cluster] = np.quantile(distances, _SHARES)
    return found


def _shares(reach: NDArray[np.float64], distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer the share of training rows that are nearer; of equally far ones half."""
    first = np.searchsorted(reach, distances, side="left")
    last = np.searchsorted(reach, distances, side="right")
    between: NDArray[np.float64] = np.interp(distances, reach, _SHARES)
    tied = (_SHARES[np.minimum(first, 100)] + _SHARES[np.maximum(last - 1, 0)]) / 2
    return np.where(last > first, tied, between)
