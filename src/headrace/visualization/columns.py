"""Pictures of columns: how their values are distributed, and what the steps made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import LinearLocator, MaxNLocator

from headrace.errors import SettingError
from headrace.visualization.style import MUTED, PALETTE, axes, drawn, panels, thin
from headrace.visualization.text import day, label, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["before_after", "distributions"]

_MOST_COLUMNS = 12
_MOST_VALUES = 8
_BINS = 30


@drawn
def distributions(result: Any, ax: Axes | None = None, *, most: int = _MOST_COLUMNS) -> Axes:
    """Draw one small picture a column: a histogram of numbers, bars of the frequent values.

    Args:
        result: A profile: `columns`, each with `name`, `kind`, `rows`, `missing`, and either
            `edges` and `counts` (the bins of numbers and dates) or `values` (value → rows).
        ax: The axes to draw on; they become a grid.
        most: How many columns are drawn; a note says how many more there are.
    """
    every = [column for column in result.columns if _has_shape(column)]
    shown = every[:most]
    across = min(4, max(1, len(shown)))
    height = 1.9 * -(-len(shown) // across) + 0.4
    ax = axes(ax, width=2.2 * across, height=max(height, 2.2))
    for column, small in zip(shown, panels(ax, max(1, len(shown)), columns=across), strict=False):
        _column(small, column)
    more = f" · {len(every) - len(shown)} more columns" if len(every) > len(shown) else ""
    ax.set_title(f"Distributions{more}")
    return ax


def _has_shape(column: Any) -> bool:
    return len(getattr(column, "edges", ())) > 1 or bool(getattr(column, "values", None))


def _column(ax: Axes, column: Any) -> None:
    if len(getattr(column, "edges", ())) > 1:
        _densities(ax, np.asarray(column.edges, float), np.asarray(column.counts, float))
        dated = column.kind == "datetime"
        ax.xaxis.set_major_locator(LinearLocator(2) if dated else MaxNLocator(3))
        ax.xaxis.set_major_formatter(day if dated else short)
    else:
        _bars(ax, column.values, int(getattr(column, "other", 0)))
    ax.set_title(label(column.name, longest=22), size=9)
    if column.rows and column.missing:
        ax.set_xlabel(f"{column.missing / column.rows:.1%} missing", size=7, loc="left")


def _densities(ax: Axes, edges: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
    """Bins of unequal width are drawn as bins of equal width: as high as they hold rows."""
    thin(ax, grid=None).set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.tick_params(labelsize=8)
    share = np.append(0.0, np.cumsum(counts)) / max(counts.sum(), 1)
    even = np.linspace(*_in_sight(edges, share), _BINS + 1)
    heights = np.diff(np.interp(even, edges, share))
    ax.stairs(heights, even, fill=True, color=PALETTE[0], alpha=0.85)
    ax.set_xlim(even[0], even[-1])


def _in_sight(edges: NDArray[np.float64], share: NDArray[np.float64]) -> tuple[float, float]:
    """Leave out the far ends of long tails, which would press the rest together."""
    if np.diff(share).max() > 0.9:  # one value, more or less: the rest is the tail
        return float(edges[0]), float(edges[-1])
    low, high = np.interp([0.05, 0.95], share, edges)
    reach = high - low
    return float(max(edges[0], low - reach)), float(min(edges[-1], high + reach))


def _bars(ax: Axes, values: dict[str, int], other: int) -> None:
    frequent = sorted(values.items(), key=lambda item: -item[1])
    rest = other + sum(rows for _, rows in frequent[_MOST_VALUES:])
    shown = frequent[:_MOST_VALUES]
    names = [label(name, longest=16) for name, _ in shown] + (["other"] if rest else [])
    rows = [rows for _, rows in shown] + ([rest] if rest else [])
    total = max(sum(rows), 1)
    colours = [PALETTE[2]] * len(shown) + [MUTED]
    places = range(len(rows))
    ax.barh(places, [n / total for n in rows], color=colours[: len(rows)], alpha=0.85)
    ax.set_yticks(places, names)
    ax.set_ylim(max(len(rows), 5) - 0.4, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(2))
    ax.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    thin(ax, grid=None).tick_params(axis="y", length=0)
    ax.tick_params(labelsize=7)


@drawn
def before_after(
    before: ArrayLike,
    after: ArrayLike,
    names: Sequence[str],
    ax: Axes | None = None,
) -> Axes:
    """Draw the histogram of each column before and after the steps, side by side.

    Args:
        before: (rows, columns) in the units of the data; NaN is missing.
        after: (rows, columns) as the model sees them.
        names: The names of the columns.
        ax: The axes to draw on; they become a grid, at most six columns are drawn.

    Raises:
        SettingError: The shapes and the names do not fit.
    """
    left, right = _table(before), _table(after)
    if not left.shape[1] == right.shape[1] == len(names):
        raise SettingError(
            f"before has {left.shape[1]} columns, after has {right.shape[1]}, and there are "
            f"{len(names)} names: they have to be the same columns"
        )
    shown = list(names)[:6]
    ax = axes(ax, width=6.4, height=1.25 * len(shown) + 0.6)
    grid = panels(ax, 2 * len(shown), columns=2)
    for index, name in enumerate(shown):
        _histogram(grid[2 * index], left[:, index], PALETTE[0])
        _histogram(grid[2 * index + 1], right[:, index], PALETTE[1])
        grid[2 * index].set_ylabel(label(name, longest=18), rotation=0, ha="right", va="center")
    for panel, title in zip(grid, ("before", "after"), strict=False):
        panel.set_title(title, size=9, weight="normal", color=MUTED)
    ax.set_title("Before and after the steps")
    return ax


def _table(values: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(values, dtype=np.float64)
    return table[:, np.newaxis] if table.ndim == 1 else table


def _histogram(ax: Axes, values: NDArray[np.float64], face: str) -> None:
    finite = values[np.isfinite(values)]
    if len(finite):
        low, high = np.quantile(finite, [0.002, 0.998])
        inside = (low, high) if high > low else (low - 0.5, high + 0.5)
        ax.hist(finite, bins=_BINS, range=inside, color=face, alpha=0.85)
    thin(ax, grid=None).set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(short)
