"""Trends: what changes over a time column, in steps and with the day, the week or the year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from scipy import stats

from headrace.data.scan import collect
from headrace.data.schema import MISSING_TIME
from headrace.metrics.twosample import holm
from headrace.profiling.alerts import Alert
from headrace.table import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = [
    "Series",
    "Trend",
    "change_point",
    "date_gaps",
    "find_trends",
    "seasonality",
    "series_of",
]

_SECOND = 1_000_000
_PERIODS = {"day": 86_400, "week": 604_800, "year": 31_556_952}
_MOST_POINTS = 100_000
_STEP_POINTS = 400
_FEWEST_POINTS = 40
_FEWEST_TO_CHANGE = 100
"""Fewer points cannot tell a change from values that remember each other."""

_MOST_LAGS, _MOST_MEMORY, _CAUTION = 4, 0.97, 10.0
_CYCLES = 4
_NEIGHBOURS = 8
_ALPHA = 0.01
_MOST_CHANGES = 3
_GAP = 5.0
_LEFT_OUT = 0.5


@dataclass(frozen=True, eq=False)
class Series:
    """Means of columns in equal steps of time.

    Attributes:
        start: Microseconds since 1970 of the first step.
        step: Microseconds of a step.
        rows: (steps,) the rows of each step.
        means: Column → (steps,) its mean, NaN in steps without a value.
    """

    start: int
    step: int
    rows: NDArray[np.int64]
    means: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Trend:
    """What a column does over time.

    Attributes:
        column: The column.
        kind: "change" for a step of the mean, else the period that it follows.
        at: When the mean changes, ISO 8601; "" for a period.
        size: after - before for a change; half the swing of the best sine for a period.
        p_value: How often a series without it would show as much, corrected for all tests (Holm).
    """

    column: str
    kind: Literal["change", "day", "week", "year"]
    at: str
    size: float
    p_value: float

    def sentence(self) -> str:
        """Answer the trend in words."""
        sure = f"p {self.p_value:.2g}"
        if self.kind == "change":
            return f"{self.column}: the mean moves by {figure(self.size)} at {self.at} ({sure})"
        return f"{self.column}: swings by ±{figure(self.size)} with the {self.kind} ({sure})"


def series_of(frame: pl.LazyFrame, time: str, columns: Sequence[str]) -> Series | None:
    """Answer the means of columns in steps of time, at most 100,000; None for fewer than two.

    A step is the median distance of the first instants, or longer if there were too many steps.

    Args:
        frame: The canonical table.
        time: The column of instants.
        columns: Numbers and truth values.
    """
    known = frame.filter(pl.col(time) != MISSING_TIME)
    ends = collect(
        known.select(low=pl.col(time).min(), high=pl.col(time).max()), streaming=True
    ).row(0)
    if ends[0] is None or ends[0] == ends[1]:
        return None
    low, high = int(ends[0]), int(ends[1])
    least = max(1, -(-(high - low) // (_MOST_POINTS - 1)))
    step = max(least, _usual_distance(known, time, low, least))
    wanted = known.group_by(((pl.col(time) - low) // step).alias("place of time"))
    found = collect(
        wanted.agg(
            pl.len().alias("rows of time"),
            *(pl.col(name).fill_nan(None).mean().alias(f"mean {name}") for name in columns),
        ),
        streaming=True,
    )
    steps = (high - low) // step + 1
    at = found["place of time"].to_numpy()
    rows = np.zeros(steps, np.int64)
    rows[at] = found["rows of time"].to_numpy()
    means = {name: np.full(steps, np.nan) for name in columns}
    for name, values in means.items():
        values[at] = found[f"mean {name}"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return Series(low, step, rows, means)


def _usual_distance(known: pl.LazyFrame, time: str, low: int, least: int) -> int:
    """Answer the median distance of the first instants; of all on a coarse grid if they are few."""
    first = collect(known.select(time).bottom_k(_MOST_POINTS, by=time), streaming=True)
    distances = np.diff(np.unique(first[time].to_numpy()))
    if len(distances) >= _FEWEST_POINTS:
        return int(np.median(distances))
    grid = known.select(place=(pl.col(time) - low) // least).unique().sort("place")
    places = np.diff(collect(grid, streaming=True)["place"].to_numpy())
    return int(np.median(places)) * least if len(places) else least


def date_gaps(series: Series, time: str) -> Iterator[Alert]:
    """Answer the longest stretch of time without rows, if steps with rows are the rule."""
    held = np.flatnonzero(series.rows)
    if len(held) < 10:
        return
    distances = np.diff(held)
    longest = int(distances.max()) - 1
    usual = float(np.quantile(distances, 0.95))
    if longest < _GAP * usual:
        return
    number = int((distances - 1 >= _GAP * usual).sum())
    place = held[int(np.argmax(distances))]
    first, last = (_moment(series, float(n)) for n in (place + 1, place + longest + 1))
    text = (
        f"{time!r} has {number:,} gaps without rows, the longest from {first} to {last} "
        f"({longest:,} steps of {series.step / _SECOND:,.0f} s)"
    )
    yield Alert("date gaps", (time,), text, "note", longest / len(series.rows))


def find_trends(series: Series) -> tuple[Trend, ...]:
    """Find changes of the mean and seasons of each column; tested, corrected for all tests.

    Only what a series without it would show in 1 % of tables is answered (Holm).
    """
    found: list[tuple[Trend, float]] = []
    for name, values in series.means.items():
        if np.isfinite(values).sum() < _FEWEST_POINTS:
            continue
        filled = _filled(values)
        found += [(one, one.p_value) for one in _changes(series, name, filled)]
        if np.isfinite(values).mean() >= _LEFT_OUT:
            found += [(one, one.p_value) for one in _seasons(series, name, filled)]
    corrected = holm([p_value for _, p_value in found])
    return tuple(
        Trend(one.column, one.kind, one.at, one.size, p)
        for (one, _), p in zip(found, corrected, strict=True)
        if p <= _ALPHA
    )


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill steps without a value along straight lines."""
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), known, values[known])


