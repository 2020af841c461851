"""Pictures of what was kept, proved and published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.visualization.style import INK, axes, drawn, thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["parity", "release_files", "time_saved"]


@drawn
def time_saved(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the seconds that each kept part of a run saved.

    Args:
        result: An explanation of a cache: `lines`, each with `kept`, `part` and `saved`.
        ax: The axes to draw on.
    """
    kept = [line for line in result.lines if line.kept]
    ax = axes(ax)
    ax.barh([line.part for line in kept], [line.saved for line in kept])
    ax.set(xlabel="saved (s)", title="Parts that were kept")
    ax.invert_yaxis()
    return ax


@drawn
def parity(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the difference of each path against the tolerance, on a logarithmic scale.

    Args:
        result: A verification: `differences` by path, `tolerance`.
        ax: The axes to draw on.
    """
    smallest = float(np.finfo(np.float64).eps)
    shown = [max(min(value, 1e6), smallest) for value in result.differences.values()]
    ax = axes(ax, height=2.6)
    ax.barh(list(result.differences), shown)
    ax.axvline(result.tolerance, color=INK, linestyle="--", linewidth=1, label="tolerance")
    ax.set(xscale="log", xlabel="largest difference", title="Agreement of the paths")
    ax.set_xlim(smallest / 2, 10 * max(result.tolerance, *shown))
    ax.invert_yaxis()
    ax.legend()
    return thin(ax, grid="x")


@drawn
def release_files(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the size of each file of a release.

    Args:
        result: A deployment: `sizes` in bytes by file.
        ax: The axes to draw on.
    """
    ax = axes(ax)
    ax.barh(list(result.sizes), [size / 1024 for size in result.sizes.values()])
    ax.set(xlabel="size (KiB)", title="Files of the release")
    ax.invert_yaxis()
    return ax
