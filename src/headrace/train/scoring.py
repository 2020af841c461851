"""Answers for tables of any size: rows go through a fitted pipeline by batches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from headrace.data.conform import conform
from headrace.data.objects import column_of
from headrace.data.scan import batches, collect, in_memory
from headrace.data.source import read
from headrace.errors import DataError, Problem, SettingError
from headrace.model.targets import Targets
from headrace.progress import bar
from headrace.storage.files import disk, flush_folder, temporary_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from headrace.train.fitted import Fitted

__all__ = [
    "Scorer",
    "batch_outputs",
    "canonical_batches",
    "computed_frames",
    "lazy_distribution",
    "lazy_predictions",
    "lazy_transform",
    "outputs",
    "score_file",
    "write_answers",
]

_ROWS = 131_072
"""Rows that go through the steps and the model at a time."""

_FEW = 1_000
"""Rows by which it is seen which columns the answers have."""

Scorer: TypeAlias = "Callable[[Fitted, pl.LazyFrame], Iterator[NDArray[Any]]]"
"""Gives the model's raw output for lazy rows, some at a time, in their order."""


Answering: TypeAlias = "Callable[[pl.LazyFrame, Callable[[float], None]], pl.LazyFrame]"
"""Makes lazy answers of lazy rows, and tells how many are done."""


def canonical_batches(fitted: Fitted, data: object) -> Iterator[pl.DataFrame]:
    """Answer any rows through the one door, some at a time; one batch without rows for none.

    Args:
        fitted: The pipeline.
        data: The rows, from any source; a scan of files is never held.

    Raises:
        DataError: Values do not fit the schema.
    """
    frame = conform(read(data, empty=True), fitted.schema, ignore=fitted.beside)
    if in_memory(frame):
        held = frame.collect()
        yield from (held.slice(at, _ROWS) for at in range(0, max(held.height, 1), _ROWS))
        return
    none = True
    for batch in batches(frame, _ROWS):
        none = False
        yield batch
    if none:
        yield frame.head(0).collect()


def outputs(fitted: Fitted, data: object) -> NDArray[Any]:
    """Answer the model's raw output for any rows (see `Fitted.output`), computed by batches."""
    return np.concatenate(list(batch_outputs(fitted, data)))


def batch_outputs(fitted: Fitted, data: object) -> Iterator[NDArray[Any]]:
    """Give the model's raw output for any rows (see `Fitted.output`), batch by batch."""
    return map(fitted.output, canonical_batches(fitted, data))


def lazy_predictions(
    fitted: Fitted, data: pl.LazyFrame, scorer: Scorer = batch_outputs
) -> pl.LazyFrame:
    """Answer the predictions of a lazy table as a lazy table, computed when it is collected.

    Args:
        fitted: The pipeline.
        data: The rows.
        scorer: Who computes the model's output.

    Returns:
        One row for each row: the target's column, or one for each of several targets.
    """
    return _computed(fitted, data, lambda output: _predictions(fitted, output), scorer)


def lazy_distribution(
    fitted: Fitted, data: pl.LazyFrame, scorer: Scorer = batch_outputs
) -> pl.LazyFrame:
    """Answer the distribution of the target of a lazy table, lazily (see `lazy_predictions`)."""
    spec = fitted.network.target_spec

    def answer(output: NDArray[Any]) -> pl.DataFrame:
        return pl.DataFrame(spec.distribution(spec.answers(output)))

    return _computed(fitted, data, answer, scorer)


def lazy_transform(fitted: Fitted, data: pl.LazyFrame) -> pl.LazyFrame:
    """Send a lazy table through the steps, lazily; free Python steps see it by batches."""
    frame = conform(data, fitted.schema, ignore=fitted.beside)
    if fitted.plan.portable:
        return fitted.plan.polars(frame)

    def transformed() -> Iterator[pl.DataFrame]:
        return map(fitted.transform, canonical_batches(fitted, data))

    return computed_frames(transformed, next(transformed()).schema)


