"""Pictures of judgement: probabilities, thresholds, gains, slices and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.visualization.style import (
    FAINT,
    INK,
    MUTED,
    PALETTE,
    axes,
    by_row,
    drawn,
    panels,
    thin,
)
from headrace.visualization.text import count, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["fairness", "gain", "pit", "reliability", "slices", "threshold_costs"]

_MOST_SLICES = 15
_MOST_GROUPS = 12


@drawn
def reliability(result: Any, ax: Axes | None = None) -> Axes:
    """Draw observed against stated probabilities, with the band of a calibrated model.

    Args:
        result: A calibration: `bins`, each with `stated`, `observed`, `low`, `high`, `null_low`,
            `null_high`, `band_low`, `band_high`; `ece`, `null_high`, `rows`, `of`.
        ax: The axes to draw on.
    """
    names = ("stated", "observed", "low", "high", "null_low", "null_high", "band_low", "band_high")
    stated, observed, low, high, null_low, null_high, band_low, band_high = np.array(
        [[getattr(one, name) for name in names] for one in result.bins]
    ).T
    ax = axes(ax, width=4.8, height=4.4)
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    ax.fill_between(stated, band_low, band_high, color=FAINT, alpha=0.3, linewidth=0)
    ax.fill_between(stated, null_low, null_high, color=FAINT, alpha=0.45, linewidth=0)
    ax.vlines(stated, low, high, color=PALETTE[0], alpha=0.4, linewidth=3)
    ax.plot(stated, observed, color=PALETTE[0], marker="o", markersize=5)
    of = f" of {label(result.of, longest=18)}" if result.of else ""
    ax.set(title="Calibration", xlabel=f"stated probability{of}", ylabel="observed share")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    note = f"error {result.ece:.3f}, by chance up to {result.null_high:.3f}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    ax.annotate(
        "grey: a calibrated model by chance,\npale: in all bins together",
        (0.98, 0.03),
        ha="right",
        size=9,
        color=MUTED,
    )
    return ax


@drawn
def threshold_costs(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the cost of a row over the thresholds, with its band and the cheapest one.

    Args:
        result: Thresholds: `table` of lines with `threshold`, `cost`, `low`, `high`; `best`,
            `best_low`, `best_high`, `cost`, `rows`.
        ax: The axes to draw on.
    """
    levels, cost, low, high = np.array(
        [(one.threshold, one.cost, one.low, one.high) for one in result.table]
    ).T
    ax = axes(ax)
    ax.axvspan(result.best_low, result.best_high, color=FAINT, alpha=0.45, linewidth=0)
    ax.fill_between(levels, low, high, color=PALETTE[0], alpha=0.2, linewidth=0)
    ax.plot(levels, cost, color=PALETTE[0])
    ax.plot([result.best], [result.cost], "o", color=PALETTE[1], markersize=6)
    thin(ax)
    ax.set(title="Thresholds", xlabel="threshold of the probability", ylabel="mean cost of a row")
    note = f"cheapest at {result.best:.3g} · {count(result.rows)}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def gain(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share of positive rows that is found by looking at the highest probabilities first.

    Args:
        result: A lift: `parts`, each with `rows`, `gain`, `gain_low` and `gain_high`; `positive`.
        ax: The axes to draw on.
    """
    rows = np.array([one.rows for one in result.parts], dtype=np.float64)
    seen = np.concatenate([[0], np.cumsum(rows) / rows.sum()])
    found, low, high = (
        np.array([0.0, *(getattr(one, name) for one in result.parts)])
        for name in ("gain", "gain_low", "gain_high")
    )
    share = result.positive / rows.sum()
    ax = axes(ax, width=4.8, height=4.4)
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    ax.plot([0, share, 1], [0, 1, 1], color=FAINT, linewidth=1, linestyle=(0, (1, 2)))
    ax.fill_between(seen, low, high, color=PALETTE[0], alpha=0.2, linewidth=0)
    ax.plot(seen, found, color=PALETTE[0], marker="o", markersize=4)
    ax.set(title="Gain", xlabel="share of rows looked at", ylabel="share of positive rows found")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    note = f"{result.positive:,} positive of {count(int(rows.sum()))}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def slices(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how much worse each tested slice is, with its interval; found ones are filled.

    Args:
        result: Slices: `slices`, each with `name`, `difference`, `low`, `high`, `rows`, `found`.
        ax: The axes to draw on.

    Raises:
        SettingError: No slice was tested.
    """
    shown = list(result.slices)[:_MOST_SLICES]
    if not shown:
        raise SettingError("a picture of slices needs one that was tested, and there is none")
    ax = axes(ax, width=8.5, height=0.3 * len(shown) + 1.4)
    for place, one in enumerate(shown):
        colour = PALETTE[1] if one.found else FAINT
        ax.hlines(place, one.low, one.high, color=colour, linewidth=2)
        ax.plot([one.difference], [place], "o", color=colour, markersize=6)
    ax.axvline(0, color=INK, linewidth=0.8)
    names = [f"{label(one.name, longest=64)} ({one.rows:,})" for one in shown]
    by_row(ax, range(len(shown)), names)
    ax.set(title="Slices", xlabel="loss above that of all other rows")
    pale = "pale: cannot be told from chance" if not all(one.found for one in shown) else ""
    ax.set_title(pale, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def fairness(result: Any, ax: Axes | None = None) -> Axes:
    """Draw each measure by group with its interval, and the reference group's as a line.

    Args:
        result: A fairness: `figures`, each with `measure`, `group`, `value`, `low`, `high` and
            `differs`; `reference`.
        ax: The axes to draw on.
    """
    measures = list(dict.fromkeys(one.measure for one in result.figures))
    groups = list(dict.fromkeys(one.group for one in result.figures))[:_MOST_GROUPS]
    rows = -(-len(measures) // 2)
    ax = axes(ax, width=8.0, height=rows * (0.24 * len(groups) + 1.0))
    for number, (panel, measure) in enumerate(
        zip(panels(ax, len(measures), columns=2), measures, strict=True)
    ):
        found = {one.group: one for one in result.figures if one.measure == measure}
        panel.axvline(found[result.reference].value, color=FAINT, linewidth=1.5)
        for place, group in enumerate(groups):
            one = found[group]
            colour = PALETTE[1] if one.differs else PALETTE[0]
            if np.isfinite([one.low, one.high]).all():
                panel.hlines(place, one.low, one.high, color=colour, linewidth=2)
            panel.plot([one.value], [place], "o", color=colour, markersize=5)
        shown = [label(group) for group in groups] if not number % 2 else []
        panel.set_yticks(range(len(groups)), shown or [""] * len(groups))
        panel.set_ylim(len(groups) - 0.5, -0.5)
        thin(panel, grid="x").tick_params(axis="y", length=0)
        panel.set_title(measure, size=10)
    ax.set_title("Fairness")
    note = f"line: {label(result.reference)} · orange: differs from it"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def pit(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how full each part between two quantiles is, beside what it should hold.

    Args:
        result: A PIT: `levels` with `stated`; `parts`, `expected`, `rows`, `p_value`.
        ax: The axes to draw on.
    """
    edges = np.array([0.0, *(one.stated for one in result.levels), 1.0])
    expected = np.array(result.expected)
    chances = expected / result.rows
    full = np.array(result.parts) / expected
    reach = 1.96 * np.sqrt(chances * (1 - chances) / result.rows) / chances
    ax = axes(ax)
    ax.bar(
        edges[:-1], full, np.diff(edges), align="edge", color=PALETTE[0], alpha=0.75, linewidth=0
    )
    for place in range(len(full)):
        span = edges[place : place + 2]
        ax.fill_between(
            span, 1 - reach[place], 1 + reach[place], color=INK, alpha=0.18, linewidth=0
        )
    ax.axhline(1, color=INK, linewidth=0.8)
    thin(ax)
    ax.set(title="Place in the distribution", xlabel="level of the predicted quantile")
    ax.set(ylabel="rows, as a multiple of the expected", xlim=(0, 1), ylim=(0, None))
    note = f"p {result.p_value:.2g} · {count(result.rows)}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax
