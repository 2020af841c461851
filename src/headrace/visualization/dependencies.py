"""Pictures of how the answer goes with the values of one column, or of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.visualization.style import FAINT, MUTED, PALETTE, axes, drawn, thin
from headrace.visualization.text import count, day, label, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["dependence", "dependence_pair"]


@drawn
def dependence(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the mean answer over the values of a column, with its band and single rows behind it.

    Args:
        result: A dependence: `column`, `kind`, `of`, `method`, `grid`, `texts`, `mean`, `low`,
            `high`, `curves`, `rows`.
        ax: The axes to draw on.
    """
    ax = axes(ax)
    if result.kind in {"number", "datetime"}:
        for curve in result.curves:
            ax.plot(result.grid, curve, color=FAINT, linewidth=0.6, alpha=0.5)
        ax.fill_between(result.grid, result.low, result.high, color=PALETTE[0], alpha=0.25)
        ax.plot(result.grid, result.mean, color=PALETTE[0])
        ax.xaxis.set_major_formatter(day if result.kind == "datetime" else short)
        if result.kind == "datetime":
            ax.locator_params(axis="x", nbins=4)
        ax.set_xlabel(label(result.column))
    else:
        places = np.arange(len(result.grid))
        ax.hlines(places, result.low, result.high, color=PALETTE[0], alpha=0.4, linewidth=4)
        ax.plot(result.mean, places, color=PALETTE[0], marker="o", linestyle="")
        ax.set_yticks(places, [label(text) for text in result.texts])
        ax.invert_yaxis()
    answer = label(result.of, longest=50)
    if result.kind in {"number", "datetime"}:
        ax.set_ylabel(answer)
    else:
        ax.set_xlabel(answer)
    local = result.method.startswith("accumulated")
    ax.set_title("Local effects" if local else "Dependence")
    ax.set_title(
        f"{label(result.column)} · {count(result.rows)}",
        loc="right",
        size=9,
        color=MUTED,
        weight="normal",
    )
    return ax


@drawn
def dependence_pair(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the mean answer over the values of two columns as a heat map.

    Args:
        result: A dependence of a pair: `columns`, `of`, `texts`, `mean`, `rows`.
        ax: The axes to draw on.
    """
    ax = axes(ax, height=4.4)
    image = ax.imshow(result.mean, aspect="auto", origin="lower", cmap="viridis")
    first, second = ([label(text, longest=12) for text in one] for one in result.texts)
    ax.set_yticks(np.arange(len(first)), first)
    ax.set_xticks(np.arange(len(second)), second, rotation=45, ha="right")
    ax.set(ylabel=label(result.columns[0]), xlabel=label(result.columns[1]), title="Dependence")
    thin(ax, grid=None)
    figure: Any = ax.get_figure(root=False)
    bar = figure.colorbar(image, ax=ax)
    bar.outline.set_visible(False)
    bar.set_label(label(result.of, longest=50), color=MUTED)
    return ax
