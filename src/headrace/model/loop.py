"""The training loop: Keras's `fit` around compiled steps, early stopping, and a plain way out."""

from __future__ import annotations

import random
import sys
import time
import warnings
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.backend import keras, tensorflow
from headrace.model.blame import where_it_broke
from headrace.model.estimate import Pace, estimate_bytes
from headrace.model.feed import feed_of
from headrace.model.fused import STEPS, FusedSteps, FusedTest
from headrace.model.monitor import LOSS, Monitor
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headrace.model.estimate import Estimate
    from headrace.model.feed import Feed
    from headrace.model.health import LayerHealth
    from headrace.model.saving import Progress
    from headrace.model.stored import AnyRows
    from headrace.model.threshold import Threshold
    from headrace.stopping import Stopping
    from headrace.storage.checkpoint import Checkpoint

__all__ = ["Resuming", "Training", "Watched", "automatic_batch_size", "seeded", "train"]

# Rows up to which a batch has this size, as TabM's authors choose it; 1024 above.
_BATCHES = ((2_800, 32), (4_500, 64), (6_400, 128), (32_000, 256), (108_000, 512))
_LARGEST_BATCH = 1024
_PLAIN_CHUNK = 4096


@dataclass(frozen=True)
class Training:
    """How a training went.

    Attributes:
        history: For each figure its value in each epoch, as Keras reports it.
        best_epoch: The epoch whose weights were kept, counted from 1.
        seconds: Seconds by part: "compile", "epochs".
        notes: What the user should know.
        monitor: What decided which epoch was kept.
        estimate: What the training was expected to take; None where nothing was measured.
        peak_bytes: The most memory that it took, beyond what was held before.
        waited: Seconds of the epochs in which the steps waited for rows on disk.
        layers: The state of each layer afterwards.
        threshold: How the threshold of the decision was chosen, if it was.
        members: The networks of an ensemble.
    """

    history: dict[str, list[float]]
    best_epoch: int
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()
    monitor: str = LOSS
    estimate: Estimate | None = None
    peak_bytes: int = 0
    waited: float = 0.0
    layers: tuple[LayerHealth, ...] = ()
    threshold: Threshold | None = None
    members: tuple[TrainedMember, ...] = ()


@dataclass(frozen=True)
class TrainedMember:
    """One network of an ensemble.

    Attributes:
        architecture: Its name.
        fold: The part of the rows that it was not trained on, counted from 1.
        epochs: The epoch whose weights were kept.
        seconds: Seconds of its training.
        weight: Its share of the answer.
    """

    architecture: str
    fold: int
    epochs: int
    seconds: float
    weight: float

    def to_dict(self) -> dict[str, Any]:
        """Answer the member as plain values."""
        return asdict(self)


