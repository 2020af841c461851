"""What can be explained: a trained pipeline, or a release that answers from its ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from headrace.errors import SettingError
from headrace.model.targets import Targets

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from headrace.data.schema import Schema
    from headrace.deploy.runtime import Runtime
    from headrace.model.target import TargetSpec
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

__all__ = ["Explained", "PipelineScoring", "ReleaseScoring", "Scoring", "labels", "scoring"]

Explained: TypeAlias = "Pipeline | Runtime"
"""What the explanations are given."""


class Scoring(Protocol):
    """Answers canonical rows, wherever the model lives."""

    @property
    def schema(self) -> Schema:
        """The raw columns."""

    @property
    def spec(self) -> TargetSpec:
        """The target, or all of several."""

    @property
    def sample(self) -> pl.DataFrame | None:
        """Canonical rows of the training, where they are still in memory."""

    def conform(self, data: object) -> pl.DataFrame:
        """Bring any rows through the one door."""

    def output(self, canonical: pl.DataFrame) -> NDArray[Any]:
        """Answer values in the target's units, (rows,), or probabilities, (rows, classes)."""

    def for_target(self, name: str) -> Scoring:
        """Answer the same for one of several targets."""


def scoring(pipe: Explained) -> Scoring:
    """Answer how the rows of a pipeline or release are answered.

    Raises:
        NotTrainedError: The pipeline has no network.
        SettingError: The release answers clusters.
    """
    from headrace.deploy.runtime import Runtime

    if not isinstance(pipe, Runtime):
        return PipelineScoring(pipe.fitted)
    if pipe.target is None:
        raise SettingError(
            f"the release {pipe.version} answers clusters, and explanations need a network: "
            "see hr.cluster_cards for what distinguishes clusters"
        )
    return ReleaseScoring(pipe, pipe.target)


@dataclass(frozen=True, eq=False)
class PipelineScoring:
    """A trained pipeline, reduced to one target where it is asked about one.

    Attributes:
        fitted: What training learnt.
    """

    fitted: Fitted

    @property
    def schema(self) -> Schema:
        """The raw columns."""
        return self.fitted.schema

    @property
    def spec(self) -> TargetSpec:
        """The target, or all of several."""
        return self.fitted.network.target_spec

    @property
    def sample(self) -> pl.DataFrame | None:
        """Canonical rows of the training; None after loading."""
        return None if self.fitted.kept is None else self.fitted.kept.sample

    def conform(self, data: object) -> pl.DataFrame:
        """Bring any rows through the one door."""
        return self.fitted.conform(data)

    def output(self, canonical: pl.DataFrame) -> NDArray[Any]:
        """Answer values in the target's units, (rows,), or probabilities, (rows, classes)."""
        return self.spec.answers(self.fitted.output(canonical))[self.spec.answer_names[0]]

    def for_target(self, name: str) -> PipelineScoring:
        """Answer the same for one of several targets."""
        return PipelineScoring(self.fitted.for_target(name))


@dataclass(frozen=True, eq=False)
class ReleaseScoring:
    """A release, which answers with NumPy and ONNX Runtime; TensorFlow need not be there.

    Attributes:
        runtime: The release, opened.
        spec: The target, or all of several.
    """

    runtime: Runtime
    spec: TargetSpec

    @property
    def schema(self) -> Schema:
        """The raw columns."""
        return self.runtime.schema

    @property
    def sample(self) -> pl.DataFrame | None:
        """None: a release keeps no rows."""
        return None

    def conform(self, data: object) -> pl.DataFrame:
        """Bring any rows through the one door."""
        from headrace.data.conform import conform
        from headrace.data.source import read

        whole = self.runtime.target
        beside = whole.columns if whole else ()
        return conform(read(data, empty=True), self.schema, ignore=beside).collect()

    def output(self, canonical: pl.DataFrame) -> NDArray[Any]:
        """Answer values in the target's units, (rows,), or probabilities, (rows, classes)."""
        from headrace.data.conform import to_blocks

        answers = self.runtime.answers(to_blocks(canonical, self.schema))
        whole = self.runtime.target
        if isinstance(whole, Targets):
            answers = whole.split(answers)[whole.place(self.spec.name)]
        return answers[self.spec.answer_names[0]]

    def for_target(self, name: str) -> ReleaseScoring:
        """Answer the same for one of several targets.

        Raises:
            SettingError: The release does not predict this target.
        """
        if not isinstance(self.spec, Targets):
            raise SettingError(f"the release predicts {self.spec.name!r} alone")
        return ReleaseScoring(self.runtime, self.spec.parts[self.spec.place(name)])


def labels(spec: TargetSpec, output: NDArray[Any]) -> NDArray[Any]:
    """Answer the label that each row of probabilities is decided for, (rows,).

    Example:
        >>> import numpy as np
        >>> from headrace.model.target import TargetSpec
        >>> spec = TargetSpec("sold", "binary", classes=("no", "yes"), threshold=0.3)
        >>> labels(spec, np.array([[0.6, 0.4], [0.8, 0.2]])).tolist()
        ['yes', 'no']
    """
    # The network's own output of the binary task is the last class's probability.
    return spec.decode(output[:, 1:] if spec.task == "binary" else output)
