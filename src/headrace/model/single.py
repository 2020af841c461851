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
from headrace.model.fitted import FittedNetwork
from headrace.model.footprint import PeakMemory
from headrace.model.fused import FusedAnswers, steps_an_epoch
from headrace.model.health import examine
from headrace.model.loop import Watched, automatic_batch_size, seeded, train
from headrace.model.monitor import LOSS, Monitor
from headrace.model.rows import Rows, class_weights, sample_ratios
from headrace.model.threshold import choose_threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.model.choices import Loss
    from headrace.model.labelled import Labelled
    from headrace.model.network import Network
    from headrace.model.presets import Member
    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features, FeatureSpec

__all__ = ["Fitting", "decided", "fit_single", "keras_rows"]


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
        engine: What the workers run on, if there are any.
    """

    feature_spec: FeatureSpec
    target_spec: TargetSpec
    rows: Labelled
    held: Labelled | None = None
    seed: int = 0
    deadline: float | None = None
    start: Sequence[NDArray[Any]] | None = None
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
        assembly.start(fitting.rows, fitting.start)
        size = network.batch_size or member.batch * automatic_batch_size(len(fitting.rows))
        size = min(size, len(fitting.rows))
        recipe = assembly.recipe
        steps = steps_an_epoch(len(fitting.rows), size)
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
        )
        layers = examine(assembly.model, rows)
    return FittedNetwork(
        assembly.model,
        architecture=assembly.name,
        settings=assembly.settings,
        feature_spec=fitting.feature_spec,
        target_spec=fitting.target_spec,
        training=replace(
            training,
            seconds={"build": built, **training.seconds},
            peak_bytes=peak.bytes,
            layers=layers,
        ),
    )


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


def keras_rows(assembly: Assembly, fitting: Fitting, loss: Loss) -> tuple[Rows, Rows | None]:
    """Answer the rows to learn from and those that decide, as Keras reads them."""
    classes = class_weights(assembly.network.class_weight, fitting.rows.target, fitting.target_spec)
    held = fitting.held
    return (
        _rows(assembly.model, fitting.rows, loss, classes),
        None if held is None else _rows(assembly.model, held, loss, classes),
    )


def _rows(model: Any, labelled: Labelled, loss: Loss, classes: NDArray[np.float32] | None) -> Rows:
    """Answer rows as Keras reads them, with the weights of classes and of rows multiplied."""
    features: Features = labelled.features
    blocks = {
        "numbers": np.asarray(features.numbers, dtype=np.float32),
        "categories": np.asarray(features.categories, dtype=np.int32),
    }
    inputs = {tensor.name: blocks[tensor.name] for tensor in model.inputs}
    weight = None if classes is None else classes[labelled.target]
    if labelled.weight is not None:
        ratios = sample_ratios(labelled.weight, len(labelled))
        weight = ratios if weight is None else weight * ratios
    return Rows(inputs, loss.target(labelled.target, model.output_shape[-1]), weight)


def _watched(
    network: Network, assembly: Assembly, fitting: Fitting, held: Rows | None
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
