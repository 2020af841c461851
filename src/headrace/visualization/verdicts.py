"""Pictures of comparisons: a difference with its interval, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.visualization.style import FAINT, INK, MUTED, PALETTE, axes, drawn, thin
from headrace.visualization.text import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["comparison"]

_COLOURS = {"better": PALETTE[0], "worse": PALETTE[1]}


@drawn
def comparison(result: Any, ax: Axes | None = None) -> Axes:
    """Draw differences with their intervals; what lies to the right is better.

    Args:
        result: A comparison (`difference`, `low`, `high`, `verdict`, `metric`,
            `higher_is_better`, `smallest_effect`), or a mapping of names to comparisons of one
            metric, such as an evaluation's `comparisons`.
        ax: The axes to draw on.

    Raises:
        SettingError: There is no comparison.

    Example:
        >>> from headrace.evaluate.comparison import compare
        >>> truth = np.arange(50.0)
        >>> found = compare(truth, truth + 1, truth + 3 * np.cos(truth), task="regression")
        >>> comparison({"cosine": found}).get_yticklabels()[0].get_text()
        'cosine'
    """
    found = result if isinstance(result, Mapping) else {"": result}
    if not found:
        raise SettingError("a picture of comparisons needs one, received none")
    several = list(found.values())
    ax = axes(ax, height=0.42 * len(several) + 1.5)
    first = several[0]
    effect = first.smallest_effect
    if effect:
        ax.axvspan(-effect, effect, color=FAINT, alpha=0.5, linewidth=0)
    ax.axvline(0, color=MUTED, linewidth=1)
    for place, one in enumerate(several):
        colour = _COLOURS.get(one.verdict, INK)
        low, high = np.clip([one.low, one.high], *_in_sight(several))
        ax.hlines(place, low, high, color=colour, linewidth=2)
        ax.plot([one.difference], [place], "o", color=colour, markersize=6)
        ax.annotate(
            one.verdict,
            (one.difference, place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            size=9,
            color=colour,
        )
    ax.set_yticks(range(len(several)), [label(name) for name in found])
    ax.set_ylim(len(several) - 0.5, -0.7)
    if not first.higher_is_better:
        ax.invert_xaxis()
    thin(ax, grid="x").tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set(title="Comparison", xlabel=f"difference of {label(first.metric)}, better to the right")
    if effect:
        ax.set_title("grey: too small to matter", loc="right", size=9, color=MUTED, weight="normal")
    return ax


def _in_sight(several: list[Any]) -> tuple[float, float]:
    """Answer the ends that are drawn: an interval without end is cut."""
    ends = np.array([[one.low, one.high] for one in several]).ravel()
    known = ends[np.isfinite(ends)]
    if not len(known):
        return -1.0, 1.0
    return float(known.min()), float(known.max())
