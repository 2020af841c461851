"""Pictures of relations between columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.visualization.cells import cells
from headrace.visualization.style import MUTED, axes, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["relations"]

_MOST = 24
_MEASURES = {"spearman", "cramers_v", "correlation_ratio"}
_ALPHA = 0.01


@drawn
def relations(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how strongly columns depend on each other as a heat map; what chance explains is empty.

    Numbers are compared by Spearman's correlation, categories by Cramér's V, a category and a
    number by the correlation ratio.

    Args:
        result: An assessment: `relations`, each with `first`, `second`, `measure`, `value` and
            `corrected`; `target`.
        ax: The axes to draw on.
    """
    held = [one for one in result.relations if one.measure in _MEASURES]
    sure = {(one.first, one.second): one.value for one in held if one.corrected <= _ALPHA}
    names = _chosen(sure, result.target)
    size = max(3.0, min(9.0, 1.8 + 0.36 * len(names)))
    ax = axes(ax, width=size + 1.6, height=size + 0.4)
    ax.set_title("Relations between columns")
    if not names:
        ax.set_axis_off()
        text = "no relation beyond chance" if held else "no two columns to compare"
        ax.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=ax.transAxes)
        return ax
    values = np.full((len(names), len(names)), np.nan)
    for i, first in enumerate(names):
        for j, second in enumerate(names[:i]):
            values[i, j] = sure.get((first, second), sure.get((second, first), np.nan))
    cells(ax, values[1:, :-1], rows=names[1:], columns=names[:-1], most=1.0, text="{:.2f}")
    for name in ax.get_xticklabels():
        name.set(rotation=45, ha="right", rotation_mode="anchor")
    return ax


def _chosen(sure: dict[tuple[str, str], float], target: str | None) -> list[str]:
    """Answer the columns that depend on others most, the target first."""
    strongest: dict[str, float] = {}
    for pair, value in sure.items():
        for name in pair:
            strongest[name] = max(strongest.get(name, 0.0), abs(value))
    order = sorted(strongest, key=lambda name: (name != target, -strongest[name]))
    return order[:_MOST]
