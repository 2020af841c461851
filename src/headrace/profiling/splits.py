"""Leaks between splits: the same rows, the same groups, and training rows later than test rows."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from headrace.data.conform import conform
from headrace.data.gaps import is_missing
from headrace.data.problems import absent_column
from headrace.data.scan import collect
from headrace.data.source import read
from headrace.errors import DataError, Problem, SettingError
from headrace.profiling.alerts import Alert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.data.schema import Schema

__all__ = ["split_leaks", "split_tables"]

_MOST_SPLITS = 20
_BY_CHANCE = 0.5
"""Distinct rows over rows under which rows are combinations of few values, not records."""

_FEW_SHARED = 0.001


def split_tables(
    frame: pl.LazyFrame, raw: pl.LazyFrame, schema: Schema, splits: str | Mapping[str, object]
) -> dict[str, pl.LazyFrame]:
    """Answer the canonical table of each split.

    Args:
        frame: The canonical table, with the column of `splits` if that is a name.
        raw: The table as it was read.
        schema: Of the canonical table.
        splits: The column that says to which split a row belongs, or the splits by name.

    Raises:
        DataError: There is no such column, or it has one value or more than twenty.
        SettingError: Fewer than two splits.
    """
    if not isinstance(splits, str):
        if len(splits) < 2:
            raise SettingError(f"splits: expected at least two, received {sorted(splits)}")
        return {name: conform(read(data), schema) for name, data in splits.items()}
    if splits not in schema.names:
        raise DataError([absent_column(splits, raw.collect_schema())])
    names = collect(frame.select(pl.col(splits).unique()), streaming=True)[splits].sort().to_list()
    if not 2 <= len(names) <= _MOST_SPLITS:
        text = f"a column of splits has 2 to {_MOST_SPLITS} values, this one {len(names)}"
        raise DataError([Problem(text, column=splits)])
    return {str(name): frame.filter(pl.col(splits) == name).drop(splits) for name in names}


def split_leaks(
    tables: Mapping[str, pl.LazyFrame], schema: Schema, *, group: str | None, time: str | None
) -> Iterator[Alert]:
    """Answer what two splits share that they should not.

    Rows are the same if all columns are, ids left out. Hashes of different rows are held, eight
    bytes each.

    Args:
        tables: The canonical table of each split; the first one is the one to learn from.
        schema: Their columns.
        group: The column whose values must not be divided.
        time: The column that orders the rows.
    """
    names = [c.name for c in schema if c.kind != "id" and c.name in _columns(tables)]
    hashes = {split: _hashes(table, names) for split, table in tables.items()}
    for first, second in combinations(tables, 2):
        yield from _same_rows(first, second, hashes)
    if group is not None:
        values = {split: _values(table, group, schema) for split, table in tables.items()}
        for first, second in combinations(tables, 2):
            shared = values[first].join(values[second], on=group, how="semi").height
            if shared:
                share = shared / min(values[first].height, values[second].height)
                text = (
                    f"{shared:,} values of {group!r} are in {first!r} and in {second!r} "
                    f"({share:.1%} of the smaller one's); split by group"
                )
                yield Alert("shared groups", (group,), text, value=share)
    if time is not None:
        yield from _later(tables, schema, time)


def _columns(tables: Mapping[str, pl.LazyFrame]) -> set[str]:
    return set.intersection(*(set(table.collect_schema()) for table in tables.values()))


def _hashes(table: pl.LazyFrame, names: list[str]) -> pl.DataFrame:
    counted = table.select(hash=pl.struct(names).hash(seed=0)).group_by("hash").agg(rows=pl.len())
    return collect(counted, streaming=True)


def _same_rows(first: str, second: str, hashes: Mapping[str, pl.DataFrame]) -> Iterator[Alert]:
    one, other = hashes[first], hashes[second]
    shared = int(other.join(one, on="hash", how="semi")["rows"].sum())
    rows = int(other["rows"].sum())
    if not shared:
        return
    share = shared / rows
    text = f"{shared:,} of {rows:,} rows of {second!r} ({share:.2%}) are in {first!r} too"
    distinct = one.height / int(one["rows"].sum())
    if distinct < _BY_CHANCE or share < _FEW_SHARED:
        why = "rows repeat anyway" if distinct < _BY_CHANCE else "few enough for chance"
        yield Alert("same rows", (), f"{text}; {why}", "note", share)
    else:
        yield Alert("same rows", (), f"{text}: a score on them is too good", value=share)


def _values(table: pl.LazyFrame, name: str, schema: Schema) -> pl.DataFrame:
    known = ~is_missing(pl.col(name), schema[name].type)
    return collect(table.select(name).filter(known).unique(), streaming=True)


def _later(tables: Mapping[str, pl.LazyFrame], schema: Schema, time: str) -> Iterator[Alert]:
    learn, *others = tables
    held = pl.col(time)
    known = ~is_missing(held, schema[time].type)
    for test in others:
        start = collect(tables[test].filter(known).select(held.min()), streaming=True).item()
        if start is None:
            continue
        counts = tables[learn].filter(known).select(later=(held >= start).sum(), rows=pl.len())
        later, rows = collect(counts, streaming=True).row(0)
        if later:
            text = (
                f"{later:,} of {rows:,} rows of {learn!r} ({later / rows:.1%}) are not earlier "
                f"than the first of {test!r}: a model would know the future; split by time"
            )
            yield Alert("later rows", (time,), text, value=later / rows)
