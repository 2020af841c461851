"""Pictures of the number of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.visualization.style import FAINT, MUTED, PALETTE, axes, drawn, panels, thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cluster_numbers"]


@drawn
def cluster_numbers(result: Any, ax: Axes | None = None) -> Axes:
    """Draw what speaks for each number of clusters; the recommended one is marked.

    Args:
        result: A choice of k: `figures`, each with `k`, `silhouette`, `beyond`, `gap`, `gap_error`
            and `stability`; `k` and `p_value`.
        ax: The axes to draw on.
    """
    numbers = [one.k for one in result.figures]
    ax = axes(ax, width=8.4, height=3.2)
    shown = (
        ("silhouette", "Silhouette"),
        ("gap", "Gap"),
        ("stability", "Agreement of halves"),
    )
    for panel, (name, title) in zip(panels(ax, 3), shown, strict=True):
        values = np.array([getattr(one, name) for one in result.figures])
        if name == "gap":
            errors = np.array([one.gap_error for one in result.figures])
            panel.fill_between(
                numbers, values - errors, values + errors, color=FAINT, alpha=0.5, linewidth=0
            )
        panel.plot(numbers, values, "o-", color=PALETTE[0], markersize=4)
        if result.k in numbers:
            place = numbers.index(result.k)
            panel.plot([result.k], [values[place]], "o", color=PALETTE[1], markersize=8)
        thin(panel)
        panel.set_title(title, size=10)
        panel.set_xlabel("clusters")
        panel.set_xticks(numbers[:: max(1, len(numbers) // 6)])
    found = f"{result.k} clusters" if result.k > 1 else "no clusters"
    ax.set_title(f"{found} · p {result.p_value:.2g}", loc="right", size=9, color=MUTED)
    return ax
