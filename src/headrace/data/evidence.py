"""What a column holds, counted over all rows in one scan: the facts that decide its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.expressions import reading
from headrace.data.scan import collect, in_memory
from headrace.data.spellings import MISSING_MARKS, MISSING_WORDS, missing_spellings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.data.schema import Column

__all__ = ["Facts", "gather"]

_EXACT_ROWS = 5_000_000
_SPELLINGS = missing_spellings((*MISSING_MARKS, *MISSING_WORDS, "0000-00-00", "0000-00-00 00:00:00"))


@dataclass(frozen=True)
class Facts:
    """What one column holds.

    Attributes:
        dtype: Its raw dtype.
        rows: All rows.
        present: Rows with a value that is not null, NaN or empty text.
        distinct: How many different values there are.
        exact: Whether they were counted; in scans of files they are estimated within some percent.
        low: The smallest number, also of numbers held as text; None when there is none.
        high: The largest.
        whole: Whether all numbers are whole.
        length: Mean number of characters of text.
        spaced: Share of the texts that hold a space.
        ascii: Share of the texts in ASCII.
        spellings: Values of text that may mean missing, with the rows that hold them.
        refused: For each candidate, how many rows it cannot read.
    """

    dtype: pl.DataType
    rows: int
    present: int
    distinct: int
    exact: bool = True
    low: float | None = None
    high: float | None = None
    whole: bool = False
    length: float = 0.0
    spaced: float = 0.0
    ascii: float = 1.0
    spellings: tuple[tuple[str, int], ...] = ()
    refused: tuple[int, ...] = ()


def gather(
    frame: pl.LazyFrame, names: Sequence[str], candidates: Mapping[str, Sequence[Column]]
) -> dict[str, Facts]:
    """Count what decides the kinds of columns, in one scan of the table.

    Args:
        frame: The raw table.
        names: The columns.
        candidates: For columns of text, what they may be, to be tried on every row.
    """
    held = frame.collect_schema()
    exact = in_memory(frame) and collect(frame.select(pl.len())).item() <= _EXACT_ROWS
    readings = {
        f"{i} {j}": reading(column, held[name])
        for i, name in enumerate(names)
        for j, column in enumerate(candidates.get(name, ()))
    }
    tried = frame.select(
        *names, *(read.canonical.alias(f"{_TRIED}{place}") for place, read in readings.items())
    )
    facts = [pl.len().alias("rows")]
    for i, name in enumerate(names):
        columns = candidates.get(name, ())
        queries = _queries(name, held[name], bool(columns and columns[0].kind == "number"), i)
        counts = _distinct(queries.pop("values"), exact=exact) if queries else None
        facts += [fact.alias(f"{i} {label}") for label, fact in queries.items()]
        facts += [counts.alias(f"{i} distinct")] if counts is not None else []
    for place, read in readings.items():
        facts.append(_misfit(place, read).sum().alias(f"refused {place}"))
    found = collect(tried.select(facts), streaming=not in_memory(frame)).row(0, named=True)
    return {
        name: _facts(found, i, held[name], len(candidates.get(name, ())), exact=exact)
        for i, name in enumerate(names)
    }


def _queries(raw: pl.Expr, dtype: pl.DataType, *, exact: bool) -> dict[str, pl.Expr]:
    """Answer what to count of one column; every entry becomes a fact of this name."""
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary, pl.Null):
        return {}
    if dtype == pl.String:
        return _text_queries(raw, exact=exact)
    plain = raw.cast(pl.String) if dtype in (pl.Categorical, pl.Enum) else raw
    if dtype.is_float():
        plain = raw.fill_nan(None)
    distinct = plain.drop_nulls().n_unique() if exact else plain.drop_nulls().approx_n_unique()
    counts = {"present": plain.count(), "distinct": distinct}
    if dtype.is_numeric():
        counts |= _range(plain.cast(pl.Float64))
    return counts


def _range(number: pl.Expr) -> dict[str, pl.Expr]:
    known = number.fill_nan(None)
    return {"low": known.min(), "high": known.max(), "whole": (known == known.floor()).all()}


def _text_queries(raw: pl.Expr, *, exact: bool) -> dict[str, pl.Expr]:
    present = raw.filter(raw.is_not_null() & (raw.str.len_bytes() > 0))
    suspects = raw.filter(raw.is_in(_SPELLINGS))
    return {
        "present": present.len(),
        "distinct": present.n_unique() if exact else present.approx_n_unique(),
        "length": present.str.len_chars().mean(),
        "spaced": present.str.contains(" ", literal=True).mean(),
        "ascii": (present.str.len_bytes() == present.str.len_chars()).mean(),
        "spellings": suspects.value_counts(sort=True).implode(),
    }


def _facts(
    found: Mapping[str, Any], i: int, dtype: pl.DataType, candidates: int, *, exact: bool
) -> Facts:
    def fact(label: str, default: Any) -> Any:
        value = found.get(f"{i} {label}")
        return default if value is None else value

    counted = [tuple(entry.values()) for entry in fact("spellings", [])]
    return Facts(
        dtype=dtype,
        rows=found["rows"],
        present=fact("present", 0),
        distinct=fact("distinct", 0),
        exact=exact,
        low=fact("low", None),
        high=fact("high", None),
        whole=bool(fact("whole", default=False)),
        length=fact("length", 0.0),
        spaced=fact("spaced", 0.0),
        ascii=fact("ascii", 1.0),
        spellings=tuple((str(value), int(count)) for value, count in counted),
        refused=tuple(fact(f"refused {j}", 0) for j in range(candidates)),
    )
