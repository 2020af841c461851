"""The compiled loop: many optimiser steps in one XLA program, inside of Keras's own `fit`.

Keras's `fit` calls `model.train_function(iterator)` once for `steps_per_execution` steps and
`model.test_function(iterator)` likewise in validation. Both are replaced here by programs that
take their rows from tensors: those of a feed's window, in which all rows are held or a part of
those on disk. Nothing is copied or started between steps. Callbacks, history, `stop_training` and
learning-rate schedules work as ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.model.backend import keras, tensorflow
from headrace.model.estimate import chunk_rows
from headrace.model.stored import StoredRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from headrace.model.feed import Feed, Portion
    from headrace.model.rows import Rows

__all__ = ["STEPS", "FusedAnswers", "FusedSteps", "FusedTest"]

STEPS = 64
"""Optimiser steps a call: long enough to hide the call, short enough to stop soon on Ctrl-C."""

_TIMED_STEPS = 16


class FusedSteps:
    """The train function of a compiled Keras model: some steps a call, over the rows of a feed.

    Attributes:
        feed: Where the rows come from.
        epoch: The epoch under way, counted from 0.
        done: How many steps of this epoch were taken.
        broken: The step of this epoch, counted from 0, in which the loss was no finite number any
            more; None while it is one.

    Args:
        model: Built and compiled.
        feed: The training rows.

    Raises:
        SettingError: The model is set to run eagerly.
    """

    def __init__(self, model: Any, feed: Feed) -> None:
        """Keep the feed; nothing is compiled yet."""
        if model.run_eagerly:
            raise SettingError("it was set to run_eagerly, step by step in Python")
        self.feed = feed
        self.epoch = 0
        self.done = 0
        self.broken: int | None = None
        self._model = model
        self._many: Any = None
        self._last: Any = None
        self._windows: Iterator[tuple[int, Portion]] = iter(())
        self._first = 0
        self._window: Portion | None = None

    @property
    def steps(self) -> int:
        """Optimiser steps an epoch."""
        return self.feed.steps

    def compile(self) -> None:
        """Compile by asking for no steps at all: no weight changes."""
        window, none = self.feed.example(), tensorflow().constant(0)
        self._many = _program(self._many_steps, window.rows, window.order, none, none)
        self._many(window.rows, window.order, none, none)
        if self.feed.left:
            self._last = _program(self._last_step, window.rows, window.order)

    def pace(self) -> float:
        """Answer the seconds of one step, measured; no weight changes.

        Some steps are taken, and everything that they changed is put back.
        """
        tf, model = tensorflow(), self._model
        changed = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
        before = [keras().ops.convert_to_numpy(variable).copy() for variable in changed]
        window = self.feed.example()
        count = max(1, min(_TIMED_STEPS, window.full))
        began = time.perf_counter()
        self._many(window.rows, window.order, tf.constant(0), tf.constant(count))
        seconds = time.perf_counter() - began
        for variable, value in zip(changed, before, strict=True):
            variable.assign(value)
        return seconds / count

    def start_epoch(self, epoch: int, skip: int = 0) -> None:
        """Begin an epoch, or go on in it behind some steps that were taken before."""
        self._windows, self._window = self.feed.epoch(epoch, skip), None
        self.epoch, self.done = epoch, skip
        self.broken = None

    def rows_of(self, step: int) -> NDArray[np.intp]:
        """Answer which rows made up the batch of a step of the window under way."""
        if self._window is None:
            return np.zeros(0, dtype=np.intp)
        first = (step - self._first) * self.feed.batch
        last = first + self.feed.batch
        within: NDArray[np.intp] = self._window.order[first:last].numpy().astype(np.intp)
        places = self._window.places
        return within if places is None else np.asarray(places[within], dtype=np.intp)

    def __call__(self, iterator: Any) -> Any:
        """Take the next steps and answer the metrics of the epoch so far."""
        del iterator
        until = min(self.done + STEPS, self.steps)
        while self.done < until and self.broken is None:
            self._take(until)
        self.done = until
        return self._model.get_metrics_result()

    def _take(self, until: int) -> None:
        """Take steps within the window under way, or begin the next one."""
        tf, window = tensorflow(), self._window
        if window is None or self.done >= self._first + window.full + bool(self.feed.left):
            self._first, self._window = next(self._windows)
            return
        full = self._first + window.full
        if self.done >= full:
            if not bool(self._last(window.rows, window.order)):
                self.broken = self.done
            self.done += 1
            return
        last = min(until, full)
        ends = (tf.constant(self.done - self._first), tf.constant(last - self._first))
        reached = self._first + int(self._many(window.rows, window.order, *ends))
        if reached < last:
            self.broken = reached
        self.done = last

    def _many_steps(self, rows: Any, order: Any, first: Any, last: Any) -> Any:
        """Take steps until the last one, or until the loss is no finite number any more."""
        tf, batch = tensorflow(), self.feed.batch

        def step(number: Any, sound: Any) -> Any:
            del sound
            finite = self._train(rows, tf.slice(order, [number * batch], [batch]))
            return number + tf.cast(finite, number.dtype), finite

        number, _ = tf.while_loop(
            lambda number, sound: (number < last) & sound, step, [first, tf.constant(True)]
        )
        return number

    def _last_step(self, rows: Any, order: Any) -> Any:
        return self._train(rows, order[-self.feed.left :])

    def _train(self, rows: Any, chosen: Any) -> Any:
        """Take a step with the chosen rows and answer whether the loss is still a number."""
        tf = tensorflow()
        batch = tf.nest.map_structure(lambda block: tf.gather(block, chosen), rows)
        # The mean loss of the epoch so far: it stays broken from the first broken batch on.
        return tf.math.is_finite(self._model.train_step(batch)["loss"])


class FusedTest:
    """The test function of a compiled Keras model: one call passes over all validation rows.

    Args:
        model: Built and compiled.
        rows: The validation rows.
    """

    def __init__(self, model: Any, rows: Rows | StoredRows) -> None:
        """Divide the rows; nothing is compiled yet."""
        self._model = model
        self._chunks = _Chunks(rows, chunk_rows(model))
        self._passes: list[Any] = []

    def compile(self) -> None:
        """Compile by a first pass, whose metrics are forgotten."""
        # Only the last chunk can differ in size from those before it.
        whole = _program(self._test, self._chunks[0])
        count = len(self._chunks)
        end = whole if self._chunks.even else _program(self._test, self._chunks[count - 1])
        self._passes = [whole] * (count - 1) + [end]
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
        for place, test in enumerate(self._passes):
            test(self._chunks[place])
        return self._model.get_metrics_result()

    def _test(self, chunk: Any) -> Any:
        self._model.test_step(chunk)
        return tensorflow().constant(0)


class FusedAnswers:
    """The outputs of a Keras model for rows.

    Args:
        model: Built.
        rows: The rows; their target is not looked at.
    """

    def __init__(self, model: Any, rows: Rows | StoredRows) -> None:
        """Divide the rows; compiled when first called."""
        self._chunks = _Chunks(rows, chunk_rows(model))
        forward = lambda inputs: model(inputs, training=False)  # noqa: E731
        self._forward = tensorflow().function(forward, jit_compile=True, autograph=False)

    def __call__(self) -> NDArray[np.float32]:
        """Answer the outputs, (rows, outputs)."""
        count = len(self._chunks)
        return np.concatenate([self._forward(self._chunks[i][0]).numpy() for i in range(count)])


class _Chunks:
    """Rows in chunks of tensors: kept, or read anew each time where they lie on disk."""

    def __init__(self, rows: Rows | StoredRows, size: int) -> None:
        self._rows = rows
        self._slices = [slice(first, first + size) for first in range(0, len(rows), size)]
        self.even = len(rows) % size == 0 or len(self._slices) == 1
        stored = isinstance(rows, StoredRows)
        self._kept = None if stored else [self._read(chosen) for chosen in self._slices]

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, place: int) -> Any:
        return self._read(self._slices[place]) if self._kept is None else self._kept[place]

    def _read(self, chosen: slice) -> Any:
        tf = tensorflow()
        return tf.nest.map_structure(tf.constant, self._rows.keras(chosen))


def _program(function: Any, *arguments: Any) -> Any:
    """Answer a function as one XLA program for arguments like these; it compiles when called."""
    tf = tensorflow()
    compiled = tf.function(function, jit_compile=True, autograph=False)
    return compiled.get_concrete_function(*arguments)
