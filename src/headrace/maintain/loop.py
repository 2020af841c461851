"""The tick: one turn of looking at new rows, judging the model, and acting on it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from headrace.data.scan import collect, in_memory
from headrace.engine import HERE, Engine
from headrace.maintain.drift import drift
from headrace.maintain.labels import Labelled, label
from headrace.maintain.policy import Decision, Evidence, Policy, decide, judge
from headrace.maintain.quality import quality
from headrace.maintain.repair import repair
from headrace.maintain.result import MaintainResult

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

    from headrace.data.profile import Profile
    from headrace.data.schema import Schema
    from headrace.maintain.drift import DriftReport
    from headrace.maintain.quality import QualityReport
    from headrace.maintain.score import Score, Verdict

__all__ = ["Host", "tick"]

M = TypeVar("M")


class Host(Protocol[M]):
    """What a tick needs of the pipeline and the registry behind it; `M` is their kind of model.

    A host says what is deployed, scores and compares models, trains a challenger, and moves
    releases. The tick decides; the host does, and each thing that it does is complete or has not
    happened. `promote` and `rollback` write down the reason before they switch, so that a process
    killed in between leaves the old release in place, and the history says what was meant.
    """

    @property
    def schema(self) -> Schema:
        """The columns that the champion reads."""

    @property
    def profile(self) -> Profile:
        """The profile of the rows that the champion was built on."""

    @property
    def champion(self) -> M:
        """The model in place."""

    @property
    def version(self) -> str | None:
        """Its version; None when nothing is deployed yet."""

    @property
    def previous(self) -> M | None:
        """The model that was in place before, if there is one to go back to."""

    @property
    def deployed(self) -> Score | None:
        """The champion's score when it was deployed, if it was recorded."""

    def score(self, model: M, rows: pl.DataFrame, labels: pl.Series) -> Score:
        """Score a model on labelled rows."""

    def compare(
        self, first: M, second: M, rows: pl.DataFrame, labels: pl.Series, *, confidence: float
    ) -> Verdict:
        """Compare two models on the same rows; the verdict is about the first one."""

    def retrain(self, rows: pl.DataFrame, labels: pl.Series) -> M:
        """Train a challenger from the champion on new rows."""

    def publish(self, challenger: M, why: str) -> str:
        """Add the challenger as a release, without putting it in place; answer its version."""

    def promote(self, version: str, why: str) -> None:
        """Put a published release in place."""

    def rollback(self, why: str) -> str:
        """Put the release before the champion in place; answer its version."""


def tick(
    host: Host[M],
    rows: pl.LazyFrame,
    labels: pl.Series | None = None,
    *,
    policy: Policy | None = None,
    ignore: Collection[str] = (),
    judged: pl.LazyFrame | None = None,
    engine: Engine = HERE,
) -> MaintainResult:
    """Look at new rows once and do what the policy says.

    Damaged rows are no reason to fail: what does not fit is reported and taken as missing. With
    labels the champion is scored and compared with the release before it. When the policy asks for
    it, a challenger is trained on one part of the labelled rows and judged on the other. Effects
    come last and in this order: publish, then promote.

    Args:
        host: The pipeline and the registry.
        rows: The raw new rows, in the order they came.
        labels: One label for each row, null where it is not known yet.
        policy: The rules; the defaults when none are given.
        ignore: Columns that the rows may hold besides the schema's, such as the target.
        judged: The raw rows that the labels belong to, where these are only some of the rows; they
            are held, the others are not.
        engine: Who counts the rows for drift.

    Returns:
        What was found, decided and done.

    Raises:
        DataError: There are more or fewer labels than rows.
    """
    return _Tick(host, policy or Policy(), engine, time.perf_counter()).run(
        rows, labels, ignore, rows if judged is None else judged
    )


@dataclass(frozen=True)
class _Tick(Generic[M]):
    host: Host[M]
    policy: Policy
    engine: Engine
    start: float

    def run(
        self,
        rows: pl.LazyFrame,
        labels: pl.Series | None,
        ignore: Collection[str],
        judged: pl.LazyFrame,
    ) -> MaintainResult:
        """Observe, decide, act."""
        labelled = repaired = None
        if labels is not None:
            table = collect(repair(judged, self.host.schema))
            labelled = label(table, labels)
            if in_memory(rows):
                repaired = table.lazy()
        seen = self._drift(rows, raw=True) if repaired is None else self._drift(repaired)
        faults = quality(rows, self.host.schema, reference=self.host.profile, ignore=ignore)
        result = self._judge(seen, faults, labelled)
        if result.action == "rollback":
            result = replace(result, after=self.host.rollback(result.reasons[0]))
        elif result.action == "retrain" and labelled is not None:
            result = self._retrain(result, labelled)
        return replace(result, seconds=time.perf_counter() - self.start)

    def _drift(self, rows: pl.LazyFrame, *, raw: bool = False) -> DriftReport:
        return drift(
            self.host.profile,
            rows,
            self.host.schema,
            false_alarm_rate=self.policy.false_alarm_rate,
            smallest_effect=self.policy.smallest_effect,
            raw=raw,
            engine=self.engine,
        )

    def _judge(
        self, seen: DriftReport, faults: QualityReport, labelled: Labelled | None
    ) -> MaintainResult:
        host = self.host
        evidence = Evidence(
            drift=seen,
            quality=faults,
            labels=len(labelled) if labelled is not None else 0,
            score=self._score(labelled),
            deployed=host.deployed,
            previous=self._against_previous(labelled),
        )
        return MaintainResult(
            decision=decide(self.policy, evidence),
            drift=seen,
            quality=faults,
            labels=evidence.labels,
            labels_missing=labelled.missing if labelled is not None else 0,
            score=evidence.score,
            deployed=evidence.deployed,
            previous=evidence.previous,
            before=host.version,
            after=host.version,
        )

    def _score(self, labelled: Labelled | None) -> Score | None:
        if not labelled:
            return None
        return self.host.score(self.host.champion, labelled.rows, labelled.labels)

    def _against_previous(self, labelled: Labelled | None) -> Verdict | None:
        if not labelled or len(labelled) < self.policy.min_labels or not self.policy.rollback:
            return None
        previous = self.host.previous
        return None if previous is None else self._compare(self.host.champion, previous, labelled)

    def _compare(self, first: M, second: M, labelled: Labelled) -> Verdict:
        return self.host.compare(
            first,
            second,
            labelled.rows,
            labelled.labels,
            confidence=self.policy.gate_confidence,
        )

    def _retrain(self, result: MaintainResult, labelled: Labelled) -> MaintainResult:
        host = self.host
        training, judging = labelled.split(self.policy)
        challenger = host.retrain(training.rows, training.labels)
        comparison = self._compare(challenger, host.champion, judging)
        verdict = judge(comparison, rows=len(judging))
        decision = Decision(verdict.action, (*verdict.reasons, *result.decision.reasons))
        result = replace(result, decision=decision, challenger=comparison, retrained=True)
        if decision.action != "promote":
            return result
        why = decision.reasons[0]
        version = host.publish(challenger, why)
        host.promote(version, why)
        return replace(result, after=version)
