"""The canonical rows of a table that is scanned once: what does not fit is counted on the way."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.data.conform import conform
from headrace.data.expressions import reading
from headrace.data.onescan import Tally
from headrace.data.problems import Refused
from headrace.data.scan import collect, in_memory
from headrace.data.schema import UnknownColumnWarning
from headrace.profiling.sample import Sample, draw

if TYPE_CHECKING:
    import polars as pl

    from headrace.data.schema import Schema
    from headrace.profiling.sample import Draw

__all__ = ["Canonical", "canonical"]


@dataclass(frozen=True, eq=False)
class Canonical:
    """A table's canonical columns, before every value was looked at.

    Attributes:
        frame: The canonical columns, and a column of misfits where a value may not fit.
        misfits: A reader that counts these; it must see all rows before `check`.
        raw: The table as it was read.
        schema: The columns.
        read: How a raw row becomes a canonical one; empty where `frame` was made by `conform`.
    """

    frame: pl.LazyFrame
    misfits: Tally
    raw: pl.LazyFrame
    schema: Schema
    read: tuple[pl.Expr, ...] = ()

    @property
    def rows(self) -> pl.LazyFrame:
        """The canonical columns alone."""
        return self.frame.select(self.schema.names)

    def sample(self, drawn: Draw, rows: int | None = None) -> Sample:
        """Answer the canonical values of raw rows that were drawn.

        Args:
            drawn: From all rows of `raw`.
            rows: How many of them, at most; None for all.
        """
        places = drawn.places(rows)
        if self.read:
            return Sample(drawn.table(rows).select(self.read), places, self.schema)
        if in_memory(self.frame):
            return Sample(collect(self.frame)[places], places, self.schema)
        return draw(self.frame, self.schema, len(places), seed=drawn.seed)

    def check(self) -> None:
        """Say which values do not fit, in a further scan, if there were some.

        Raises:
            DataError: Every misfit value, with its row.
        """
        if any(self.misfits.counts.values()):
            _conform(self.raw, self.schema)


def canonical(raw: pl.LazyFrame, schema: Schema) -> Canonical:
    """Make canonical columns without a scan; a table in memory is converted and checked at once.

    Args:
        raw: The table as it was read.
        schema: Its columns.

    Raises:
        DataError: A dtype that a kind cannot hold; of a table in memory a misfit value, too.
    """
    import polars as pl

    if in_memory(raw):
        return Canonical(_conform(raw, schema), Tally({}), raw, schema)
    held = raw.collect_schema()
    try:
        readings = {column.name: reading(column, held[column.name]) for column in schema}
    except Refused:  # a column without a value fits any kind, which a scan must tell
        return Canonical(_conform(raw, schema), Tally({}), raw, schema)
    doubtful = {name: read for name, read in readings.items() if not read.certain}
    flags = [read.misfit.alias(_flag(name)) for name, read in doubtful.items()]
    columns = [read.canonical.alias(name) for name, read in readings.items()]
    frame = raw.with_columns(*columns, *flags).select(*readings, *map(_flag, doubtful))
    misfits = Tally({name: pl.col(_flag(name)) for name in doubtful})
    return Canonical(frame, misfits, raw, schema, tuple(columns))


def _flag(name: str) -> str:
    return f"\0misfit {name}"


def _conform(raw: pl.LazyFrame, schema: Schema) -> pl.LazyFrame:
    with warnings.catch_warnings():  # what is excluded on purpose is no surprise
        warnings.simplefilter("ignore", UnknownColumnWarning)
        return conform(raw, schema)
