"""Scoring by partitions: the fitted pipeline travels as the parts of a release, rows as tables.

A worker rebuilds the pipeline once and remembers it; then it answers one partition after the other.
An answer does not depend on how the rows are cut.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.source import answer, answers, collect, in_memory, is_lazy, read
from headrace.deploy.parts import fitted_from, parts_of
from headrace.errors import DataError, ReleaseError
from headrace.model.fitted import CUSTOM
from headrace.model.network import FittedNetwork
from headrace.model.targets import Targets
from headrace.partitions.crew import map_tasks
from headrace.partitions.partition import (
    Partition,
    partition_rows,
    row_size,
    split_frame,
    split_lazy,
    split_source,
)
from headrace.partitions.task import task
from headrace.plan.plan import Node
from headrace.train.interval_frames import predict_intervals
from headrace.train.scoring import batch_outputs, lazy_predictions, outputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from headrace.engine import Engine
    from headrace.train.fitted import Fitted
    from headrace.train.scoring import Scorer

__all__ = [
    "PARTITION_ROWS",
    "output_of",
    "predictions",
    "score_partition",
    "score_partitions",
    "scorer_of",
    "travels",
]

PARTITION_ROWS = 50_000
"""Rows of a table in memory that are scored at a time by a worker."""

_OURS = "headrace."
_NEEDED = ("schema.json", "plan.json", "target.json", "network.json", "clusters.json")


@dataclass(frozen=True)
class _Parts:
    """The parts of a release that have travelled, read as those of a release on disk."""

    held: Mapping[str, Any]

    def __contains__(self, name: object) -> bool:
        return name in self.held

    def document(self, name: str) -> Any:
        return self.held[name]

    def arrays(self, name: str) -> Mapping[str, NDArray[Any]]:
        return dict(self.held[name])

    def bytes(self, name: str) -> bytes:
        raise ReleaseError(f"{name} does not travel to workers")


def travels(fitted: Fitted) -> bool:
    """Answer whether a worker can rebuild a pipeline: all of it is headrace's own.

    A free Python step, an operation of the user's and a network made of Keras objects need the
    user's code, which does not travel.
    """
    nodes = [node for node in fitted.plan.nodes if isinstance(node, Node)]
    ours = [type(node.operation).__module__.startswith(_OURS) for node in nodes]
    own_network = isinstance(fitted.model, FittedNetwork) and fitted.model.architecture == CUSTOM
    return len(nodes) == len(fitted.plan.nodes) and all(ours) and not own_network


def output_of(fitted: Fitted, data: object, engine: Engine) -> NDArray[Any]:
    """Answer the model's raw output for any rows; by the workers of the engine, if it is worth it.

    Args:
        fitted: The pipeline.
        data: Raw rows, from any source.
        engine: Who works.

    Returns:
        (rows, …), see `Fitted.output`.

    Raises:
        DataError: The rows do not fit.
    """
    partitions = None
    if engine.executor is not None and travels(fitted):
        partitions = _partitions(data)
    if partitions is None:
        return outputs(fitted, data)
    _check_columns(fitted, data)
    return np.concatenate(list(score_partitions(fitted, partitions, engine)))


def predictions(fitted: Fitted, data: object, engine: Engine, interval: float | None) -> Any:
    """Answer the predictions of any rows in their kind of table (see `Pipeline.predict`).

    Args:
        fitted: The pipeline.
        data: Raw rows, from any source.
        engine: Who works.
        interval: The level of intervals and sets beside the predictions; None for none.

    Raises:
        DataError: The rows do not fit.
        SettingError: Intervals are asked for, and nothing has calibrated them.
    """
    if interval is not None:
        lazy = scorer_of(fitted, engine) if is_lazy(data) else None
        scorer = lazy or (lambda fitted, data: iter([output_of(fitted, data, engine)]))
        return predict_intervals(fitted, data, interval, scorer)
    if is_lazy(data):
        return lazy_predictions(fitted, data, scorer_of(fitted, engine))
    output = output_of(fitted, data, engine)
    if isinstance(fitted.target, Targets):
        return answers(fitted.target.decode_all(output), data)
    return answer(fitted.decode(output), data, fitted.target.name if fitted.target else "cluster")


def scorer_of(fitted: Fitted, engine: Engine) -> Scorer:
    """Answer who computes the output for lazy rows: the workers of the engine, if they can.

    Args:
        fitted: The pipeline.
        engine: Who works; its memory decides how many rows a partition has.

    Returns:
        What `headrace.train.scoring` is to compute with. Files of Parquet and Arrow IPC are read by
        the workers; other rows are read here, streaming, and sent.
    """
    if engine.executor is None or not travels(fitted):
        return batch_outputs

    def by_workers(fitted: Fitted, data: pl.LazyFrame) -> Iterator[NDArray[Any]]:
        kinds = data.collect_schema()
        known = [name for name in kinds if name in fitted.schema]
        rows = partition_rows(engine.memory, row_size(kinds.values()))
        return score_partitions(fitted, split_lazy(data, rows, known or None), engine, title="")

    return by_workers


def score_partitions(
    fitted: Fitted, partitions: Iterable[Partition], engine: Engine, *, title: str = "scoring"
) -> Iterator[NDArray[Any]]:
    """Give the model's raw output for each partition of raw rows, in their order.

    Args:
        fitted: A pipeline that travels.
        partitions: Raw rows; taken as they are needed, so that there may be any number.
        engine: Who works.
        title: What the progress bar says; "" for no bar.

    Raises:
        DataError: The rows do not fit; the row is counted from the first of all partitions.
        WorkerError: A partition was lost with its worker again and again.
    """
    sent = (partition.to_dict() for partition in partitions)
    return map_tasks(engine, score_partition, sent, shared=_message(fitted), title=title)


def _rebuilt(parts: Mapping[str, Any]) -> Fitted:
    return fitted_from(_Parts(parts))


@task(prepare=_rebuilt)
def score_partition(partition: Mapping[str, Any], fitted: Fitted) -> NDArray[Any]:
    """Answer the raw output for one partition."""
    part = Partition.from_dict(partition)
    try:
        with warnings.catch_warnings():
            # Columns that nobody asked for are told of once, where the rows were given.
            warnings.simplefilter("ignore", UserWarning)
            canonical = fitted.conform(part.open())
        return fitted.output(canonical)
    except DataError as error:
        raise _counted_from(error, part.first or 0) from error


def _message(fitted: Fitted) -> dict[str, Any]:
    parts = parts_of(fitted, {})
    kept = {name: parts[name] for name in _NEEDED if name in parts}
    return kept | {
        # The steps are for training again, and may be of classes that a worker does not know.
        "pipeline.json": {"settings": {}, "weight": fitted.weight, "steps": []},
        "profile.json": parts["profile.json"],
        "evaluation.json": {},
        **({"weights.npz": parts["weights.npz"]} if "weights.npz" in parts else {}),
    }


def _partitions(data: object) -> Iterator[Partition] | None:
    """Answer the partitions of a source; None where one process is as quick."""
    if _is_path(data):
        return split_source(data)
    table = read(data, empty=True)
    if isinstance(data, pl.LazyFrame) or not in_memory(table):
        return None
    held = collect(table)
    return split_frame(held, PARTITION_ROWS) if held.height > PARTITION_ROWS else None


def _is_path(data: object) -> bool:
    several = data if isinstance(data, list | tuple) and data else [data]
    return all(isinstance(one, str | Path) for one in several)


def _check_columns(fitted: Fitted, data: object) -> None:
    """Tell of columns that are missing or unknown here, where the user sees it."""
    fitted.conform(read(data, empty=True).head(0))


def _counted_from(error: DataError, first: int) -> DataError:
    return DataError(
        problem if problem.row is None else replace(problem, row=problem.row + first)
        for problem in error.problems
    )
