"""Pictures of what a model relies on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headrace.errors import SettingError
from headrace.visualization.style import FAINT, INK, MUTED, PALETTE, axes, drawn, thin
from headrace.visualization.text import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["importance"]

_MOST_COLUMNS = 20


class _Bar(NamedTuple):
    name: str
    value: float
    low: float
    high: float


@drawn
def importance(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how much the score falls when a column is shuffled, the most important column on top.

    Args:
        result: A result with `importance`, or that itself: a mapping of column names to a number,
            to (value, low, high), or to something with these three as attributes; or a sequence
            of things with `column` (or `name`) and these three.
        ax: The axes to draw on.

    Raises:
        SettingError: There is no column.

    Example:
        >>> ax = importance({"age": 0.1, "education": (0.3, 0.2, 0.4)})
        >>> [tick.get_text() for tick in ax.get_yticklabels()]
        ['education', 'age']
    """
    every = sorted(_bars(getattr(result, "importance", result)), key=lambda bar: -bar.value)
    if not every:
        raise SettingError("a picture of the importance needs a column, received none")
    bars = every[:_MOST_COLUMNS]
    ax = axes(ax, height=0.27 * len(bars) + 1.3)
    places = np.arange(len(bars))
    values = np.array([bar.value for bar in bars])
    sure = np.array([bar.low > 0 for bar in bars])
    ax.barh(places, values, height=0.66, color=np.where(sure, PALETTE[0], FAINT))
    ax.hlines(places, [bar.low for bar in bars], [bar.high for bar in bars], color=INK, linewidth=1)
    ax.set_yticks(places, [label(bar.name) for bar in bars])
    ax.invert_yaxis()
    thin(ax, grid="x").tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    metric = label(getattr(result, "importance_metric", None) or "the score")
    ax.set(title="Importance", xlabel=f"loss of {metric} when the column is shuffled")
    more = f" · {len(every) - len(bars)} more columns" if len(every) > len(bars) else ""
    pale = "pale: cannot be told from zero" if not sure.all() else ""
    ax.set_title(
        (pale + more).removeprefix(" · "), loc="right", size=9, color=MUTED, weight="normal"
    )
    return ax


def _bars(found: Any) -> list[_Bar]:
    if isinstance(found, Mapping):
        return [_bar(str(name), value) for name, value in found.items()]
    return [_bar(str(getattr(item, "column", None) or item.name), item) for item in found]


def _bar(name: str, item: Any) -> _Bar:
    if isinstance(item, int | float):
        return _Bar(name, float(item), float(item), float(item))
    if isinstance(item, tuple | list):
        value, low, high = item
        return _Bar(name, float(value), float(low), float(high))
    value = getattr(item, "value", None)
    return _Bar(
        name, float(item.mean if value is None else value), float(item.low), float(item.high)
    )
