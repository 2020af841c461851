"""Pictures of new rows: how far they are from those that the model learnt, what is wrong."""

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
from headrace.visualization.text import day, label, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["drift", "drifted_columns", "quality"]

_MOST_COLUMNS = 25
_MOST_PANELS = 6
_MOST_VALUES = 8


@drawn
def drift(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how far each column has moved; those that raise the alarm stand out, on top.

    Args:
        result: A drift report: `columns`, each with `column`, `effect` (0: none, 1: nothing
            shared) and `alarm`; a `smallest_effect` is drawn as a line.
        ax: The axes to draw on.

    Raises:
        SettingError: There is no column.
    """
    every = sorted(result.columns, key=lambda column: (not column.alarm, -column.effect))
    if not every:
        raise SettingError("a picture of drift needs a column, received none")
    shown = every[:_MOST_COLUMNS]
    ax = axes(ax, height=0.27 * len(shown) + 1.3)
    places = np.arange(len(shown))
    effects = np.array([column.effect for column in shown])
    colours = [PALETTE[1] if column.alarm else FAINT for column in shown]
    ax.hlines(places, 0, effects, color=colours, linewidth=2)
    ax.scatter(effects, places, color=colours, s=42, zorder=3)
    smallest = getattr(result, "smallest_effect", None)
    if smallest:
        ax.axvline(smallest, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    by_row(ax, places, [label(column.column) for column in shown])
    ax.set_xlim(0, max(1.15 * float(effects.max()), 2.5 * (smallest or 0.0), 0.1))
    ax.set(title="Drift", xlabel="Jensen–Shannon distance, 0 (same) to 1 (nothing shared)")
    alarms = sum(column.alarm for column in every)
    note = f"{alarms} of {len(every)} columns drifted"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def drifted_columns(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the columns that raise the alarm: shares of the reference and of the new rows.

    Args:
        result: A drift report whose columns have `cells` (bin edges or values) and for each cell
            the shares `reference` and `current`.
        ax: The axes to draw on; they become a grid of at most six columns.
    """
    moved = sorted((c for c in result.columns if c.alarm and c.cells), key=lambda c: -c.effect)
    shown = moved[:_MOST_PANELS]
    across = min(3, max(1, len(shown)))
    rows = max(1, -(-len(shown) // across))
    ax = axes(ax, width=max(3.6, 2.9 * across), height=2.1 * rows + 0.5)
    grid = panels(ax, max(1, len(shown)), columns=across)
    for column, small in zip(shown, grid, strict=False):
        _shares(small, column)
        small.set_title(label(column.column, longest=24), size=9)
    if shown:
        grid[0].legend(fontsize=7)
    more = f" · {len(moved) - len(shown)} more" if len(moved) > len(shown) else ""
    ax.set_title(f"Drifted columns{more}" if moved else "No column drifted")
    return ax


def _shares(ax: Axes, column: Any) -> None:
    thin(ax, grid=None).tick_params(labelsize=7, length=0)
    if len(column.cells) == len(column.reference) + 1:
        _binned(ax, column)
    else:
        _valued(ax, column)


def _binned(ax: Axes, column: Any) -> None:
    """Bins are drawn equally wide: quantile bins of long tails would be slivers."""
    edges = np.arange(len(column.reference) + 1)
    ax.stairs(column.reference, edges, color=MUTED, linewidth=1.5, label="reference")
    ax.stairs(column.current, edges, color=PALETTE[1], linewidth=1.8, label="new rows")
    marked = np.unique(np.linspace(0, len(column.cells) - 1, 4).round().astype(int))
    written = day if getattr(column, "kind", "number") == "datetime" else number
    ax.set_xticks(marked, [written(float(column.cells[n])) for n in marked])
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")


def _valued(ax: Axes, column: Any) -> None:
    reference, current = np.asarray(column.reference), np.asarray(column.current)
    frequent = np.argsort(-np.maximum(reference, current), kind="stable")[:_MOST_VALUES]
    places = np.arange(len(frequent))
    ax.barh(places - 0.2, reference[frequent], 0.38, color=FAINT, label="reference")
    ax.barh(places + 0.2, current[frequent], 0.38, color=PALETTE[1], label="new rows")
    ax.set_yticks(places, [label(column.cells[n], longest=14) for n in frequent])
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")


@drawn
def quality(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share of the new rows that each finding is about, the worst findings on top.

    Args:
        result: A quality report: `rows` and `findings`, each with `severity` ("error", "warning"
            or "note"), `column`, `fault` and `count`.
        ax: The axes to draw on.
    """
    colours = {"error": PALETTE[1], "warning": PALETTE[4], "note": FAINT}
    found = result.findings[:_MOST_COLUMNS]
    ax = axes(ax, height=0.27 * len(found) + 1.3)
    for place, one in enumerate(found):
        share = one.count / max(result.rows, 1)
        ax.hlines(place, 0, share, color=colours[one.severity], linewidth=2)
        ax.scatter(share, place, color=colours[one.severity], s=42, zorder=3)
    names = [label(f"{one.column or 'rows'}: {one.fault}", longest=36) for one in found]
    by_row(ax, range(len(found)), names)
    ax.set_xlim(0, 1.04)
    ax.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.set(title="Quality", xlabel="share of the new rows")
    note = f"{len(result.findings)} found" if found else "nothing is wrong"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax
