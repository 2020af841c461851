"""The training loop: Keras's `fit` around compiled steps, early stopping, and a plain way out."""

from __future__ import annotations

import random
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.backend import keras, tensorflow
from headrace.model.fused import STEPS, FusedSteps, FusedTest
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headrace.model.rows import Rows

__all__ = ["Training", "automatic_batch_size", "seeded", "train"]

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
    """

    history: dict[str, list[float]]
    best_epoch: int
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()


def train(
    model: Any,
    rows: Rows,
    validation: Rows | None,
    *,
    epochs: int,
    batch_size: int,
    patience: int | None,
    callbacks: Sequence[Any] = (),
    seed: int = 0,
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
        patience: Epochs without a better validation loss before training stops and the best
            weights come back; None, or no validation rows: all epochs and the last weights.
        callbacks: Keras callbacks.
        seed: Of the order of the rows.

    Raises:
        SettingError: The loss became NaN or infinite; the error names the epoch.
    """
    from headrace.model.watch import BestEpoch, BrokenLoss, ShowProgress

    clock = _Clock()
    batch_size = min(batch_size, len(rows))
    with clock("compile"):
        fit, notes = _choose_fit(model, rows, validation, batch_size, seed)
    best = BestEpoch(patience) if patience is not None and validation is not None else None
    with clock("epochs"), bar("training", epochs) as shown:
        watchers = [BrokenLoss(), *callbacks, *([best] if best else []), ShowProgress(shown)]
        history = fit(epochs, watchers).history
    # The functions hold all training rows.
    model.train_function = model.test_function = None
    figures = {name: [float(value) for value in values] for name, values in history.items()}
    kept = best.epoch if best else len(figures["loss"])
    return Training(figures, kept, clock.seconds, notes)


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
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@dataclass
class _Clock:
    """Seconds by part."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[part] = time.perf_counter() - start


def _choose_fit(
    model: Any, rows: Rows, validation: Rows | None, batch_size: int, seed: int
) -> tuple[Callable[[int, list[Any]], Any], tuple[str, ...]]:
    """Answer a function of epochs and callbacks that fits the model, and what to tell the user."""
    model.test_step(rows.keras(slice(0, batch_size)))  # builds losses and metrics
    model.reset_metrics()
    model.optimizer.build(model.trainable_variables)
    try:
        steps = FusedSteps(model, rows, batch_size, seed)
        steps.compile()
        test = None if validation is None else FusedTest(model, validation)
        if test:
            test.compile()
    except Exception as error:  # noqa: BLE001 - any reason is one to take the plain way
        note = (
            "XLA cannot compile this model, so it is trained by Keras's plain fit, which is "
            f"slower: {_first_line(error)}"
        )
        warnings.warn(note, stacklevel=4)
        return _plain(model, rows, validation, batch_size), (note,)
    return _fused(model, rows, steps, validation, test), ()


def _fused(
    model: Any, rows: Rows, steps: FusedSteps, validation: Rows | None, test: FusedTest | None
) -> Callable[[int, list[Any]], Any]:
    from headrace.model.watch import AtEpochBegin

    def fit(epochs: int, callbacks: list[Any]) -> Any:
        model.steps_per_execution = STEPS
        model.train_function, model.test_function = steps, test
        # Keras counts the batches of these and never takes one: the functions have their own rows.
        return model.fit(
            _one_batch(rows).repeat(steps.steps),
            validation_data=None if validation is None else _one_batch(validation),
            epochs=epochs,
            callbacks=[AtEpochBegin(steps.start_epoch), *callbacks],
            shuffle=False,
            verbose=0,
        )

    return fit


def _one_batch(rows: Rows) -> Any:
    return tensorflow().data.Dataset.from_tensors(rows.keras(slice(0, 1)))


def _plain(
    model: Any, rows: Rows, validation: Rows | None, batch_size: int
) -> Callable[[int, list[Any]], Any]:
    def fit(epochs: int, callbacks: list[Any]) -> Any:
        model.make_train_function(force=True)
        inputs, target, *weight = rows.keras()
        return model.fit(
            inputs,
            target,
            sample_weight=weight[0] if weight else None,
            validation_data=None if validation is None else validation.keras(),
            validation_batch_size=_PLAIN_CHUNK,
            batch_size=batch_size,
            epochs=epochs,
            callbacks=callbacks,
            verbose=0,
        )

    return fit


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
