"""The stages of a run: taken from the cache where nothing that decides them has changed."""

from __future__ import annotations

import hashlib
import time
from functools import cache as once
from typing import TYPE_CHECKING, Any

from headrace.cache.code import code_of, is_own, versions
from headrace.cache.codec import Codec
from headrace.cache.errors import NotComparable, NotKept
from headrace.cache.explanation import Line
from headrace.cache.values import plain
from headrace.deploy.parts import parts_of
from headrace.storage.arrays import arrays_bytes
from headrace.storage.documents import canonical_json
from headrace.train.kept import LIBRARIES, rows_of, steps_of

if TYPE_CHECKING:
    import polars as pl

    from headrace.cache.cache import Cache, Part
    from headrace.pipeline import Pipeline
    from headrace.result import Result
    from headrace.stage import Context, Stage
    from headrace.train.fitted import Fitted

__all__ = ["Keeping"]

_LIBRARIES = (*LIBRARIES, "optuna", "onnx", "onnxruntime", "tf2onnx")
_NOT_LEARNT = {"card.md", "evaluation.json", "network.keras"}


class Keeping:
    """Runs the stages of one run, with a cache.

    Args:
        cache: Where results are kept.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._keys: dict[str, str | None] = {}
        self._rows: list[tuple[pl.DataFrame | pl.LazyFrame, dict[str, Any]]] = []

    def run(self, stage: Stage, pipeline: Pipeline, context: Context) -> Result | None:
        """Answer the result of a stage: the one that is kept, or that of its work now."""
        if not stage.cached:
            return self._run_anew(stage, pipeline, context)
        part = self._cache.part(stage.name, stage.name, self._ingredients(stage, pipeline, context))
        self._keys[stage.name] = part.key
        codec = Codec([*_classes(), *stage.kept_as])
        with part.alone():
            try:
                return stage.restore(pipeline, context, _loaded(part, codec))
            except NotKept as reason:
                if str(reason):
                    part.lost(str(reason))
            return self._run_and_keep(stage, part, codec, pipeline, context)

    def _run_anew(self, stage: Stage, pipeline: Pipeline, context: Context) -> Result | None:
        if not is_own(type(stage)):
            text = "ran: a stage of your own is kept only if its class says cached = True"
            self._cache.note(Line(stage.name, stage.name, text, kept=False))
        return stage.run(pipeline, context)

    def _run_and_keep(
        self, stage: Stage, part: Part, codec: Codec, pipeline: Pipeline, context: Context
    ) -> Result | None:
        part.begin()
        context.work = part.folder
        start = time.perf_counter()
        result = stage.run(pipeline, context)
        seconds = time.perf_counter() - start
        context.work = None
        if not stage.keeps(result):
            part.not_kept("it changed more than can be done again from its result")
            return result
        try:
            document, arrays = codec.encode(result)
        except NotComparable as reason:
            part.not_kept(str(reason))
        else:
            part.save(document, arrays, seconds=seconds)
        return result

    def _ingredients(
        self, stage: Stage, pipeline: Pipeline, context: Context
    ) -> dict[str, Any] | NotComparable:
        try:
            code = code_of(type(stage), plain)
            parameters = {type(stage).__name__: plain(vars(stage))}
            if "settings" in stage.reads:
                parameters["Pipeline"] = plain(pipeline.settings())
            if "steps" in stage.reads:
                more, steps = steps_of(_steps(pipeline))
                code, parameters = {**code, **more}, {**parameters, **steps}
            return {
                "data": self._data(stage, context),
                "code": code,
                "parameters": parameters,
                "versions": versions(*_LIBRARIES),
                "before": self._before(stage, pipeline, context),
            }
        except NotComparable as reason:
            return reason

    def _data(self, stage: Stage, context: Context) -> dict[str, Any]:
        rows = {"train": ("the rows", context.train), "test": ("the rows held out", context.test)}
        return {
            name: self._rows_of(frame) for key, (name, frame) in rows.items() if key in stage.reads
        }

    def _rows_of(self, frame: pl.DataFrame | pl.LazyFrame) -> dict[str, Any]:
        for known, rows in self._rows:
            if known is frame:
                return rows
        rows = rows_of(frame)
        self._rows.append((frame, rows))
        return rows

    def _before(self, stage: Stage, pipeline: Pipeline, context: Context) -> dict[str, Any]:
        before = dict(stage.beside(pipeline, context))
        if "fitted" in stage.reads and pipeline.is_trained:
            before["the training"] = _digest_of(pipeline.fitted)
        if "scores" in stage.reads and pipeline.is_trained:
            before["the evaluation"] = _digest(dict(pipeline.fitted.scores))
        if "results" in stage.reads:
            before |= {f"the stage {name}": key for name, key in self._keys.items()}
        return before


def _loaded(part: Part, codec: Codec) -> Any:
    piece = part.load()
    if piece is None:
        raise NotKept
    try:
        return codec.decode(piece.document, piece.arrays)
    except ValueError as error:
        raise NotKept(str(error)) from error


def _steps(pipeline: Pipeline) -> list[Any]:
    steps = pipeline.steps
    if steps is None:
        steps = list(pipeline.fitted.steps) if pipeline.is_trained else []
    return [*steps, *([] if pipeline.network is None else [pipeline.network])]


def _digest_of(fitted: Fitted) -> str:
    """Answer a hash of what training learnt; scores, which come later, do not count."""
    parts = parts_of(fitted, {})
    return _digest({name: part for name, part in parts.items() if name not in _NOT_LEARNT})


def _digest(value: Any) -> str:
    document, arrays = Codec().encode(value)
    return hashlib.sha256(canonical_json(document) + arrays_bytes(arrays)).hexdigest()[:16]


@once
def _classes() -> tuple[type, ...]:
    """Answer the classes that the results of headrace's own stages are made of."""
    from headrace.deploy.parity import ColumnDifference, Verification
    from headrace.deploy.result import DeployResult
    from headrace.evaluate.comparison import Comparison
    from headrace.evaluate.importance import ColumnImportance, Importance
    from headrace.evaluate.interval_coverage import Coverage, Covered
    from headrace.evaluate.result import ClusterEvaluation, Evaluation, Metric
    from headrace.evaluate.several import SeveralEvaluations
    from headrace.evaluate.stability import Spread, Stability
    from headrace.maintain.drift import ColumnDrift, DriftReport, DriftTest
    from headrace.maintain.finding import Finding
    from headrace.maintain.policy import Decision
    from headrace.maintain.quality import QualityReport
    from headrace.maintain.result import MaintainResult
    from headrace.maintain.score import Score
    from headrace.tune.front import Goal
    from headrace.tune.honest import HonestEstimate
    from headrace.tune.result import Trial, TuneResult

    evaluated = (Evaluation, SeveralEvaluations, ClusterEvaluation, Metric, Comparison)
    explained = (Importance, ColumnImportance, Stability, Spread, Coverage, Covered)
    maintained = (MaintainResult, Decision, DriftReport, ColumnDrift, DriftTest, QualityReport)
    deployed = (DeployResult, Verification, ColumnDifference)
    tuned = (TuneResult, Trial, Goal, HonestEstimate)
    return (*evaluated, *explained, *maintained, Finding, Score, *deployed, *tuned)
