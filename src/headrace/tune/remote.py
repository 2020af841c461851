"""Trials on workers: settings and rows travel as plain data, losses come back."""

from __future__ import annotations

import time as clock
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.clustering import deep, hdbscan, kmeans, mixture
from headrace.model.network import Network
from headrace.partitions.task import Task, task
from headrace.preprocessing import clean, normalize, transform
from headrace.preprocessing.stored import step_from_dict, step_to_dict
from headrace.tune.attempt import Ground, attempt
from headrace.tune.front import Goal
from headrace.tune.steps import configured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.pipeline import Pipeline
    from headrace.preprocessing.step import Step
    from headrace.tune.space import Space

__all__ = ["Elsewhere", "RemoteTrials", "run_trial", "stays_here"]

# A worker finds steps by name among the classes that were imported.
_HOMES = (clean, normalize, transform, deep, hdbscan, kmeans, mixture, Network)
_OURS = "headrace."


class Elsewhere(Protocol):
    """How a trial is told to a worker.

    Attributes:
        task: What the worker runs; it answers `value`, `losses`, `pruned` and `late`.
        shared: What all trials share, plain.
    """

    task: Task
    shared: Any

    def message(
        self, parameters: Mapping[str, Any], limits: Sequence[float], seconds: float | None
    ) -> dict[str, Any]:
        """Answer one trial as plain values.

        Args:
            parameters: The settings to try.
            limits: For each epoch the loss that the best one so far must not be above; inf for
                none.
            seconds: How long the trial may take; None for any time.
        """


class RemoteTrials:
    """The trials of a pipeline, told to workers.

    Args:
        base: The pipeline with all its steps written out.
        ground: The rows, and what is searched by.
        space: What the settings of a trial mean.
    """

    task: Task

    def __init__(self, base: Pipeline, ground: Ground, space: Space) -> None:
        """Gather what all trials share."""
        self._base, self._space = base, space
        self.task = run_trial
        self.shared: Any = {
            "learn": ground.learn,
            "validation": ground.validation,
            "target": ground.target,
            "goals": [asdict(goal) for goal in ground.goals],
            "kinds": dict(ground.kinds),
            "seed": ground.seed,
        }

    def message(
        self, parameters: Mapping[str, Any], limits: Sequence[float], seconds: float | None
    ) -> dict[str, Any]:
        """Answer the steps with the settings of a trial."""
        candidate = configured(self._base, parameters, self._space)
        return {
            "steps": [step_to_dict(step) for step in candidate.steps or ()],
            "limits": np.asarray(limits, dtype=np.float64),
            "seconds": seconds,
        }


def stays_here(steps: Sequence[Step]) -> str:
    """Answer why trials of these steps cannot go to workers; "" if they can.

    Example:
        >>> stays_here([clean.Impute()])
        ''
    """
    for step in steps:
        if not type(step).__module__.startswith(_OURS):
            return f"{type(step).__name__} is a step of your own, whose code does not travel"
        if lost := step_to_dict(step)["lost"]:
            return f"{type(step).__name__} is given {', '.join(lost)}, which cannot be sent"
    return ""


@task()
def run_trial(trial: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Train with some settings; answer what came of it, and the losses of all epochs."""
    steps = [step_from_dict(step) for step in trial["steps"]]
    watch = _Watch(trial["limits"].tolist(), trial["seconds"])
    goals = tuple(Goal(**goal) for goal in shared["goals"])
    ground = Ground(**{**shared, "goals": goals})
    tried, _ = attempt(steps, ground, watch, most_seconds=trial["seconds"])
    return {
        "value": tried.value,
        "further": list(tried.further),
        "output": tried.output,
        "score": None if tried.score is None else list(tried.score),
        "losses": watch.losses,
        "pruned": watch.pruned,
        "late": watch.late,
    }


@dataclass
class _Watch:
    """Listens to the losses of a trial, and stops it by what was known when it was given away."""

    limits: list[float]
    seconds: float | None

    def __post_init__(self) -> None:
        self.losses: list[float] = []
        self.pruned = False
        self.late = False
        self._until = None if self.seconds is None else clock.monotonic() + self.seconds

    def __call__(self, epoch: int, loss: float) -> bool:
        """Take note of a loss, and answer whether the trial should stop."""
        if epoch >= len(self.losses):  # of several networks the first one is judged
            self.losses.append(loss)
            limit = self.limits[epoch] if epoch < len(self.limits) else np.inf
            self.pruned = self.pruned or bool(min(self.losses) > limit)
        self.late = self.late or (self._until is not None and clock.monotonic() >= self._until)
        return self.pruned or self.late
