"""Relations between columns: how strong they are, and whether chance explains them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy import stats

from headrace.metrics.twosample import holm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from headrace.profiling.sample import Sample

__all__ = ["Measure", "Relation", "find_relations"]

Measure: TypeAlias = Literal[
    "pearson", "spearman", "cramers_v", "correlation_ratio", "mutual_information"
]

_FEWEST = 5
"""Rows of a category below which it joins the others, so that the tests' approximations hold."""

_EXPECTED = 5
_FEWEST_PAIRS = 10
_NUMBERS = {"number", "boolean"}


@dataclass(frozen=True, slots=True)
class Relation:
    """How two columns depend on each other.

    Attributes:
        first: A column.
        second: Another one.
        measure: pearson and spearman (-1 to 1) for two numbers; cramers_v (0 to 1, without its
            bias) for two categories; correlation_ratio (eta, 0 to 1) for a category and a number;
            mutual_information (nats) for a column and the target.
        value: The measure.
        rows: Rows of the sample where both have a value.
        p_value: How often independent columns would show as much.
        corrected: The p-value after correction for all tests of the table (Holm).
    """

    first: str
    second: str
    measure: Measure
    value: float
    rows: int
    p_value: float
    corrected: float = 1.0

    @property
    def strength(self) -> float:
        """The measure without its sign."""
        return abs(self.value)


def find_relations(
    sample: Sample, columns: Sequence[str], target: str | None = None
) -> tuple[Relation, ...]:
    """Measure and test all pairs of columns on the sample; rows count as independent.

    Pearson and Spearman are tested by Student's t, Cramér's V (Bergsma, 2013) by chi-squared, the
    correlation ratio among the ranks (Kruskal and Wallis, 1952), which far values do not sway,
    mutual information by G. For chi-squared and G rare values are taken together until each pair
    of values is expected in five rows.
    Ranks are those among all present values of a column. Pairs with fewer than ten common rows, or
    where a side does not vary, are left out.

    Args:
        sample: The rows.
        columns: Which columns, numbers, truth values and categories; others are left out.
        target: The column whose mutual information with each other one is measured.

    Returns:
        The strongest evidence first.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column, Schema
        >>> from headrace.profiling.sample import draw
        >>> table = pl.LazyFrame({"a": [float(n) for n in range(50)]})
        >>> table = table.with_columns(b=pl.col("a") ** 2)
        >>> schema = Schema((Column("a", "number"), Column("b", "number")))
        >>> found = find_relations(draw(table, schema, 100, seed=0), ["a", "b"])
        >>> [(one.measure, round(one.value, 3)) for one in found]
        [('spearman', 1.0), ('pearson', 0.967)]
    """
    kinds = {name: sample.schema[name].kind for name in columns}
    numbers = [name for name in columns if kinds[name] in _NUMBERS]
    words = [name for name in columns if kinds[name] == "category"]
    found = [*_of_numbers(sample, numbers), *_of_words(sample, words)]
    found += _of_both(sample, words, numbers)
    if target is not None:
        known = _NUMBERS | {"category", "datetime"}
        others = [name for name in columns if name != target and kinds[name] in known]
        found += _with_target(sample, others, target)
    corrected = holm([one.p_value for one in found])
    both = [replace(one, corrected=p) for one, p in zip(found, corrected, strict=True)]
    return tuple(sorted(both, key=lambda one: (one.corrected, -one.strength)))


def _of_numbers(sample: Sample, names: Sequence[str]) -> Iterator[Relation]:
    if len(names) < 2:
        return
    values = np.column_stack([sample.numbers(name) for name in names])
    ranks = stats.rankdata(values, axis=0, nan_policy="omit")
    known = ~np.isnan(values)
    raw, rows = _correlations(values, known)
    ordered, _ = _correlations(ranks, known)
    for i, j in combinations(range(len(names)), 2):
        pairs = int(rows[i, j])
        measured: tuple[tuple[Measure, float], ...]
        measured = (("pearson", float(raw[i, j])), ("spearman", float(ordered[i, j])))
        for measure, value in measured:
            if pairs >= _FEWEST_PAIRS and np.isfinite(value):
                yield Relation(names[i], names[j], measure, value, pairs, _by_t(value, pairs))