def train(
    model: Any,
    rows: AnyRows,
    validation: AnyRows | None,
    *,
    epochs: int,
    batch_size: int,
    patience: int | None,
    watched: Watched | None = None,
    deadline: float | None = None,
    shorten: Callable[[int], Any] | None = None,
    callbacks: Sequence[Any] = (),
    seed: int = 0,
    columns: Sequence[str] = (),
    resuming: Resuming | None = None,
) -> Training:
    """Train a compiled Keras model in place.

    The steps run in one XLA program over rows that stay in memory. A model that XLA cannot
    compile is trained by plain `fit`, with a warning and a note.

    Args:
        model: Built and compiled.
        rows: The rows to learn from.
        validation: Rows for the validation loss.
        epochs: The most epochs.
        batch_size: Rows a step; no more than there are.
        patience: Epochs without a better watched figure before training stops and the best
            weights come back; None, or no validation rows: all epochs and the last weights.
        watched: The metric of the validation rows that decides; None for their loss.
        deadline: The moment to stop, on the clock of `time.perf_counter`; None for none.
        shorten: Compiles the model again for fewer epochs, so that its schedules end in time;
            called when the deadline would come before the last epoch.
        callbacks: Keras callbacks.
        seed: Of the order of the rows.
        columns: Names of the number columns, for messages.
        resuming: Where the state of the training is saved and gone on from; None to save nothing.

    Raises:
        SettingError: The loss became NaN or infinite in the first epoch; the error names the step
            and the column that is most likely the cause.
        CheckpointError: The state cannot be saved.
    """
    from headrace.model.averages import UseAverages
    from headrace.model.saving import latest
    from headrace.model.watch import BestEpoch, BrokenLoss, Metric, ShowProgress, TimeLimit

    clock = _Clock()
    batch_size = min(batch_size, len(rows))
    begun = latest(resuming.kept) if resuming else None
    with clock("compile"):
        ways = _choose_fit(model, rows, validation, batch_size, seed)
        pace = Pace(0.0, 0.0) if ways.steps is None else Pace.of(ways.steps, ways.test)
        fewer = epochs if deadline is None else pace.epochs_until(deadline, epochs)
        fewer = fewer if begun is None else begun.epochs
        if fewer < epochs and shorten is not None:
            epochs = fewer
            shorten(epochs)
            ways.feed.close()
            ways = _choose_fit(model, rows, validation, batch_size, seed)
    expected = pace.estimate(
        epochs, patience, deadline, estimate_bytes(model, rows, validation, batch_size)
    )
    held = validation is not None
    monitor = watched.monitor if held and watched else Monitor()
    broken = BrokenLoss(
        lambda: "" if ways.steps is None else where_it_broke(ways.steps, rows, columns)
    )
    limit = None if deadline is None else TimeLimit(deadline)
    # With a time limit the last epoch is a matter of chance, so the best one is kept.
    keeps = held and (patience is not None or limit is not None)
    best = BestEpoch(patience, monitor) if keeps else None
    metric = Metric(monitor.figure, watched.value) if watched and held else None
    with clock("epochs"), bar("training", epochs) as shown:
        if ways.steps is not None:
            shown.advance(begun.epoch if begun else 0, expected.text())
        # The averaged weights are in place for all that stands between the two callbacks of them.
        averages = UseAverages() if getattr(model.optimizer, "use_ema", False) else None
        chosen = (
            *(broken, averages, metric, *callbacks, best, limit),
            *(ShowProgress(shown, monitor.figure), averages and averages.back),
        )
        ways.feed.waited = 0.0  # what the compiler waited for is not counted
        history = _fit(ways, epochs, [one for one in chosen if one is not None], resuming)
    # The functions hold all training rows.
    model.train_function = model.test_function = None
    ways.feed.close()
    done = len(history["loss"])
    sound = broken.sound if broken.note else done
    figures = {name: [float(value) for value in values[:sound]] for name, values in history.items()}
    notes = [ways.note, broken.note]
    if limit is not None and limit.over:
        notes.append(f"the time was over after {done} of {epochs} epochs")
    return Training(
        figures,
        best.epoch if best else sound,
        clock.seconds,
        tuple(note for note in notes if note),
        monitor.name,
        expected if ways.steps else None,
        waited=ways.feed.waited,
    )


def _fit(
    ways: _Ways, epochs: int, callbacks: list[Any], resuming: Resuming | None
) -> dict[str, list[float]]:
    """Train from the start or from where the checkpoint ends; answer the whole history."""
    from headrace.model.saving import Progress, Saving

    if resuming is None:
        start = Progress(0, 0, epochs, 0.0, over=False)
        return dict(ways.fit(epochs, callbacks, start).history)
    saving = Saving(resuming.kept, ways.steps, epochs, callbacks, resuming.stopping)
    with resuming.patient():
        try:
            ways.fit(epochs, [*callbacks, saving], saving.start)
        finally:
            saving.close()
    return saving.history


