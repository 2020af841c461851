"""Pictures of the rules that imitate a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.visualization.style import INK, MUTED, PALETTE, axes, by_row, drawn
from headrace.visualization.text import label, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["rules"]

_MOST_RULES = 16


@drawn
def rules(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the mean answer of each rule; thick bars hold many rows.

    Args:
        result: A surrogate: `rules`, each with `conditions`, `answer` and `share`; `of`,
            `fidelity`, `low`, `high`.
        ax: The axes to draw on.
    """
    shown = result.rules[:_MOST_RULES]
    ax = axes(ax, width=8.0, height=0.55 * len(shown) + 1.3)
    places = np.arange(len(shown))
    shares = np.array([one.share for one in shown])
    heights = 0.2 + 0.6 * shares / shares.max()
    ax.barh(places, [one.answer for one in shown], height=heights, color=PALETTE[0])
    for place, one in enumerate(shown):
        text = f" {short(float(f'{one.answer:.3g}'))} · {one.share:.0%} of rows"
        ax.text(max(one.answer, 0.0), place, text, va="center", size=8, color=INK)
    names = ["\n".join(label(part, longest=48) for part in one.conditions) for one in shown]
    by_row(ax, places, [name or "all rows" for name in names], size=8)
    ax.set_xlim(right=1.5 * max(0.0, *(one.answer for one in shown)) or None)
    ax.set(title="Rules", xlabel=label(result.of, longest=60))
    note = f"{result.fidelity:.0%} of the variance"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax
