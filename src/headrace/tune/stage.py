"""The stage that tunes: the study, wired to a pipeline."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.fingerprint import fingerprint
from headrace.data.infer import infer_schema
from headrace.data.lazy_split import is_drawn
from headrace.data.scan import batches, collect
from headrace.data.source import read
from headrace.data.split import Split, split
from headrace.duration import seconds
from headrace.errors import SettingError
from headrace.evaluate.comparison import compare
from headrace.evaluate.labelled import labelled_rows
from headrace.evaluate.scores import to_scores
from headrace.metrics.measure import primary
from headrace.model.network import Network
from headrace.preprocessing.defaults import default_steps
from headrace.stage import Context, Stage
from headrace.train.budget import fits_in_memory
from headrace.train.cached import train_kept
from headrace.train.labels import LABEL, label_series
from headrace.train.training import train
from headrace.tune.remote import RemoteTrials, stays_here
from headrace.tune.space import joined
from headrace.tune.study import run_study

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from headrace.cache.cache import Cache
    from headrace.evaluate.comparison import Comparison
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted
    from headrace.tune.remote import Elsewhere
    from headrace.tune.result import TuneResult
    from headrace.tune.space import Space
    from headrace.tune.study import Report

__all__ = ["Tune", "seconds"]

_MOST_SEARCHED = 200_000
"""Rows that a search uses of a table that does not fit the memory."""

_PLACE = "__headrace_place__"


class Tune(Stage):
    """Search for better settings of the steps and the network.

    A part of the rows is held out for the verdict; the search never sees it. Each trial trains on
    the rest, with the same validation rows, whose loss it is judged by.

    Args:
        trials: How many settings to try; 20 if neither this nor `time` is given.
        time: How long to search, in seconds or as "10min".
        storage: The SQLite file of the study; a study that was interrupted goes on from it.
        space: What may be tried, by `step__setting` (see `Pipeline.get_params`); None for what the
            steps and the network propose.
        held_out: The share of the rows held out for the verdict.
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
        held_out: float = 0.2,
    ) -> None:
        """Store the settings."""
        self.trials = trials
        self.time = time
        self.storage = storage
        self.space = space
        self.held_out = held_out

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
            search = _Search(self, pipeline, context.train, cache)
            search.keep(result.best.parameters)
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
            SettingError: If there is nothing to tune, or a limit cannot be used.
        """
        search = _Search(self, pipeline, data, cache)
        found = run_study(
            search.objective,
            search.space,
            trials=self.trials,
            time=None if self.time is None else seconds(self.time),
            storage=storage or self.storage,
            metric="validation loss",
            start=[search.current],
            identity=search.identity(),
            seed=pipeline.seed,
            engine=pipeline.engine,
            elsewhere=search.elsewhere(),
        )
        found = replace(found, notes=(*found.notes, *search.notes))
        if found.best is None:
            return found
        comparison = search.compare(found.best.parameters)
        kept = comparison.verdict == "better"
        if kept:
            search.keep(found.best.parameters)
        return replace(found, comparison=comparison, kept=kept)


class _Search:
    """A pipeline's settings as something that can be tried."""

    def __init__(
        self, settings: Tune, pipeline: Pipeline, data: object, cache: Cache | None
    ) -> None:
        if pipeline.target is None:
            raise SettingError(
                "tuning needs a target; for clusters compare evaluations of several k"
            )
        if not isinstance(pipeline.target, str):
            raise SettingError(
                "tuning compares by the metric of one target, and the pipeline predicts "
                f"{', '.join(pipeline.target)}: tune a pipeline for one of them"
            )
        self._pipeline = pipeline
        self._source = read(data)
        self._cache = cache
        raw, self.notes = _searched(self._source, pipeline)
        self._raw = raw
        self._base = _with_steps(pipeline, raw)
        proposed = {name: step.search_space() for name, step in self._base.named_steps().items()}
        self.space = dict(settings.space) if settings.space is not None else joined(proposed)
        self._learn, self._judge = _held_out(raw, pipeline.target, settings.held_out, pipeline.seed)
        self._best: tuple[float, Mapping[str, Any], Fitted] | None = None

    @property
    def current(self) -> dict[str, Any]:
        """The settings in use."""
        known = self._base.get_params()
        return {name: known[name] for name in self.space if name in known}

    def identity(self) -> str:
        """Answer a hash of the rows and the steps, so that a study goes on with the same ones."""
        digest = hashlib.sha256(fingerprint(self._raw).encode())
        digest.update(repr(self._base).encode())
        return digest.hexdigest()[:16]

    def elsewhere(self) -> Elsewhere | None:
        """Answer how trials are told to workers; None where they are tried here."""
        if self._pipeline.engine.executor is None:
            return None
        if reason := stays_here(self._base.steps or ()):
            warnings.warn(
                f"the trials run in this process, one after the other: {reason}", stacklevel=5
            )
            return None
        return RemoteTrials(self._base, self._learn)

    def objective(self, parameters: dict[str, Any], report: Report) -> float:
        """Train with some settings and answer the best validation loss."""
        from headrace.tune.callback import Reporting

        candidate = self._with(parameters)
        network = _network(candidate)
        network.callbacks = (*network.callbacks, Reporting(report))
        fitted = self._train(candidate)
        loss = min(fitted.network.history["val_loss"])
        if self._best is None or loss < self._best[0]:
            self._best = (loss, parameters, fitted)
        return loss

    def compare(self, parameters: Mapping[str, Any]) -> Comparison:
        """Compare the found settings with the ones in use, on rows that the search has not seen."""
        found = self._fitted(parameters)
        before = self._train(self._base, kept=True)
        rows = labelled_rows(found, self._judge)
        spec = found.network.target_spec
        return compare(
            rows.y_true,
            to_scores(spec, found.output(rows.canonical)),
            to_scores(spec, before.output(rows.canonical)),
            task=spec.task,
            metric=primary(spec),
            seed=self._pipeline.seed,
        )

    def keep(self, parameters: Mapping[str, Any]) -> None:
        """Give the pipeline the found settings, trained on all rows."""
        better = self._with(parameters)
        self._pipeline.steps, self._pipeline.network = better.steps, None
        self._pipeline.train(self._source, cache=self._cache)

    def _fitted(self, parameters: Mapping[str, Any]) -> Fitted:
        if self._best is not None and self._best[1] == parameters:
            return self._best[2]
        return self._train(self._with(parameters), kept=True)

    def _with(self, parameters: Mapping[str, Any]) -> Pipeline:
        return self._base.copy().set_params(**parameters)

    def _train(self, candidate: Pipeline, *, kept: bool = False) -> Fitted:
        """Train a candidate; one that reports to a study is kept by its steps alone."""
        do: Callable[..., Fitted] = train_kept if kept else train
        return do(
            self._learn,
            candidate.steps,
            target=candidate.target,
            kinds=candidate.kinds,
            validation=Split(),
            seed=candidate.seed,
            cache=self._cache,
        )


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


