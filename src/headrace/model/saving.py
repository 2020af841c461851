"""Saving the state of a training, and going on from it to the same weights to the bit.

The state is taken between two calls of the compiled steps: weights, chance of the dropout,
optimiser, sums of the metrics, callbacks, history, epoch and step. It is copied at once and
written by a thread of its own, whole or not at all; the two newest states are kept.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import keras

from headrace.model.state import callbacks_from, callbacks_to, variables_from, variables_to

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.model.fused import FusedSteps
    from headrace.stopping import Stopping
    from headrace.storage.checkpoint import Checkpoint, Piece

__all__ = ["EVERY", "Progress", "Saving", "latest", "seconds_spent"]

EVERY = 10.0
"""Seconds between two states; the work of so many seconds is done again after a kill."""

_KEPT = 2
_NAME = "state-"


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        epoch: The epoch to go on with, counted from 0.
        step: How many steps of it are done.
        epochs: How many epochs there are to be.
        seconds: Seconds that it has taken so far.
        over: Whether early stopping or the time has ended it.
        history: The figures of the finished epochs.
    """

    epoch: int
    step: int
    epochs: int
    seconds: float
    over: bool
    history: dict[str, list[float]] = field(default_factory=dict)


def latest(kept: Checkpoint | None) -> Progress | None:
    """Answer how far a training had come when it was last saved; None if it never was."""
    piece = _newest(kept)
    return None if piece is None else Progress(**piece.document["progress"])


def seconds_spent(kept: Checkpoint) -> float:
    """Answer the seconds that trainings have taken which were saved here or in a part of it."""
    folders = [kept.folder, *kept.folder.glob("*/")]
    found = [latest(type(kept)(folder)) for folder in folders]
    return sum(one.seconds for one in found if one is not None)


class Saving(keras.callbacks.Callback):  # type: ignore[misc]
    """Save the state of a training now and then, and go on from the newest one.

    It stands behind all other callbacks, so that what they do at the end of an epoch is done, and
    what they forget at the start of a training can be brought back.

    Args:
        kept: Where states are kept.
        steps: The compiled steps; None for a plain training, which is saved between epochs.
        epochs: How many epochs there are to be.
        others: The callbacks in front of it.
        stopping: Whether the process was asked to end.
    """

    def __init__(
        self,
        kept: Checkpoint,
        steps: FusedSteps | None,
        epochs: int,
        others: Sequence[Any],
        stopping: Stopping | None,
    ) -> None:
        """Look for the newest state that is whole."""
        super().__init__()
        self.start = latest(kept) or Progress(0, 0, epochs, 0.0, over=False)
        self.history = {name: list(values) for name, values in self.start.history.items()}
        self._kept, self._steps, self._epochs, self._stopping = kept, steps, epochs, stopping
        self._remember = list(others)
        self._piece: Piece | None = None
        self._began = self._saved = time.perf_counter()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="headrace-checkpoint")
        self._written: Future[None] | None = None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Bring the newest state back."""
        del logs
        self._piece = _newest(self._kept)
        self._restore()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Bring it back once more within an epoch, at whose start Keras forgets the metrics."""
        del epoch, logs
        if self.start.step:
            self._restore()
        self._piece = None

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save within an epoch if it is time."""
        del batch, logs
        if self._steps is not None and self._steps.broken is None:
            self._look(self._steps.epoch, self._steps.done, over=False)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Take the figures into the history, and save if it is time or the training is over."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self._look(epoch + 1, 0, over=bool(self.model.stop_training))

    def close(self) -> None:
        """Wait for the writing.

        Raises:
            CheckpointError: The last state could not be written.
        """
        self._writer.shutdown(wait=True)
        if self._written is not None:
            self._written.result()

    def _look(self, epoch: int, step: int, *, over: bool) -> None:
        asked = self._stopping is not None and self._stopping.asked
        if not (asked or over or time.perf_counter() - self._saved >= EVERY):
            return
        if self._written is not None:
            self._written.result()  # one at a time; what went wrong is raised here
        spent = self.start.seconds + time.perf_counter() - self._began
        progress = Progress(epoch, step, self._epochs, spent, over, self.history)
        document, arrays = self._state(progress)
        self._written = self._writer.submit(_write, self._kept, document, arrays)
        self._saved = time.perf_counter()
        if asked and self._stopping is not None:
            self.close()
            self._stopping.leave()

    def _state(self, progress: Progress) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        values, arrays = callbacks_to(self._remember)
        document = {"progress": asdict(progress), "callbacks": values}
        return document, {**variables_to(self.model), **arrays}

    def _restore(self) -> None:
        if self._piece is None:
            return
        variables_from(self.model, self._piece.arrays)
        callbacks_from(self._remember, self._piece.document["callbacks"], self._piece.arrays)


def _newest(kept: Checkpoint | None) -> Piece | None:
    """Answer the newest state that is whole."""
    for name in reversed(_states(kept)):
        piece = None if kept is None else kept.load(name)
        if piece is not None:
            return piece
    return None


def _states(kept: Checkpoint | None) -> list[str]:
    """Answer the names of the states, the oldest first."""
    return [] if kept is None else [name for name in kept.names() if name.startswith(_NAME)]


def _write(
    kept: Checkpoint, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    before = _states(kept)
    number = int(before[-1].removeprefix(_NAME)) + 1 if before else 0
    kept.save(f"{_NAME}{number:08d}", document, arrays)
    for name in before[: 1 - _KEPT]:
        kept.remove(name)
