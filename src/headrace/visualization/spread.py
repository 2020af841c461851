"""Pictures of stability: how far a figure moves with what should not count, and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.visualization.style import FAINT, MUTED, PALETTE, axes, drawn, panels, thin
from headrace.visualization.text import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["stability"]


@drawn
def stability(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how far a metric moves with each source, and its value by time.

    Args:
        result: A steadiness: `metric`, `sources` (each with `metrics` and `flips`), `periods` (each
            with `name` and `metric`).
        ax: The axes to draw on.
    """
    number = 2 if result.periods else 1
    ax = axes(ax, width=4.4 * number, height=0.5 * len(result.sources) + 2.0 + 0.4 * (number - 1))
    first, *others = panels(ax, number, columns=2)
    for place, (_name, one) in enumerate(result.sources.items()):
        values = np.asarray(one.metrics[result.metric].values)
        first.hlines(place, values.min(), values.max(), color=FAINT, linewidth=3)
        first.plot(values, np.full(len(values), place), "o", color=PALETTE[0], markersize=5)
        flips = "" if np.isnan(one.flips) else f"{one.flips:.1%} flip"
        first.annotate(
            flips,
            (values.mean(), place),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            size=9,
            color=MUTED,
        )
    first.set_yticks(range(len(result.sources)), list(result.sources))
    first.set_ylim(len(result.sources) - 0.5, -0.7)
    thin(first, grid="x").tick_params(axis="y", length=0)
    first.set_xlabel(label(result.metric))
    first.set_title("What should not count", size=10)
    for panel in others:
        found = [one.metric for one in result.periods]
        places = np.arange(len(found))
        panel.vlines(
            places,
            [m.low for m in found],
            [m.high for m in found],
            color=PALETTE[0],
            alpha=0.4,
            linewidth=3,
        )
        panel.plot(places, [m.value for m in found], "o-", color=PALETTE[0], markersize=5)
        panel.set_xticks(places, [str(place + 1) for place in places])
        thin(panel)
        panel.set(xlabel="period", ylabel=label(result.metric))
        panel.set_title("By time", size=10)
    return ax
