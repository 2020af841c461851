"""The profile of a table: what each column holds, as a release's reference and for people."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.bins import inner_edges, outer_edges
from headrace.data.gaps import is_missing
from headrace.data.grammar import TIME_RANGE, short_number, time_text
from headrace.data.onescan import scan_once
from headrace.data.scan import ValueCounts, collect, in_memory
from headrace.data.schema import KINDS, MISSING_TIME
from headrace.errors import DataError, Problem, SettingError
from headrace.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.data.onescan import Reader
    from headrace.data.schema import Column, Kind, Schema

__all__ = ["ColumnProfile", "Profile", "profile"]

_SAMPLE_ROWS = 100_000
_EXACT_ROWS = 1_000_000
_VALUES = 200
_COLUMNS_AT_ONCE = 32


@dataclass(frozen=True)
class ColumnProfile:
    """What one column holds.

    Numbers, truth values (0 and 1) and dates (microseconds since 1970 UTC) have moments and bins,
    categories have their values; texts and ids have neither.

    Attributes:
        name: The column.
        kind: Its kind.
        rows: All rows.
        missing: Rows without a value.
        distinct: Different values, estimated within about ten percent for numbers, dates, texts and
            ids of scans and of tables above a million rows.
        mean: Of the present values; None when there are none.
        variance: Mean squared distance from the mean.
        minimum: The smallest value.
        maximum: The largest.
        edges: Strictly increasing edges of up to 20 bins (21 edges).
        counts: Rows in each bin; a bin holds its upper edge and not its lower one, save that the
            first bin holds both.
        values: The rows of the most frequent values of a category, at most 200, in that order.
        other: Rows with a value that `values` does not list.
    """

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int
    mean: float | None = None
    variance: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    values: dict[str, int] = field(default_factory=dict)
    other: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Answer the column's figures as plain values."""
        return asdict(self) | {"edges": list(self.edges), "counts": list(self.counts)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ColumnProfile:
        """Make the column profile that `to_dict` described.

        Raises:
            SettingError: The description is not one of a column profile.
        """
        known = {entry.name for entry in fields(cls)}
        if not {"name", "kind", "rows", "missing", "distinct"} <= set(values) <= known:
            raise SettingError(f"a column profile has {sorted(known)}, received {sorted(values)}")
        if values["kind"] not in KINDS:
            raise SettingError(f"column {values['name']!r}: there is no kind {values['kind']!r}")
        listed = {key: tuple(values.get(key, ())) for key in ("edges", "counts")}
        return cls(**{**values, **listed, "values": dict(values.get("values", {}))})


@dataclass(frozen=True)
class Profile(Result):
    """What a table holds, column by column.

    Attributes:
        rows: How many rows it has.
        columns: One profile for each column, in the schema's order.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column, Schema
        >>> schema = Schema((Column("age", "number"), Column("city", "category")))
        >>> table = pl.LazyFrame({"age": [39.0, 50.0], "city": ["Oslo", ""]})
        >>> print(profile(table, schema).summary())
        2 rows, 2 columns
        column  kind      missing  distinct  values
        age     number       0.0%         2  39 to 50, mean 44.5, sd 5.5
        city    category    50.0%         1  'Oslo' 100.0%
    """

    rows: int
    columns: tuple[ColumnProfile, ...]

    def __getitem__(self, name: str) -> ColumnProfile:
        """Answer one column's profile."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise DataError([Problem("the profile has no such column", column=name)])
        return found

    def summary(self) -> str:
        """Answer a table: each column, its gaps, its different values, and what they are like."""
        head = ("column", "kind", "missing", "distinct", "values")
        rows = [head, *(_summary_row(column) for column in self.columns)]
        wide = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            f"{name:<{wide[0]}}  {kind:<{wide[1]}}  {gaps:>{wide[2]}}  {count:>{wide[3]}}  {what}"
            for name, kind, gaps, count, what in rows
        ]
        title = f"{self.rows:,} rows, {len(self.columns):,} columns"
        return "\n".join(line.rstrip() for line in (title, *lines))

    def to_dict(self) -> dict[str, Any]:
        """Answer the profile as plain values that JSON can hold."""
        return {"rows": self.rows, "columns": [column.to_dict() for column in self.columns]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Profile:
        """Make the profile that `to_dict` described.

        Raises:
            SettingError: The description is not one of a profile.

        Example:
            >>> empty = Profile(rows=0, columns=())
            >>> Profile.from_dict(empty.to_dict()) == empty
            True
        """
        if set(values) != {"rows", "columns"}:
            raise SettingError(f"a profile has rows and columns, received {sorted(values)}")
        columns = tuple(ColumnProfile.from_dict(column) for column in values["columns"])
        return cls(rows=int(values["rows"]), columns=columns)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the distribution of each column.

        Args:
            ax: The axes to draw on; a new figure when none is given.
        """
        from headrace.visualization import distributions

        return distributions(self, ax)


def profile(
    frame: pl.LazyFrame,
    schema: Schema,
    *,
    sample: pl.DataFrame | None = None,
    beside: Sequence[Reader] = (),
) -> Profile:
    """Profile a canonical table: a sample finds the bins, one scan counts.

    Bin edges come from at most 100,000 rows spread over the table; the counts are of all rows.

    Args:
        frame: The table, as `conform` answers it.
        schema: Its schema.
        sample: Canonical rows that the bins are found on; drawn in a scan of its own when none
            is given.
        beside: Who else looks at the rows while all are scanned.

    Raises:
        DataError: The table has no rows, or the schema no columns.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column, Schema
        >>> table = pl.LazyFrame({"age": [39.0, 50.0, float("nan")]})
        >>> column = profile(table, Schema((Column("age", "number"),)))["age"]
        >>> column.missing, column.mean, column.edges, column.counts
        (1, 44.5, (39.0, 44.5, 50.0), (1, 1))
    """
    if not schema.names:
        text = "no column is left: each is constant, an id, free text, or dropped by a step"
        raise DataError([Problem(text, hint="Give columns that vary, or other steps")])
    measured = [column for column in schema if column.type != "string"]
    spread = _sample(frame, measured) if sample is None else sample
    inner = {column.name: inner_edges(_present(spread, column)) for column in measured}
    exact = in_memory(frame) and collect(frame.select(pl.len())).item() <= _EXACT_ROWS
    asked = [_queries(column, inner.get(column.name, []), exact=exact) for column in schema]
    categories = [column.name for column in schema if column.kind == "category"]
    counted = ValueCounts({name: _known_text(name) for name in categories})
    rows, found = _facts(frame, asked, [*([counted] if categories else ()), *beside])
    if not rows:
        raise DataError([Problem("the table is empty: it has no rows")])
    listed = counted.counts()
    columns = (
        _column_profile(
            column, rows, facts | {"values": listed.get(column.name)}, inner.get(column.name, [])
        )
        for column, facts in zip(schema, found, strict=True)
    )
    return Profile(rows=rows, columns=tuple(columns))


def _known_text(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name))


