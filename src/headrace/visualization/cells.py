"""Cells of a heat map around zero: two colours, the stronger the larger, numbers written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from headrace.visualization.style import INK, PALETTE, thin
from headrace.visualization.text import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["cells"]

_FAINTEST, _STRONGEST = 0.04, 0.72
_MOST_WRITTEN = 400


def cells(
    ax: Axes,
    values: NDArray[np.float64],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    most: float,
    text: str = "{:+.1f}",
) -> None:
    """Draw values as cells, row by row from the top down; NaN leaves a cell empty.

    Cells are the colours of the palette over the paper, so they suit light and dark pages.

    Args:
        ax: The axes.
        values: (rows, columns).
        rows: What the rows are called.
        columns: What the columns are called.
        most: The value from which on a cell has the strongest colour.
        text: How a value is written.
    """
    for (i, j), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        share = min(1.0, abs(float(value)) / most)
        face = PALETTE[0] if value > 0 else PALETTE[1]
        place = (j - 0.48, i - 0.46)
        alpha = _FAINTEST + (_STRONGEST - _FAINTEST) * share
        ax.add_patch(Rectangle(place, 0.96, 0.92, facecolor=face, alpha=alpha))
        if values.size <= _MOST_WRITTEN:
            written = text.format(value).replace("-", "−")
            written = written if written.strip("+−0.") else "0"
            ax.text(j, i, written, ha="center", va="center", size=8, color=INK)
    ax.set_xlim(-0.5, values.shape[1] - 0.5)
    ax.set_ylim(values.shape[0] - 0.5, -0.5)
    ax.set_xticks(range(len(columns)), [label(name, longest=20) for name in columns])
    ax.set_yticks(range(len(rows)), [label(name, longest=28) for name in rows])
    thin(ax, grid=None).tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
