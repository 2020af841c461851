"""One trial of a pipeline: trained with some settings, and measured on the validation rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.duration import seconds
from headrace.errors import SettingError
from headrace.evaluate.labelled import labelled_rows
from headrace.evaluate.scores import to_scores
from headrace.metrics.measure import find, of_values, primary
from headrace.model.monitor import LOSS
from headrace.train.training import train
from headrace.tune.front import Goal
from headrace.tune.honest import standing
from headrace.tune.latency import latency
from headrace.tune.steps import network_of
from headrace.tune.study import Tried

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from headrace.cache.cache import Cache
    from headrace.metrics.measure import Measure
    from headrace.model.network import Network
    from headrace.model.target import TargetSpec
    from headrace.preprocessing.step import Step
    from headrace.train.fitted import Fitted
    from headrace.tune.study import Report

__all__ = [
    "LATENCIES",
    "Ground",
    "attempt",
    "goals_of",
    "reported_metric",
    "searched_metric",
    "shortened",
]

LATENCIES = {"latency": "row", "batch_latency": "batch"}
"""The goals that are measured on the ONNX graph: one row, and 1,000 rows together."""

_ROUGH = 100
"""Resamples of the interval that the progress bar shows."""


@dataclass(frozen=True)
class Ground:
    """What all trials share.

    Attributes:
        learn: The rows to train on.
        validation: The rows that decide when to stop, and which trial is the best.
        target: The column to predict.
        goals: What settings are searched by.
        kinds: Kinds of columns, where the inferred ones are not wanted.
        seed: Of every random choice.
    """

    learn: pl.DataFrame
    validation: pl.DataFrame
    target: str
    goals: tuple[Goal, ...]
    kinds: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


def attempt(
    steps: Sequence[Step],
    ground: Ground,
    report: Report,
    *,
    most_seconds: float | None = None,
    cache: Cache | None = None,
) -> tuple[Tried, Fitted]:
    """Train with some steps and measure what is searched by.

    Args:
        steps: With a network at the end; its callbacks and its time are changed.
        ground: What all trials share.
        report: To be told the losses.
        most_seconds: How long the network may train; None for any time.
        cache: Where fits of steps are kept.
    """
    from headrace.tune.callback import Reporting

    network = network_of(steps)
    network.callbacks = (*network.callbacks, Reporting(report))
    with_time = shortened(network, most_seconds)
    fitted = train(
        ground.learn,
        [*steps[:-1], with_time],
        target=ground.target,
        kinds=ground.kinds,
        validation=ground.validation,
        seed=ground.seed,
        cache=cache,
    )
    if report.pruned:
        return Tried(float(fitted.network.history["val_loss"][-1])), fitted
    return _measured(fitted, ground), fitted


def shortened(network: Network, most_seconds: float | None) -> Network:
    """Answer a network that trains no longer than so many seconds."""
    if most_seconds is None:
        return network
    stated = most_seconds if network.time is None else seconds(network.time)
    return network.copy().set_params(time=max(min(stated, most_seconds), 0.1))


def _measured(fitted: Fitted, ground: Ground) -> Tried:
    spec = fitted.network.target_spec
    rows = labelled_rows(fitted, ground.validation)
    output = to_scores(spec, fitted.output(rows.canonical))
    took = None
    if any(goal.name in LATENCIES for goal in ground.goals):
        took = latency(fitted, rows.canonical)
    values = []
    for goal in ground.goals:
        if goal.name in LATENCIES:
            values.append(getattr(took, LATENCIES[goal.name]))
        elif goal.name == LOSS and not fitted.network.training.members:
            values.append(_loss(fitted))
        else:
            # What several networks say together has no loss in the history of any of them.
            values.append(searched_metric(goal, spec)(rows.y_true, output))
    measure = reported_metric(ground.goals, spec)
    score, interval = standing(rows.y_true, output, measure, draws=_ROUGH, seed=ground.seed)
    around = (score, interval.low, interval.high)
    return Tried(values[0], tuple(values[1:]), output, around, fitted.network.epochs)


def _loss(fitted: Fitted) -> float:
    """Answer the validation loss of the weights that were kept."""
    losses = fitted.network.history["val_loss"]
    best = fitted.network.best_epoch
    return float(losses[best - 1] if 0 < best <= len(losses) else min(losses))


def goals_of(names: Sequence[str], spec: TargetSpec) -> tuple[Goal, ...]:
    """Answer what is meant by the names of goals.

    Args:
        names: "loss", metrics of the task, "latency", "batch_latency".
        spec: What is predicted.

    Raises:
        SettingError: A name is unknown, there is none or one twice, or the first is a latency.
    """
    if not names or len(set(names)) < len(names):
        raise SettingError(
            "objectives must name what to search by, each once, such as ('roc_auc', 'latency'), "
            f"received {names!r}"
        )
    if names[0] in LATENCIES:
        raise SettingError(
            "the first objective is what the pipeline is good at: a metric or 'loss', before "
            f"{names[0]!r}"
        )
    return tuple(_goal(name, spec) for name in names)


def _goal(name: str, spec: TargetSpec) -> Goal:
    if name == LOSS:
        return Goal(LOSS)
    if name in LATENCIES:
        return Goal(name, unit="ms")
    try:
        (measure,) = find([name], spec)
    except SettingError as error:
        raise SettingError(
            f"objectives may be 'loss', 'latency', 'batch_latency'; else {error}"
        ) from None
    if measure.reads == "distribution":
        raise SettingError(
            f"{name!r} reads whole distributions and cannot be searched by: use 'loss'"
        )
    return Goal(name, measure.higher_is_better)


def reported_metric(goals: Sequence[Goal], spec: TargetSpec) -> Measure:
    """Answer the metric that is told of the best trial: the one searched by, or the usual one."""
    known = [goal.name for goal in goals if goal.name != LOSS and goal.name not in LATENCIES]
    return of_values([known[0] if known else primary(spec)], spec)[0]


def searched_metric(goal: Goal, spec: TargetSpec) -> Measure:
    """Answer the metric that is nearest to a goal: that of the loss, for the loss."""
    if goal.name != LOSS:
        return find([goal.name], spec)[0]
    if spec.likelihood in ("bernoulli", "categorical"):
        return find(["log_loss"], spec)[0]
    return of_values([primary(spec)], spec)[0]
