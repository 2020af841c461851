"""Clusters that were found: centres, and the way from rows to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import DataError, Problem, ReleaseError
from headrace.plan.distance import Distance, Nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["FittedKMeans", "matrix_of"]

_CHUNK_ROWS = 100_000
_TIE = 1 + 1e-12


@dataclass(frozen=True, eq=False)
class FittedKMeans:
    """Centres of clusters.

    Attributes:
        centres: (clusters, columns).
        inertia: Sum over the training rows of the squared distance to the nearest centre.
        sizes: (clusters,) training rows of each.
        iterations: How many passes it took.
        labels: (training rows,) the cluster of each, from 0; None in a loaded release.

    Example:
        >>> clusters = FittedKMeans(np.array([[0.0], [10.0]]), 0.0, np.array([1, 1]), 1)
        >>> clusters.predict(np.array([[1.0], [8.0]])).tolist()
        [0, 1]
        >>> clusters.distances(np.array([[1.0]])).tolist()
        [[1.0, 9.0]]
    """

    centres: NDArray[np.float64]
    inertia: float
    sizes: NDArray[np.int64]
    iterations: int
    labels: NDArray[np.int64] | None = None

    def distances(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the Euclidean distance of each row to each centre, (rows, clusters).

        Args:
            matrix: (rows, columns) without gaps.

        Raises:
            DataError: If the matrix does not fit the centres.
        """
        return np.sqrt(self._squares(matrix))

    def predict(self, matrix: NDArray[Any]) -> NDArray[np.int64]:
        """Answer the nearest centre of each row, (rows,); the first one of a tie."""
        return _first_nearest(self._squares(matrix))

    def _squares(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        rows = matrix_of(matrix, width=self.centres.shape[1])
        made = [_squares(part, self.centres) for part in _parts(rows)]
        return np.concatenate(made) if made else np.zeros((0, len(self.centres)))

    def nearest(self) -> Nearest:
        """Answer the operation from a row's columns to its cluster, for the deployed graph."""
        return Nearest(self.centres)

    def distance(self) -> Distance:
        """Answer the operation from a row's columns to its distances."""
        return Distance(self.centres)

    def partial_fit(self, matrix: NDArray[Any]) -> FittedKMeans:
        """Answer centres moved by further rows, each in proportion to the rows that it has.

        Mini-batch k-means: D. Sculley, "Web-Scale K-Means Clustering" (2010); a centre is the mean
        of all rows that were ever closest to it.

        Args:
            matrix: (rows, columns) without gaps.
        """
        rows = matrix_of(matrix, width=self.centres.shape[1])
        labels = self.predict(rows)
        added = np.bincount(labels, minlength=len(self.centres))
        sums = np.zeros_like(self.centres)
        np.add.at(sums, labels, rows)
        sizes = self.sizes + added
        share = 1 / np.maximum(sizes, 1)[:, np.newaxis]
        moved = (self.centres * self.sizes[:, np.newaxis] + sums) * share
        centres = np.where(added[:, np.newaxis] > 0, moved, self.centres)
        new = FittedKMeans(centres, self.inertia, sizes, self.iterations + 1)
        return FittedKMeans(centres, new.score(rows), sizes, new.iterations, new.predict(rows))

    def score(self, matrix: NDArray[Any]) -> float:
        """Answer the inertia of some rows: their summed squared distances to the nearest centre."""
        return float(self._squares(matrix).min(axis=1).sum()) if len(matrix) else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Answer the clusters as plain values and arrays; the training rows' labels stay behind."""
        return {
            "centres": self.centres,
            "inertia": self.inertia,
            "sizes": self.sizes,
            "iterations": self.iterations,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FittedKMeans:
        """Rebuild clusters from `to_dict` or from the JSON made of it.

        Raises:
            ReleaseError: If the values describe no clusters.
        """
        try:
            centres = np.array(data["centres"], dtype=np.float64)
            sizes = np.array(data["sizes"], dtype=np.int64)
            found = cls(centres, float(data["inertia"]), sizes, int(data["iterations"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ReleaseError(f"the clusters cannot be rebuilt: {error}") from error
        if centres.ndim != 2 or not len(centres) or sizes.shape != (len(centres),):
            raise ReleaseError(
                f"the clusters cannot be rebuilt: centres of shape {centres.shape}, "
                f"sizes of shape {sizes.shape}"
            )
        return found


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
        hint = "Fill gaps with clean.Impute() before KMeans"
        raise DataError([Problem(f"a value is {what}", column=str(column), row=row, hint=hint)])
    return rows


def _parts(rows: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(rows), _CHUNK_ROWS):
        yield rows[start : start + _CHUNK_ROWS]


def _first_nearest(squares: NDArray[np.float64]) -> NDArray[np.int64]:
    # As the operation Nearest does: what differs only by rounding is a tie.
    bound = squares.min(axis=1, keepdims=True) * _TIE
    nearest: NDArray[np.int64] = np.argmax(squares <= bound, axis=1)
    return nearest


def _squares(rows: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum squared differences: exact near a centre, where products lose half of the digits."""
    squares = np.empty((len(rows), len(centres)))
    for place, centre in enumerate(centres):
        gaps = rows - centre
        squares[:, place] = np.einsum("ij,ij->i", gaps, gaps)
    return squares