def _changes(series: Series, name: str, values: NDArray[np.float64]) -> Iterator[Trend]:
    width = max(1, -(-len(values) // _STEP_POINTS))
    whole = len(values) // width * width
    means = values[:whole].reshape(-1, width).mean(axis=1)
    waiting = [(0, len(means))]
    changes = 0
    while waiting and changes < _MOST_CHANGES:
        low, high = waiting.pop(0)
        part = means[low:high]
        if len(part) < _FEWEST_TO_CHANGE:
            continue
        place, p_value = change_point(part)
        size = float(part[place:].mean() - part[:place].mean())
        yield Trend(name, "change", _moment(series, (low + place) * width), size, p_value)
        changes += 1
        if p_value <= _ALPHA:
            waiting += [(low, low + place), (low + place, high)]


def change_point(values: NDArray[np.float64]) -> tuple[int, float]:
    """Answer where the mean of a series changes most, and the p-value of no change.

    The largest cumulated sum over the long-run deviation is compared with the range of a Brownian
    bridge. Values may depend on those before them: the deviation is that of an autoregression
    (Andrews and Monahan, 1992) fitted to what is left around the two means, corrected for what
    fitting them takes away.

    Example:
        >>> values = np.random.default_rng(0).normal(size=200) + 3 * (np.arange(200) >= 120)
        >>> place, p_value = change_point(values)
        >>> abs(place - 120) <= 2, p_value < 1e-6
        (True, True)
    """
    rows = len(values)
    sums = np.cumsum(values - values.mean())[:-1]
    place = int(np.argmax(np.abs(sums))) + 1
    left = values - np.where(np.arange(rows) < place, values[:place].mean(), values[place:].mean())
    variance = _long_run(left)
    if variance <= 1e-24 * max(1.0, float(np.abs(values).max()) ** 2):
        return place, 0.0 if np.ptp(values) > 1e-9 * max(1.0, np.abs(values).max()) else 1.0
    statistic = float(np.abs(sums).max() / np.sqrt(rows * variance))
    return place, float(stats.kstwobign.sf(statistic))


def _long_run(values: NDArray[np.float64]) -> float:
    """Answer the variance of a sum of values, per value, of an autoregression fitted to them."""
    rows, total = len(values), float(values @ values)
    if total == 0 or rows < 4 * _MOST_LAGS:
        return total / max(rows, 1)
    memory, variance = _autoregression(values)
    # What is left around two fitted means remembers less than the series does (Kendall, 1954).
    memory = min(_MOST_MEMORY, memory + (4 + 6 * memory) / rows)
    independent = rows * (1 - memory) / (1 + memory) if memory > 0 else rows
    return variance / (1 - memory) ** 2 * (1 + _CAUTION / independent)


def _autoregression(values: NDArray[np.float64]) -> tuple[float, float]:
    """Answer the sum of the coefficients and the variance of the shocks; the order by BIC."""
    wanted = values[_MOST_LAGS:]
    lags = [values[_MOST_LAGS - lag : len(values) - lag] for lag in range(1, _MOST_LAGS + 1)]
    best = (np.inf, 0.0, 0.0)
    for order in range(1, _MOST_LAGS + 1):
        before = np.stack(lags[:order], axis=1)
        weights = np.linalg.lstsq(before, wanted, rcond=None)[0]
        left = float(((wanted - before @ weights) ** 2).sum())
        price = len(wanted) * np.log(max(left, 1e-300)) + order * np.log(len(wanted))
        if price < best[0]:
            best = (price, float(weights.sum()), left / (len(wanted) - order - 2))
    return best[1:]


def _seasons(series: Series, name: str, values: NDArray[np.float64]) -> Iterator[Trend]:
    kinds: tuple[Literal["day", "week", "year"], ...] = ("day", "week", "year")
    for kind in kinds:
        period = _PERIODS[kind] * _SECOND / series.step
        found = seasonality(values, period)
        if found is not None:
            yield Trend(name, kind, "", found[0], found[1])


def seasonality(values: NDArray[np.float64], period: float) -> tuple[float, float] | None:
    """Answer how far a series swings with a period, and the p-value of no such line.

    The power at the period is compared with that at the eight frequencies on each side of it: an
    F test of a line in a spectrum that is smooth there, whatever the noise.

    Args:
        values: (steps,) the series, without gaps.
        period: Steps of a cycle; there must be four cycles, and more than two steps in each.

    Returns:
        Half the swing, and the p-value; None where nothing can be said.

    Example:
        >>> steps = np.arange(400)
        >>> noise = np.random.default_rng(0).normal(size=400)
        >>> swing, p_value = seasonality(np.sin(2 * np.pi * steps / 8) + noise, 8)
        >>> 0.7 < swing < 1.3, p_value < 1e-6
        (True, True)
    """
    cycles = int(len(values) / period)
    if period <= 2.5 or cycles < _CYCLES or len(values) < _FEWEST_POINTS:
        return None
    rows = round(cycles * period)
    part = values[-rows:]
    part = part - np.polyval(np.polyfit(np.arange(rows), part, 1), np.arange(rows))
    spectrum = np.abs(np.fft.rfft(part)) ** 2
    around = [
        n
        for n in range(cycles - _NEIGHBOURS, cycles + _NEIGHBOURS + 1)
        if 1 <= n < len(spectrum) and n != cycles
    ]
    if len(around) < _NEIGHBOURS or cycles >= len(spectrum):
        return None
    noise = float(np.mean(spectrum[around]))
    power = float(spectrum[cycles])
    swing = 2 * float(np.sqrt(power)) / rows
    if noise <= 1e-18 * max(power, 1e-300):
        return swing, 0.0 if power > 0 else 1.0
    return swing, float(stats.f.sf(power / noise, 2, 2 * len(around)))


def _moment(series: Series, steps: float) -> str:
    instant = np.datetime64(int(series.start + steps * series.step), "us")
    return str(instant.astype("datetime64[s]")).replace("T", " ")
