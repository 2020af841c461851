"""Training one network: built, trained, calibrated, and looked at."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.engine import HERE, Engine
from headrace.model.assembly import Assembly, assemble
from headrace.model.backend import keras
from headrace.model.calibration import calibrate
from headrace.model.feed import steps_of
from headrace.model.fitted import FittedNetwork
from headrace.model.footprint import PeakMemory
from headrace.model.fused import FusedAnswers
from headrace.model.health import examine
from headrace.model.loop import Watched, automatic_batch_size, seeded, train
from headrace.model.monitor import LOSS, Monitor
from headrace.model.records import finished, keep_finished
from headrace.model.rows import Rows, class_weights, mean_weight
from headrace.model.stored import StoredRows, mixing, sample
from headrace.model.threshold import choose_threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.model.choices import Loss
    from headrace.model.labelled import Labelled
    from headrace.model.loop import Resuming, Training
    from headrace.model.network import Network
    from headrace.model.presets import Member
    from headrace.model.stored import AnyRows
    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features, FeatureSpec

__all__ = ["Fitting", "decided", "fit_single", "fitted_to", "keras_rows"]

_SHOWN_ROWS = 500_000
"""Rows on disk that edges of bins are learnt from, at most."""


@dataclass(frozen=True, eq=False)
class Fitting:
    """What a network is fitted to.

    Attributes:
        feature_spec: The columns of the features.
        target_spec: What is predicted.
        rows: The rows to learn from.
        held: The rows that decide when to stop; None for none.
        seed: Of first weights, order of rows and dropout.
        deadline: The moment to stop, on the clock of `time.perf_counter`; None for none.
        start: Weights to begin with; None for new ones.
        resuming: Where the training is kept, to go on from; None to keep nothing.
        engine: What the workers run on, if there are any.
    """

    feature_spec: FeatureSpec
    target_spec: TargetSpec
    rows: Labelled
    held: Labelled | None = None
    seed: int = 0
    deadline: float | None = None
    start: Sequence[NDArray[Any]] | None = None
    resuming: Resuming | None = None
    engine: Engine = HERE


def fit_single(network: Network, member: Member, fitting: Fitting) -> FittedNetwork:
    """Train one network; the same seed gives the same weights.

    Args:
        network: The settings.
        member: What the preset chooses where the settings say nothing.
        fitting: What to fit to.

    Returns:
        The network as it came out of the training, neither calibrated nor with a threshold.
    """
    keras()  # its import takes seconds, which are none of the network's
    if network.workers is not None:
        from headrace.model.parallel.driver import fit_on_workers

        return fit_on_workers(network, member, fitting)
    from headrace.model.schedules import schedule_callbacks

    began = time.perf_counter()
    with PeakMemory() as peak, seeded(fitting.seed):
        assembly = assemble(network, member, fitting.feature_spec, fitting.target_spec)
        done = finished(fitting.resuming, assembly.model)
        if done is not None:
            return fitted_to(assembly, fitting, done)
        assembly.start(_shown(fitting), fitting.start)
        size = network.batch_size or member.batch * automatic_batch_size(len(fitting.rows))
        size = min(size, len(fitting.rows))
        recipe = assembly.recipe
        steps = steps_of(fitting.rows, size)
        epochs = recipe.epochs_for(steps, validated=fitting.held is not None)
        loss = assembly.compile(steps * epochs)
        rows, held = keras_rows(assembly, fitting, loss)
        built = time.perf_counter() - began
        training = train(
            assembly.model,
            rows,
            held,
            epochs=epochs,
            batch_size=size,
            patience=recipe.patience,
            watched=_watched(network, assembly, fitting, held),
            deadline=fitting.deadline,
            shorten=lambda fewer: assembly.compile(steps * fewer),
            callbacks=[
                *network.callbacks,
                *schedule_callbacks(network.schedule or recipe.schedule, patience=recipe.patience),
            ],
            seed=fitting.seed,
            columns=fitting.feature_spec.numbers,
            resuming=fitting.resuming,
        )
        layers = examine(assembly.model, rows)
    training = replace(
        training,
        seconds={"build": built, **training.seconds},
        peak_bytes=peak.bytes,
        layers=layers,
        notes=(*training.notes, *_reading_note(rows, size, training)),
    )
    keep_finished(fitting.resuming, assembly.model, training)
    return fitted_to(assembly, fitting, training)


def fitted_to(assembly: Assembly, fitting: Fitting, training: Training) -> FittedNetwork:
    """Answer the trained network of an assembly."""
    return FittedNetwork(
        assembly.model,
        architecture=assembly.name,
        settings=assembly.settings,
        feature_spec=fitting.feature_spec,
        target_spec=fitting.target_spec,
        training=training,
    )


def _shown(fitting: Fitting) -> Labelled:
    """Answer the rows that edges of bins are learnt from: all, or some of those on disk."""
    rows = fitting.rows
    if rows.window is None:
        return rows
    return sample(rows, min(_SHOWN_ROWS, rows.window.rows), fitting.seed)


def _reading_note(rows: AnyRows, batch_size: int, training: Training) -> list[str]:
    """Answer how well rows on disk are shuffled and how quickly they came, in words."""
    if not isinstance(rows, StoredRows):
        return []
    more = mixing(rows.labelled.target, rows.window, batch_size)
    waited = training.waited / max(training.seconds["epochs"], 1e-9)
    note = (
        f"rows are read from disk, {rows.window.rows:,} at a time in blocks of "
        f"{rows.window.block:,}: the batches' mean targets vary {more:.2f} times as much as after "
        f"a shuffle of all rows, and the steps waited {waited:.0%} of the time for rows"
    )
    return [note]


def decided(
    network: Network, fitted: FittedNetwork, held: Labelled | None, output: NDArray[Any] | None
) -> FittedNetwork:
    """Answer a network with the calibration and the threshold that its settings ask for.

    Args:
        network: The settings.
        fitted: Trained.
        held: Rows that it has not been trained on.
        output: What it says of them; None to ask it.
    """
    if network.calibrate is None and network.threshold is None:
        return fitted
    target, notes = fitted.target_spec, list(fitted.training.notes)
    if held is None:
        return _without_rows(network, fitted)
    said = fitted.predict(held.features) if output is None else output
    correction = None
    if network.calibrate is not None:
        correction = calibrate(network.calibrate, target, held.target, said, held.weight)
        said = said if correction is None else correction(said)
        if correction is None:
            notes.append(f"{len(held):,} validation rows are too few to calibrate by")
    chosen = None
    rule = network.threshold
    if isinstance(rule, float):
        target = replace(target, threshold=rule)
    elif rule is not None:
        chosen = choose_threshold(rule, target, held.target, said[:, 0], seed=0)
        target = replace(target, threshold=chosen.value)
    return fitted.changed(
        target_spec=target,
        calibration=correction,
        training=replace(fitted.training, threshold=chosen, notes=tuple(notes)),
    )


def _without_rows(network: Network, fitted: FittedNetwork) -> FittedNetwork:
    target, notes = fitted.target_spec, fitted.training.notes
    if isinstance(network.threshold, float):
        target = replace(target, threshold=network.threshold)
    if network.calibrate is not None or not isinstance(network.threshold, float | None):
        notes = (*notes, "without validation rows there is no calibration and no chosen threshold")
    return fitted.changed(target_spec=target, training=replace(fitted.training, notes=notes))


def keras_rows(assembly: Assembly, fitting: Fitting, loss: Loss) -> tuple[AnyRows, AnyRows | None]:
    """Answer the rows to learn from and those that decide, as Keras reads them."""
    classes = class_weights(assembly.network.class_weight, fitting.rows.target, fitting.target_spec)
    held = fitting.held
    return (
        _rows(assembly.model, fitting.rows, loss, classes),
        None if held is None else _rows(assembly.model, held, loss, classes),
    )


def _rows(
    model: Any, labelled: Labelled, loss: Loss, classes: NDArray[np.float32] | None
) -> AnyRows:
    """Answer rows as Keras reads them, with the weights of classes and of rows multiplied."""
    mean = None if labelled.weight is None else mean_weight(labelled.weight, len(labelled))
    names = [tensor.name for tensor in model.inputs]
    outputs = model.output_shape[-1]

    def convert(part: Labelled) -> Rows:
        features: Features = part.features
        blocks = {
            "numbers": np.asarray(features.numbers, dtype=np.float32),
            "categories": np.asarray(features.categories, dtype=np.int32),
        }
        weight = None if classes is None else classes[part.target]
        if part.weight is not None and mean is not None:
            ratios = np.asarray(np.float64(part.weight) / mean, dtype=np.float32)
            weight = ratios if weight is None else weight * ratios
        inputs = {name: blocks[name] for name in names}
        return Rows(inputs, loss.target(part.target, outputs), weight)

    if labelled.window is None:
        return convert(labelled)
    return StoredRows(labelled, labelled.window, convert)


def _watched(
    network: Network, assembly: Assembly, fitting: Fitting, held: AnyRows | None
) -> Watched | None:
    """Answer the metric that decides which epoch is kept; None for the loss."""
    if network.monitor == LOSS or fitting.held is None or held is None:
        return None
    monitor, labelled = Monitor.of(network.monitor, fitting.target_spec), fitting.held
    answers = FusedAnswers(assembly.model, held)
    return Watched(
        monitor,
        lambda: monitor.value(fitting.target_spec, labelled.target, answers(), labelled.weight),
    )
