"""The step of several workers: gradients of the own rows, their sum over all, one update each.

Keras's optimizer would clip the gradients of each worker before it adds them up, and its `fit`
does not run under `MultiWorkerMirroredStrategy` (Keras 3). Here the gradients are added up first
and `optimizer.apply` then runs on each worker for itself, with the same numbers: the weights stay
equal, and they are those of one process with the whole batch. What is computed between two sums
is XLA's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.backend import tensorflow
from headrace.model.estimate import chunk_rows
from headrace.model.fused import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.model.parallel.shards import OwnSteps
    from headrace.model.parallel.sums import Sums
    from headrace.model.rows import Rows

__all__ = ["SharedAnswers", "SharedSteps", "SharedTest"]


class SharedSteps:
    """Optimiser steps that all workers take together.

    Attributes:
        done: How many steps of this epoch were taken.
        broken: Whether the loss of this epoch is no finite number any more.

    Args:
        model: Built and compiled, with the same weights on every worker.
        rows: The worker's own rows.
        sums: Over all workers.
    """

    def __init__(self, model: Any, rows: Rows, sums: Sums) -> None:
        """Put the rows into tensors; nothing is compiled yet."""
        tf = tensorflow()
        self._model = model
        self._sums = sums
        self._weighted = rows.weight is not None
        self._rows = tf.nest.map_structure(tf.constant, rows.keras())
        self._variables = list(model.trainable_variables)
        self._gradients = tf.function(self._own_gradients, jit_compile=True, autograph=False)
        self._apply = tf.function(self._update, jit_compile=True, autograph=False)
        self._many = tf.function(self._many_steps, autograph=False)
        self._own: tuple[Any, ...] = ()
        self._steps = 0
        self.done = 0
        self.broken = False

    def start_epoch(self, own: OwnSteps, step: int = 0) -> None:
        """Begin an epoch, or go on with it behind the given number of steps."""
        tf = tensorflow()
        self._own = (tf.constant(own.rows), tf.constant(own.counts), tf.constant(own.batches))
        self._steps = len(own.counts)
        self.done = step
        self.broken = False

    @property
    def over(self) -> bool:
        """Whether the epoch has no more steps, or none that make sense."""
        return self.broken or self.done >= self._steps

    def advance(self) -> None:
        """Take the next steps of the epoch: `STEPS`, or those that are left."""
        tf = tensorflow()
        last = min(self.done + STEPS, self._steps)
        reached = int(self._many(*self._own, tf.constant(self.done), tf.constant(last)))
        self.broken = reached < last
        self.done = last

    def _many_steps(self, rows: Any, counts: Any, batches: Any, first: Any, last: Any) -> Any:
        """Take steps until the last one, or until the loss is no finite number any more."""
        tf = tensorflow()

        def step(number: Any, sound: Any) -> Any:
            del sound
            own = self._gradients(rows[number], counts[number], batches[number])
            finite = self._apply(self._sums.of(own))
            return number + tf.cast(finite, number.dtype), finite

        number, _ = tf.while_loop(
            lambda number, sound: (number < last) & sound,
            step,
            [first, tf.constant(True)],
            parallel_iterations=1,  # the workers must ask for their sums in the same order
        )
        return number

    def _own_gradients(self, places: Any, count: Any, batch: Any) -> Any:
        """Answer the worker's part of the gradients, and of the loss behind them, as one block."""
        tf, model = tensorflow(), self._model
        inputs, target, *weight = tf.nest.map_structure(
            lambda block: tf.gather(block, places), self._rows
        )
        real = tf.cast(tf.range(tf.shape(places)[0]) < count, tf.float32)
        width, of_batch = tf.cast(tf.shape(places)[0], tf.float32), tf.cast(batch, tf.float32)
        with tf.GradientTape() as tape:
            output = model(inputs, training=True)
            mean = model.compute_loss(
                inputs, target, output, real * weight[0] if weight else real, training=True
            )
            # The mean over the padded part, as a part of the mean over the whole batch.
            loss = mean * (width / of_batch)
        found = tape.gradient(loss, [variable.value for variable in self._variables])
        self._count_metrics(mean * width, (inputs, target, output), real)
        return tf.concat([*map(_flat, found, self._variables), [loss]], axis=0)

    def _count_metrics(self, total: Any, batch: tuple[Any, Any, Any], real: Any) -> None:
        count = tensorflow().reduce_sum(real)
        mean = tensorflow().math.divide_no_nan(total, count)
        self._model._loss_tracker.update_state(mean, sample_weight=count)  # noqa: SLF001 - as Keras
        self._model.compute_metrics(*batch, sample_weight=real)

    def _update(self, block: Any) -> Any:
        """Take a step with the sum of the gradients; answer whether the loss is a number."""
        tf = tensorflow()
        sizes = [int(np.prod(variable.shape)) for variable in self._variables]
        *parts, loss = tf.split(block, [*sizes, 1])
        gradients = [
            tf.reshape(part, variable.shape)
            for part, variable in zip(parts, self._variables, strict=True)
        ]
        self._model.optimizer.apply(gradients, self._variables)
        return tf.math.is_finite(loss[0])


