"""What a column holds, counted over all rows in one scan: the facts that decide its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.expressions import reading
from headrace.data.grammar import BLANKS
from headrace.data.onescan import Hashes, scan_once
from headrace.data.scan import ValueCounts, collect, in_memory
from headrace.data.spellings import TYPED_MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.data.expressions import Reading
    from headrace.data.onescan import Reader
    from headrace.data.schema import Column

__all__ = ["Facts", "gather"]

_EXACT_ROWS = 5_000_000
_HASH_PARTS = 16
_HASHES = 200_000
_PERHAPS = 0.3


@dataclass(frozen=True)
class Facts:
    """What one column holds.

    Attributes:
        dtype: Its raw dtype.
        rows: All rows.
        present: Rows with a value that is not null, NaN or empty text.
        distinct: How many different values there are.
        differing: Their share of the present values; in a scan that of a part of the values.
        exact: Whether they were counted; in scans they are estimated within about ten percent.
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
    differing: float = 0.0
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
    frame: pl.LazyFrame,
    names: Sequence[str],
    candidates: Mapping[str, Sequence[Column]],
    beside: Sequence[Reader] = (),
) -> dict[str, Facts]:
    """Count what decides the kinds of columns, in one scan of the table.

    Args:
        frame: The raw table.
        names: The columns.
        candidates: For columns of text, what they may be, to be tried on every row.
        beside: Who else looks at the rows of the same scan.
    """
    held = frame.collect_schema()
    exact = in_memory(frame) and collect(frame.select(pl.len())).item() <= _EXACT_ROWS
    facts = [pl.len().alias("rows")]
    tried: list[pl.Expr] = []
    for i, name in enumerate(names):
        readings = [reading(column, held[name]) for column in candidates.get(name, ())]
        tried.append(pl.col(name).alias(f"{i}"))
        tried += [_attempt(read).alias(f"{i} {j}") for j, read in enumerate(readings)]
        for label, fact in _queries(i, held[name], candidates.get(name, ()), exact=exact).items():
            facts.append(fact.alias(f"{i} {label}"))
    texts = [name for name in names if held[name] == pl.String]
    marks = ValueCounts({name: _mark(name) for name in texts})
    chosen = {} if exact else _chosen({name: held[name] for name in names})
    # two steps, so that text is read once for all the facts that rest on it
    found = scan_once(
        frame if in_memory(frame) else frame.select(names),
        lambda rows: rows.select(tried).select(facts),
        [*([marks] if texts else ()), *chosen.values(), *beside],
    )
    values = found.row(0, named=True)
    spellings = {name: tuple(counted) for name, counted in marks.counts().items()}
    shares = _differing_shares(chosen, names, values)
    return {
        name: _facts(
            {
                **values,
                f"{i} spellings": spellings.get(name, ()),
                **_share(i, shares.get(name)),
            },
            i,
            held[name],
            exact=exact,
        )
        for i, name in enumerate(names)
    }


def _share(i: int, share: float | None) -> dict[str, float]:
    return {} if share is None else {f"{i} differing": share}


def _mark(name: str) -> pl.Expr:
    """Answer the values of text that may mean missing, null elsewhere."""
    raw = pl.col(name)
    return pl.when(raw.str.strip_chars(BLANKS).is_in(TYPED_MISSING)).then(raw)


def _attempt(read: Reading) -> pl.Expr:
    """Answer a candidate's canonical column, null where it does not fit."""
    if read.refused is None:
        return read.canonical
    return pl.when(~read.refused.fill_null(value=False)).then(read.canonical)


def _queries(
    i: int, dtype: pl.DataType, candidates: Sequence[Column], *, exact: bool
) -> dict[str, pl.Expr]:
    """Answer what to count of one column; every entry becomes a fact of this name."""
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary, pl.Null):
        return {}
    raw = pl.col(f"{i}")
    values = raw.cast(pl.String) if dtype in (pl.Categorical, pl.Enum) else raw
    values = values.fill_nan(None) if dtype.is_float() else values
    numbers = values.cast(pl.Float64) if dtype.is_numeric() else None
    queries = {"present": values.count()}
    if dtype == pl.String:
        values = pl.when(raw.str.len_bytes() > 0).then(raw)
        queries = _text_queries(values)
    if (j := _first_number(candidates)) is not None:
        values = numbers = pl.col(f"{i} {j}").fill_nan(None)
    if numbers is not None:
        whole = (numbers == numbers.floor()).all()
        queries |= {"low": numbers.min(), "high": numbers.max(), "whole": whole}
    queries |= _distinct(values, exact=exact)
    unread = [pl.col(f"{i} {j}").null_count() for j in range(len(candidates))]
    return queries | {"refused": pl.concat_list(unread)} if unread else queries


def _distinct(known: pl.Expr, *, exact: bool) -> dict[str, pl.Expr]:
    # No filter: behind one, a streaming query holds what its other parts have not yet read.
    gap = (known.null_count() > 0).cast(pl.Int64)
    different = known.n_unique() if exact else known.approx_n_unique()
    return {"distinct": different.cast(pl.Int64) - gap}


def _chosen(held: Mapping[str, pl.DataType]) -> dict[str, Hashes]:
    """Answer what gathers a part of the values of the columns in which perhaps all differ."""
    return {
        name: Hashes(
            pl.when(pl.col(name).is_not_null()).then(pl.col(name).hash(seed=0)),
            most=_HASHES,
            part=_HASH_PARTS,
        )
        for name, dtype in held.items()
        if dtype == pl.String or dtype.is_integer()
    }


def _differing_shares(
    chosen: Mapping[str, Hashes], names: Sequence[str], found: Mapping[str, Any]
) -> dict[str, float]:
    """Answer, for columns in which perhaps all values differ, the share of different ones.

    It is that of a part of the values, chosen by hash, so that equal values are chosen together:
    the share is exactly 1 when all differ, which an estimate of the count would not tell.
    """
    perhaps = {name for i, name in enumerate(names) if _may_differ(found, i)}
    return {
        name: part.distinct / part.rows
        for name, part in chosen.items()
        if name in perhaps and part.rows
    }


def _may_differ(found: Mapping[str, Any], i: int) -> bool:
    return (found.get(f"{i} distinct") or 0) > _PERHAPS * (found.get(f"{i} present") or 1)


def _first_number(candidates: Sequence[Column]) -> int | None:
    return next((j for j, column in enumerate(candidates) if column.kind == "number"), None)


def _text_queries(present: pl.Expr) -> dict[str, pl.Expr]:
    return {
        "present": present.count(),
        "length": present.str.len_chars().mean(),
        "spaced": present.str.contains(" ", literal=True).mean(),
        "ascii": (present.str.len_bytes() == present.str.len_chars()).mean(),
    }


def _facts(found: Mapping[str, Any], i: int, dtype: pl.DataType, *, exact: bool) -> Facts:
    def fact(label: str, default: Any) -> Any:
        value = found.get(f"{i} {label}")
        return default if value is None else value

    return Facts(
        dtype=dtype,
        rows=found["rows"],
        present=fact("present", 0),
        distinct=fact("distinct", 0),
        differing=fact("differing", fact("distinct", 0) / max(fact("present", 0), 1)),
        exact=exact,
        low=fact("low", None),
        high=fact("high", None),
        whole=bool(fact("whole", default=False)),
        length=fact("length", 0.0),
        spaced=fact("spaced", 0.0),
        ascii=fact("ascii", 1.0),
        spellings=fact("spellings", ()),
        refused=tuple(fact("refused", ())),
    )
