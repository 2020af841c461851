"""The compiled loop: many optimiser steps in one XLA program, inside of Keras's own `fit`.

Keras's `fit` calls `model.train_function(iterator)` once for `steps_per_execution` steps and
`model.test_function(iterator)` likewise in validation. Both are replaced here by programs that
take their rows from tensors that stay in memory, so nothing is copied or started between steps.
Callbacks, history, `stop_training` and learning-rate schedules work as ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.model.backend import keras, tensorflow
from headrace.model.estimate import chunk_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.model.rows import Rows

__all__ = ["STEPS", "FusedAnswers", "FusedSteps", "FusedTest", "steps_an_epoch"]

STEPS = 64
"""Optimiser steps a call: long enough to hide the call, short enough to stop soon on Ctrl-C."""

_TIMED_STEPS = 16

_LEAST_LEFT = 0.05
"""Rows left over after the full batches get a batch of their own if they are a larger share."""


def steps_an_epoch(rows: int, batch_size: int) -> int:
    """Answer how many optimiser steps an epoch has.

    A few rows left over behind the full batches wait for the next epoch, whose order is another.

    Example:
        >>> steps_an_epoch(1000, 100), steps_an_epoch(1010, 100), steps_an_epoch(1090, 100)
        (10, 10, 11)
    """
    full, left = divmod(rows, batch_size)
    return full + (left > _LEAST_LEFT * rows)


class FusedSteps:
    """The train function of a compiled Keras model: some steps a call, over rows in memory.

    Attributes:
        broken: The step of this epoch, counted from 0, in which the loss was no finite number any
            more; None while it is one.
        done: How many steps of this epoch were taken.

    Args:
        model: Built and compiled.
        rows: The training rows.
        batch_size: Rows a step, at most the number of rows.
        seed: Of the order of the rows, which is new in each epoch.

    Raises:
        SettingError: The model is set to run eagerly.
    """

    def __init__(self, model: Any, rows: Rows, batch_size: int, seed: int) -> None:
        """Put the rows into tensors; nothing is compiled yet."""
        if model.run_eagerly:
            raise SettingError("it was set to run_eagerly, step by step in Python")
        tf = tensorflow()
        self._model = model
        self._batch = batch_size
        self._count = len(rows)
        self._rows = tf.nest.map_structure(tf.constant, rows.keras())
        self._random = np.random.default_rng(seed)
        self._full, left = divmod(self._count, batch_size)
        self._left = left if steps_an_epoch(self._count, batch_size) > self._full else 0
        self._many: Any = None
        self._last: Any = None
        self._order: Any = None
        self.done = 0
        self.broken: int | None = None

    @property
    def steps(self) -> int:
        """Optimiser steps an epoch."""
        return self._full + bool(self._left)

    def compile(self) -> None:
        """Compile by asking for no steps at all: no weight changes."""
        tf = tensorflow()
        order, none = tf.range(self._count), tf.constant(0)
        self._many = _program(self._many_steps, order, none, none)
        self._many(order, none, none)
        if self._left:
            self._last = _program(self._last_step, order)

    def pace(self) -> float:
        """Answer the seconds of one step, measured; no weight changes.

        Some steps are taken, and everything that they changed is put back.
        """
        tf, model = tensorflow(), self._model
        changed = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
        before = [keras().ops.convert_to_numpy(variable).copy() for variable in changed]
        order, none = tf.range(self._count), tf.constant(0)
        count = min(_TIMED_STEPS, self._full)
        began = time.perf_counter()
        self._many(order, none, tf.constant(count))
        seconds = time.perf_counter() - began
        for variable, value in zip(changed, before, strict=True):
            variable.assign(value)
        return seconds / count

    def start_epoch(self) -> None:
        """Put the rows into a new order."""
        order = self._random.permutation(self._count).astype(np.int32)
        self._order = tensorflow().constant(order)
        self.done = 0
        self.broken = None

    def rows_of(self, step: int) -> NDArray[np.intp]:
        """Answer which rows made up the batch of a step of this epoch."""
        first = step * self._batch
        last = first + self._batch if step < self._full else self._count
        return np.asarray(self._order[first:last], dtype=np.intp)

    def __call__(self, iterator: Any) -> Any:
        """Take the next steps and answer the metrics of the epoch so far."""
        del iterator
        tf = tensorflow()
        first, last = self.done, min(self.done + STEPS, self.steps)
        until = min(last, self._full)
        broken = int(self._many(self._order, tf.constant(first), tf.constant(until)))
        if broken < until:
            self.broken = broken
        elif last > self._full and not bool(self._last(self._order)):
            self.broken = self._full
        self.done = last
        return self._model.get_metrics_result()

    def _many_steps(self, order: Any, first: Any, last: Any) -> Any:
        """Take steps until the last one, or until the loss is no finite number any more."""
        tf = tensorflow()

        def step(number: Any, sound: Any) -> Any:
            del sound
            finite = self._train(tf.slice(order, [number * self._batch], [self._batch]))
            return number + tf.cast(finite, number.dtype), finite

        number, _ = tf.while_loop(
            lambda number, sound: (number < last) & sound, step, [first, tf.constant(True)]
        )
        return number

    def _last_step(self, order: Any) -> Any:
        return self._train(order[self._full * self._batch :])

    def _train(self, chosen: Any) -> Any:
        """Take a step with the chosen rows and answer whether the loss is still a number."""
        tf = tensorflow()
        batch = tf.nest.map_structure(lambda block: tf.gather(block, chosen), self._rows)
        # The mean loss of the epoch so far: it stays broken from the first broken batch on.
        return tf.math.is_finite(self._model.train_step(batch)["loss"])


class FusedTest:
    """The test function of a compiled Keras model: one call passes over all validation rows.

    Args:
        model: Built and compiled.
        rows: The validation rows.
    """

    def __init__(self, model: Any, rows: Rows) -> None:
        """Put the rows into tensors; nothing is compiled yet."""
        tf, size = tensorflow(), chunk_rows(model)
        self._model = model
        self._chunks = [
            tf.nest.map_structure(tf.constant, rows.keras(slice(first, first + size)))
            for first in range(0, len(rows), size)
        ]
        self._passes: list[Any] = []

    def compile(self) -> None:
        """Compile by a first pass, whose metrics are forgotten."""
        # Only the last chunk can differ in size from those before it.
        first, last = self._chunks[0], self._chunks[-1]
        same = len(self._chunks) == 1 or len(first[1]) == len(last[1])
        whole = _program(self._test, first)
        end = whole if same else _program(self._test, last)
        self._passes = [whole] * (len(self._chunks) - 1) + [end]
        self(None)
        self._model.reset_metrics()

    def pace(self) -> float:
        """Answer the seconds of a pass over all rows, measured; its metrics are forgotten."""
        began = time.perf_counter()
        self(None)
        self._model.reset_metrics()
        return time.perf_counter() - began

    def __call__(self, iterator: Any) -> Any:
        """Pass over all rows and answer their metrics."""
        del iterator
        for chunk, test in zip(self._chunks, self._passes, strict=True):
            test(chunk)
        return self._model.get_metrics_result()

    def _test(self, chunk: Any) -> Any:
        self._model.test_step(chunk)
        return tensorflow().constant(0)


class FusedAnswers:
    """The outputs of a Keras model for rows in memory.

    Args:
        model: Built.
        rows: The rows; their target is not looked at.
    """

    def __init__(self, model: Any, rows: Rows) -> None:
        """Put the inputs into tensors; compiled when first called."""
        tf, size = tensorflow(), chunk_rows(model)
        self._chunks = [
            tf.nest.map_structure(tf.constant, rows.keras(slice(first, first + size))[0])
            for first in range(0, len(rows), size)
        ]
        forward = lambda inputs: model(inputs, training=False)  # noqa: E731
        self._forward = tf.function(forward, jit_compile=True, autograph=False)

    def __call__(self) -> NDArray[np.float32]:
        """Answer the outputs, (rows, outputs)."""
        return np.concatenate([self._forward(chunk).numpy() for chunk in self._chunks])


def _program(function: Any, *arguments: Any) -> Any:
    """Answer a function as one XLA program for arguments like these; it compiles when called."""
    tf = tensorflow()
    compiled = tf.function(function, jit_compile=True, autograph=False)
    return compiled.get_concrete_function(*arguments)
