"""Pictures of prediction intervals: how far they reach, and how often they hold the truth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from headrace.visualization.style import INK, MARKERS, MUTED, PALETTE, axes, colour, drawn, thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["coverage", "reaches"]

_MOST = 30
_FEWEST = 20  # fewer rows say too little to be drawn beside the others


@drawn
def coverage(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how often the truth was inside: group by group, or over the levels without groups.

    Args:
        result: A `Coverage`, or an evaluation that has one.
        ax: The axes to draw on.
    """
    found = getattr(result, "coverage", result)
    return _by_group(found, ax) if found.groups else _by_level(found, ax)


def _by_group(result: Any, ax: Axes | None) -> Axes:
    large = [one for one in result.groups if one.rows >= _FEWEST]
    shown = [result.whole, *large][:_MOST]
    ax = axes(ax, width=6.6, height=1.4 + 0.3 * len(shown))
    for place, one in enumerate(shown):
        wrong = one.verdict == "too few"
        tone = PALETTE[1] if wrong else PALETTE[0]
        if one.promised is not None:
            ax.plot(one.promised, [place, place], color=MUTED, alpha=0.25, linewidth=9)
        ax.plot([one.low, one.high], [place, place], color=tone)
        ax.plot(one.share, place, "s" if wrong else "o", color=tone)
    ax.axvline(result.level, color=INK, linewidth=1, linestyle="--")
    ax.set_yticks(range(len(shown)), [one.group for one in shown])
    ax.set_ylim(len(shown) - 0.5, -0.5)
    hidden = len(result.groups) + 1 - len(shown)
    more = f"; {hidden} more {'group' if hidden == 1 else 'groups'}" if hidden else ""
    ax.set(title="Coverage by group")
    ax.set_xlabel(f"truth inside at the level {result.level:.0%} (grey: as promised{more})")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return thin(ax, grid="x")


def _by_level(result: Any, ax: Axes | None) -> Axes:
    ax = axes(ax, width=4.6, height=4.0)
    levels = [level for level, _ in result.curve]
    found = [one for _, one in result.curve]
    ax.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--", label="as promised")
    low, high = [one.low for one in found], [one.high for one in found]
    ax.fill_between(levels, low, high, color=PALETTE[0], alpha=0.18, linewidth=0)
    ax.plot(levels, [one.share for one in found], "o-", color=PALETTE[0], label="found")
    start = min([*levels, *low]) - 0.03
    ax.set(xlim=(start, 1.01), ylim=(start, 1.01), title="Coverage")
    ax.set(xlabel="level", ylabel="share of rows with the truth inside")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.legend(loc="upper left")
    note = f"{result.whole.rows:,} rows"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def reaches(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how far intervals reach over the levels, a line for each group.

    Args:
        result: A `CalibrateResult`.
        ax: The axes to draw on.
    """
    ax = axes(ax)
    shown = result.reaches[:_MOST]
    for place, one in enumerate(shown):
        pairs = zip(result.levels, one.reach, strict=True)
        ends = [(level, reach) for level, reach in pairs if math.isfinite(reach)]
        name = one.group if len(result.methods) == 1 else f"{one.target}: {one.group}"
        mark = MARKERS[place % len(MARKERS)]
        levels, reach = [level for level, _ in ends], [reach for _, reach in ends]
        ax.plot(levels, reach, f"{mark}-", color=colour(place), label=f"{name} ({one.rows:,})")
    ax.set_xticks(result.levels, [f"{level:.0%}" for level in result.levels])
    units = set(result.units.values())
    ax.set(
        title="Reach of the intervals",
        xlabel="level",
        ylabel=units.pop() if len(units) == 1 else "reach",
    )
    if len(shown) <= 10:
        ax.legend(title="group (calibration rows)" if len(shown) > 1 else None)
    note = f"{result.rows:,} calibration rows"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax
