"""Inspecting new rows: one scan for the counts, a second one only to show rows that are wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.expressions import Reading
from headrace.data.grammar import parse_number
from headrace.data.problems import expected
from headrace.data.scan import collect, count_values, in_memory
from headrace.data.schema import MISSING_TIME
from headrace.errors import nearest
from headrace.maintain.finding import Finding
from headrace.maintain.repair import MISFIT, mark, readings
from headrace.maintain.wording import figure, moment, percent, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from headrace.data.problems import Refused
    from headrace.data.profile import ColumnProfile, Profile
    from headrace.data.schema import Column, Schema
    from headrace.maintain.finding import Severity

__all__ = ["inspect"]

_EXAMPLES = 3
_HASH = "hash of the row"
_RAW = "raw "
_IMPOSSIBLE = 1e-6
_MANY_DUPLICATES = 0.05
_FEWEST_STUCK = 10
_MOST_HASHES = 2_000_000


@dataclass(frozen=True)
class _Batch:
    """New rows on the way through the inspection."""

    rows: pl.LazyFrame
    schema: Schema
    read: Mapping[str, Reading | Refused | None]
    reference: Mapping[str, ColumnProfile]
    found: Mapping[str, Any]

    @property
    def height(self) -> int:
        return int(self.found["rows"])


def inspect(
    rows: pl.LazyFrame, schema: Schema, reference: Profile | None, ignore: Collection[str]
) -> tuple[int, list[Finding]]:
    """Look for what cannot be right in new rows.

    Args:
        rows: The raw rows.
        schema: What they should be.
        reference: The profile of the reference rows, if there is one.
        ignore: Columns that the rows may hold besides the schema's.

    Returns:
        How many rows there are, and the findings.
    """
    profiles = {column.name: column for column in reference.columns} if reference else {}
    read = readings(rows, schema)
    batch = _Batch(rows, schema, read, profiles, _count(rows, schema, read, profiles))
    if not batch.height:
        empty = Finding("no rows", "note", None, 0, "there are no rows")
        return 0, [empty, *_structure(batch, ignore)]
    findings = [*_structure(batch, ignore)]
    gone = {finding.column for finding in findings}
    for column in schema:
        if column.name not in gone:
            findings += _values(batch, column)
    shown = [_with_rows(batch, finding) for finding in findings]
    return batch.height, [*shown, *_duplicates(batch)]


# ---------------------------------------------------------------- counting


def _count(
    rows: pl.LazyFrame,
    schema: Schema,
    read: Mapping[str, Reading | Refused | None],
    profiles: Mapping[str, ColumnProfile],
) -> Mapping[str, Any]:
    marked = mark(rows.with_columns(_hash(rows, schema)), schema, read, keep=[_HASH])
    expressions = [pl.len().alias("rows")]
    if in_memory(rows):
        expressions.append(pl.col(_HASH).n_unique().alias("different"))
    for place, column in enumerate(schema):
        if read[column.name] is not None:
            for key, expression in _expressions(column, read, profiles).items():
                expressions.append(expression.alias(f"{place} {key}"))
    found = collect(marked.select(expressions), streaming=True).row(0, named=True)
    if "different" not in found:
        found["different"] = _different(rows.select(_hash(rows, schema)), found["rows"])
    return {_by_name(schema, key): value for key, value in found.items()}


def _different(hashes: pl.LazyFrame, rows: int) -> int:
    """Estimate how many rows of a scan differ, from those whose hash falls into a part."""
    parts = max(1, rows // _MOST_HASHES)
    chosen = pl.when(pl.col(_HASH) % parts == 0).then(pl.col(_HASH))
    counted = count_values(hashes, {_HASH: chosen}).get(_HASH, [])
    return max(0, rows - parts * sum(count - 1 for _, count in counted))


def _by_name(schema: Schema, key: str) -> str:
    place, _, what = key.partition(" ")
    return f"{what} {schema.names[int(place)]}" if what else key


def _hash(rows: pl.LazyFrame, schema: Schema) -> pl.Expr:
    held = [name for name in rows.collect_schema() if name in schema]
    known = pl.struct(held).hash() if held else pl.lit(0, pl.UInt64)
    return known.alias(_HASH)


def _expressions(
    column: Column,
    read: Mapping[str, Reading | Refused | None],
    profiles: Mapping[str, ColumnProfile],
) -> dict[str, pl.Expr]:
    values = _present(column)
    expressions = {
        "present": values.count(),
        "smallest": values.min(),
        "largest": values.max(),
    }
    reading = read[column.name]
    if isinstance(reading, Reading) and not reading.certain:
        expressions["misfits"] = pl.col(MISFIT + column.name).sum()
    far = _far(column, profiles.get(column.name))
    return expressions if far is None else expressions | {"far": far.sum()}


def _present(column: Column) -> pl.Expr:
    """Answer the values of a repaired column, null where they are missing."""
    values = pl.col(column.name)
    if column.type == "number":
        return values.fill_nan(None)
    return pl.when(values != ("" if column.type == "string" else MISSING_TIME)).then(values)


def _far(column: Column, profile: ColumnProfile | None) -> pl.Expr | None:
    """Answer which values lie further from the reference's range than it is wide."""
    limits = _limits(profile) if column.type != "string" else None
    if limits is None:
        return None
    values = _present(column)
    return (values < limits[0]) | (values > limits[1])


def _limits(profile: ColumnProfile | None) -> tuple[float, float] | None:
    if profile is None or profile.minimum is None or profile.maximum is None:
        return None
    width = profile.maximum - profile.minimum
    if profile.kind == "boolean" or not (width > 0 and math.isfinite(width)):
        return None
    return profile.minimum - width, profile.maximum + width


# ---------------------------------------------------------------- columns


def _structure(batch: _Batch, ignore: Collection[str]) -> Iterator[Finding]:
    held = batch.rows.collect_schema()
    unknown = [name for name in held if name not in batch.schema and name not in ignore]
    for column in batch.schema:
        if column.name not in held:
            yield _gone(column, unknown, batch.height)
        elif not isinstance(batch.read[column.name], Reading):
            words = f"{batch.read[column.name]}; all values are taken as missing"
            yield Finding("kind changed", "error", column.name, batch.height, words)
    for name in unknown:
        meant = nearest(name, [n for n in batch.schema.names if n not in held])
        hint = f"; perhaps it is {meant!r}" if meant else ""
        words = f"the schema does not know this column{hint}"
        yield Finding("column new", "note", name, batch.height, words)


def _gone(column: Column, unknown: list[str], rows: int) -> Finding:
    if column.optional:
        words = "the column is not there, as it may be"
        return Finding("column gone", "note", column.name, rows, words)
    meant = nearest(column.name, unknown)
    hint = f"; perhaps it is called {meant!r} now" if meant else ""
    return Finding("column gone", "error", column.name, rows, f"the column is gone{hint}")


# ---------------------------------------------------------------- values


def _values(batch: _Batch, column: Column) -> Iterator[Finding]:
    found = batch.found
    misfits = int(found.get(f"misfits {column.name}") or 0)
    present = int(found[f"present {column.name}"])
    if misfits:
        yield _misfits(column, misfits, present + misfits)
    if far := int(found.get(f"far {column.name}") or 0):
        yield _out_of_range(batch, column, far, present)
    if not present and not misfits:
        yield from _all_missing(batch, column)
    if _became_numbers(batch, column):
        words = "categories became numbers, of which the reference had none"
        yield Finding("kind changed", "error", column.name, present, words)
    elif present >= _FEWEST_STUCK and present > misfits:
        yield from _stuck(batch, column, present)


def _misfits(column: Column, misfits: int, values: int) -> Finding:
    words = f"{misfits:,} of {values:,} values do not fit: {expected(column)}"
    if 2 * misfits > values:
        return Finding("kind changed", "error", column.name, misfits, words)
    return Finding("bad values", "warning", column.name, misfits, words)


def _out_of_range(batch: _Batch, column: Column, far: int, present: int) -> Finding:
    profile = batch.reference[column.name]
    write = moment if column.type == "time" else figure
    low, high = write(profile.minimum or 0.0), write(profile.maximum or 0.0)
    words = f"{far:,} of {present:,} values lie far outside {low} … {high}"
    return Finding("out of range", "warning", column.name, far, words)


