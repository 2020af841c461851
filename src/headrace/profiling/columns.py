"""What single columns, and rows as a whole, suffer from: counted over all rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.onescan import Hashes, Tally
from headrace.profiling.alerts import Alert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headrace.data.onescan import Reader
    from headrace.data.profile import ColumnProfile, Profile
    from headrace.data.schema import Schema
    from headrace.profiling.sample import Sample

__all__ = ["Counts", "RowCounts", "column_alerts", "duplicate_columns"]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

_FENCE = 3.0
"""Quartile ranges beyond the quartiles where outliers begin (Tukey's outer fence)."""

_FEW_VALUES = 10
_HASHES = 2_000_000
_SAME = 0.99
_FIRST_LOOK = 500
_GAPS = 0.2
_MANY_OUTLIERS = 0.001
_RARE_CLASS = 0.1
_MIX = (0.01, 0.99)


@dataclass(frozen=True)
class Counts:
    """What was counted in all rows besides the profile.

    Attributes:
        quantiles: Number → the values of its quantiles (of the sample).
        outliers: Number → rows beyond Tukey's outer fences.
        number_like: Column of text → rows whose text is a number.
        repeated: Rows that an earlier row equals, in all columns; estimated from a part of the
            rows' hashes above two million.
    """

    quantiles: dict[str, tuple[float, ...]]
    outliers: dict[str, int]
    number_like: dict[str, int]
    repeated: int


class RowCounts:
    """Readers that count outliers, texts that are numbers, and repeated rows.

    Args:
        schema: The canonical columns.
        sample: Rows for the quantiles.
    """

    def __init__(self, schema: Schema, sample: Sample) -> None:
        numbers = {c.name: sample.numbers(c.name) for c in schema if c.kind == "number"}
        held = {name: values[~np.isnan(values)] for name, values in numbers.items()}
        self._quantiles = {
            name: tuple(float(value) for value in np.quantile(values, QUANTILES))
            for name, values in held.items()
            if len(values)
        }
        fenced = {
            name: (low - _FENCE * (high - low), high + _FENCE * (high - low))
            for name, (_, _, low, _, high, *_) in self._quantiles.items()
            if high > low
        }
        self._outliers = Tally({name: _outside(name, *ends) for name, ends in fenced.items()})
        words = [c.name for c in schema if c.kind in {"category", "text"}]
        self._number_like = Tally({name: _is_number(name) for name in words})
        self._hashes = Hashes(pl.struct(schema.names).hash(seed=0), most=_HASHES)

    @property
    def readers(self) -> tuple[Reader, ...]:
        """Who must see all canonical rows before `answer` is asked."""
        return self._outliers, self._number_like, self._hashes

    def answer(self, profile: Profile) -> Counts:
        """Answer what was counted.

        Args:
            profile: What `headrace.data.profile` found in the same rows.
        """
        repeated = (self._hashes.rows - self._hashes.distinct) * self._hashes.part
        many = (c.name for c in profile.columns if c.distinct > _FEW_VALUES)
        outliers = self._outliers.counts
        return Counts(
            quantiles=self._quantiles,
            outliers={name: outliers[name] for name in many if name in outliers},
            number_like=self._number_like.counts,
            repeated=min(repeated, profile.rows - 1),
        )


def _outside(name: str, low: float, high: float) -> pl.Expr:
    column = pl.col(name)
    # NaN, which is missing, counts as larger than any number
    return ((column < low) | (column > high)) & column.is_not_nan()


def _is_number(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars().cast(pl.Float64, strict=False).is_not_null()


def duplicate_columns(
    sample: Sample, profile: Profile
) -> tuple[tuple[tuple[str, str], float], ...]:
    """Answer pairs of columns that say nearly the same.

    Two numbers do if one is a straight line of the other; a category does if each of its words
    stands for one word, or for one number, of the other column, and the other way round.

    Args:
        sample: Rows to compare them on.
        profile: Of the same columns; constant ones are left out.

    Returns:
        The pairs, each with the share of rows in which one tells the other.
    """
    varied = [c for c in profile.columns if c.distinct > 1 and c.kind not in {"text", "id"}]
    numbers = {c.name: sample.numbers(c.name) for c in varied if c.kind != "category"}
    lines = {pair: _same_numbers(*map(numbers.get, pair)) for pair in combinations(numbers, 2)}
    coded = {name: np.unique(values, return_inverse=True)[1] for name, values in numbers.items()}
    words = [c.name for c in varied if c.kind == "category"]
    coded |= {name: _codes(sample.frame[name]) for name in words}
    pairs = [*combinations(words, 2), *product(words, numbers)]
    recoded = {pair: _recoded(*map(coded.__getitem__, pair)) for pair in pairs}
    return tuple((pair, share) for pair, share in (lines | recoded).items() if share >= _SAME)


def _codes(words: pl.Series) -> Any:
    return words.rank("dense").to_numpy().astype(np.intp) - 1


def _same_numbers(first: Any, second: Any) -> float:
    """Answer the share of rows in which one number is a straight line of the other."""
    both = ~np.isnan(first) & ~np.isnan(second)
    either = ~np.isnan(first) | ~np.isnan(second)
    if both.sum() < 3:
        return 0.0
    x, y = first[both], second[both]
    with np.errstate(all="ignore"):
        x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
        sign = 1.0 if np.nanmean(x * y) >= 0 else -1.0
        near = np.abs(x - sign * y) <= 1e-6
    # Columns of 0 and 1 that are rarely 1 agree by chance: what counts is where they vary.
    if near.mean() < _SAME or abs(float(np.mean(x * y))) < _SAME:
        return 0.0
    return float(near.sum() / either.sum())


def _recoded(first: Any, second: Any) -> float:
    """Answer the share of rows in which one value stands for one value of the other column."""
    rows = len(first)
    if rows < 3:
        return 0.0
    # A few rows, spread over all, tell most pairs apart; in fewer rows more is told, not less.
    few = slice(None, None, max(1, rows // _FIRST_LOOK))
    looked = _told(first[few], second[few])[0]
    if looked < _SAME - 0.04:
        return 0.0
    told, baseline, pairs = _told(first, second)
    # Beyond what saying the most common value would reach, and not for columns that all differ.
    if baseline == 1 or pairs > rows / 2:
        return 0.0
    return told if (told - baseline) / (1 - baseline) >= _SAME else 0.0


def _told(first: Any, second: Any) -> tuple[float, float, int]:
    """Answer the share of rows that the usual partner tells, that of the most common value, pairs.

    The shares are those of the direction in which less is told.
    """
    wide = int(second.max()) + 1
    pairs, rows = np.unique(first * wide + second, return_counts=True)
    told, common = [], []
    for codes in (pairs // wide, pairs % wide):
        usual = np.zeros(int(codes.max()) + 1, np.int64)
        np.maximum.at(usual, codes, rows)
        told.append(int(usual.sum()))
        common.append(int(np.bincount(codes, rows).max()))
    return min(told) / len(first), max(common) / len(first), len(pairs)


def column_alerts(
    profile: Profile,
    counts: Counts,
    pairs: Sequence[tuple[tuple[str, str], float]],
    classes: Mapping[str, int],
    target: str | None,
) -> tuple[Alert, ...]:
    """Answer what single columns, pairs of columns and rows suffer from, in words."""
    found = [alert for c in profile.columns for alert in _of_column(c, counts)]
    found += [
        Alert(
            "duplicate columns",
            pair,
            f"{pair[0]!r} and {pair[1]!r} say the same in {share:.1%} of the rows; "
            "one of them is enough",
            "note" if target in pair else "problem",
            share,
        )
        for pair, share in pairs
    ]
    if counts.repeated:
        share = counts.repeated / profile.rows
        text = f"{counts.repeated:,} rows ({share:.2%}) equal an earlier row"
        severity = "problem" if share > 0.01 else "note"
        found.append(Alert("duplicate rows", (), text, severity, share))  # type: ignore[arg-type]
    return (*found, *_of_classes(classes, target))


def _of_column(column: ColumnProfile, counts: Counts) -> Iterator[Alert]:
    name, present = column.name, column.rows - column.missing
    if not present:
        yield Alert("constant", (name,), f"{name!r} has no value at all; leave it out", value=1.0)
        return
    gaps = column.missing / column.rows
    if gaps >= _GAPS:
        text = f"{name!r} is missing in {gaps:.1%} of the rows"
        yield Alert("missing", (name,), text, "problem" if gaps > 0.5 else "note", gaps)
    if column.distinct <= 1 and column.rows > 1:
        text = f"{name!r} is constant where it has a value"
        yield Alert("constant", (name,), text + "; leave it out", value=1.0)
    outside = counts.outliers.get(name, 0) / present
    if outside >= _MANY_OUTLIERS:
        text = (
            f"{name!r}: {counts.outliers[name]:,} values ({outside:.2%}) lie more than three "
            "quartile ranges outside of the quartiles"
        )
        yield Alert("outliers", (name,), text, "note", outside)
    like = counts.number_like.get(name, 0) / present
    if _MIX[0] <= like <= _MIX[1]:
        text = (
            f"{name!r} mixes text and numbers: {counts.number_like[name]:,} of {present:,} values "
            "are numbers; say which words mean missing (missing={…}), or split the column"
        )
        severity = "problem" if like >= 0.5 else "note"
        yield Alert("mixed", (name,), text, severity, min(like, 1 - like))  # type: ignore[arg-type]


def _of_classes(classes: Mapping[str, int], target: str | None) -> Iterator[Alert]:
    if target is None or not classes:
        return
    rows = sum(classes.values())
    if len(classes) == 1:
        text = f"the target has one class only, {next(iter(classes))!r}: nothing can be learnt"
        yield Alert("imbalance", (target,), text, value=1.0)
        return
    name, fewest = min(classes.items(), key=lambda item: item[1])
    if fewest / rows * len(classes) / 2 < _RARE_CLASS:
        text = (
            f"the rarest class of the target, {name!r}, has {fewest:,} rows ({fewest / rows:.2%})"
        )
        yield Alert("imbalance", (target,), text, "note", fewest / rows)
