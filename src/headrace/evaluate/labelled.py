"""Rows whose label is known, in the form that metrics read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.data.conform import conform
from headrace.data.lazy_split import is_drawn
from headrace.data.scan import batches, collect
from headrace.data.source import read
from headrace.errors import DataError, Problem
from headrace.train.labels import LABEL, label_series, require_column
from headrace.train.lazy_rows import lazy_canonical
from headrace.train.reading import ROW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.train.fitted import Fitted

__all__ = ["LabelledRows", "labelled_rows", "labelled_sample"]


@dataclass(frozen=True)
class LabelledRows:
    """Canonical rows whose label is known.

    Attributes:
        canonical: The feature columns.
        labels: The labels, none missing.
        y_true: The labels as the metrics read them: class index, or values in their own units.
        notes: What was left out.
        beside: Raw columns that were asked for, as arrays.
    """

    canonical: pl.DataFrame
    labels: pl.Series
    y_true: NDArray[Any]
    notes: tuple[str, ...]
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def labelled_rows(
    fitted: Fitted,
    data: object,
    labels: pl.Series | None = None,
    *,
    beside: Sequence[str] = (),
) -> LabelledRows:
    """Bring rows and their labels into the form that metrics read; unlabelled rows are left out.

    Args:
        fitted: The pipeline.
        data: Raw rows, with the target's column unless labels are given.
        labels: A label for each row, null where it is not known.
        beside: Raw columns that are answered, too.

    Raises:
        DataError: If no row has a label, or a label is none of the classes.
    """
    spec = fitted.network.target_spec
    raw = collect(read(data))
    if not raw.height:
        raise DataError([Problem("the table is empty: it has columns but no rows")])
    values = label_series(raw, spec.name) if labels is None else labels
    canonical = conform(raw.lazy(), fitted.schema, ignore=(*fitted.beside, *beside)).collect()
    known = canonical.with_columns(values.alias(LABEL)).filter(values.is_not_null())
    if not known.height:
        raise DataError([Problem("no row has a label", column=spec.name)])
    left = raw.height - known.height
    notes = (f"{left:,} of {raw.height:,} rows have no label and were left out",) if left else ()
    found = known[LABEL].alias(spec.name)
    for name in beside:
        require_column(name, raw.columns, "groups or time")
    kept = {name: raw[name].filter(values.is_not_null()).to_numpy() for name in beside}
    return LabelledRows(known.drop(LABEL), found, spec.truth(found), notes, kept)


def labelled_sample(
    fitted: Fitted, rows: pl.LazyFrame, most: int, seed: int, *, beside: Sequence[str] = ()
) -> LabelledRows:
    """Bring rows of a lazy table and their labels into the form that metrics read.

    Of more than `most` labelled rows about so many are drawn, each by a hash of its number.

    Args:
        fitted: The pipeline.
        rows: Raw rows, with the target's column; they are never held.
        most: How many labelled rows may be held.
        seed: The same seed draws the same rows.
        beside: Columns of the schema that are answered, too.

    Raises:
        DataError: If no row has a label, or a label is none of the classes.
    """
    spec = fitted.network.target_spec
    for name in beside:
        require_column(name, list(fitted.schema.names), "groups or time")
    require_column(spec.name, rows.collect_schema().names(), "target")
    known = lazy_canonical(rows, fitted.schema, spec.name, None, ignore=fitted.beside)
    count, labelled = collect(
        known.select(pl.len(), pl.col(LABEL).count().alias("labelled")), streaming=True
    ).row(0)
    if not labelled:
        raise DataError([Problem("no row has a label", column=spec.name)])
    known, notes = known.filter(pl.col(LABEL).is_not_null()), []
    if labelled < count:
        notes.append(f"{count - labelled:,} of {count:,} rows have no label and were left out")
    if labelled > most:
        known = known.filter(is_drawn(pl.col(ROW), most / labelled, seed + 3))
    held = pl.concat(batches(known))
    if held.height < labelled:
        notes.append(
            f"a random sample of {held.height:,} of {labelled:,} labelled rows is measured"
        )
    found = held[LABEL].alias(spec.name)
    kept = {name: held[name].to_numpy() for name in beside}
    return LabelledRows(held.drop(LABEL, ROW), found, spec.truth(found), tuple(notes), kept)