def _sample(frame: pl.LazyFrame, columns: list[Column]) -> pl.DataFrame:
    """Answer rows spread over the whole table; the same ones each time."""
    wanted = frame.select(column.name for column in columns)
    if not columns:
        return pl.DataFrame()
    if in_memory(frame):
        rows = collect(frame.select(pl.len())).item()
        return collect(wanted.gather_every(max(1, -(-rows // _SAMPLE_ROWS))))
    place = "__row__" + "_" * max(len(column.name) for column in columns)
    spread = wanted.with_row_index(place).with_columns(pl.col(place).hash(seed=0))
    return collect(spread.bottom_k(_SAMPLE_ROWS, by=place).drop(place), streaming=True)


def _present(sample: pl.DataFrame, column: Column) -> NDArray[np.float64]:
    held = sample[column.name]
    if column.type == "time":
        held = held.filter(held != MISSING_TIME)
    values: NDArray[np.float64] = held.to_numpy().astype(np.float64)
    return values[np.isfinite(values)]


def _queries(column: Column, inner: list[float], *, exact: bool) -> dict[str, pl.Expr]:
    """Answer what to count of one column; every entry becomes a fact of this name."""
    raw = pl.col(column.name)
    if column.type == "string":
        text = _known_text(column.name)
        if column.kind == "category":
            return {"present": text.count()}
        return {"present": text.count(), "distinct": _distinct(text, exact=exact)}
    known = pl.when(~is_missing(raw, column.type)).then(raw)
    held = known.cast(pl.Float64)
    queries = {
        "present": held.count(),
        "distinct": _distinct(known, exact=exact),
        "mean": held.mean(),
        "variance": held.var(ddof=0),
        "low": held.min(),
        "high": held.max(),
    }
    return queries | {f"up to {j}": (held <= edge).sum() for j, edge in enumerate(inner)}


def _distinct(held: pl.Expr, *, exact: bool) -> pl.Expr:
    # No filter: behind one, a streaming query holds what its other parts have not yet read.
    gap = (held.null_count() > 0).cast(pl.Int64)
    return (held.n_unique() if exact else held.approx_n_unique()).cast(pl.Int64) - gap


def _facts(
    frame: pl.LazyFrame, asked: Sequence[Mapping[str, pl.Expr]], readers: Sequence[Reader]
) -> tuple[int, list[dict[str, Any]]]:
    """Answer the number of rows, and for each column its facts by name."""
    # The time of one large query grows with its square; but each further one scans files anew.
    step = _COLUMNS_AT_ONCE if in_memory(frame) else len(asked)
    rows, found = 0, []
    for first in range(0, len(asked), step):
        part = asked[first : first + step]
        queries = [
            fact.alias(f"{i} {label}")
            for i, facts in enumerate(part)
            for label, fact in facts.items()
        ]
        wanted = partial(_selected, [pl.len(), *queries])
        row = scan_once(frame, wanted, () if first else readers).row(0, named=True)
        rows = row["len"]
        found += [{label: row[f"{i} {label}"] for label in facts} for i, facts in enumerate(part)]
    return rows, found


def _selected(queries: list[pl.Expr], rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(queries)


def _column_profile(
    column: Column, rows: int, facts: dict[str, Any], inner: list[float]
) -> ColumnProfile:
    present = facts["present"]
    if column.kind == "category":
        return _category(column, rows, present, facts["values"])
    if column.type == "string" or not present:
        distinct = facts["distinct"] if present else 0
        return ColumnProfile(
            column.name, column.kind, rows, rows - present, distinct, other=present
        )
    low, high = facts["low"], facts["high"]
    edges = outer_edges(inner, low, high)
    below = [facts[f"up to {j}"] for j, edge in enumerate(inner) if edge in edges[1:-1]]
    counts = np.diff([0, *below, present]).tolist()
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        rows=rows,
        missing=rows - present,
        distinct=facts["distinct"],
        mean=_finite(facts["mean"]),
        variance=_finite(facts["variance"]),
        minimum=low,
        maximum=high,
        edges=edges,
        counts=tuple(counts),
    )


def _category(
    column: Column, rows: int, present: int, counted: Sequence[tuple[str, int]]
) -> ColumnProfile:
    values = dict(counted[:_VALUES])
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        rows=rows,
        missing=rows - present,
        distinct=len(counted),
        values=values,
        other=present - sum(values.values()),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


# ---------------------------------------------------------------- for people


def _summary_row(column: ColumnProfile) -> tuple[str, str, str, str, str]:
    name = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in column.name)
    gaps = f"{column.missing / column.rows:.1%}" if column.rows else "-"
    return name, column.kind, gaps, f"{column.distinct:,}", _described(column)


def _described(column: ColumnProfile) -> str:
    present = column.rows - column.missing
    if not present:
        return "no value"
    if column.values:
        top = list(column.values.items())[:3]
        return ", ".join(f"{_short(value)} {rows / present:.1%}" for value, rows in top)
    if column.minimum is None or column.maximum is None:
        return ""
    if column.kind == "boolean":
        return f"true {column.mean or 0.0:.1%}"
    if column.kind == "datetime":
        return f"{_moment(column.minimum)} to {_moment(column.maximum)}"
    spread = "" if column.variance is None else f", sd {math.sqrt(column.variance):.4g}"
    mean = "" if column.mean is None else f", mean {column.mean:.4g}"
    return f"{short_number(column.minimum)} to {short_number(column.maximum)}{mean}{spread}"


def _short(value: str, width: int = 24) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def _moment(microseconds: float) -> str:
    inside = min(max(round(microseconds), TIME_RANGE[0]), TIME_RANGE[1])
    return time_text(inside, zoned=False).replace("T", " ").removesuffix(" 00:00:00")