def _with_steps(pipeline: Pipeline, raw: pl.DataFrame) -> Pipeline:
    """Answer a copy of the pipeline whose steps are all written out, a network at the end."""
    base = pipeline.copy()
    if base.steps is None:
        base.steps = list(pipeline.fitted.steps) if pipeline.is_trained else _chosen(pipeline, raw)
        base = base.copy()
    if not base.steps or not isinstance(base.steps[-1], Network):
        base.steps = [*(base.steps or []), base.network or Network()]
    base.network = None
    return base


def _chosen(pipeline: Pipeline, raw: pl.DataFrame) -> list[Any]:
    schema = infer_schema(raw.lazy(), kinds=pipeline.kinds, exclude=[str(pipeline.target or "")])
    return [*default_steps(schema), pipeline.network or Network()]


def _network(pipeline: Pipeline) -> Network:
    last = pipeline.steps[-1] if pipeline.steps else None
    if not isinstance(last, Network):
        raise SettingError("tuning needs a network as the last step")
    return last


def _held_out(
    raw: pl.DataFrame, target: str, share: float, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    marked = raw.with_columns(label_series(raw, target).alias(LABEL)).drop_nulls(LABEL)
    learn, judge = split(marked, share=share, stratify=LABEL, seed=seed)
    return learn.drop(LABEL), judge.drop(LABEL)