class SharedTest:
    """The validation of several workers: each passes over its own rows.

    Args:
        model: Built and compiled.
        rows: The worker's own validation rows; there may be none.
    """

    def __init__(self, model: Any, rows: Rows) -> None:
        """Put the rows into tensors; nothing is compiled yet."""
        self._model = model
        self._chunks = _chunks(model, rows)
        self._test = tensorflow().function(self._pass, jit_compile=True, autograph=False)

    def __call__(self) -> None:
        """Count the metrics of the worker's own rows."""
        for chunk in self._chunks:
            self._test(chunk)

    def _pass(self, chunk: Any) -> Any:
        tf, model = tensorflow(), self._model
        inputs, target, *weight = chunk
        output = model(inputs, training=False)
        loss = model.compute_loss(
            inputs, target, output, weight[0] if weight else None, training=False
        )
        rows = tf.cast(tf.shape(target)[0], tf.float32)
        model._loss_tracker.update_state(loss, sample_weight=rows)  # noqa: SLF001 - as Keras does
        model.compute_metrics(inputs, target, output, sample_weight=None)
        return tf.constant(0)


class SharedAnswers:
    """What the model says of all validation rows, each worker asking it for its own.

    Args:
        model: Built.
        rows: The worker's own rows; there may be none.
        place: Where they lie among all rows.
        count: All rows.
        sums: Over all workers.
    """

    def __init__(self, model: Any, rows: Rows, place: slice, count: int, sums: Sums) -> None:
        """Put the inputs into tensors; compiled when first called."""
        self._chunks = [chunk[0] for chunk in _chunks(model, rows)]
        self._place, self._shape = place, (count, int(model.output_shape[-1]))
        self._sums = sums
        forward = lambda inputs: model(inputs, training=False)  # noqa: E731
        self._forward = tensorflow().function(forward, jit_compile=True, autograph=False)

    def __call__(self) -> NDArray[np.float32]:
        """Answer the outputs of all rows, (rows, outputs), the same on every worker."""
        outputs = np.zeros(self._shape, dtype=np.float32)
        if self._chunks:
            own = [self._forward(chunk).numpy() for chunk in self._chunks]
            outputs[self._place] = np.concatenate(own)
        return self._sums.of_array(outputs)


def _chunks(model: Any, rows: Rows) -> Sequence[Any]:
    tf, size = tensorflow(), chunk_rows(model)
    return [
        tf.nest.map_structure(tf.constant, rows.keras(slice(first, first + size)))
        for first in range(0, len(rows), size)
    ]


def _flat(gradient: Any, variable: Any) -> Any:
    """Answer a gradient as one row; that of a table of vectors comes as the rows that it met."""
    tf = tensorflow()
    if gradient is None:
        return tf.zeros([int(np.prod(variable.shape))])
    return tf.reshape(tf.convert_to_tensor(gradient), [-1])
