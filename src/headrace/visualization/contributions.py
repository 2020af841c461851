"""Pictures of what raw columns add to the answers of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.visualization.style import FAINT, INK, MUTED, PALETTE, axes, by_row, drawn, thin
from headrace.visualization.text import label, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["effects", "waterfall"]

_MOST_COLUMNS = 15


@drawn
def waterfall(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how the columns of one row lead from the base to the answer.

    Args:
        result: An attribution of one row: `columns`, `values`, `texts`, `base`, `answer`, `of`.
        ax: The axes to draw on.
    """
    values, order = result.values[0], np.argsort(-np.abs(result.values[0]), kind="stable")
    kept, rest = order[:_MOST_COLUMNS], order[_MOST_COLUMNS:]
    names = [f"{label(result.columns[n])} = {label(result.texts[0][n], longest=16)}" for n in kept]
    sizes = [float(values[n]) for n in kept]
    if len(rest):
        names.append(f"{len(rest)} other columns")
        sizes.append(float(values[rest].sum()))
    starts = result.base[0] + np.concatenate([[0.0], np.cumsum(sizes)[:-1]])
    ax = axes(ax, height=0.3 * len(names) + 1.5)
    places = np.arange(len(names))
    ax.barh(
        places,
        sizes,
        left=starts,
        height=0.66,
        color=[PALETTE[1] if size > 0 else PALETTE[0] for size in sizes],
    )
    width = float(np.ptp([*starts, result.base[0], result.answer[0]])) or 1.0
    for place, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        right = size >= 0
        text = f"{'+' if right else ''}{short(float(f'{size:.3g}'))}"
        end = start + size + (0.01 if right else -0.01) * width
        ax.text(end, place, text, ha="left" if right else "right", va="center", size=8, color=INK)
    ax.axvline(result.base[0], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    ax.axvline(result.answer[0], color=INK, linewidth=1)
    edges = [*starts, result.base[0], result.answer[0]]
    ax.set_xlim(min(edges) - 0.2 * width, max(edges) + 0.2 * width)
    by_row(ax, places, names)
    ax.set(title="Why this answer", xlabel=label(result.of, longest=60))
    note = f"{result.base[0]:.4g} (dashed) → {result.answer[0]:.4g}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def effects(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the mean size of the columns' contributions, the largest on top.

    Args:
        result: An attribution of many rows: `effects`, each with `column`, `size`, `low` and
            `high`; `of`, `values`.
        ax: The axes to draw on.
    """
    every = result.effects
    bars = every[:_MOST_COLUMNS]
    ax = axes(ax, height=0.27 * len(bars) + 1.3)
    places = np.arange(len(bars))
    ax.barh(places, [bar.size for bar in bars], height=0.66, color=PALETTE[0])
    ax.hlines(places, [bar.low for bar in bars], [bar.high for bar in bars], color=INK, linewidth=1)
    by_row(ax, places, [label(bar.column) for bar in bars])
    ax.set(title="What columns add", xlabel=f"mean size: {label(result.of, longest=50)}")
    more = f" · {len(every) - len(bars)} more columns" if len(every) > len(bars) else ""
    note = f"{len(result.values):,} rows{more}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def turned(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the answer of a row before and after the changes that turn it.

    Args:
        result: A counterfactual: `changes`, each with `column`, `before` and `after`; `before`,
            `after`, `wanted`, `of`.
        ax: The axes to draw on.
    """
    ax = axes(ax, height=1.9 + 0.2 * len(result.changes))
    names = ["now", "changed"] if result.changes else ["now"]
    ax.barh(names, [result.before, result.after][: len(names)], color=[FAINT, PALETTE[0]])
    ax.invert_yaxis()
    thin(ax, grid="x").tick_params(axis="y", length=0)
    lines = [
        f"{label(one.column)}: {label(one.before, longest=16)} → {label(one.after, longest=16)}"
        for one in result.changes
    ]
    ax.set_xlabel("\n".join([label(result.of, longest=60), *lines]))
    ax.set_title(f"For {label(result.wanted, longest=40)}")
    if not result.found:
        ax.set_title("none found", loc="right", size=9, color=MUTED, weight="normal")
    return ax
