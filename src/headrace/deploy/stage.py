"""Deploying: prove all paths equal, then publish."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.cache.errors import NotKept
from headrace.data.conform import to_blocks
from headrace.data.rows import RowDoor
from headrace.data.source import read
from headrace.deploy.export import export_onnx, export_saved_model
from headrace.deploy.graph import block_tensors, compared, graph_columns, graph_of
from headrace.deploy.parity import Verification, first_differing_column, probe_rows, verify_paths
from headrace.deploy.parts import fitted_from, parts_of
from headrace.deploy.registry import Registry
from headrace.deploy.release import write_release
from headrace.deploy.result import DeployResult
from headrace.deploy.session import feed_of, open_session
from headrace.errors import ParityError, ReleaseError
from headrace.model.backend import tensorflow as load_tensorflow
from headrace.model.predicted import reaches
from headrace.progress import bar
from headrace.stage import Context, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from headrace.deploy.release import Release
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

__all__ = ["Deploy", "verify"]

_MOST_ROWS = 5_000


class Deploy(Stage):
    """Publish a release after all paths through it have given the same answers.

    Args:
        alias: "champion" to let the release answer from now on, "challenger" to compare it first,
            None to publish it only.
        tolerance: Largest difference between two paths that is accepted: of probabilities and
            distances as they are, of a regression's values relative to the target's spread, and
            far from its mean relative to the distance.
        why: The reason, for the registry's history.
    """

    cached = True
    reads = frozenset({"settings", "fitted", "scores"})

    def __init__(
        self,
        *,
        alias: str | None = "champion",
        tolerance: float = 1e-5,
        why: str = "deployed",
    ) -> None:
        """Store the settings."""
        self.alias = alias
        self.tolerance = tolerance
        self.why = why

    def run(self, pipeline: Pipeline, context: Context) -> DeployResult | None:
        """Publish to the folder that the run was given; nothing without one."""
        if context.to is None:
            return None
        return pipeline.deploy(context.to, alias=self.alias, tolerance=self.tolerance, why=self.why)

    def beside(self, pipeline: Pipeline, context: Context) -> Mapping[str, Any]:
        """Answer whether something is published at all."""
        del pipeline
        return {"publishing": context.to is not None}

    def restore(self, pipeline: Pipeline, context: Context, result: Any) -> DeployResult | None:
        """Name the release that is there already.

        Raises:
            NotKept: The registry does not hold it, or it was altered.
        """
        if context.to is None:
            return None
        registry = Registry(context.to)
        if result.version not in registry.versions():
            raise NotKept(f"the registry does not hold the release {result.version} any more")
        try:
            release = self._name_again(registry, result.version)
        except ReleaseError as error:
            raise NotKept(str(error)) from error
        pipeline.home, pipeline.version = context.to, release.version
        return DeployResult.of(release, result.verification, portable=result.portable)

    def _name_again(self, registry: Registry, version: str) -> Release:
        """Name a release; where maintenance has put another in place since, that is taken back."""
        if self.alias == "champion" and registry.alias("champion") != version:
            before, last = registry.previous(), registry.history()[-1]
            if before is not None and before.version == version and last.verdict == "better":
                return registry.rollback("the run goes on from its own release")
        return self._name(registry, version) or registry.resolve(version)

    def publish(self, fitted: Fitted, path: Path, settings: Mapping[str, Any]) -> DeployResult:
        """Verify and publish.

        Raises:
            ParityError: If the paths disagree; nothing is published.
        """
        registry = Registry(path)
        with bar("deploy", 3) as progress, _built(fitted) as graphs:
            progress.advance(note="comparing paths")
            verification = None
            if graphs is not None:
                rows = _rows_to_compare(fitted)
                verification = _verify(fitted, rows, graphs, self.tolerance)
                if not verification.passed:
                    raise ParityError(verification.summary())
            progress.advance(note="publishing")
            parts = parts_of(fitted, settings) | (graphs.parts if graphs else {})
            release = registry.publish(parts, notes=fitted.describe(), why=self.why)
            release = self._name(registry, release.version) or release
            progress.advance(note=release.version)
        return DeployResult.of(release, verification, portable=graphs is not None)

    def _name(self, registry: Registry, version: str) -> Release | None:
        if self.alias == "champion":
            return registry.promote(version, self.why)
        if self.alias == "challenger":
            return registry.challenge(version, self.why)
        return None


def verify(fitted: Fitted, data: object, tolerance: float = 1e-5) -> Verification:
    """Send the same rows down every path and compare the answers.

    Args:
        fitted: The pipeline.
        data: Rows, at least one; the first 5,000 are used.
        tolerance: Largest difference that passes.
    """
    rows = read(data).select(fitted.schema.names).head(_MOST_ROWS).collect()
    with _built(fitted) as graphs:
        if graphs is None:
            raise ParityError("a pipeline with a free Python step has one path only: Python")
        return _verify(fitted, rows, graphs, tolerance)


class _Graphs:
    """The exported graphs of a fitted pipeline, in a temporary folder."""

    def __init__(self, fitted: Fitted, folder: Path) -> None:
        self.folder = folder
        self.saved_model = folder / "saved_model"
        export_saved_model(graph_of(fitted), self.saved_model)
        self.onnx = export_onnx(self.saved_model)
        self.parts: dict[str, Any] = {"model.onnx": self.onnx, "saved_model": self.saved_model}


@contextmanager
def _built(fitted: Fitted) -> Iterator[_Graphs | None]:
    if not fitted.plan.portable:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        yield _Graphs(fitted, Path(folder))


def _rows_to_compare(fitted: Fitted) -> pl.DataFrame:
    """Answer training rows if they are still in memory; a loaded pipeline has none."""
    if fitted.kept is None:
        return pl.DataFrame(schema=dict.fromkeys(fitted.schema.names, pl.String))
    return fitted.kept.sample_rows


def _verify(fitted: Fitted, rows: pl.DataFrame, graphs: _Graphs, tolerance: float) -> Verification:
    records = rows.to_dicts()
    records += _accepted(fitted, probe_rows(fitted.schema, fitted.profile, records))
    door = RowDoor(fitted.schema)
    canonical = fitted.conform(records)
    blocks = to_blocks(canonical, fitted.schema)
    tensorflow = load_tensorflow()
    saved = tensorflow.saved_model.load(str(graphs.saved_model)).signatures["serving_default"]
    session = open_session(graphs.onnx)

    def all_of(model: Fitted, answers: Mapping[str, NDArray[Any]], given: Any) -> NDArray[Any]:
        ends = reaches(model.conformal, model.target, model.schema, given)
        return np.concatenate([compared(model, answers), ends], axis=1)

    def from_onnx(given: Any) -> NDArray[Any]:
        names = [value.name for value in session.get_outputs()]
        found = session.run(names, feed_of(session, given))
        return all_of(fitted, dict(zip(names, found, strict=True)), given)

    def from_pipeline(model: Fitted) -> NDArray[Any]:
        return all_of(model, model.answers(model.output(canonical)), blocks)

    def from_saved() -> NDArray[Any]:
        answers = saved(**block_tensors(fitted, blocks))
        return all_of(fitted, {name: one.numpy() for name, one in answers.items()}, blocks)

    paths: dict[str, Callable[[], NDArray[Any]]] = {
        "rows one by one, ONNX": lambda: from_onnx(door(records)),
        "TensorFlow graph": from_saved,
        "ONNX": lambda: from_onnx(blocks),
        "reloaded release": lambda: from_pipeline(_reloaded(fitted, graphs.folder)),
    }
    reference = from_pipeline(fitted)
    verification = verify_paths(reference, paths, tolerance=tolerance)
    if verification.passed:
        return verification
    return verification.with_column(
        first_differing_column(
            {name: fitted.transform(canonical)[name].to_numpy() for name in _outputs(fitted)},
            graph_columns(fitted, blocks),
        )
    )


def _accepted(fitted: Fitted, probes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answer the probes that the pipeline takes: one that fills no gaps refuses rows with gaps."""
    columns = fitted.transform(fitted.conform(probes))
    numbers = [info.name for info in fitted.plan.outputs if info.type == "number"]
    if not numbers:
        return probes
    finite = pl.all_horizontal(pl.col(numbers).cast(pl.Float32).is_finite())
    taken = columns.select(finite.alias("taken"))["taken"].to_list()
    return [probe for probe, good in zip(probes, taken, strict=True) if good]


def _outputs(fitted: Fitted) -> list[str]:
    return [info.name for info in fitted.plan.outputs]


def _reloaded(fitted: Fitted, folder: Path) -> Fitted:
    return fitted_from(write_release(folder / "reloaded", parts_of(fitted, {})))