def _all_missing(batch: _Batch, column: Column) -> Iterator[Finding]:
    profile = batch.reference.get(column.name)
    words = "every value is missing"
    if profile is None:
        yield Finding("all missing", "warning", column.name, batch.height, words)
    elif (profile.missing / profile.rows) ** batch.height < _IMPOSSIBLE:
        words += f" ({percent(profile.missing / profile.rows)} in the reference)"
        yield Finding("all missing", "error", column.name, batch.height, words)


def _became_numbers(batch: _Batch, column: Column) -> bool:
    profile = batch.reference.get(column.name)
    if column.kind != "category" or profile is None or not profile.values:
        return False
    dtype = batch.rows.collect_schema()[column.name]
    return dtype.is_numeric() and not any(
        parse_number(value) is not None for value in profile.values
    )


def _stuck(batch: _Batch, column: Column, present: int) -> Iterator[Finding]:
    """Report a column with one value only, when the reference makes that a strange thing."""
    value = batch.found[f"smallest {column.name}"]
    if value != batch.found[f"largest {column.name}"]:
        return
    profile = batch.reference.get(column.name)
    words = f"all {present:,} values are {_text(column, value)}"
    if profile is None:
        yield Finding("constant", "note", column.name, present, words)
    elif (share := _share(profile, column, value)) ** present < _IMPOSSIBLE:
        words += f" (at most {percent(share)} in the reference)"
        yield Finding("constant", "warning", column.name, present, words)


def _share(profile: ColumnProfile, column: Column, value: Any) -> float:
    """Answer the largest share of the reference that may have held a value."""
    present = max(profile.rows - profile.missing, 1)
    if column.type == "string" and not profile.values:
        return (present - profile.distinct + 1) / present
    if column.type == "string":
        return profile.values.get(value, min(profile.values.values())) / present
    if column.kind == "boolean":
        true = profile.mean or 0.0
        return true if value else 1 - true
    bins = zip(profile.edges[:-1], profile.edges[1:], profile.counts, strict=True)
    return max((rows / present for low, high, rows in bins if low <= value <= high), default=0.0)


def _text(column: Column, value: Any) -> str:
    if column.type == "number":
        return figure(value)
    return moment(value) if column.type == "time" else repr(value)


# ---------------------------------------------------------------- rows


def _duplicates(batch: _Batch) -> Iterator[Finding]:
    repeated = batch.height - int(batch.found["different"])
    if not repeated:
        return
    share = repeated / batch.height
    severity: Severity = "warning" if share > _MANY_DUPLICATES else "note"
    words = f"{plural(repeated, 'row')} repeat an earlier one ({percent(share)})"
    yield Finding("duplicate rows", severity, None, repeated, words, _repetitions(batch))


def _repetitions(batch: _Batch) -> tuple[int, ...]:
    """Answer the first rows that repeat an earlier one; of a scan none, which would hold it."""
    if not in_memory(batch.rows):
        return ()
    table = batch.rows.select(_hash(batch.rows, batch.schema))
    again = ~pl.col(_HASH).is_first_distinct()
    rows = collect(table.select(pl.int_range(pl.len()).filter(again).head(_EXAMPLES)))
    return tuple(rows.to_series().to_list())


def _with_rows(batch: _Batch, finding: Finding) -> Finding:
    """Add the first rows of a finding that is about single values."""
    name = finding.column
    if name is None or name not in batch.schema:
        return finding
    if finding.fault == "out of range":
        wrong = _far(batch.schema[name], batch.reference[name])
    elif finding.fault in ("bad values", "kind changed") and batch.found.get(f"misfits {name}"):
        wrong = pl.col(MISFIT + name)
    else:
        wrong = None
    return finding if wrong is None else _show(batch, finding, name, wrong)


def _show(batch: _Batch, finding: Finding, name: str, wrong: pl.Expr) -> Finding:
    raw = _RAW + name
    schema = batch.schema.select([name])
    rows = batch.rows.with_columns(pl.col(name).alias(raw))
    shown = mark(rows, schema, {name: batch.read[name]}, keep=[raw]).select(
        pl.int_range(pl.len()).filter(wrong).head(_EXAMPLES).alias("row"),
        pl.col(raw).cast(pl.String).filter(wrong).head(_EXAMPLES).alias("value"),
    )
    table = collect(shown)
    return replace(
        finding, rows=tuple(table["row"].to_list()), values=tuple(map(repr, table["value"]))
    )
