"""The stage that maintains: the tick, wired to a pipeline and its registry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.lazy_split import is_drawn
from headrace.data.scan import batches, collect, in_memory
from headrace.data.source import read
from headrace.deploy.parts import fitted_from
from headrace.deploy.registry import Registry
from headrace.deploy.stage import Deploy
from headrace.errors import NotTrainedError, SettingError
from headrace.evaluate.comparison import compare
from headrace.evaluate.evaluation import evaluate
from headrace.evaluate.scores import to_scores
from headrace.maintain.loop import tick
from headrace.maintain.result import MaintainResult
from headrace.maintain.score import Score
from headrace.metrics.measure import of_values, primary
from headrace.model.network import Network
from headrace.model.targets import Targets
from headrace.stage import Context, Stage
from headrace.train.labels import label_series, labels_given
from headrace.train.lazy_rows import label_expression
from headrace.train.training import continue_training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.data.profile import Profile
    from headrace.data.schema import Schema
    from headrace.evaluate.comparison import Comparison
    from headrace.evaluate.result import Evaluation
    from headrace.maintain.policy import Policy
    from headrace.model.target import TargetSpec
    from headrace.pipeline import Pipeline
    from headrace.result import Result
    from headrace.train.fitted import Fitted

__all__ = ["Maintain"]

_UNPUBLISHED = "unpublished"
_PLACE = "__headrace_place__"

_MOST_JUDGED = 1_000_000
"""Labelled rows of a scan that are held, at most."""


class Maintain(Stage):
    """Compare new rows with what the model was trained on, and act on it.

    Args:
        policy: When to alarm, retrain, promote and roll back.
    """

    cached = True
    reads = frozenset({"settings", "fitted", "scores", "test"})

    def __init__(self, *, policy: Policy | None = None) -> None:
        """Store the settings."""
        self.policy = policy

    def run(self, pipeline: Pipeline, context: Context) -> MaintainResult | None:
        """Look at `context.test` as if it had just arrived."""
        return pipeline.maintain(context.test, policy=self.policy)

    def beside(self, pipeline: Pipeline, context: Context) -> Mapping[str, Any]:
        """Answer the releases that the new rows are judged with."""
        del context
        if pipeline.home is None:
            return {}
        registry = Registry(pipeline.home)
        before = registry.previous()
        return {
            "the champion": registry.alias("champion"),
            "the release before": None if before is None else before.version,
        }

    def keeps(self, result: Result | None) -> bool:
        """Answer no where something was trained or put in place: it is to be done again."""
        return isinstance(result, MaintainResult) and (result.action, result.retrained) == (
            "keep",
            False,
        )

    def tick(
        self, pipeline: Pipeline, data: object, labels: object, path: str | Path | None
    ) -> MaintainResult:
        """Look at new rows once and do what the policy says (see `Pipeline.maintain`)."""
        home = Path(path) if path is not None else pipeline.home
        host = _Host(pipeline, Registry(home) if home is not None else None)
        rows = read(data, empty=True)
        target = host.champion.target
        if isinstance(target, Targets):
            raise SettingError(
                f"maintenance follows one target, and the pipeline predicts {target.name}: train "
                "a pipeline for each target that is to be maintained"
            )
        # Drift and quality look at every row of a scan; what is judged by labels is held.
        held = collect(rows) if in_memory(rows) or labels is not None else _labelled(rows, target)
        known = None
        if target is not None and labels is not None:
            known = labels_given(labels, held.height, target.name)
        elif target is not None and target.name in held.columns:
            known = label_series(held, target.name)
        return tick(
            host,
            held.lazy() if in_memory(rows) else rows,
            known,
            policy=self.policy,
            ignore=host.champion.beside,
            judged=held.lazy(),
            engine=pipeline.engine,
        )


def _labelled(rows: pl.LazyFrame, target: TargetSpec | None) -> pl.DataFrame:
    """Answer the rows of a scan that are judged by their labels, in order; a sample of very many.

    Returns:
        Raw rows; none when the rows have no labels.
    """
    if target is None or target.name not in rows.collect_schema():
        return collect(rows.head(0))
    label = label_expression(rows, target.name)
    numbered = rows.with_row_index(_PLACE).filter(label.is_not_null())
    count = collect(numbered.select(pl.len()), streaming=True).item()
    drawn = is_drawn(pl.col(_PLACE), _MOST_JUDGED / max(count, 1), seed=0)
    return pl.concat(batches(numbered.filter(drawn).drop(_PLACE)))


class _Host:
    """What a tick needs: the champion, those before and after it, and how to move them."""

    def __init__(self, pipeline: Pipeline, registry: Registry | None) -> None:
        self._pipeline = pipeline
        self._registry = registry
        self._challenger: Fitted | None = None
        self._scores: dict[int, dict[str, Any]] = {}
        self.champion: Fitted = self._find_champion()

    def _find_champion(self) -> Fitted:
        """Answer the registry's champion; the pipeline's own state where that is the same."""
        deployed = self._registry.alias("champion") if self._registry else None
        if self._registry is None or deployed in {None, self._pipeline.version}:
            return self._pipeline.fitted
        return fitted_from(self._registry.resolve("champion"))

    @property
    def schema(self) -> Schema:
        return self.champion.schema

    @property
    def profile(self) -> Profile:
        return self.champion.profile

    @property
    def version(self) -> str | None:
        return self._registry.alias("champion") if self._registry else None

    @property
    def previous(self) -> Fitted | None:
        before = self._registry.previous() if self._registry else None
        if before is None:
            return None
        fitted = fitted_from(before)
        return fitted if fitted.schema.names == self.schema.names else None

    @property
    def deployed(self) -> Score | None:
        scores = self.champion.scores
        if not scores:
            return None
        name = scores["primary"]
        metric = scores["metrics"][name]
        return Score(
            name,
            metric["value"],
            metric["low"],
            metric["high"],
            scores["rows"],
            metric["higher_is_better"],
        )

    def score(self, model: Fitted, rows: pl.DataFrame, labels: pl.Series) -> Score:
        evaluation = self._evaluate(model, rows, labels)
        return Score.of(evaluation.metrics[evaluation.primary], evaluation.rows)

    def compare(
        self,
        first: Fitted,
        second: Fitted,
        rows: pl.DataFrame,
        labels: pl.Series,
        *,
        confidence: float,
    ) -> Comparison:
        # The score that a challenger is promoted with is the one on the rows that judged it.
        self._scores[id(first)] = self._evaluate(first, rows, labels).scores()
        spec = first.network.target_spec
        return compare(
            spec.truth(labels),
            to_scores(spec, first.output(rows)),
            to_scores(spec, second.output(rows)),
            task=spec.task,
            metric=of_values([self._primary(first)], spec)[0],
            confidence=confidence,
            seed=self._pipeline.seed,
        )

    def retrain(self, rows: pl.DataFrame, labels: pl.Series) -> Fitted:
        network = self.champion.steps[-1]
        if not isinstance(network, Network):
            raise SettingError(
                "retraining needs the settings of the network, which this release does not hold; "
                "train a new pipeline and deploy it"
            )
        return continue_training(
            self.champion, rows, labels, network=network, seed=self._pipeline.seed
        )

    def publish(self, challenger: Fitted, why: str) -> str:
        challenger = replace(challenger, scores=self._scores.get(id(challenger), {}))
        self._challenger = challenger
        if self._registry is None:
            return _UNPUBLISHED
        settings = self._pipeline.settings()
        return (
            Deploy(alias=None, why=why).publish(challenger, self._registry.path, settings).version
        )

    def promote(self, version: str, why: str) -> None:
        if self._challenger is None:
            raise NotTrainedError("there is no challenger to promote")
        if self._registry is not None:
            self._registry.promote(version, why, verdict="better")
        self._pipeline.adopt(self._challenger, version if self._registry else None)

    def rollback(self, why: str) -> str:
        if self._registry is None:
            raise NotTrainedError("there is no registry to roll back")
        release = self._registry.rollback(why)
        self._pipeline.adopt(fitted_from(release), release.version)
        return release.version

    def _evaluate(self, model: Fitted, rows: pl.DataFrame, labels: pl.Series) -> Evaluation:
        spec = model.network.target_spec
        return evaluate(
            spec,
            spec.truth(labels),
            model.output(rows),
            primary=self._primary(model),
            seed=self._pipeline.seed,
        )

    def _primary(self, model: Fitted) -> str:
        return model.scores.get("primary") or primary(model.network.target_spec)
