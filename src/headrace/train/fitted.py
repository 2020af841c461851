"""A fitted pipeline: everything that training learnt, and the way from rows to answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from headrace.data.conform import conform, to_blocks
from headrace.data.source import read
from headrace.errors import NotTrainedError
from headrace.model.predicted import predicted_columns, reads_rows
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from headrace.clustering.fitted import FittedClusters
    from headrace.conformal.fitted import FittedConformal
    from headrace.data.profile import Profile
    from headrace.data.schema import Schema
    from headrace.model.network import FittedNetwork
    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features
    from headrace.plan.plan import Plan
    from headrace.preprocessing.step import Step
    from headrace.train.result import TrainResult

__all__ = ["Fitted", "Kept"]

FittedModel: TypeAlias = "FittedNetwork | FittedClusters | None"


@dataclass(frozen=True, eq=False)
class Kept:
    """What stays in memory of the training rows; never written to a release.

    Attributes:
        features: The feature blocks of the training rows (validation rows left out).
        target: The encoded target, (rows,) or (rows, targets); None for clusters.
        sample: Up to 1,000 canonical rows, for comparing paths and for explanations.
        sample_rows: The same rows as they came in.
    """

    features: Features | None
    target: NDArray[Any] | None
    sample: pl.DataFrame
    sample_rows: pl.DataFrame

    def for_target(self, targets: TargetSpec | None, name: str) -> Kept:
        """Answer what is kept of the rows in which one of several targets is known."""
        if self.features is None or self.target is None or not isinstance(targets, Targets):
            return self
        place = targets.place(name)
        column = self.target[:, place]
        rows = np.flatnonzero(np.isfinite(column))
        codes = targets.parts[place].task != "regression"
        target = column[rows].astype(np.int32 if codes else np.float32)
        return replace(self, features=self.features.take(rows), target=target)


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """Everything that training learnt. Training again makes a new one.

    Attributes:
        schema: The feature columns.
        plan: The operations of the steps before the model.
        target: What is predicted; None for clusters and for steps alone.
        model: The network, the clusters, or None for steps alone.
        steps: The steps, as the code that would write them shows them.
        profile: Reference statistics of the training rows.
        weight: The column that weighed the training rows, if any.
        result: How the training went; None in a loaded release.
        kept: Training rows still in memory; None in a loaded release.
        scores: The last evaluation's metrics, for the release's card and for maintenance.
        retrain: Trains again on the same rows with another seed; None in a loaded release.
        siblings: Other targets of the network, where this is reduced to one of them.
        conformal: What calibration rows taught of intervals, by target; empty without any.
    """

    schema: Schema
    plan: Plan
    target: TargetSpec | None
    model: FittedModel
    steps: tuple[Step, ...]
    profile: Profile
    weight: str | None = None
    result: TrainResult | None = None
    kept: Kept | None = None
    scores: dict[str, Any] = field(default_factory=dict)
    retrain: Callable[[int], Fitted] | None = None
    siblings: tuple[str, ...] = ()
    conformal: Mapping[str, FittedConformal] = field(default_factory=dict)

    def __repr__(self) -> str:
        end = "no model" if self.model is None else type(self.model).__name__
        return f"Fitted({len(self.schema.columns)} columns, {len(self.steps)} steps, {end})"

    def for_target(self, name: str) -> Fitted:
        """Answer the same pipeline, reduced to one of its several targets.

        It predicts, is evaluated and explained as if it had been trained for this target alone.

        Raises:
            SettingError: The pipeline does not predict several targets, or not this one.
        """
        from headrace.model.view import NetworkOfTarget

        view, again = NetworkOfTarget(self.network, name), self.retrain
        return replace(
            self,
            target=view.target_spec,
            model=view,
            kept=None if self.kept is None else self.kept.for_target(self.target, name),
            scores=self.scores.get("targets", {}).get(name, {}),
            retrain=None if again is None else lambda seed: again(seed).for_target(name),
            siblings=tuple(one for one in self.beside if one not in {name, self.weight}),
            conformal={one: part for one, part in self.conformal.items() if one == name},
        )

    @property
    def network(self) -> FittedNetwork:
        """The network.

        Raises:
            NotTrainedError: If the pipeline has no target, hence no network.
        """
        if self.target is None or self.model is None:
            raise NotTrainedError("this pipeline has no network: it was trained without a target")
        return self.model  # type: ignore[return-value]

    @property
    def clusters(self) -> FittedClusters:
        """The clusters.

        Raises:
            NotTrainedError: If the last step is no clusterer.
        """
        if self.target is not None or self.model is None:
            raise NotTrainedError("this pipeline has no clusters: its last step is no clusterer")
        return self.model  # type: ignore[return-value]

    @property
    def beside(self) -> tuple[str, ...]:
        """Columns that rows may hold besides the schema's: the target, the training's weights."""
        targets = self.target.columns if self.target else ()
        return (*targets, *self.siblings, *(() if self.weight is None else (self.weight,)))

    def conform(self, data: object) -> pl.DataFrame:
        """Bring any rows through the one door: canonical columns, in the schema's order."""
        return conform(read(data, empty=True), self.schema, ignore=self.beside).collect()

    def transform(self, canonical: pl.DataFrame) -> pl.DataFrame:
        """Send canonical rows through the steps."""
        return self.plan.polars(canonical.lazy()).collect()

    def features(self, canonical: pl.DataFrame) -> Features:
        """Send canonical rows through the steps, into the model's blocks."""
        return self.plan.features(self.transform(canonical))

    def output(self, canonical: pl.DataFrame) -> NDArray[Any]:
        """Answer the model's raw output for canonical rows.

        Returns:
            The network's output (see `TargetSpec`), or for clusters the distances to the centres,
            (rows, clusters).
        """
        if self.model is None:
            raise NotTrainedError("this pipeline ends in no model; use transform()")
        if self.target is None:
            return self.clusters.distances(self.matrix(canonical))
        return self.network.predict(self.features(canonical))

    def matrix(self, canonical: pl.DataFrame) -> NDArray[np.float64]:
        """Send canonical rows through the steps, into one float64 matrix for the clusterer."""
        return self.plan.matrix(self.transform(canonical))

    def decode(self, output: NDArray[Any]) -> NDArray[Any]:
        """Turn raw output into answers: labels, values, or cluster numbers."""
        if self.target is None:
            return self.clusters.assign(output)
        return self.target.decode(output)

    def answers(self, output: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Turn raw output into what the deployed graph answers, by name."""
        if self.target is None:
            return {"cluster": self.decode(output), "distances": output}
        return self.target.answers(output)

    def distribution(self, canonical: pl.DataFrame) -> dict[str, NDArray[Any]]:
        """Answer the distribution of the target of canonical rows; see `TargetSpec.distribution`.

        Raises:
            SettingError: The network predicts values alone.
        """
        spec = self.network.target_spec
        return spec.distribution(spec.answers(self.output(canonical)))

    def predicted(
        self, output: NDArray[Any], level: float, canonical: pl.DataFrame | None = None
    ) -> dict[str, Any]:
        """Turn raw output into predictions with intervals and sets, as named columns.

        Args:
            output: The model's raw output.
            level: How often the truth shall be inside.
            canonical: The rows; needed where the intervals depend on their columns.
        """
        blocks = None
        if canonical is not None and reads_rows(self.conformal):
            blocks = to_blocks(canonical, self.schema)
        answers = self.answers(output)
        return predicted_columns(
            self.conformal, self.target, answers, level, schema=self.schema, blocks=blocks
        )

    def describe(self) -> Mapping[str, Any]:
        """Answer in a few words what this is, for a release's manifest and card."""
        return {
            "task": self.target.task if self.target else "clustering",
            "target": self.target.name if self.target else None,
            "classes": list(self.target.classes) if self.target else [],
            "columns": len(self.schema.columns),
            "rows": self.profile.rows,
            "steps": [repr(step) for step in self.steps],
            "portable": self.plan.portable,
            "metrics": self.scores.get("metrics", {}),
            "test_rows": self.scores.get("rows"),
            "calibration": self.scores.get("calibration", ""),
            "slices": self.scores.get("slices", []),
            "verdicts": self.scores.get("verdicts", []),
            "notes": self.scores.get("notes", []),
            "threshold": getattr(self.target, "threshold", None),
        }
