"""Several trials at a time: asked for one by one, tried by workers, told as they end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from headrace.partitions.crew import crew
from headrace.tune.pruning import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    import optuna

    from headrace.partitions.crew import Crew, Ended
    from headrace.tune.budget import Budget
    from headrace.tune.pruning import Pruning
    from headrace.tune.remote import Elsewhere

__all__ = ["Together"]


class Together:
    """Trials of a study that are tried by workers.

    Args:
        study: The study.
        ask: Asks for a trial and answers it with its settings.
        elsewhere: How a trial is told to a worker.
        executor: Who works.
        budget: How much time is left; no trial starts when it is used up.
        pruning: How trials are stopped early.
    """

    def __init__(
        self,
        study: optuna.Study,
        ask: Callable[[], tuple[optuna.Trial, dict[str, Any]]],
        elsewhere: Elsewhere,
        *,
        executor: Executor,
        budget: Budget,
        pruning: Pruning | None,
    ) -> None:
        """Store what the trials need."""
        self.study, self._ask, self._elsewhere = study, ask, elsewhere
        self._executor, self._budget, self._pruning = executor, budget, pruning
        self.running: dict[int, optuna.Trial] = {}

    def run(self, wanted: float) -> Iterator[tuple[optuna.Trial, Ended]]:
        """Give each trial as it ends, until so many have ended or time is up.

        A trial whose worker is lost is tried again under its own number, so it ends once. Trials
        that are still running when the caller stops stay in `running`.
        """
        asked = 0
        with crew(self._executor, self._elsewhere.task, self._elsewhere.shared) as workers:
            while True:
                while asked < wanted and len(workers) < workers.width and self._budget.left() > 0:
                    self._start(workers)
                    asked += 1
                ended = workers.next()
                if ended is None:
                    return
                yield self.running.pop(ended.key), ended

    def _start(self, workers: Crew) -> None:
        trial, parameters = self._ask()
        self.running[trial.number] = trial
        left = self._budget.for_trial()
        seconds = None if math.isinf(left) else left
        told = limits(self.study, self._pruning)
        message = self._elsewhere.message(parameters, told, seconds)
        workers.give(trial.number, message)
