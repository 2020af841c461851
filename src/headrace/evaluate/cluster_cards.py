"""Cluster cards: what distinguishes each cluster, in the columns that people know."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.clustering.fitted import NOISE
from headrace.data.source import collect, read
from headrace.errors import DataError, Problem, SettingError
from headrace.evaluate.intervals import check_confidence
from headrace.result import Result, finite
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.pipeline import Pipeline

__all__ = ["ClusterCard", "ClusterCards", "ClusterTrait", "cluster_cards"]

_MOST_LEVELS = 50
"""The most frequent values of a column are looked at; the others are rarer than any trait."""

_LARGEST = 100.0
"""Effects end here."""

_NAMED, _LEAST_NAMED = 3, 0.5
_SHOWN = 6
_TYPICAL = 3
_HEADER = ("column", "inside", "others", "effect", "low", "high", "")


@dataclass(frozen=True, slots=True)
class ClusterTrait:
    """One way in which the rows of a cluster differ from the others.

    Attributes:
        column: The raw column.
        value: The value whose share is compared; None where means of numbers are.
        inside: The mean, or the share of rows with the value, in the cluster.
        outside: The same of all other rows.
        effect: How large the difference is, in standard deviations: Hedges' g of means (1981),
            Cohen's h of shares (1988). 0.2 is small, 0.5 middling, 0.8 large; 100 stands for
            values without any spread.
        low: The lower end of its interval.
        high: The upper end.
        used: Whether the clusters were found in this column, so that they differ in it anyway.
        p_value: The chance of such a difference where the cluster has nothing to do with the
            column, corrected over all clusters and columns (Benjamini and Hochberg, 1995); None
            for a column that was used.
    """

    column: str
    value: str | None
    inside: float
    outside: float
    effect: float
    low: float
    high: float
    used: bool
    p_value: float | None = None

    def words(self) -> str:
        """Answer the trait in a few words.

        Example:
            >>> ClusterTrait("age", None, 61.0, 34.0, 2.1, 2.0, 2.2, True).words()
            'high age'
            >>> ClusterTrait("town", "Oslo", 0.9, 0.2, 1.6, 1.5, 1.7, True).words()
            'mostly town = Oslo'
        """
        if self.value is None:
            return f"{'high' if self.effect > 0 else 'low'} {self.column}"
        if self.effect < 0:
            return f"seldom {self.column} = {self.value}"
        return f"{'mostly' if self.inside >= 0.5 else 'often'} {self.column} = {self.value}"


@dataclass(frozen=True)
class ClusterCard:
    """What is known of one cluster.

    Attributes:
        cluster: Its number.
        rows: How many rows it has.
        share: Of all rows.
        name: What distinguishes it most, in words.
        traits: Its differences from the other rows, the largest first.
        typical: The rows nearest to its centre, as they came.
        spread: The median distance of its rows to it, in the units of the model.
    """

    cluster: int
    rows: int
    share: float
    name: str
    traits: tuple[ClusterTrait, ...]
    typical: tuple[dict[str, Any], ...]
    spread: float

    def told(self) -> tuple[ClusterTrait, ...]:
        """Answer the traits without those that say the same: of two values one says it all."""
        said: dict[tuple[str, float], ClusterTrait] = {}
        for trait in self.traits:
            said.setdefault((trait.column, round(abs(trait.effect), 9)), trait)
        return tuple(said.values())

    def trait(self, column: str, value: str | None = None) -> ClusterTrait | None:
        """Answer the trait of a column, None where the card has none."""
        found = (t for t in self.traits if t.column == column and t.value in {value, t.value})
        return next((t for t in found if value is None or t.value == value), None)


@dataclass(frozen=True)
class ClusterCards(Result):
    """A card for each cluster.

    Attributes:
        cards: The cards, by the cluster's number; clusters without rows have none.
        rows: How many rows were looked at.
        columns: The columns that were looked at, those that the clusters were found in first.
        confidence: Of the intervals.
        rate: The share of false finds among the columns beside the clusters.
        notes: What else should be known.
    """

    cards: tuple[ClusterCard, ...]
    rows: int
    columns: tuple[str, ...]
    confidence: float
    rate: float
    notes: tuple[str, ...] = ()

    def __getitem__(self, cluster: int) -> ClusterCard:
        """Answer the card of a cluster."""
        return next(card for card in self.cards if card.cluster == cluster)

    def summary(self) -> str:
        """Answer each cluster's name, size and largest traits."""
        parts = []
        for card in self.cards:
            title = f"cluster {card.cluster}: {card.name} ({card.rows:,} rows, {card.share:.1%})"
            table = text_table(_HEADER, self._cells(card))
            parts.append(f"{title}\n{table}" if card.traits else title)
        parts += ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values; typical rows as text where JSON has no type."""
        cards = [
            {
                **asdict(card),
                "traits": [
                    {key: finite(value) for key, value in asdict(trait).items()}
                    for trait in card.traits
                ],
                "typical": [
                    {name: _plain(value) for name, value in row.items()} for row in card.typical
                ],
            }
            for card in self.cards
        ]
        return {
            "cards": cards,
            "rows": self.rows,
            "columns": list(self.columns),
            "confidence": self.confidence,
            "rate": self.rate,
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the traits of all clusters as a heat map."""
        from headrace import visualization

        axes: Axes = visualization.cluster_traits(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        made = []
        for card in self.cards:
            title = f"cluster {card.cluster}: {card.name} ({card.rows:,} rows, {card.share:.1%})"
            made.append(html_table(_HEADER, self._cells(card), caption=title))
        return "".join(made) + html_list(self.notes)

    def _cells(self, card: ClusterCard) -> list[list[str]]:
        return [_cells(trait, self.rate) for trait in card.told()[:_SHOWN]]


def cluster_cards(
    pipe: Pipeline,
    data: object,
    *,
    confidence: float = 0.95,
    rate: float = 0.05,
    most_rows: int = 200_000,
    seed: int = 0,
) -> ClusterCards:
    """Say what distinguishes each cluster of a trained pipeline from the other rows.

    Every raw column is looked at: the means of numbers, the shares of values and of gaps. A column
    in which the clusters were found differs between them by construction, also where there are no
    clusters at all, so no significance is stated for it: whether the clusters are real is told by
    the stability of `pipe.evaluate` and by `hr.choose_k`. Columns beside the clusters, such as
    dropped ones and a target, are tested (Welch's t, Pearson's chi-squared), corrected over all
    clusters and columns.

    Args:
        pipe: A trained pipeline that ends in a clusterer.
        data: Rows, from any source; columns that the pipeline does not know are described, too.
        confidence: Of the intervals.
        rate: The share of false finds among the columns beside the clusters.
        most_rows: A random sample of so many rows is looked at when there are more.
        seed: Of that sample.

    Raises:
        DataError: The rows do not fit, or there are none.
        SettingError: A setting is out of its range.

    Example:
        >>> import headrace as hr
        >>> random = np.random.default_rng(0)
        >>> old = random.random(400) < 0.5
        >>> people = {"age": np.where(old, 70, 25) + random.normal(size=400),
        ...           "town": np.where(old, "Bern", "Oslo")}
        >>> steps = [hr.transform.Drop("town", reason="shown beside"), hr.KMeans(2, random_state=0)]
        >>> pipe = hr.Pipeline(steps)
        >>> _ = pipe.train(people)
        >>> cards = cluster_cards(pipe, people)
        >>> sorted(card.name for card in cards.cards)
        ['high age, mostly town = Bern', 'low age, mostly town = Oslo']
    """
    check_confidence(confidence)
    if not 0 < rate < 1:
        raise SettingError(f"rate must be between 0 and 1, received {rate}")
    fitted = pipe.fitted
    raw, notes = _rows(read(data, empty=True), most_rows, seed)
    known = [name for name in raw.columns if name in fitted.schema.names]
    canonical = fitted.conform(raw.select(known))
    distances = fitted.output(canonical)
    labels = fitted.clusters.assign(distances)
    used = [name for name in raw.columns if name in fitted.plan.used]
    beside = [name for name in raw.columns if name not in used]
    table = canonical.select(used).with_columns(raw[name] for name in beside)
    numbers = [int(n) for n in np.unique(labels) if n != NOISE]
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    found: dict[int, list[ClusterTrait]] = {number: [] for number in numbers}
    for name in (*used, *beside):
        for number, trait in _traits(table[name], labels, numbers, used=name in used, z=z):
            found[number].append(trait)
    corrected = _corrected(found)
    return ClusterCards(
        cards=tuple(
            _card(number, corrected[number], raw, labels=labels, distances=distances, rate=rate)
            for number in numbers
        ),
        rows=raw.height,
        columns=(*used, *beside),
        confidence=confidence,
        rate=rate,
        notes=(*notes, *_notes(labels, beside)),
    )


def _rows(frame: pl.LazyFrame, most: int, seed: int) -> tuple[pl.DataFrame, list[str]]:
    raw = collect(frame)
    if not raw.height:
        raise DataError([Problem("there are no rows to describe clusters by")])
    if raw.height <= most:
        return raw, []
    note = f"a random sample of {most:,} of {raw.height:,} rows is looked at"
    return raw.sample(most, seed=seed), [note]


def _notes(labels: NDArray[np.int64], beside: Sequence[str]) -> list[str]:
    notes = ["differences in columns that the clusters were found in are there by construction"]
    if not beside:
        notes = [f"{notes[0]}, which all of these were"]
    noise = int((labels == NOISE).sum())
    if noise:
        notes.append(f"{noise:,} rows are noise, and among the others of every cluster")
    return notes


def _traits(
    column: pl.Series, labels: NDArray[np.int64], numbers: Sequence[int], *, used: bool, z: float
) -> Iterator[tuple[int, ClusterTrait]]:
    """Answer the traits of one column, each with its cluster."""
    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(value=False)
    if 0 < missing.sum() < len(column):
        yield from _of_shares(column.name, "missing", missing.to_numpy(), labels, numbers, used, z)
    if column.dtype.is_temporal():
        column = column.cast(pl.Int64, strict=False)
    if column.dtype.is_numeric():
        values = column.cast(pl.Float64).to_numpy()
        yield from _of_means(column.name, values, labels, numbers, used, z)
        return
    words = column.cast(pl.String, strict=False)
    counts = words.drop_nulls().value_counts(sort=True).head(_MOST_LEVELS)
    for value in counts[column.name].to_list():
        having = (words == value).fill_null(value=False).to_numpy()
        yield from _of_shares(column.name, value, having, labels, numbers, used, z)


def _of_means(  # noqa: PLR0917 - a column, the clusters, and how to judge
    name: str,
    values: NDArray[np.float64],
    labels: NDArray[np.int64],
    numbers: Sequence[int],
    used: bool,
    z: float,
) -> Iterator[tuple[int, ClusterTrait]]:
    there = np.isfinite(values)
    for number in numbers:
        inside, outside = values[there & (labels == number)], values[there & (labels != number)]
        n, m = len(inside), len(outside)
        if n < 2 or m < 2:
            continue
        a, b = float(inside.var(ddof=1)), float(outside.var(ddof=1))
        pooled = ((n - 1) * a + (m - 1) * b) / (n + m - 2)
        apart = float(inside.mean() - outside.mean())
        if pooled <= 0 and not apart:
            continue
        # A column that is constant in here and constant out there tells them apart without end.
        pooled = max(pooled, (apart / _LARGEST) ** 2)
        effect = apart / math.sqrt(pooled) * (1 - 3 / (4 * (n + m) - 9))
        reach = z * math.sqrt((n + m) / (n * m) + effect**2 / (2 * (n + m)))
        p_value = None if used else _welch(apart, a / n, b / m, n, m)
        yield (
            number,
            ClusterTrait(
                name,
                None,
                float(inside.mean()),
                float(outside.mean()),
                effect,
                effect - reach,
                effect + reach,
                used,
                p_value,
            ),
        )


def _welch(apart: float, a: float, b: float, n: int, m: int) -> float:
    """Answer the p-value of a difference of means with variances `a` and `b` (Welch, 1947)."""
    from scipy.special import stdtr

    if a + b <= 0:
        return 1.0 if apart == 0 else 0.0
    degrees = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    return float(2 * stdtr(degrees, -abs(apart) / math.sqrt(a + b)))


def _of_shares(  # noqa: PLR0917 - a value, the clusters, and how to judge
    name: str,
    value: str,
    having: NDArray[np.bool_],
    labels: NDArray[np.int64],
    numbers: Sequence[int],
    used: bool,
    z: float,
) -> Iterator[tuple[int, ClusterTrait]]:
    total, rows = int(having.sum()), len(having)
    for number in numbers:
        cluster = labels == number
        n, m = int(cluster.sum()), rows - int(cluster.sum())
        if not n or not m:
            continue
        own = int(having[cluster].sum())
        inside, outside = own / n, (total - own) / m
        effect = 2 * (math.asin(math.sqrt(inside)) - math.asin(math.sqrt(outside)))
        reach = z * math.sqrt(1 / n + 1 / m)
        p_value = None if used else _fisher(own, n, total, rows)
        yield (
            number,
            ClusterTrait(
                name, value, inside, outside, effect, effect - reach, effect + reach, used, p_value
            ),
        )


def _fisher(own: int, n: int, total: int, rows: int) -> float:
    """Answer the p-value of Fisher's exact test, both tails, the smaller one doubled."""
    from scipy.stats import hypergeom

    law = hypergeom(rows, total, n)
    return float(min(1.0, 2 * min(law.cdf(own), law.sf(own - 1))))


def _corrected(found: dict[int, list[ClusterTrait]]) -> dict[int, tuple[ClusterTrait, ...]]:
    """Correct the p-values of all clusters together, and put the largest differences first."""
    from scipy.stats import false_discovery_control

    values = [t.p_value for traits in found.values() for t in traits if t.p_value is not None]
    adjusted = iter(false_discovery_control(values) if values else ())
    return {
        number: tuple(
            sorted(
                (
                    t if t.p_value is None else replace(t, p_value=float(next(adjusted)))
                    for t in traits
                ),
                key=lambda t: (-round(abs(t.effect), 9), t.effect < 0),
            )
        )
        for number, traits in found.items()
    }


def _card(
    number: int,
    traits: tuple[ClusterTrait, ...],
    raw: pl.DataFrame,
    *,
    labels: NDArray[np.int64],
    distances: NDArray[np.float64],
    rate: float,
) -> ClusterCard:
    places = np.flatnonzero(labels == number)
    own = distances[places, number]
    nearest = places[np.argsort(own, kind="stable")[:_TYPICAL]]
    return ClusterCard(
        cluster=number,
        rows=len(places),
        share=len(places) / raw.height,
        name=_name(traits, rate),
        traits=traits,
        typical=tuple(raw[nearest].to_dicts()),
        spread=float(np.median(own)),
    )


def _name(traits: Sequence[ClusterTrait], rate: float) -> str:
    """Answer the largest differences in words, one of each column."""
    said: dict[str, str] = {}
    for trait in traits:
        sure = trait.p_value is None or trait.p_value <= rate
        if len(said) < _NAMED and sure and abs(trait.effect) >= _LEAST_NAMED:
            said.setdefault(trait.column, trait.words())
    return ", ".join(said.values()) or "like the other rows"


def _cells(trait: ClusterTrait, rate: float) -> list[str]:
    name = trait.column if trait.value is None else f"{trait.column} = {trait.value}"
    shown = figure if trait.value is None else "{:.1%}".format
    if trait.p_value is None:
        remark = "by construction"
    else:
        p_value = "p < 0.0001" if trait.p_value < 1e-4 else f"p {trait.p_value:.2g}"
        remark = p_value if trait.p_value <= rate else f"{p_value}, may be chance"
    return [
        name,
        shown(trait.inside),
        shown(trait.outside),
        *(f"{value:+.2f}" for value in (trait.effect, trait.low, trait.high)),
        remark,
    ]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    return finite(value) if isinstance(value, float) else str(value)
