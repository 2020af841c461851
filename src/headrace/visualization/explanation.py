"""Pictures of what a model relies on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headrace.errors import SettingError
from headrace.visualization.style import FAINT, INK, MUTED, PALETTE, axes, by_row, drawn
from headrace.visualization.text import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["importance"]

_MOST_COLUMNS = 20


class _Bar(NamedTuple):
    name: str
    drop: float
    low: float
    high: float
    together: bool = False


@drawn
def importance(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how much the score falls when a column is shuffled, the most important column on top.

    Args:
        result: An evaluation with an `importance`, or that: `columns`, each with `column`, `drop`,
            `low` and `high`, and the `metric` that fell. Or a mapping of column names to a number
            or to (drop, low, high). Its `groups`, columns shuffled together, have another colour.
        ax: The axes to draw on.

    Raises:
        SettingError: There is no column.

    Example:
        >>> ax = importance({"age": 0.1, "education": (0.3, 0.2, 0.4)})
        >>> [tick.get_text() for tick in ax.get_yticklabels()]
        ['education', 'age']
    """
    found = getattr(result, "importance", result)
    every = sorted(_bars(found), key=lambda bar: -bar.drop)
    if not every:
        raise SettingError("a picture of the importance needs a column, received none")
    bars = every[:_MOST_COLUMNS]
    ax = axes(ax, height=0.27 * len(bars) + 1.3)
    places = np.arange(len(bars))
    drops = np.array([bar.drop for bar in bars])
    sure = np.array([bar.low > 0 for bar in bars])
    strong = np.where([bar.together for bar in bars], PALETTE[6], PALETTE[0])
    ax.barh(places, drops, height=0.66, color=np.where(sure, strong, FAINT))
    ax.hlines(places, [bar.low for bar in bars], [bar.high for bar in bars], color=INK, linewidth=1)
    by_row(ax, places, [label(bar.name) for bar in bars])
    metric = label(getattr(found, "metric", None) or "the metric")
    ax.set(title="Importance", xlabel=f"how much worse {metric} gets when the column is shuffled")
    more = f" · {len(every) - len(bars)} more columns" if len(every) > len(bars) else ""
    pale = "pale: cannot be told from zero" if not sure.all() else ""
    if any(bar.together for bar in bars):
        pale = " · ".join(filter(None, (pale, "violet: shuffled together")))
    ax.set_title(
        (pale + more).removeprefix(" · "), loc="right", size=9, color=MUTED, weight="normal"
    )
    return ax


def _bars(found: Any) -> list[_Bar]:
    if isinstance(found, Mapping):
        return [_bar(str(name), value) for name, value in found.items()]
    bars = [_Bar(one.column, one.drop, one.low, one.high) for one in found.columns]
    return bars + [
        _Bar(" + ".join(one.columns), one.drop, one.low, one.high, together=True)
        for one in getattr(found, "groups", ())
    ]


def _bar(name: str, value: Any) -> _Bar:
    drop, low, high = value if isinstance(value, Sequence) else (value, value, value)
    return _Bar(name, float(drop), float(low), float(high))
