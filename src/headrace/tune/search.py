"""The search of a pipeline: its rows divided, its settings tried, the best one judged and kept."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.fingerprint import fingerprint
from headrace.data.lazy_split import is_drawn
from headrace.data.scan import batches, collect
from headrace.data.source import read
from headrace.data.split import Split, split
from headrace.errors import DataError, Problem, SettingError
from headrace.evaluate.comparison import judge
from headrace.evaluate.labelled import labelled_rows
from headrace.evaluate.resampling import resample
from headrace.evaluate.scores import check_scores, to_scores
from headrace.train.budget import fits_in_memory
from headrace.train.cached import train_kept
from headrace.train.labels import LABEL, label_series
from headrace.tune.attempt import (
    Ground,
    attempt,
    goals_of,
    reported_metric,
    searched_metric,
    shortened,
)
from headrace.tune.budget import Budget
from headrace.tune.choice import Validation
from headrace.tune.honest import HonestEstimate, bias_corrected
from headrace.tune.remote import RemoteTrials, stays_here
from headrace.tune.space import active, stored
from headrace.tune.steps import (
    check_names,
    configured,
    network_of,
    proposed,
    settings_in_use,
    spelt_out,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.cache.cache import Cache
    from headrace.evaluate.comparison import Comparison
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted
    from headrace.tune.predictions import Predictions
    from headrace.tune.remote import Elsewhere
    from headrace.tune.result import TuneResult
    from headrace.tune.space import Space
    from headrace.tune.study import Report, Tried

__all__ = ["Search"]

_MOST_SEARCHED = 200_000
"""Rows that a search uses of a table that does not fit the memory."""

_FEWEST_ROWS = 10
_PLACE = "__headrace_place__"

_AGAIN = 1.25
"""The training on all rows takes so many times as long as a trial on its share of them."""

_JUDGED_ANEW = 2.0
"""The same for the two trainings before the verdict, where workers did the trials."""


@dataclass(frozen=True)
class _Remembered:
    """A trial of this process, whose pipeline is still there."""

    parameters: Mapping[str, Any]
    costs: tuple[float, ...]
    fitted: Fitted


class Search:
    """A pipeline's settings as something that can be tried.

    A part of the rows is held apart for the verdict. The rest is divided once more: the validation
    rows, the same ones for all trials, decide when a training stops and which trial is the best.

    Args:
        pipeline: What is tuned.
        data: The rows.
        space: What may be tried; None for what the steps propose.
        objectives: What is searched by.
        validation: How rows are held out, both times; None for at random.
        held_out: The share of the rows held apart for the verdict.
        cache: Where the fits of steps are kept.

    Raises:
        SettingError: There is nothing to tune, or a name is unknown.
        DataError: The rows are too few, or all have one label.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        data: object,
        *,
        space: Space | None,
        objectives: Sequence[str],
        validation: Split | None,
        held_out: float,
        cache: Cache | None,
    ) -> None:
        target = _only_target(pipeline)
        self._pipeline, self._cache = pipeline, cache
        self._rule = validation
        self._source = read(data)
        self._raw, self.notes = _searched(self._source, pipeline)
        labels = label_series(self._raw, target)
        _check_labels(labels, target)
        self.base = spelt_out(pipeline, self._raw)
        self.spec = network_of(self.base.steps).target_spec(labels.drop_nulls())
        self.goals = goals_of(objectives, self.spec)
        self.space = proposed(self.base, self.spec) if space is None else dict(space)
        check_names(self.space, self.base)
        known = self._raw.with_columns(labels.alias(LABEL)).drop_nulls(LABEL)
        rest, self._judged = self._divided(known, held_out)
        learn, held = self._divided(rest, Split().share)
        self.ground = Ground(
            learn.drop(LABEL),
            held.drop(LABEL),
            target,
            self.goals,
            kinds=pipeline.kinds or {},
            seed=pipeline.seed,
        )
        self.budget = Budget(None)
        self.start = self._start()
        self._used = stored(self.start[0], self.space)
        self._remembered: list[_Remembered] = []

    def _divided(self, rows: pl.DataFrame, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
        rule, seed = self._rule, self._pipeline.seed
        if rule is None or rule.random:
            return split(rows, share=share, stratify=LABEL, seed=seed)
        return split(rows, share=share, group=rule.group, time=rule.time, seed=seed)

    def _start(self) -> list[dict[str, Any]]:
        """Answer what is tried first: the settings in use, and ones strong on many tables."""
        now = settings_in_use(self.base, self.spec)
        used = {name: now[name] for name in self.space if name in now}
        name = list(self.base.named_steps())[-1]
        strong = network_of(self.base.steps).strong_settings()
        return [used] + [
            used | {f"{name}__{key}": value for key, value in one.items()}
            for one in strong
            if any(f"{name}__{key}" in self.space for key in one)
        ]

    def identity(self) -> str:
        """Answer a hash of the rows and the steps, so that a study goes on with the same ones."""
        digest = hashlib.sha256(fingerprint(self._raw).encode())
        digest.update(repr(self.base).encode())
        digest.update(repr(self._rule).encode() if self._rule else b"")
        return digest.hexdigest()[:16]

    def within(self, seconds: float | None, *, resumes: bool) -> Budget:
        """Begin to count the time; what comes after the trials is set aside."""
        anew = resumes or self._pipeline.engine.executor is not None
        share = _AGAIN + (_JUDGED_ANEW if anew else 0.0)
        self.budget = Budget(seconds, share=share)
        return self.budget

    def elsewhere(self) -> Elsewhere | None:
        """Answer how trials are told to workers; None where they are tried here."""
        if self._pipeline.engine.executor is None:
            return None
        if reason := stays_here(self.base.steps or ()):
            warnings.warn(
                f"the trials run in this process, one after the other: {reason}", stacklevel=5
            )
            return None
        return RemoteTrials(self.base, self.ground, self.space)

    def objective(self, parameters: dict[str, Any], report: Report) -> Tried:
        """Train with some settings and measure what is searched by."""
        candidate = configured(self.base, parameters, self.space)
        left = self.budget.for_trial()
        tried, fitted = attempt(
            candidate.steps or (),
            self.ground,
            report,
            most_seconds=None if math.isinf(left) else left,
            cache=self._cache,
        )
        if not report.pruned:
            self._remember(stored(parameters, self.space), tried, fitted)
        return tried

    def _remember(self, parameters: Mapping[str, Any], tried: Tried, fitted: Fitted) -> None:
        """Keep a trained pipeline while none beats it; that of the settings in use stays."""
        values = zip(self.goals, (tried.value, *tried.further), strict=True)
        costs = tuple(-value if goal.higher_is_better else value for goal, value in values)
        known = [*self._remembered, _Remembered(parameters, costs, fitted)]
        self._remembered = [
            one
            for one in known
            if one.parameters == self._used
            or not any(
                other.costs != one.costs and _all_less(other.costs, one.costs) for other in known
            )
        ]

    def validation(self, found: TuneResult, predictions: Predictions) -> Validation:
        """Answer the validation rows, and what the complete trials say of them."""
        labels = label_series(self.ground.validation, self.ground.target)
        numbers = [one.number for one in found.trials if one.value is not None]
        outputs = predictions.load(numbers)
        measure = searched_metric(self.goals[0], self.spec)
        return Validation(self.spec.truth(labels), outputs, measure, self.spec)

    def verdict(
        self, found: TuneResult, validation: Validation
    ) -> tuple[Comparison, HonestEstimate | None]:
        """Compare the found settings with the ones in use, on rows that the search has not seen."""
        if found.best is None:
            raise SettingError("no trial is complete")
        best = self._trained(found.best.parameters)
        before = self._trained(self.start[0], base=True)
        spec, rows = best.network.target_spec, labelled_rows(best, self._judged.drop(LABEL))
        measure = reported_metric(self.goals, spec)
        outputs = [to_scores(spec, one.output(rows.canonical)) for one in (best, before)]
        truth, first = check_scores(spec.task, rows.y_true, outputs[0])
        kernels = [measure.prepare(truth, output) for output in outputs]
        deciding = [measure.deciding_rows(truth, first)] * 2
        drawn = resample(kernels, len(truth), seed=self._pipeline.seed, deciding=deciding)
        comparison = judge(*drawn, measure=measure, rows=len(truth))
        interval = drawn[0].interval(lowest=measure.lowest, highest=measure.highest)
        said = validation.outputs.get(found.best.number)
        if said is None:
            return comparison, None
        return comparison, HonestEstimate(
            metric=measure.name,
            higher_is_better=measure.higher_is_better,
            validation=measure(validation.y_true, said),
            validation_rows=len(validation.y_true),
            trials=len(validation.outputs),
            corrected=bias_corrected(
                validation.y_true,
                list(validation.outputs.values()),
                measure,
                choice=validation.measure,
                seed=self._pipeline.seed,
            ),
            value=drawn[0].value,
            low=interval.low,
            high=interval.high,
            rows=len(truth),
            note=interval.note,
        )

    @property
    def _used_is_whole(self) -> bool:
        """Whether a trial can have the very settings in use: some may lie outside of the space."""
        wanted = {name for name in self.space if active(name, self._used, self.space)}
        return self._used.keys() == wanted

    def _trained(self, parameters: Mapping[str, Any], *, base: bool = False) -> Fitted:
        wanted = stored(parameters, self.space)
        for one in self._remembered:
            if one.parameters == wanted and (not base or self._used_is_whole):
                return one.fitted
        candidate = self.base.copy() if base else configured(self.base, parameters, self.space)
        left = self.budget.whole_left()
        # Two of these and the training on all rows have to find room in what is left.
        limit = None if math.isinf(left) else left / (1 + _JUDGED_ANEW + _AGAIN)
        steps = list(candidate.steps or ())
        return train_kept(
            self.ground.learn,
            [*steps[:-1], shortened(network_of(steps), limit)],
            target=self.ground.target,
            kinds=self.ground.kinds,
            validation=self.ground.validation,
            seed=self.ground.seed,
            cache=self._cache,
        )

    def keep(self, parameters: Mapping[str, Any]) -> None:
        """Give the pipeline the found settings, trained on all rows in the time that is left."""
        better = configured(self.base, parameters, self.space)
        network = network_of(better.steps)
        stated, left = network.time, self.budget.whole_left()
        network.time = shortened(network, None if math.isinf(left) else left).time
        self._pipeline.steps, self._pipeline.network = better.steps, None
        try:
            self._pipeline.train(self._source, self._rule, cache=self._cache)
        finally:
            network.time = stated


def _all_less(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(first, second, strict=True))


def _only_target(pipeline: Pipeline) -> str:
    if pipeline.target is None:
        raise SettingError("tuning needs a target; for clusters compare evaluations of several k")
    if not isinstance(pipeline.target, str):
        raise SettingError(
            "tuning compares by the metric of one target, and the pipeline predicts "
            f"{', '.join(pipeline.target)}: tune a pipeline for one of them"
        )
    return pipeline.target


def _check_labels(labels: pl.Series, target: str) -> None:
    known = labels.drop_nulls()
    if len(known) < _FEWEST_ROWS:
        text = f"tuning needs {_FEWEST_ROWS} rows with a label at least, received {len(known)}"
        raise DataError([Problem(text, column=target)])
    if known.n_unique() < 2:
        text = "all rows have the same label, so no settings can be better than others"
        raise DataError([Problem(text, column=target, value=known[0])])


def _searched(source: pl.LazyFrame, pipeline: Pipeline) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Answer the rows that the search uses: all, or a sample of what does not fit the memory."""
    if fits_in_memory(source, pipeline.engine):
        return source.collect(), ()
    numbered = source.with_row_index(_PLACE)
    count = collect(source.select(pl.len()), streaming=True).item()
    share = min(1.0, _MOST_SEARCHED / max(count, 1))
    drawn = numbered.filter(is_drawn(pl.col(_PLACE), share, pipeline.seed)).drop(_PLACE)
    rows = pl.concat(batches(drawn))
    note = (
        f"the search used a random sample of {rows.height:,} of {count:,} rows; a better pipeline "
        "is trained on all of them"
    )
    return rows, (note,)