def score_file(fitted: Fitted, data: object, out: Path, scorer: Scorer = batch_outputs) -> int:
    """Write an answer for each row of any source to a file, by batches, whole or not at all.

    Args:
        fitted: The pipeline.
        data: The rows, from any source.
        out: The file; `.parquet`, `.csv`, `.ndjson` or `.jsonl`. For classes it holds the label
            and the probability of each class; for numbers the value, and what else the network
            says of it.
        scorer: Who computes the model's output.

    Returns:
        How many rows were answered.

    Raises:
        SettingError: The file's name ends in something else.
        DataError: Values do not fit the schema, or a file cannot be read.
    """

    def answer(rows: pl.LazyFrame, advance: Callable[[float], None]) -> pl.LazyFrame:
        return _computed(fitted, rows, lambda output: _scores(fitted, output), scorer, advance)

    return write_answers(data, out, answer)


def write_answers(data: object, out: Path, answer: Answering) -> int:
    """Write what is answered to the rows of any source to a file, whole or not at all.

    Args:
        data: The rows, from any source.
        out: The file; see `score_file`.
        answer: Makes the answers.

    Returns:
        How many rows were answered.

    Raises:
        SettingError: The file's name ends in something else.
        DataError: Values do not fit the schema, or a file cannot be read.
    """
    sink = _SINKS.get(out.suffix.lower())
    if sink is None:
        known = ", ".join(_SINKS)
        raise SettingError(f"answers can be written to {known}; received {out.name!r}")
    if not out.parent.is_dir():
        raise DataError(
            [Problem(f"there is no folder {str(out.parent)!r} to write {out.name!r} in")]
        )
    source = read(data, empty=True)
    rows = collect(source.select(pl.len()), streaming=True).item()
    temporary = out.with_name(temporary_name())
    try:
        with bar("score", rows) as progress:
            sink(answer(source, progress.advance), temporary)
        _flush(temporary)
        disk.rename(temporary, out)
        flush_folder(out.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return int(rows)


_SINKS: dict[str, Callable[[pl.LazyFrame, Path], object]] = {
    ".parquet": lambda frame, path: frame.sink_parquet(path),
    ".csv": lambda frame, path: frame.sink_csv(path),
    ".ndjson": lambda frame, path: frame.sink_ndjson(path),
    ".jsonl": lambda frame, path: frame.sink_ndjson(path),
}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)


def _computed(
    fitted: Fitted,
    data: pl.LazyFrame,
    answer: Callable[[NDArray[Any]], pl.DataFrame],
    scorer: Scorer,
    advance: Callable[[float], None] | None = None,
) -> pl.LazyFrame:
    """Answer a lazy table whose batches are computed from those of the rows."""

    def computed() -> Iterator[pl.DataFrame]:
        for output in scorer(fitted, data):
            yield answer(output)
            if advance is not None:
                advance(len(output))

    # Workers are not set to work only to see which columns there are.
    few = data if scorer is batch_outputs else data.head(_FEW)
    return computed_frames(computed, answer(next(batch_outputs(fitted, few))).schema)


def computed_frames(
    computed: Callable[[], Iterator[pl.DataFrame]], schema: pl.Schema
) -> pl.LazyFrame:
    """Make a lazy table of batches."""

    def scan(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = rows
        for batch in computed():
            some = batch if left is None else batch.head(left)
            left = None if left is None else left - some.height
            kept = some if predicate is None else some.filter(predicate)
            yield kept if columns is None else kept.select(columns)
            if left == 0:
                return

    return register_io_source(scan, schema=schema)


def _predictions(fitted: Fitted, output: NDArray[Any]) -> pl.DataFrame:
    if isinstance(fitted.target, Targets):
        decoded = fitted.target.decode_all(output)
        return pl.DataFrame([column_of(name, values) for name, values in decoded.items()])
    name = fitted.target.name if fitted.target else "cluster"
    return column_of(name, fitted.decode(output)).to_frame()


def _scores(fitted: Fitted, output: NDArray[Any]) -> pl.DataFrame:
    """Answer predictions with the distribution behind them, as far as the model knows one."""
    answered = _predictions(fitted, output)
    if fitted.target is None or isinstance(fitted.target, Targets):
        return answered
    spec = fitted.network.target_spec
    if spec.task != "regression":
        chances = spec.distribution(spec.answers(output))
        named = {f"probability_{label}": values for label, values in chances.items()}
        return answered.hstack(pl.DataFrame(named))
    if spec.likelihood in ("point", "poisson"):
        return answered
    return answered.hstack(pl.DataFrame(spec.distribution(spec.answers(output))))
