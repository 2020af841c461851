"""The stage that evaluates: a fitted pipeline on rows that it has not seen."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from headrace.clustering.kmeans import KMeans
from headrace.data.conform import conform
from headrace.data.lazy_split import is_drawn
from headrace.data.scan import batches, collect, in_memory
from headrace.data.source import read
from headrace.errors import DataError, NotTrainedError, Problem
from headrace.evaluate.baseline import BASELINES, baselines
from headrace.evaluate.clusters import evaluate_clusters
from headrace.evaluate.evaluation import evaluate
from headrace.evaluate.importance import Importance, permutation_importance
from headrace.evaluate.interval_coverage import measure_coverage
from headrace.evaluate.scores import to_scores
from headrace.evaluate.several import SeveralEvaluations
from headrace.evaluate.stability import Stability, stability
from headrace.metrics.measure import of_values
from headrace.model.targets import Targets
from headrace.progress import bar
from headrace.stage import Context, Stage
from headrace.train.labels import LABEL, label_series, require_column
from headrace.train.lazy_rows import lazy_canonical
from headrace.train.reading import ROW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.evaluate.interval_coverage import Coverage
    from headrace.evaluate.result import ClusterEvaluation, Evaluation
    from headrace.metrics.measure import Measure
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

    AnyEvaluation: TypeAlias = "Evaluation | SeveralEvaluations | ClusterEvaluation"

__all__ = ["Evaluate", "LabelledRows", "labelled_rows", "labelled_sample"]


@dataclass(frozen=True)
class LabelledRows:
    """Canonical rows whose label is known.

    Attributes:
        canonical: The feature columns.
        labels: The labels, none missing.
        y_true: The labels as the metrics read them: class index, or values in their own units.
        notes: What was left out.
        beside: Raw columns that were asked for, as arrays.
    """

    canonical: pl.DataFrame
    labels: pl.Series
    y_true: NDArray[Any]
    notes: tuple[str, ...]
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class Evaluate(Stage):
    """Measure a pipeline on rows that it has not seen.

    Args:
        metrics: Names of the metrics; None for all of the task.
        primary: The metric that decides comparisons; None for the task's usual one.
        compare: Baselines on the same rows, of "dummy" and "gradient_boosting". They learn from
            the training rows as the network saw them, so a loaded pipeline has none.
        importance: Whether to measure how much each column matters.
        stability: How many trainings with other seeds to compare; 0 for none.
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
                importance=self._importance(fitted, rows, result.primary, pipeline.seed),
                stability=self._stability(pipeline, fitted, rows, progress.advance),
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
        self, fitted: Fitted, rows: LabelledRows, decisive: str, seed: int
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
            confidence=self.confidence,
            seed=seed,
        )

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
        settings = fitted.steps[-1].get_params()

        def refit(rows: NDArray[Any], seed: int) -> Any:
            return KMeans(**(settings | {"random_state": seed})).fit_matrix(rows).predict

        with bar("evaluate", None) as progress:
            progress.advance(note="resampling")
            return evaluate_clusters(
                matrix,
                clusters.predict(matrix),
                clusters.centres,
                columns=[info.name for info in fitted.plan.outputs],
                refit=refit,
                confidence=self.confidence,
            )


def labelled_rows(
    fitted: Fitted,
    data: object,
    labels: pl.Series | None = None,
    *,
    beside: Sequence[str] = (),
) -> LabelledRows:
    """Bring rows and their labels into the form that metrics read; unlabelled rows are left out.

    Args:
        fitted: The pipeline.
        data: Raw rows, with the target's column unless labels are given.
        labels: A label for each row, null where it is not known.
        beside: Raw columns that are answered, too.

    Raises:
        DataError: If no row has a label, or a label is none of the classes.
    """
    spec = fitted.network.target_spec
    raw = collect(read(data))
    if not raw.height:
        raise DataError([Problem("the table is empty: it has columns but no rows")])
    values = label_series(raw, spec.name) if labels is None else labels
    canonical = conform(raw.lazy(), fitted.schema, ignore=(*fitted.beside, *beside)).collect()
    known = canonical.with_columns(values.alias(LABEL)).filter(values.is_not_null())
    if not known.height:
        raise DataError([Problem("no row has a label", column=spec.name)])
    left = raw.height - known.height
    notes = (f"{left:,} of {raw.height:,} rows have no label and were left out",) if left else ()
    found = known[LABEL].alias(spec.name)
    for name in beside:
        require_column(name, raw.columns, "groups or time")
    kept = {name: raw[name].filter(values.is_not_null()).to_numpy() for name in beside}
    return LabelledRows(known.drop(LABEL), found, spec.truth(found), notes, kept)


def labelled_sample(
    fitted: Fitted, rows: pl.LazyFrame, most: int, seed: int, *, beside: Sequence[str] = ()
) -> LabelledRows:
    """Bring rows of a lazy table and their labels into the form that metrics read.

    Of more than `most` labelled rows about so many are drawn, each by a hash of its number.

    Args:
        fitted: The pipeline.
        rows: Raw rows, with the target's column; they are never held.
        most: How many labelled rows may be held.
        seed: The same seed draws the same rows.
        beside: Columns of the schema that are answered, too.

    Raises:
        DataError: If no row has a label, or a label is none of the classes.
    """
    spec = fitted.network.target_spec
    for name in beside:
        require_column(name, list(fitted.schema.names), "groups or time")
    require_column(spec.name, rows.collect_schema().names(), "target")
    known = lazy_canonical(rows, fitted.schema, spec.name, None, ignore=fitted.beside)
    count, labelled = collect(
        known.select(pl.len(), pl.col(LABEL).count().alias("labelled")), streaming=True
    ).row(0)
    if not labelled:
        raise DataError([Problem("no row has a label", column=spec.name)])
    known, notes = known.filter(pl.col(LABEL).is_not_null()), []
    if labelled < count:
        notes.append(f"{count - labelled:,} of {count:,} rows have no label and were left out")
    if labelled > most:
        known = known.filter(is_drawn(pl.col(ROW), most / labelled, seed + 3))
    held = pl.concat(batches(known))
    if held.height < labelled:
        notes.append(
            f"a random sample of {held.height:,} of {labelled:,} labelled rows is measured"
        )
    found = held[LABEL].alias(spec.name)
    kept = {name: held[name].to_numpy() for name in beside}
    return LabelledRows(held.drop(LABEL, ROW), found, spec.truth(found), tuple(notes), kept)
