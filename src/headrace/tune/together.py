"""Several trials at a time: asked for one by one, tried by workers, told as they end."""

from __future__ import annotations

import math
import time as clock
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.partitions.crew import crew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    import optuna

    from headrace.partitions.crew import Crew, Ended
    from headrace.tune.remote import Elsewhere

__all__ = ["STARTUP_TRIALS", "WARMUP_EPOCHS", "Together", "pruning_limits"]

STARTUP_TRIALS = 5
"""Trials that must be complete before others are stopped for doing worse."""

WARMUP_EPOCHS = 2
"""Epochs that no trial is stopped in."""


class Together:
    """Trials of a study that are tried by workers.

    Args:
        study: The study.
        ask: Asks for a trial and answers it with its settings.
        elsewhere: How a trial is told to a worker.
        executor: Who works.
        deadline: On the clock of `time.monotonic`; no trial starts after it.
    """

    def __init__(
        self,
        study: optuna.Study,
        ask: Callable[[], tuple[optuna.Trial, dict[str, Any]]],
        elsewhere: Elsewhere,
        executor: Executor,
        deadline: float,
    ) -> None:
        """Store what the trials need."""
        self.study, self._ask, self._elsewhere = study, ask, elsewhere
        self._executor, self._deadline = executor, deadline
        self.running: dict[int, optuna.Trial] = {}

    def run(self, wanted: float) -> Iterator[tuple[optuna.Trial, Ended]]:
        """Give each trial as it ends, until so many have ended or time is up.

        A trial whose worker is lost is tried again under its own number, so it ends once. Trials
        that are still running when the caller stops stay in `running`.
        """
        asked = 0
        with crew(self._executor, self._elsewhere.task, self._elsewhere.shared) as workers:
            while True:
                while asked < wanted and len(workers) < workers.width and self._left() > 0:
                    self._start(workers)
                    asked += 1
                ended = workers.next()
                if ended is None:
                    return
                yield self.running.pop(ended.key), ended

    def _start(self, workers: Crew) -> None:
        trial, parameters = self._ask()
        self.running[trial.number] = trial
        left = self._left()
        seconds = None if math.isinf(left) else left
        message = self._elsewhere.message(parameters, pruning_limits(self.study), seconds)
        workers.give(trial.number, message)

    def _left(self) -> float:
        return self._deadline - clock.monotonic()


def pruning_limits(study: optuna.Study) -> list[float]:
    """Answer for each epoch the loss that the best of a trial so far must not be above.

    It is the median of the complete trials in that epoch, as Optuna's MedianPruner has it; a worker
    is told it beforehand, because it cannot ask the study.
    """
    import optuna

    done = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    if len(done) < STARTUP_TRIALS:
        return []
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    epochs = max((max(one.intermediate_values, default=-1) for one in done), default=-1) + 1
    limits = [math.inf] * epochs
    for epoch in range(WARMUP_EPOCHS, epochs):
        told = [one.intermediate_values.get(epoch) for one in done]
        known = [sign * loss for loss in told if loss is not None]
        limits[epoch] = float(np.median(known)) if known else math.inf
    return limits
