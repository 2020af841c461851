"""Sums over all workers: TensorFlow's collectives under `MultiWorkerMirroredStrategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.backend import keras, tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Sums"]

_PATIENCE = 600.0
"""Seconds that a worker waits for the others in one sum; a dead one is noticed much earlier."""


class Sums:
    """The sum of a block of numbers over all workers.

    Every worker gets the same sum, to the bit: each element is added up in one place and passed on
    from there (a ring on CPUs, NCCL on GPUs). All workers must ask for the same sums in the same
    order.

    The cluster is that of the environment variable `TF_CONFIG`, which must be set before TensorFlow
    is imported.
    """

    def __init__(self) -> None:
        """Meet the other workers; this waits for all of them."""
        options = tensorflow().distribute.experimental.CommunicationOptions(
            timeout_seconds=_PATIENCE
        )
        self._strategy = tensorflow().distribute.MultiWorkerMirroredStrategy(
            communication_options=options
        )
        self._eager = tensorflow().function(self.of, autograph=False)

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return int(self._strategy.num_replicas_in_sync)

    def of(self, block: Any) -> Any:
        """Answer the sum of a tensor over all workers; for use inside of a `tf.function`."""
        return self._strategy.run(_all_reduce, (block,))

    def of_array(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer the sum of an array over all workers."""
        tf = tensorflow()
        return np.asarray(self._eager(tf.constant(block, tf.float32)), dtype=np.float32)

    def of_variables(self, variables: Iterable[Any]) -> None:
        """Replace each variable by its sum over all workers."""
        listed = list(variables)
        if not listed:
            return
        values = [keras().ops.convert_to_numpy(variable) for variable in listed]
        total = self.of_array(np.concatenate([np.float32(value).ravel() for value in values]))
        first = 0
        for variable, value in zip(listed, values, strict=True):
            part = total[first : first + value.size].reshape(value.shape)
            variable.assign(part.astype(value.dtype))
            first += value.size


def _all_reduce(block: Any) -> Any:
    tf = tensorflow()
    # The copy is made on this worker's device, which tells the strategy where the sum belongs.
    return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(block))
