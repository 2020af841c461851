"""The stage that tunes: the study, wired to a pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.duration import seconds
from headrace.stage import Context, Stage
from headrace.tune.choice import BALANCED, check_choice, chosen_trial
from headrace.tune.predictions import Predictions
from headrace.tune.search import Search
from headrace.tune.study import run_study

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.cache.cache import Cache
    from headrace.data.split import Split
    from headrace.evaluate.comparison import Comparison
    from headrace.pipeline import Pipeline
    from headrace.tune.pruning import Pruning
    from headrace.tune.result import TuneResult
    from headrace.tune.space import Space

__all__ = ["Tune", "seconds"]

_LOSS = ("loss",)


class Tune(Stage):
    """Search for better settings of the steps and the network.

    A part of the rows is held apart for the verdict; the search never sees it. Each trial trains on
    the rest, with the same validation rows, by which it is judged. The settings in use come first,
    then a few that were strong on many tables, then what the search draws.

    Args:
        trials: How many settings to try; 20 if neither this nor `time` is given.
        time: How long all of it may take, in seconds or as "10min": the search, the verdict and the
            training on all rows at its end.
        storage: The SQLite file of the study; a study that was interrupted goes on from it.
        space: What may be tried, by `step__setting` or, for a step itself, by `step`; None for what
            the steps and the network propose (`hr.search_space(pipe, data)` shows it).
        objectives: What to search by: "loss" of the validation rows, or a metric of the task; and
            besides "latency" (one row) or "batch_latency" (1,000 rows), measured on the ONNX graph.
        choose: Which trial is taken of those that no other one beats: "balanced" for the one with
            the best second objective among those whose score the validation rows cannot tell from
            the best; the name of an objective; or the number of a trial.
        pruning: How trials are stopped early: "asha", "hyperband", "median" or None for not; with
            several objectives none is.
        held_out: The share of the rows held apart for the verdict.
        validation: `hr.Split(group=...)` or `hr.Split(time=...)` to hold rows out by group or by
            time instead of at random, for the trials and for the verdict.
    """

    cached = True
    reads = frozenset({"steps", "settings", "train"})

    def __init__(
        self,
        *,
        trials: int | None = None,
        time: float | str | None = None,
        storage: str | Path | None = None,
        space: Space | None = None,
        objectives: Sequence[str] = _LOSS,
        choose: str | int = BALANCED,
        pruning: Pruning | None = "asha",
        held_out: float = 0.2,
        validation: Split | None = None,
    ) -> None:
        """Store the settings."""
        self.trials = trials
        self.time = time
        self.storage = storage
        self.space = space
        self.objectives = objectives
        self.choose = choose
        self.pruning = pruning
        self.held_out = held_out
        self.validation = validation

    def run(self, pipeline: Pipeline, context: Context) -> TuneResult:
        """Tune on `context.train`; the study lies in the cache, if there is one."""
        storage = self.storage or (context.work and context.work / "study.db")
        return self.search(
            pipeline, context.train, storage, context.cache and context.cache.apart()
        )

    def restore(self, pipeline: Pipeline, context: Context, result: Any) -> TuneResult:
        """Give the pipeline the settings that were kept, if they were."""
        if result.kept:
            cache = context.cache and context.cache.apart()
            self._of(pipeline, context.train, cache).keep(result.best.parameters)
        return result  # type: ignore[no-any-return]

    def search(
        self,
        pipeline: Pipeline,
        data: object,
        storage: str | Path | None = None,
        cache: Cache | None = None,
    ) -> TuneResult:
        """Search, judge, and keep the better pipeline if the verdict says so.

        Raises:
            SettingError: If there is nothing to tune, a name is unknown, or a limit cannot be used.
            DataError: If the rows are too few, or all have one label.
        """
        storage = storage or self.storage
        limit = None if self.time is None else seconds(self.time)
        search = self._of(pipeline, data, cache)
        check_choice(self.choose, search.goals)
        budget = search.within(limit, resumes=storage is not None and Path(storage).exists())
        predictions = Predictions(storage)
        found = run_study(
            search.objective,
            search.space,
            trials=self.trials,
            time=limit,
            storage=storage,
            goals=search.goals,
            start=search.start,
            pruning=self.pruning,
            identity=search.identity(),
            seed=pipeline.seed,
            engine=pipeline.engine,
            elsewhere=search.elsewhere(),
            budget=budget,
            predictions=predictions,
        )
        found = replace(found, notes=(*found.notes, *search.notes))
        if found.best is None:
            return found
        validation = search.validation(found, predictions)
        chosen, reason = chosen_trial(found, self.choose, validation)
        found = replace(found, chosen=chosen, reason=reason)
        comparison, estimate = search.verdict(found, validation)
        kept = self._keeps(found, comparison)
        if kept:
            search.keep(found.parameters)
        return replace(
            found, comparison=comparison, estimate=estimate, kept=kept, seconds=budget.spent()
        )

    def _of(self, pipeline: Pipeline, data: object, cache: Cache | None) -> Search:
        return Search(
            pipeline,
            data,
            space=self.space,
            objectives=self.objectives,
            validation=self.validation,
            held_out=self.held_out,
            cache=cache,
        )

    def _keeps(self, found: TuneResult, comparison: Comparison) -> bool:
        """Answer whether the new settings take the place of the old ones.

        A trial that was asked for by its number does. Where a second objective counts, settings do
        that are not worse and better in it than those in use, which were tried first.
        """
        if isinstance(self.choose, int) or comparison.verdict == "better":
            return True
        first = next((one for one in found.trials if one.number == 0), None)
        if comparison.verdict == "worse" or not found.further or not found.best:
            return False
        if first is None or not first.further:
            return False
        sign = -1 if found.further[0].higher_is_better else 1
        return sign * found.best.further[0] < sign * first.further[0]
