"""How a training went, gathered from what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.clustering.step import ClusterStep
from headrace.model.network import Network
from headrace.train.result import TrainResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.model.fitted import FittedNetwork
    from headrace.model.target import TargetSpec
    from headrace.preprocessing.fit import FittedSteps
    from headrace.train.chosen import ChosenSteps

__all__ = ["train_result"]


def train_result(
    steps: ChosenSteps,
    fitted: FittedSteps,
    spec: TargetSpec | None,
    model: Any,
    *,
    rows: tuple[int, int],
    seconds: Mapping[str, float],
    notes: Sequence[str],
    memory: Mapping[str, float] | None = None,
) -> TrainResult:
    """Answer the result of a training.

    Args:
        steps: The steps.
        fitted: What they learnt.
        spec: What is predicted.
        model: The fitted model; None for steps alone.
        rows: How many rows were learnt from, and how many decided when to stop.
        seconds: Seconds by part.
        notes: What the user should know.
        memory: What was promised, expected and taken, where the rows were not held.
    """
    outputs = fitted.plan.outputs
    network = model if isinstance(steps.model, Network) else None
    clusters = steps.model if isinstance(steps.model, ClusterStep) else None
    return TrainResult(
        rows=rows[0],
        validation_rows=rows[1],
        columns=len(fitted.plan.inputs),
        numbers=sum(info.type == "number" for info in outputs),
        categories=sum(info.type == "code" for info in outputs),
        model=network.architecture if network else clusters.title if clusters else "",
        parameters=network.model.count_params() if network else 0,
        target=spec.name if spec else None,
        task=spec.task if spec else "clustering" if clusters else None,
        history=network.history if network else {},
        best_epoch=network.best_epoch if network else 0,
        seconds=dict(seconds),
        learnt=dict(fitted.learnt),
        memory=dict(memory or {}),
        notes=(*notes, *(network.notes if network else ())),
        **(_of_network(network) if network else {}),
    )


def _of_network(network: FittedNetwork) -> dict[str, Any]:
    """Answer what a training result says of a network alone."""
    training = network.training
    decision = {
        "threshold": "" if training.threshold is None else training.threshold.text(),
        "calibration": "" if network.calibration is None else network.calibration.text(),
    }
    return {
        "monitor": training.monitor,
        "estimate": {} if training.estimate is None else training.estimate.to_dict(),
        "actual": {
            "seconds": training.seconds.get("epochs", 0.0),
            "bytes": float(training.peak_bytes),
        },
        "layers": tuple(layer.to_dict() for layer in training.layers),
        "members": tuple(member.to_dict() for member in training.members),
        "decision": {name: text for name, text in decision.items() if text},
    }
