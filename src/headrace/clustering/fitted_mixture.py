"""The clusters of a Gaussian mixture: the most likely component decides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from headrace.clustering.fitted import FittedClusters, matrix_of, parts_of_rows
from headrace.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["FittedMixture"]


@dataclass(frozen=True, eq=False, repr=False)
class FittedMixture(FittedClusters):
    """Normal distributions, each with a share of the rows.

    Its distance is the negative logarithm of a component's share times its density: the smaller,
    the more likely it is that the row came from there. It can be negative.

    Attributes:
        factors: (clusters, columns, columns) Cholesky factors of the inverse covariances.
        shares: (clusters,) the share of the rows of each; they sum to 1.

    Example:
        >>> one = FittedMixture(np.array([[0.0], [4.0]]), 0.0, np.array([1, 1]), 1,
        ...     factors=np.array([[[1.0]], [[0.5]]]), shares=np.array([0.5, 0.5]))
        >>> one.predict(np.array([[1.0], [-5.0], [9.0]])).tolist()
        [0, 1, 1]
    """

    factors: NDArray[np.float64] = field(kw_only=True)
    shares: NDArray[np.float64] = field(kw_only=True)

    kind: ClassVar[str] = "mixture"

    def distances(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the negative logarithm of share times density, (rows, clusters)."""
        rows = matrix_of(matrix, width=self.centres.shape[1])
        made = [self._of_part(part) for part in parts_of_rows(rows)]
        return np.concatenate(made) if made else np.zeros((0, len(self.centres)))

    def probabilities(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer how likely it is that each row came from each component, (rows, clusters)."""
        found = -self.distances(matrix)
        likely = np.exp(found - found.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = likely / likely.sum(axis=1, keepdims=True)
        return probabilities

    def tensorflow(self, matrix: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer `cluster` (rows,) int64 and `distances` (rows, clusters) float64, in a graph."""
        import tensorflow as tf

        columns = [
            tf.reduce_sum(tf.square(tf.matmul(matrix - centre, tf.constant(factor))), axis=1) / 2
            + constant
            for centre, factor, constant in zip(
                self.centres, self.factors, self._constants(), strict=True
            )
        ]
        distances = tf.stack(columns, axis=1)
        return {"cluster": tf.argmin(distances, axis=1), "distances": distances}

    def extra(self) -> dict[str, Any]:
        """Answer the covariances and the shares."""
        return {"factors": self.factors, "shares": self.shares}

    @classmethod
    def _restored(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        factors = np.array(data["factors"], dtype=np.float64)
        shares = np.array(data["shares"], dtype=np.float64)
        clusters, columns = np.shape(data["centres"])
        if factors.shape != (clusters, columns, columns) or shares.shape != (clusters,):
            raise ReleaseError(
                f"the clusters cannot be rebuilt: covariances of shape {factors.shape}, shares of "
                f"shape {shares.shape} for {clusters} clusters in {columns} columns"
            )
        return {"factors": factors, "shares": shares}

    def ordered(self, order: Sequence[int]) -> Self:
        """Answer the same clusters in another order."""
        places = np.asarray(order, dtype=np.intp)
        found = super().ordered(order)
        return replace(found, factors=self.factors[places], shares=self.shares[places])

    def _of_part(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.empty((len(rows), len(self.centres)))
        for place, (centre, factor) in enumerate(zip(self.centres, self.factors, strict=True)):
            found[:, place] = (((rows - centre) @ factor) ** 2).sum(axis=1) / 2
        return found + self._constants()

    def _constants(self) -> NDArray[np.float64]:
        """Answer what of a distance does not depend on the row."""
        diagonals = np.diagonal(self.factors, axis1=1, axis2=2)
        scale = len(self.centres[0]) * np.log(2 * np.pi) / 2
        with np.errstate(divide="ignore"):  # a component without rows is infinitely far
            constants: NDArray[np.float64] = (
                scale - np.log(diagonals).sum(axis=1) - np.log(self.shares)
            )
        return np.minimum(constants, 1e300)
