"""The stage that evaluates: a fitted pipeline on rows that it has not seen."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.clustering.fitted import NOISE
from headrace.clustering.step import ClusterStep
from headrace.data.scan import in_memory
from headrace.data.source import read
from headrace.errors import NotTrainedError
from headrace.evaluate.baseline import BASELINES, baselines
from headrace.evaluate.clusters import evaluate_clusters
from headrace.evaluate.evaluation import evaluate
from headrace.evaluate.importance import Importance, permutation_importance
from headrace.evaluate.interval_coverage import measure_coverage
from headrace.evaluate.labelled import LabelledRows, labelled_rows, labelled_sample
from headrace.evaluate.related import related_columns
from headrace.evaluate.scores import to_scores
from headrace.evaluate.several import SeveralEvaluations
from headrace.evaluate.slices import Slices, slices_of
from headrace.evaluate.stability import Stability, stability
from headrace.metrics.measure import of_values
from headrace.model.targets import Targets
from headrace.progress import bar
from headrace.stage import Context, Stage
from headrace.train.labels import LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from headrace.engine import Engine
    from headrace.evaluate.interval_coverage import Coverage
    from headrace.evaluate.result import ClusterEvaluation, Evaluation
    from headrace.metrics.measure import Measure
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

    AnyEvaluation: TypeAlias = "Evaluation | SeveralEvaluations | ClusterEvaluation"

__all__ = ["Evaluate"]


_SLICED_ROWS = 200
"""Fewer rows than these can hardly show a slice."""

_CROSSED_COLUMNS = 60
"""With more columns slices are of one column each: pairs would take minutes."""


class Evaluate(Stage):
    """Measure a pipeline on rows that it has not seen.

    Args:
        metrics: Names of the metrics; None for all of the task.
        primary: The metric that decides comparisons; None for the task's usual one.
        compare: Baselines on the same rows, of "dummy" and "gradient_boosting". They learn from
            the training rows as the network saw them, so a loaded pipeline has none.
        importance: Whether to measure how much each column matters.
        stability: How many trainings with other seeds to compare; 0 for none.
        slices: Whether to look for groups of rows that the network does worse on.
        groups: A column whose rows belong together where it is equal, such as a patient: intervals
            draw them together.
        time: A column that says when a row was, for rows that are like their neighbours in time:
            intervals draw blocks of them.
        resamples: How many times the rows are drawn for the intervals.
        confidence: Of the intervals.
        interval: The level at which the coverage of prediction intervals and sets is measured,
            where the pipeline has been calibrated; None for not at all.
        most_rows: Of a table that is not in memory, a random sample of so many labelled rows is
            measured when there are more; the intervals are those of the sample.
        checkpoint: A folder that keeps what is resampled so far. After a kill the same call goes
            on from there, to the same intervals.
    """

    cached = True
    reads = frozenset({"settings", "fitted", "train", "test"})

    def __init__(
        self,
        *,
        metrics: Sequence[str | Measure] | None = None,
        primary: str | None = None,
        compare: Sequence[str] = BASELINES,
        importance: bool = True,
        stability: int = 0,
        slices: bool = True,
        groups: str | None = None,
        time: str | None = None,
        resamples: int = 1000,
        confidence: float = 0.95,
        interval: float | None = 0.9,
        most_rows: int = 1_000_000,
        checkpoint: str | Path | None = None,
    ) -> None:
        """Store the settings."""
        self.metrics = metrics
        self.primary = primary
        self.compare = compare
        self.importance = importance
        self.stability = stability
        self.slices = slices
        self.groups = groups
        self.time = time
        self.resamples = resamples
        self.confidence = confidence
        self.interval = interval
        self.most_rows = most_rows
        self.checkpoint = checkpoint

    def run(self, pipeline: Pipeline, context: Context) -> AnyEvaluation:
        """Evaluate on `context.test`; what is resampled lies in the cache, if there is one."""
        resumable = copy(self)
        resumable.checkpoint = self.checkpoint or context.work
        return resumable.measure(pipeline, context.test)

    def restore(self, pipeline: Pipeline, context: Context, result: Any) -> AnyEvaluation:
        """Let the pipeline remember the scores."""
        del context
        if pipeline.fitted.target is not None:
            pipeline.remember(result)
        return result  # type: ignore[no-any-return]

    def measure(self, pipeline: Pipeline, data: object) -> AnyEvaluation:
        """Evaluate on any rows; the scores are remembered for the release.

        Raises:
            DataError: If the rows do not fit, or none has a label.
        """
        fitted = pipeline.fitted
        if fitted.model is None:
            raise NotTrainedError("a pipeline without a model has nothing to evaluate")
        if fitted.target is None:
            return self._clusters(fitted, data)
        result = self._targets(pipeline, fitted, data)
        pipeline.remember(result)
        return result

    def _targets(
        self, pipeline: Pipeline, fitted: Fitted, data: object
    ) -> Evaluation | SeveralEvaluations:
        if not isinstance(fitted.target, Targets):
            return self._network(pipeline, fitted, data)
        rows = read(data)
        return SeveralEvaluations(
            {
                name: self._network(pipeline, fitted.for_target(name), rows)
                for name in fitted.target.columns
            }
        )

    def _network(self, pipeline: Pipeline, fitted: Fitted, data: object) -> Evaluation:
        spec = fitted.network.target_spec
        with bar("evaluate", 3 + self.stability) as progress:
            rows = self._rows(fitted, read(data), pipeline.seed)
            output = fitted.output(rows.canonical)
            rivals, notes = self._baselines(fitted, rows, pipeline.seed)
            progress.advance(note="baselines fitted")
            result = evaluate(
                spec,
                rows.y_true,
                output,
                baselines=rivals,
                metrics=self.metrics,
                primary=self.primary,
                resamples=self.resamples,
                confidence=self.confidence,
                groups=rows.beside.get(self.groups or ""),
                time=rows.beside.get(self.time or ""),
                seed=pipeline.seed,
                notes=(*rows.notes, *notes),
                engine=pipeline.engine,
                checkpoint=self._folder(pipeline, spec.name),
            )
            progress.advance(note="metrics")
            result = replace(
                result,
                importance=self._importance(
                    fitted, rows, result.primary, seed=pipeline.seed, engine=pipeline.engine
                ),
                stability=self._stability(pipeline, fitted, rows, progress.advance),
                slices=self._slices(fitted, rows, output, pipeline.seed),
                coverage=self._coverage(fitted, rows),
            )
            progress.advance(note="done")
        return result

    def _rows(self, fitted: Fitted, rows: pl.LazyFrame, seed: int) -> LabelledRows:
        beside = [name for name in (self.groups, self.time) if name is not None]
        if in_memory(rows):
            return labelled_rows(fitted, rows, beside=beside)
        return labelled_sample(fitted, rows, self.most_rows, seed, beside=beside)

    def _folder(self, pipeline: Pipeline, target: str) -> Path | None:
        """Answer the folder of a target's resamples; of several targets each has its own."""
        if self.checkpoint is None or isinstance(pipeline.target, str):
            return None if self.checkpoint is None else Path(self.checkpoint)
        return Path(self.checkpoint) / f"target-{list(pipeline.target or ()).index(target)}"

    def _baselines(
        self, fitted: Fitted, rows: LabelledRows, seed: int
    ) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
        kept = fitted.kept
        if not self.compare:
            return {}, ()
        if kept is None or kept.features is None or kept.target is None:
            note = "no baselines: a loaded pipeline has no training rows for them to learn from"
            return {}, (note,)
        test = fitted.features(rows.canonical)
        return baselines(
            fitted.network.target_spec,
            fitted.plan.spec,
            kept.features,
            kept.target,
            test,
            names=self.compare,
            seed=seed,
        ), ()

    def _importance(
        self, fitted: Fitted, rows: LabelledRows, decisive: str, *, seed: int, engine: Engine
    ) -> Importance | None:
        if not self.importance:
            return None
        spec = fitted.network.target_spec
        return permutation_importance(
            lambda frame: to_scores(spec, fitted.output(frame)),
            rows.canonical,
            rows.y_true,
            task=spec.task,
            metric=of_values([decisive], spec)[0],
            groups=related_columns(rows.canonical, fitted.schema, seed=seed),
            confidence=self.confidence,
            seed=seed,
            engine=engine,
        )

    def _slices(
        self, fitted: Fitted, rows: LabelledRows, output: NDArray[Any], seed: int
    ) -> Slices | None:
        columns = len(fitted.schema.columns)
        if not self.slices or len(rows.y_true) < _SLICED_ROWS:
            return None
        depth = 2 if columns <= _CROSSED_COLUMNS else 1
        # The evaluation itself says what was left out.
        return slices_of(fitted, replace(rows, notes=()), output, depth=depth, seed=seed)

    def _coverage(self, fitted: Fitted, rows: LabelledRows) -> Coverage | None:
        if self.interval is None or not fitted.conformal:
            return None
        labelled = rows.canonical.with_columns(rows.labels.alias(LABEL))
        return measure_coverage(fitted, [labelled], self.interval, confidence=self.confidence)

    def _stability(
        self, pipeline: Pipeline, fitted: Fitted, rows: LabelledRows, advance: Any
    ) -> Stability | None:
        if not self.stability:
            return None
        again = fitted.retrain
        if again is None:
            raise NotTrainedError(
                "stability trains again with other seeds, which needs the training rows; "
                "a loaded pipeline has none"
            )
        spec = fitted.network.target_spec

        def train(seed: int) -> NDArray[Any]:
            output = again(seed).output(rows.canonical)
            advance(note=f"seed {seed}")
            return to_scores(spec, output)

        seeds = [pipeline.seed + 1 + place for place in range(self.stability)]
        return stability(
            train,
            rows.y_true,
            task=spec.task,
            metrics=of_values(self.metrics, spec),
            seeds=seeds,
            threshold=spec.threshold,
        )

    def _clusters(self, fitted: Fitted, data: object) -> ClusterEvaluation:
        clusters = fitted.clusters
        matrix = fitted.matrix(fitted.conform(data))
        clusterer, labels = fitted.steps[-1].copy(), clusters.predict(matrix)
        if not isinstance(clusterer, ClusterStep):
            raise NotTrainedError("a pipeline without a clusterer at its end has no clusters")
        if "random_state" in clusterer.get_params():
            clusterer.set_params(random_state=None)  # so that each refit has a seed of its own
        inside = labels != NOISE
        noise = f"{(~inside).sum():,} of {len(labels):,} rows are noise and left out"

        def refit(rows: NDArray[Any], seed: int) -> Any:
            return clusterer.fit_matrix(rows, seed=seed).predict

        with bar("evaluate", None) as progress:
            progress.advance(note="resampling")
            return evaluate_clusters(
                matrix[inside],
                labels[inside],
                clusters.centres,
                columns=[info.name for info in fitted.plan.outputs],
                refit=refit,
                confidence=self.confidence,
                notes=() if inside.all() else (noise,),
            )
