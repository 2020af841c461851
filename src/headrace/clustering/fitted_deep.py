"""The clusters of an autoencoder's code: centres in a space that a network has learnt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headrace.clustering.fitted import FittedClusters, matrix_of, parts_of_rows
from headrace.errors import ReleaseError
from headrace.plan.distance import Distance, Nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["FittedDeep", "encoded"]


@dataclass(frozen=True, eq=False, repr=False)
class FittedDeep(FittedClusters):
    """Centres in the code of an encoder of dense layers.

    `centres` are the means of the clusters in the columns, for people; rows are assigned by the
    nearest centre of the code.

    Attributes:
        code_centres: (clusters, code) the centres in the code.
        kernels: For each layer its weights, (inputs, outputs); ReLU follows all but the last.
        biases: For each layer its constants, (outputs,).
        history: Of the training: for each phase its loss by epoch. Not stored.

    Example:
        >>> found = FittedDeep(np.array([[0.0], [9.0]]), 0.0, np.array([5, 5]), 1,
        ...     code_centres=np.array([[0.0], [18.0]]), kernels=(np.array([[2.0]]),),
        ...     biases=(np.zeros(1),))
        >>> found.predict(np.array([[1.0], [8.0]])).tolist()
        [0, 1]
    """

    code_centres: NDArray[np.float64] = field(kw_only=True)
    kernels: tuple[NDArray[np.float64], ...] = field(kw_only=True)
    biases: tuple[NDArray[np.float64], ...] = field(kw_only=True)
    history: Mapping[str, Sequence[float]] = field(default_factory=dict, kw_only=True)

    kind: ClassVar[str] = "deep"

    def code(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the code of rows, (rows, code)."""
        return encoded(matrix_of(matrix, width=len(self.kernels[0])), self.kernels, self.biases)

    def distances(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the Euclidean distance to each centre in the code, (rows, clusters)."""
        rows = matrix_of(matrix, width=len(self.kernels[0]))
        made = [_distances(self.code(part), self.code_centres) for part in parts_of_rows(rows)]
        return np.concatenate(made) if made else np.zeros((0, len(self.centres)))

    def tensorflow(self, matrix: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer `cluster` (rows,) int64 and `distances` (rows, clusters) float64, in a graph."""
        import tensorflow as tf

        code = matrix
        for place, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            code = tf.matmul(code, tf.constant(kernel)) + bias
            code = tf.maximum(code, 0.0) if place < len(self.kernels) - 1 else code
        cluster = Nearest(self.code_centres).tensorflow(code)[:, 0]
        return {
            "cluster": tf.cast(cluster, tf.int64),
            "distances": Distance(self.code_centres).tensorflow(code),
        }

    def extra(self) -> dict[str, Any]:
        """Answer the encoder and the centres of its code."""
        return {
            "code_centres": self.code_centres,
            "kernels": list(self.kernels),
            "biases": list(self.biases),
        }

    @classmethod
    def _restored(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        kernels = tuple(np.array(kernel, dtype=np.float64) for kernel in data["kernels"])
        biases = tuple(np.array(bias, dtype=np.float64) for bias in data["biases"])
        centres = np.array(data["code_centres"], dtype=np.float64)
        widths = [np.shape(data["centres"])[1], *(kernel.shape[-1] for kernel in kernels)]
        fits = all(
            kernel.shape == (before, after) and bias.shape == (after,)
            for kernel, bias, before, after in zip(
                kernels, biases, widths, widths[1:], strict=False
            )
        )
        whole = len(kernels) == len(biases) > 0
        if not fits or not whole or centres.shape != (len(data["centres"]), widths[-1]):
            raise ReleaseError(
                f"the clusters cannot be rebuilt: layers of {[k.shape for k in kernels]} and "
                f"centres of {centres.shape}"
            )
        return {"code_centres": centres, "kernels": kernels, "biases": biases}

    def ordered(self, order: Sequence[int]) -> FittedDeep:
        """Answer the same clusters in another order."""
        from dataclasses import replace

        places = np.asarray(order, dtype=np.intp)
        return replace(super().ordered(order), code_centres=self.code_centres[places])


def encoded(
    rows: NDArray[np.float64],
    kernels: Sequence[NDArray[np.float64]],
    biases: Sequence[NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Send rows through dense layers, ReLU behind all but the last."""
    code = rows
    for place, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        code = code @ kernel + bias
        code = np.maximum(code, 0.0) if place < len(kernels) - 1 else code
    return code


def _distances(code: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = code[:, np.newaxis, :] - centres
    distances: NDArray[np.float64] = np.sqrt((gaps**2).sum(axis=-1))
    return distances
