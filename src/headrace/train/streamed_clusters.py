"""Finding clusters in a table larger than memory: the steps, a flat file, passes over it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headrace.clustering.blocks import spill
from headrace.clustering.step import ClusterStep
from headrace.data.profile import profile
from headrace.data.scan import batches, bounded_scans
from headrace.errors import DataError, SettingError
from headrace.model.footprint import PeakMemory, resident
from headrace.plan.batches import by_batch
from headrace.plan.plan import PythonNode, schema_columns
from headrace.preprocessing.fit import fit_steps
from headrace.progress import bar
from headrace.train.chosen import ChosenSteps
from headrace.train.clock import Clock
from headrace.train.fitted import Fitted, Kept
from headrace.train.lazy_rows import read_lazy_rows
from headrace.train.out_of_core import needs_table, sample_of, spill_folder, with_memory
from headrace.train.outcome import train_result
from headrace.train.reading import ROW, of_table, requiring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from headrace.clustering.fitted import FittedClusters
    from headrace.data.schema import Kind
    from headrace.engine import Engine
    from headrace.plan.plan import Plan
    from headrace.preprocessing.fit import FittedSteps
    from headrace.preprocessing.step import Step
    from headrace.progress import Bar
    from headrace.train.lazy_rows import LazyRows

__all__ = ["train_clusters_streamed"]


def train_clusters_streamed(
    source: pl.LazyFrame,
    steps: Sequence[Step] | None,
    *,
    kinds: Mapping[str, Kind] | None,
    seed: int,
    engine: Engine,
) -> Fitted:
    """Train a pipeline without target on a lazy table, without ever holding it.

    What the steps give goes to a flat file on disk, as exact as in memory, and the clusterer
    passes over it.

    Raises:
        DataError: If the rows cannot be trained on.
        SettingError: If the steps do not fit the data, or need the whole table.
    """
    clock, base = Clock(), resident()
    with bar("train", None) as progress, PeakMemory() as peak, bounded_scans():
        progress.advance(note="reading")
        with clock("read"):
            rows = read_lazy_rows(source, None, None, kinds)
        chosen = ChosenSteps.of(steps, rows.schema, None)
        if chosen.rows:
            raise SettingError(needs_table(f"steps that remove rows ({chosen.rows[0]!r})"))
        fitted = _Work(rows, chosen, seed, engine, clock).fit(progress)
    return replace(
        fitted,
        result=with_memory(fitted.result, base + peak.bytes),
        retrain=lambda again: train_clusters_streamed(
            source, chosen.all, kinds=kinds, seed=again, engine=engine
        ),
    )


@dataclass(frozen=True, eq=False)
class _Work:
    """One training, from the rows that were read lazily to what was learnt."""

    rows: LazyRows
    chosen: ChosenSteps
    seed: int
    engine: Engine
    clock: Clock

    def fit(self, progress: Bar) -> Fitted:
        """Fit the steps, spill what they give, and find the clusters in it."""
        rows, clock, frame = self.rows, self.clock, self.rows.canonical
        progress.advance(note="fitting the steps")
        with clock("steps"):
            fitted = fit_steps(
                frame.drop(ROW),
                schema_columns(rows.schema),
                self.chosen.before_model,
                engine=self.engine,
            )
        with clock("profile"):
            schema = requiring(rows.schema, fitted.plan.used)
            watched = schema.select(fitted.plan.used)
            reference = profile(frame.select(watched.names), watched)
            sample, sample_raw = sample_of(rows, frame, self.seed)
        model = self._model(fitted, progress)
        promised = self.engine.memory
        return Fitted(
            schema,
            fitted.plan,
            None,
            model,
            self.chosen.all,
            reference,
            None,
            train_result(
                self.chosen,
                fitted,
                None,
                model,
                rows=(rows.count, 0),
                seconds=clock.seconds,
                notes=rows.notes,
                memory={} if promised is None else {"promised": float(promised)},
            ),
            Kept(None, None, sample.select(schema.names), sample_raw),
        )

    def _model(self, fitted: FittedSteps, progress: Bar) -> FittedClusters | None:
        clusterer = self.chosen.model
        if not isinstance(clusterer, ClusterStep):
            return None
        with spill_folder() as folder:
            progress.advance(note="writing what the steps give")
            with self.clock("store"):
                matrices = _matrices(fitted.plan, self.rows.canonical)
                blocks = spill(folder / "matrix", matrices, len(fitted.plan.spec.numbers))
            progress.advance(note="finding clusters")
            with self.clock("model"):
                return clusterer.fit_blocks(blocks, seed=self.seed)


def _matrices(plan: Plan, rows: pl.LazyFrame) -> Iterator[NDArray[np.float64]]:
    """Send rows through the plan, some at a time.

    Raises:
        DataError: A number is missing or infinite; the row is that of the whole table.
    """
    frame, columns = rows, {info.name: info for info in plan.inputs}
    for node in plan.nodes:
        if isinstance(node, PythonNode):
            frame = by_batch(node, frame, columns)
        else:
            frame = node.polars(frame, training=True)
        columns = node.after(columns)
    for batch in batches(frame.select([info.name for info in plan.outputs] + [ROW])):
        try:
            yield plan.matrix(batch.drop(ROW))
        except DataError as error:
            raise of_table(error, batch[ROW]) from error