def automatic_batch_size(rows: int) -> int:
    """Answer a batch size that suits the number of rows and leaves almost none of them over.

    Example:
        >>> automatic_batch_size(100), automatic_batch_size(31_258), automatic_batch_size(10**6)
        (25, 254, 1023)
    """
    wanted = next((size for most, size in _BATCHES if rows < most), _LARGEST_BATCH)
    return max(1, rows // -(-rows // wanted))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make Keras's chance repeatable inside; Python's and NumPy's own chance stays outside."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - Keras draws from it
    keras().utils.set_random_seed(seed)
    # Keras draws the seeds of first weights from the module `random`, as other threads of a process
    # may at any moment, such as those of a Dask worker: it gets the same numbers for itself.
    drawing: Any = sys.modules[keras().random.SeedGenerator.__module__]
    shared, drawing.python_random = drawing.python_random, random.Random(seed)  # noqa: S311
    try:
        yield
    finally:
        drawing.python_random = shared
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@dataclass(frozen=True)
class Watched:
    """A metric of the validation rows that decides which epoch is kept.

    Attributes:
        monitor: What it is.
        value: Answers it with the model's weights of this moment.
    """

    monitor: Monitor
    value: Callable[[], float]


@dataclass
class _Clock:
    """Seconds by part."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[part] = time.perf_counter() - start


@dataclass(frozen=True)
class Resuming:
    """Where the state of a training is kept.

    Attributes:
        kept: The states.
        stopping: Whether the process was asked to end; None where nobody listens for that.
    """

    kept: Checkpoint
    stopping: Stopping | None = None

    def part(self, name: str) -> Resuming:
        """Answer where the state of one training among several is kept."""
        return Resuming(self.kept.part(name), self.stopping)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Let a wish to end wait for the next state while the block runs."""
        with nullcontext() if self.stopping is None else self.stopping.later():
            yield


@dataclass(frozen=True)
class _Ways:
    """How a model is going to be trained.

    Attributes:
        fit: A function of epochs, callbacks and a start that trains.
        feed: Where the rows come from.
        steps: The compiled steps; None when Keras's plain `fit` trains.
        test: The compiled validation, if there is one.
        note: What to tell the user.
    """

    fit: Callable[[int, list[Any], Progress], Any]
    feed: Feed
    steps: FusedSteps | None = None
    test: FusedTest | None = None
    note: str = ""


def _choose_fit(
    model: Any, rows: AnyRows, validation: AnyRows | None, batch_size: int, seed: int
) -> _Ways:
    model.test_step(rows.keras(slice(0, batch_size)))  # builds losses and metrics
    model.reset_metrics()
    model.optimizer.build(model.trainable_variables)
    feed = feed_of(rows, batch_size, seed)
    try:
        steps = FusedSteps(model, feed)
        steps.compile()
        test = None if validation is None else FusedTest(model, validation)
        if test:
            test.compile()
    except Exception as error:  # noqa: BLE001 - any reason is one to take the plain way
        note = (
            "XLA cannot compile this model, so it is trained by Keras's plain fit, which is "
            f"slower: {_first_line(error)}"
        )
        warnings.warn(note, stacklevel=5)
        return _Ways(_plain(model, feed, validation), feed, note=note)
    return _Ways(_fused(model, rows, steps, validation, test), feed, steps, test)


def _fused(
    model: Any,
    rows: AnyRows,
    steps: FusedSteps,
    validation: AnyRows | None,
    test: FusedTest | None,
) -> Callable[[int, list[Any], Progress], Any]:
    from headrace.model.watch import AtEpochBegin

    def fit(epochs: int, callbacks: list[Any], start: Progress) -> Any:
        def begin(epoch: int) -> None:
            steps.start_epoch(epoch, start.step if epoch == start.epoch else 0)

        model.steps_per_execution = STEPS
        model.train_function, model.test_function = steps, test
        # Keras counts the batches of these and never takes one: the functions have their own rows.
        return model.fit(
            _one_batch(rows).repeat(steps.steps),
            validation_data=None if validation is None else _one_batch(validation),
            epochs=epochs,
            initial_epoch=_first_epoch(start, epochs),
            callbacks=[AtEpochBegin(begin), *callbacks],
            shuffle=False,
            verbose=0,
        )

    return fit


def _first_epoch(start: Progress, epochs: int) -> int:
    return epochs if start.over else start.epoch


def _one_batch(rows: AnyRows) -> Any:
    return tensorflow().data.Dataset.from_tensors(rows.keras(slice(0, 1)))


def _plain(
    model: Any, feed: Feed, validation: AnyRows | None
) -> Callable[[int, list[Any], Progress], Any]:
    def fit(epochs: int, callbacks: list[Any], start: Progress) -> Any:
        model.make_train_function(force=True)
        first = _first_epoch(start, epochs)
        return model.fit(
            feed.batches(first),
            steps_per_epoch=feed.steps,
            validation_data=None if validation is None else _chunks(validation),
            epochs=epochs,
            initial_epoch=first,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )

    return fit


def _chunks(rows: AnyRows) -> Any:
    """Answer rows as Keras's own `fit` validates with them, a chunk at a time."""

    class Chunks(keras().utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return 1 + (len(rows) - 1) // _PLAIN_CHUNK

        def __getitem__(self, place: int) -> Any:
            return rows.keras(slice(place * _PLAIN_CHUNK, (place + 1) * _PLAIN_CHUNK))

    return Chunks()


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
