"""Columns that say the same: groups of related ones, whatever their kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from headrace.data.schema import Schema

__all__ = ["RELATED", "related_columns"]

RELATED = 0.5
"""Columns at least so strongly related, on average, are one group."""

_MOST_ROWS = 5_000


def related_columns(
    frame: pl.DataFrame,
    schema: Schema,
    columns: Sequence[str] | None = None,
    *,
    least: float = RELATED,
    seed: int = 0,
) -> tuple[tuple[str, ...], ...]:
    """Answer groups of two or more columns that are related among themselves.

    Two numbers are related by Spearman's correlation, two categories by Cramér's V, a number and
    a category by the correlation ratio; what chance explains counts as 0. Columns join while the
    mean relation between their groups is at least `least` (average linkage).

    Args:
        frame: Canonical rows.
        schema: The kinds of the columns.
        columns: Which columns; all of them when none are given.
        least: The relation, above 0 and up to 1, from which on columns are one group.
        seed: Of the sample of rows that is looked at, where there are many.

    Raises:
        SettingError: `least` is out of its range.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column, Schema
        >>> random = np.random.default_rng(0)
        >>> age = random.normal(40, 9, 300)
        >>> frame = pl.DataFrame({"age": age, "born": 2026 - age, "luck": random.random(300)})
        >>> schema = Schema(tuple(Column(name, "number") for name in frame.columns))
        >>> related_columns(frame, schema)
        (('age', 'born'),)
    """
    if not 0 < least <= 1:
        raise SettingError(f"least is a relation above 0 and up to 1, received {least}")
    names = list(schema.names if columns is None else columns)
    if len(names) < 2:
        return ()
    from headrace.profiling.relations import find_relations
    from headrace.profiling.sample import draw

    found = find_relations(draw(frame.lazy(), schema, _MOST_ROWS, seed=seed), names)
    apart = np.ones((len(names), len(names)))
    np.fill_diagonal(apart, 0.0)
    places = {name: place for place, name in enumerate(names)}
    for one in found:
        if one.measure == "pearson" or one.corrected > 0.01:
            continue
        i, j = places[one.first], places[one.second]
        apart[i, j] = apart[j, i] = 1 - min(1.0, one.strength)
    return _groups(names, apart, 1 - least)


def _groups(
    names: Sequence[str], apart: np.ndarray[tuple[int, int], np.dtype[np.float64]], most: float
) -> tuple[tuple[str, ...], ...]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    numbers = fcluster(linkage(squareform(apart), "average"), most + 1e-9, "distance")
    members: dict[int, list[str]] = {}
    for name, number in zip(names, numbers.tolist(), strict=True):
        members.setdefault(number, []).append(name)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)