def _correlations(
    values: NDArray[np.float64], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answer (columns, columns) correlations over the rows where both are known, and the rows."""
    mask = known.astype(np.float64)
    rows = mask.T @ mask
    scale = np.array(
        [np.std(column[held]) if held.any() else 0.0 for column, held in _each(values, known)]
    )
    centre = np.array(
        [np.mean(column[held]) if held.any() else 0.0 for column, held in _each(values, known)]
    )
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        units = np.where(known, (values - centre) / np.where(scale > 0, scale, np.nan), 0.0)
        units = np.nan_to_num(units, nan=0.0, posinf=0.0, neginf=0.0)
        sums, squares = units.T @ mask, (units**2).T @ mask
        spread = squares - sums**2 / rows
        shared = units.T @ units - sums * sums.T / rows
        varies = (spread > 1e-9 * rows) & (1e-9 * rows < spread.T)
        answer = np.where(varies, shared / np.sqrt(spread * spread.T), np.nan)
    return np.clip(answer, -1, 1), rows


def _each(
    values: NDArray[np.float64], known: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    return zip(values.T, known.T, strict=True)


def _by_t(value: float, rows: int) -> float:
    free = rows - 2
    left = max(1 - value**2, np.finfo(float).eps ** 2)
    return float(2 * stats.t.sf(abs(value) * np.sqrt(free / left), free))


def _of_words(sample: Sample, names: Sequence[str]) -> Iterator[Relation]:
    coded = {name: sample.levels(name, fewest=_FEWEST).codes for name in names}
    known = {name: ~sample.missing(name) for name in names}
    for first, second in combinations(names, 2):
        both = known[first] & known[second]
        table = _crossed(coded[first][both], coded[second][both])
        rows = int(table.sum())
        if rows < _FEWEST_PAIRS or min(table.shape) < 2:
            continue
        value = _without_bias(_squared(table) / rows, table.shape, rows)
        joined = _joined(table)
        p_value = _by_chi2(_squared(joined), joined.shape)
        yield Relation(first, second, "cramers_v", value, rows, p_value)


def _squared(table: NDArray[np.float64]) -> float:
    """Answer chi-squared of a table of counts."""
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


def _by_chi2(statistic: float, shape: tuple[int, ...]) -> float:
    free = (shape[0] - 1) * (shape[1] - 1)
    return float(stats.chi2.sf(statistic, free)) if free else 1.0


def _joined(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take rare values together until each pair is expected in five rows (Cochran, 1954).

    In less, one row in a cell that is hardly ever hit would count as evidence. Which values are
    joined depends on how often each comes, not on the other column, so the test stays honest.
    """
    fewest = float(np.sqrt(_EXPECTED * table.sum()))
    return _join_rows(_join_rows(table, fewest).T, fewest).T


def _join_rows(table: NDArray[np.float64], fewest: float) -> NDArray[np.float64]:
    sizes = table.sum(axis=1)
    groups, waiting = np.zeros(len(sizes), np.intp), 0.0
    last = 0
    for place in np.argsort(-sizes, kind="stable"):
        groups[place] = last
        waiting += sizes[place]
        if waiting >= fewest:
            last, waiting = last + 1, 0.0
    if waiting and last:  # too few are left for a group of their own
        groups[groups == last] = last - 1
    joined = np.zeros((int(groups.max()) + 1, table.shape[1]))
    np.add.at(joined, groups, table)
    return joined


def _without_bias(phi: float, shape: tuple[int, ...], rows: int) -> float:
    """Answer Cramér's V less what independent columns of so few rows would show (Bergsma, 2013)."""
    left = [size - (size - 1) ** 2 / (rows - 1) for size in shape]
    free = (shape[0] - 1) * (shape[1] - 1)
    smallest = min(left) - 1
    if smallest <= 0:
        return 0.0
    return float(min(1.0, np.sqrt(max(0.0, phi - free / (rows - 1)) / smallest)))


def _crossed(first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.float64]:
    """Answer how often each pair of codes comes, without codes that never come."""
    if not len(first):
        return np.zeros((0, 0))
    _, rows = np.unique(first, return_inverse=True)
    _, columns = np.unique(second, return_inverse=True)
    wide = int(columns.max()) + 1
    counts = np.bincount(rows * wide + columns, minlength=(int(rows.max()) + 1) * wide)
    return counts.reshape(-1, wide).astype(np.float64)


def _of_both(sample: Sample, words: Sequence[str], numbers: Sequence[str]) -> Iterator[Relation]:
    values = {name: sample.numbers(name) for name in numbers}
    for word in words:
        codes, present = sample.levels(word, fewest=_FEWEST).codes, ~sample.missing(word)
        for name in numbers:
            both = present & ~np.isnan(values[name])
            found = _ratio(codes[both], values[name][both])
            if found is not None:
                yield Relation(word, name, "correlation_ratio", found[0], int(both.sum()), found[1])


def _ratio(codes: NDArray[np.intp], values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Answer the correlation ratio and its p-value; None where nothing can be said."""
    rows = len(values)
    if rows < _FEWEST_PAIRS:
        return None
    _, codes = np.unique(codes, return_inverse=True)
    groups = int(codes.max()) + 1
    scale = np.std(values)
    # the deviation of equal values is often not quite zero
    flat = np.ptp(values) <= 1e-12 * np.abs(values).max()
    if groups < 2 or rows <= groups or not np.isfinite(scale) or scale == 0 or flat:
        return None
    sizes = np.bincount(codes)
    between = _between((values - values.mean()) / scale, codes, sizes)
    ranks = stats.rankdata(values)
    among = _between((ranks - ranks.mean()) / np.std(ranks), codes, sizes)
    value = float(np.sqrt(min(1.0, between / rows)))
    return value, float(stats.chi2.sf(among * (rows - 1) / rows, groups - 1))


def _between(units: NDArray[np.float64], codes: NDArray[np.intp], sizes: NDArray[np.intp]) -> float:
    return float((np.bincount(codes, units) ** 2 / sizes).sum())


def _with_target(sample: Sample, names: Sequence[str], target: str) -> Iterator[Relation]:
    goal, known = sample.levels(target, fewest=_FEWEST).codes, ~sample.missing(target)
    for name in names:
        table = _crossed(sample.levels(name, fewest=_FEWEST).codes[known], goal[known])
        rows = int(table.sum())
        if rows < _FEWEST_PAIRS or min(table.shape) < 2:
            continue
        value = _information(table)
        joined = _joined(table)
        p_value = _by_chi2(2 * rows * _information(joined), joined.shape)
        yield Relation(name, target, "mutual_information", value, rows, p_value)


def _information(table: NDArray[np.float64]) -> float:
    """Answer the mutual information in nats of a table of counts."""
    share = table / table.sum()
    expected = share.sum(axis=1, keepdims=True) * share.sum(axis=0)
    held = share > 0
    return max(0.0, float((share[held] * np.log(share[held] / expected[held])).sum()))
