"""What trainings out of core share: a place on disk, rows to show, an account of memory."""

from __future__ import annotations

import os
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from headrace.data.lazy_split import row_hash
from headrace.data.scan import collect
from headrace.sizes import size_text
from headrace.train.reading import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.train.lazy_rows import LazyRows
    from headrace.train.result import TrainResult

__all__ = ["needs_table", "sample_of", "spill_folder", "with_memory"]

_SAMPLE = 1_000
_HASH = "__headrace_hash__"


def needs_table(what: str) -> str:
    """Answer why something is refused out of core."""
    return (
        f"{what} need the whole table, which does not fit the memory: take a part of the rows "
        "(lazy.head(n), or a sample), or give more memory"
    )


@contextmanager
def spill_folder() -> Iterator[Path]:
    """Answer a folder that is removed afterwards, where the user or the system wants it."""
    place = os.environ.get("HEADRACE_SPILL")
    with tempfile.TemporaryDirectory(
        prefix="headrace-", dir=place, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def sample_of(rows: LazyRows, frame: pl.LazyFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Answer some rows to learn from, canonical and as they came, chosen by their hash.

    Args:
        rows: The rows of the training.
        frame: Those that are learnt from.
        seed: Of the choice.
    """
    word = row_hash(pl.col(ROW), seed + 2).alias(_HASH)
    names = [ROW, *rows.schema.names]
    drawn = frame.select(*names).with_columns(word)
    # Cut and sorted when they are few, and found by a join: a query that sorts, or one that asks
    # whether numbers are among sorted ones, holds whole columns.
    few = pl.col(_HASH) <= pl.lit(_below(4 * _SAMPLE, rows.count), dtype=pl.UInt64)
    chosen = collect(drawn.filter(few), streaming=True)
    sample = chosen.bottom_k(_SAMPLE, by=_HASH).sort(ROW)
    numbered = rows.raw.select(rows.schema.names).with_row_index(ROW)
    wanted = sample.select(ROW).lazy()
    raw = collect(numbered.join(wanted, on=ROW, how="semi"), streaming=True).sort(ROW)
    return sample.drop(_HASH), raw.drop(ROW)


def _below(wanted: int, rows: int) -> int:
    return min(2**64 - 1, int(2**64 * wanted / max(rows, 1)))


def with_memory(result: TrainResult | None, peak: int) -> TrainResult | None:
    """Answer the result with what the process held, and warn when that broke the promise."""
    if result is None:
        return None
    memory = {**result.memory, "peak": float(peak)}
    promised = memory.get("promised")
    if promised is None or peak <= promised:
        return replace(result, memory=memory)
    text = (
        f"memory={size_text(promised)!r} was promised and the process held {size_text(peak)}: "
        "promise more, or make the row groups of the files smaller"
    )
    warnings.warn(text, stacklevel=4)
    return replace(result, memory=memory, notes=(*result.notes, text))
