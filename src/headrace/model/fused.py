"""The compiled loop: many optimiser steps in one XLA program, inside of Keras's own `fit`.

Keras's `fit` calls `model.train_function(iterator)` once for `steps_per_execution` steps and
`model.test_function(iterator)` likewise in validation. Both are replaced here by programs that
take their rows from tensors that stay in memory, so nothing is copied or started between steps.
Callbacks, history, `stop_training` and learning-rate schedules work as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.model.backend import tensorflow

if TYPE_CHECKING:
    from headrace.model.rows import Rows

__all__ = ["STEPS", "FusedSteps", "FusedTest"]

STEPS = 64
"""Optimiser steps a call: long enough to hide the call, short enough to stop soon on Ctrl-C."""

CHUNK = 16384
"""Validation rows a pass."""

_LEAST_LEFT = 0.05
"""Rows left over after the full batches get a batch of their own if they are a larger share."""


class FusedSteps:
    """The train function of a compiled Keras model: some steps a call, over rows in memory.

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
        # A few rows left over wait for the next epoch, in which the order is another.
        self._left = left if left > _LEAST_LEFT * self._count else 0
        self._many: Any = None
        self._last: Any = None
        self._order: Any = None
        self._done = 0

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

    def start_epoch(self) -> None:
        """Put the rows into a new order."""
        order = self._random.permutation(self._count).astype(np.int32)
        self._order = tensorflow().constant(order)
        self._done = 0

    def __call__(self, iterator: Any) -> Any:
        """Take the next steps and answer the metrics of the epoch so far."""
        del iterator
        tf = tensorflow()
        first, last = self._done, min(self._done + STEPS, self.steps)
        self._many(self._order, tf.constant(first), tf.constant(min(last, self._full)))
        if last > self._full:
            self._last(self._order)
        self._done = last
        return self._model.get_metrics_result()

    def _many_steps(self, order: Any, first: Any, last: Any) -> Any:
        tf = tensorflow()

        def step(number: Any) -> Any:
            self._train(tf.slice(order, [number * self._batch], [self._batch]))
            return number + 1

        return tf.while_loop(lambda number: number < last, step, [first])

    def _last_step(self, order: Any) -> Any:
        self._train(order[self._full * self._batch :])
        return order[0]

    def _train(self, chosen: Any) -> None:
        tf = tensorflow()
        batch = tf.nest.map_structure(lambda block: tf.gather(block, chosen), self._rows)
        self._model.train_step(batch)


class FusedTest:
    """The test function of a compiled Keras model: one call passes over all validation rows.

    Args:
        model: Built and compiled.
        rows: The validation rows.
    """

    def __init__(self, model: Any, rows: Rows) -> None:
        """Put the rows into tensors; nothing is compiled yet."""
        tf = tensorflow()
        self._model = model
        self._chunks = [
            tf.nest.map_structure(tf.constant, rows.keras(slice(first, first + CHUNK)))
            for first in range(0, len(rows), CHUNK)
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

    def __call__(self, iterator: Any) -> Any:
        """Pass over all rows and answer their metrics."""
        del iterator
        for chunk, test in zip(self._chunks, self._passes, strict=True):
            test(chunk)
        return self._model.get_metrics_result()

    def _test(self, chunk: Any) -> Any:
        self._model.test_step(chunk)
        return tensorflow().constant(0)


def _program(function: Any, *arguments: Any) -> Any:
    """Answer a function as one XLA program for arguments like these; it compiles when called."""
    tf = tensorflow()
    compiled = tf.function(function, jit_compile=True, autograph=False)
    return compiled.get_concrete_function(*arguments)
