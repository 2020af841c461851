"""The epochs of one worker: the same on all of them, with the same decisions."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.model.averages import UseAverages
from headrace.model.feed import epoch_order
from headrace.model.monitor import LOSS, Monitor
from headrace.model.parallel.shards import Division
from headrace.model.parallel.state import Progress, put_back, state_of
from headrace.model.parallel.step import SharedAnswers, SharedSteps, SharedTest
from headrace.model.parallel.worker import STATE
from headrace.model.schedules import schedule_callbacks
from headrace.model.watch import BestEpoch, BrokenLoss, Metric
from headrace.storage.checkpoint import Piece

if TYPE_CHECKING:
    from headrace.model.assembly import Assembly
    from headrace.model.parallel.job import Job, Shard
    from headrace.model.parallel.sums import Sums
    from headrace.storage.checkpoint import Checkpoint

__all__ = ["EVERY", "Worker"]

EVERY = 60.0
"""Seconds after which the state is kept within an epoch too."""


@dataclass(frozen=True, eq=False)
class _Watch:
    """The callbacks of a training, and those whose state is asked for."""

    all: list[Any]
    broken: BrokenLoss
    best: BestEpoch | None


class Worker:
    """One worker of a training.

    Args:
        number: Its number, from 0.
        job: What all are told.
        shard: Its rows.
        assembly: The model, compiled; see `compile_for_workers`.
        sums: Over all workers.
        kept: Where it keeps the state.
    """

    def __init__(
        self,
        number: int,
        job: Job,
        shard: Shard,
        *,
        assembly: Assembly,
        sums: Sums,
        kept: Checkpoint,
    ) -> None:
        """Put the rows into tensors."""
        self._number, self._job, self._sums, self._kept = number, job, sums, kept
        self._model = assembly.model
        self._division = Division(job.rows, job.batch, sums.workers)
        self._steps = SharedSteps(self._model, shard.own, sums)
        self._test = None if shard.held is None else SharedTest(self._model, shard.held)
        self._width = 0
        self._saved = time.monotonic()
        self._seeds = [v for v in self._model.variables if v.path.endswith("seed_generator_state")]
        self._watch = self._callbacks(assembly, shard)

    def train(self, start: Piece) -> Piece:
        """Train from a state to the end.

        Args:
            start: From where.

        Returns:
            The final weights, and how the training went.

        Raises:
            SettingError: The loss became NaN or infinite in the first epoch.
        """
        self._tell("on_train_begin")
        first = self._number == 0
        progress = put_back(start, self._model, self._watch.all, first=first)
        self._model.stop_training = progress.over
        while progress.epoch < self._job.epochs and not progress.over:
            progress = self._epoch(progress)
            self._keep(progress)
        self._tell("on_train_end")
        return self._answer(progress)

    def _epoch(self, progress: Progress) -> Progress:
        """Train for an epoch, or for what is left of it; answer how far the training is then."""
        epoch = progress.epoch
        if not progress.step:
            self._tell("on_epoch_begin", epoch)
        self._begin(progress)
        while not self._steps.over:
            self._steps.advance()
            self._keep_within(progress)
        logs = self._figures()
        self._tell("on_train_batch_end", self._steps.done - 1, logs)
        if self._test is not None and not self._model.stop_training:
            self._tell("on_test_begin")
            self._test()
            logs |= {f"val_{name}": value for name, value in self._figures().items()}
            self._tell("on_test_end", logs)
        if not self._steps.broken:
            self._tell("on_epoch_end", epoch, logs)
        history = {name: list(values) for name, values in progress.history.items()}
        for name, value in logs.items():
            history.setdefault(name, []).append(float(value))
        return Progress(epoch + 1, 0, bool(self._model.stop_training), history)

    def _tell(self, moment: str, *arguments: Any) -> None:
        """Tell all callbacks of a moment; Keras's own list of them would copy the figures."""
        for callback in self._watch.all:
            getattr(callback, moment)(*arguments)

    def _begin(self, progress: Progress) -> None:
        """Deal out the rows of an epoch, and begin a new chance that depends on the seed alone."""
        order = epoch_order(self._job.rows, self._job.seed, progress.epoch)
        self._width = max(self._width, self._division.width(order))
        own = self._division.own_steps(order, self._number, self._width)
        self._steps.start_epoch(own, progress.step)
        chance = np.random.default_rng(
            (self._job.seed, progress.epoch, progress.step, self._number)
        )
        for state in self._seeds:
            state.assign(chance.integers(2**32, size=state.shape, dtype=np.uint32))

    def _figures(self) -> dict[str, float]:
        """Answer the metrics over all workers, and begin anew with them."""
        self._sums.of_variables(self._model.metrics_variables)
        figures = {n: float(v) for n, v in self._model.get_metrics_result().items()}
        self._model.reset_metrics()
        return figures

    def _keep_within(self, progress: Progress) -> None:
        """Keep the state in the middle of a long epoch, when the first worker says that it is time.

        All are asked in any case, as a sum needs all of them.
        """
        late = self._number == 0 and time.monotonic() - self._saved >= EVERY
        if (
            not float(self._sums.of_array(np.array([late], dtype=np.float32))[0])
            or self._steps.over
        ):
            return
        self._sums.of_variables(self._model.metrics_variables)
        self._keep(replace(progress, step=self._steps.done))
        if self._number:
            self._model.reset_metrics()

    def _keep(self, progress: Progress) -> None:
        piece = state_of(self._model, progress, self._watch.all)
        self._kept.save(STATE, piece.document, piece.arrays)
        self._saved = time.monotonic()

    def _callbacks(self, assembly: Assembly, shard: Shard) -> _Watch:
        """Answer the callbacks in the order of a training in one process."""
        network, recipe = self._job.network, assembly.recipe
        monitor = Monitor()
        if network.monitor != LOSS and self._test is not None:
            monitor = Monitor.of(network.monitor, self._job.target)
        broken = BrokenLoss(lambda: "")
        averages = UseAverages() if getattr(self._model.optimizer, "use_ema", False) else None
        keeps = self._test is not None and recipe.patience is not None
        best = BestEpoch(recipe.patience, monitor) if keeps else None
        chosen = (
            *(broken, averages, self._metric(monitor, shard)),
            *schedule_callbacks(network.schedule or recipe.schedule, patience=recipe.patience),
            *(best, averages and averages.back),
        )
        for one in filter(None, chosen):
            one.set_model(self._model)
        return _Watch([one for one in chosen if one is not None], broken, best)

    def _metric(self, monitor: Monitor, shard: Shard) -> Metric | None:
        if monitor.measure is None or shard.held is None or shard.truth is None:
            return None
        held, truth = self._job.held, shard.truth
        place = Division(held, held, self._sums.workers).owned(self._number)
        answers = SharedAnswers(self._model, shard.held, place, held, self._sums)
        target, weight = self._job.target, shard.truth_weight
        return Metric(monitor.figure, lambda: monitor.value(target, truth, answers(), weight))

    def _answer(self, progress: Progress) -> Piece:
        broken, best = self._watch.broken, self._watch.best
        done = len(progress.history["loss"])
        sound = broken.sound if broken.note else done
        document = {
            "history": {name: values[:sound] for name, values in progress.history.items()},
            "best_epoch": best.epoch if best else sound,
            "notes": [broken.note] if broken.note else [],
        }
        weights = {f"{n:05d}": array for n, array in enumerate(self._model.get_weights())}
        return Piece(document, weights)
