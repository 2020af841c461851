"""Thresholds: what each one finds, misses and costs, and which is the cheapest, how surely."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError, nearest
from headrace.evaluate.calibration import checked_probabilities
from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["ThresholdRow", "Thresholds", "thresholds"]

_OUTCOMES = ("true_positive", "false_positive", "false_negative", "true_negative")
_SIDES = ("positive", "negative")
_PRICES_OF = {"positive": (0, 2), "negative": (1, 3)}
_HEADER = (
    "threshold",
    "chosen",
    "precision",
    "recall",
    "specificity",
    "cost a row",
    "low",
    "high",
    "",
)


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """What a threshold does.

    Attributes:
        threshold: Rows with a probability above it are chosen.
        true_positive: Chosen rows that are positive.
        false_positive: Chosen rows that are not.
        false_negative: Positive rows that are not chosen.
        true_negative: The others.
        cost: The mean cost of a row.
        low: The lower end of the interval of that cost.
        high: The upper end.
    """

    threshold: float
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    cost: float
    low: float
    high: float

    @property
    def chosen(self) -> int:
        """How many rows are chosen."""
        return self.true_positive + self.false_positive

    @property
    def precision(self) -> float:
        """The share of the chosen rows that are positive; NaN where none is chosen."""
        return self.true_positive / self.chosen if self.chosen else float("nan")

    @property
    def recall(self) -> float:
        """The share of the positive rows that are chosen; NaN where none is positive."""
        positive = self.true_positive + self.false_negative
        return self.true_positive / positive if positive else float("nan")

    @property
    def specificity(self) -> float:
        """The share of the other rows that are not chosen; NaN where there are none."""
        negative = self.false_positive + self.true_negative
        return self.true_negative / negative if negative else float("nan")


@dataclass(frozen=True)
class Thresholds(Result):
    """What thresholds find, miss and cost.

    Attributes:
        rows: How many rows were looked at.
        table: The thresholds, from low to high.
        best: The cheapest threshold.
        best_low: Where the cheapest one of other tables lies at the least (interval).
        best_high: Where it lies at the most.
        cost: The mean cost of a row there, of the rows that it was chosen by.
        expected: That of new rows: the luck of the choice is taken out (Efron, 1983).
        cost_low: The lower end of the interval of the cost of new rows. The threshold is chosen
            anew in each resample, so the luck of the choice is in it.
        cost_high: The upper end.
        costs: What each outcome costs.
        confidence: Of the intervals.
        note: What else should be known, or "".
    """

    rows: int
    table: tuple[ThresholdRow, ...]
    best: float
    best_low: float
    best_high: float
    cost: float
    expected: float
    cost_low: float
    cost_high: float
    costs: Mapping[str, float]
    confidence: float = 0.95
    note: str = ""

    def sentence(self) -> str:
        """Answer the cheapest threshold in words."""
        return (
            f"cheapest at {self.best:.3g} ({100 * self.confidence:.4g} % interval "
            f"{self.best_low:.3g} to {self.best_high:.3g}): {figure(self.cost)} a row, "
            f"of new rows {figure(self.expected)} ({figure(self.cost_low)} to "
            f"{figure(self.cost_high)})." + (f" Note: {self.note}." if self.note else "")
        )

    def summary(self) -> str:
        """Answer the cheapest threshold, and about twenty of the table's lines."""
        return f"{self.sentence()}\n\n{text_table(_HEADER, self._cells())}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values."""
        values = asdict(self)
        return {**values, "table": [asdict(one) for one in self.table], "costs": dict(self.costs)}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the cost over the thresholds, with its band."""
        from headrace import visualization

        axes: Axes = visualization.threshold_costs(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        title = f"thresholds, {self.rows:,} rows"
        return html_table(_HEADER, self._cells(), caption=title) + html_list([self.sentence()])

    def _cells(self) -> list[list[str]]:
        step = max(1, len(self.table) // 20)
        return [
            [
                f"{one.threshold:.3g}",
                f"{one.chosen:,}",
                *map(figure, (one.precision, one.recall, one.specificity)),
                *map(figure, (one.cost, one.low, one.high)),
                "cheapest" if one.threshold == self.best else "",
            ]
            for place, one in enumerate(self.table)
            if not place % step or one.threshold == self.best
        ]


def thresholds(
    positive: NDArray[Any],
    stated: NDArray[Any],
    *,
    costs: Mapping[str, float] | None = None,
    most: int = 100,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Thresholds:
    """Answer what thresholds find, miss and cost.

    Args:
        positive: (rows,) 1 for positive rows, 0 for others.
        stated: (rows,) the stated probability of being positive.
        costs: What outcomes cost, of "true_positive", "false_positive", "false_negative" and
            "true_negative"; negative for a gain. One for each error when none are given.
        most: How many thresholds, at quantiles of the probabilities.
        confidence: Of the intervals.
        resamples: How many times the rows are drawn again.
        seed: Of the draws.

    Raises:
        DataError: There is no row, or a probability is outside of 0 to 1.
        SettingError: A cost has an unknown name or is no number.

    Example:
        >>> random = np.random.default_rng(0)
        >>> stated = random.random(4000)
        >>> found = thresholds(random.random(4000) < stated, stated,
        ...                    costs={"false_positive": 1, "false_negative": 4})
        >>> bool(found.best_low <= 0.2 <= found.best_high)
        True
    """
    came, said = checked_probabilities(positive, stated)
    price = _prices(costs)
    levels = np.unique(np.quantile(said, np.linspace(0, 1, most)))
    levels = np.unique(np.concatenate([[0.0], levels, [0.5]]))
    # Rows between two thresholds are all chosen by the first and none of them by the second.
    place = np.searchsorted(levels, said, side="left")
    cells = np.stack([np.bincount(place, came == side, len(levels) + 1) for side in (1, 0)])
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(said), cells.ravel() / len(said), resamples)
    draws = _costs(drawn.reshape(resamples, *cells.shape), price)
    here = _costs(cells[np.newaxis], price)[0]
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    best, chosen = int(here.argmin()), draws.argmin(axis=1)
    above = cells[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:].astype(int)
    below = cells.cumsum(axis=1)[:, :-1].astype(int)
    # What a resample's choice costs these rows, beyond its own: so it will be with new ones.
    luck = here[chosen] - draws.min(axis=1)
    cheapest = here[best] + np.quantile(luck, [tail, 1 - tail])
    where = np.quantile(levels[chosen], [tail, 1 - tail])
    note = ""
    unseen = [name for name, count in zip(_SIDES, cells.sum(axis=1), strict=True) if not count]
    if unseen:
        # So large a share of them would have been missed by all rows once in 1 / tail tables.
        share = 1 - tail ** (1 / len(said))
        worst = share * max(0.0, *(price[place] for place in _PRICES_OF[unseen[0]]))
        high, cheapest = high + worst, cheapest + np.array([0.0, worst])
        where = levels[[0, -1]]
        note = f"no row is {unseen[0]}: up to {100 * share:.2g} % of all rows may be, at any cost"
    return Thresholds(
        rows=len(said),
        table=tuple(
            ThresholdRow(
                float(level),
                int(above[0, n]),
                int(above[1, n]),
                int(below[0, n]),
                int(below[1, n]),
                *map(float, (here[n], low[n], high[n])),
            )
            for n, level in enumerate(levels)
        ),
        best=float(levels[best]),
        best_low=float(where[0]),
        best_high=float(where[1]),
        cost=float(here[best]),
        expected=float(here[best] + luck.mean()),
        cost_low=float(cheapest[0]),
        cost_high=float(cheapest[1]),
        costs=dict(zip(_OUTCOMES, price, strict=True)),
        confidence=confidence,
        note=note,
    )


def _costs(cells: NDArray[Any], price: tuple[float, ...]) -> NDArray[np.float64]:
    """Answer (resamples, thresholds): the mean cost of a row, of (resamples, 2, cells) counts."""
    above = cells[:, :, ::-1].cumsum(axis=2)[:, :, ::-1][:, :, 1:]
    below = cells.cumsum(axis=2)[:, :, :-1]
    rows = cells[0].sum()
    total = price[0] * above[:, 0] + price[1] * above[:, 1]
    total = total + price[2] * below[:, 0] + price[3] * below[:, 1]
    return np.asarray(total / rows, dtype=np.float64)


def _prices(costs: Mapping[str, float] | None) -> tuple[float, ...]:
    given = {"false_positive": 1.0, "false_negative": 1.0} if costs is None else dict(costs)
    for name, cost in given.items():
        if name not in _OUTCOMES:
            close = nearest(str(name), _OUTCOMES)
            hint = f"; perhaps {close!r} is meant" if close else ""
            raise SettingError(f"costs are of {', '.join(_OUTCOMES)}, received {name!r}{hint}")
        if isinstance(cost, bool) or not np.isfinite(cost):
            raise SettingError(f"the cost of {name} must be a finite number, received {cost!r}")
    return tuple(float(given.get(name, 0.0)) for name in _OUTCOMES)
