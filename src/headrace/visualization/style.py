"""The look of every picture: colours, type, axes. No global setting of matplotlib is touched."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from math import ceil
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from headrace.visualization.text import families
from headrace.visualization.theme import DARK, LIGHT, Theme, darken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "FAINT",
    "GRID",
    "INK",
    "MARKERS",
    "MUTED",
    "PALETTE",
    "PAPER",
    "axes",
    "by_row",
    "colour",
    "drawn",
    "panels",
    "style",
    "thin",
]

P = ParamSpec("P")

PALETTE = LIGHT.palette
MARKERS = "os^Dv<>P"
INK, MUTED, FAINT, GRID, PAPER = LIGHT.ink, LIGHT.muted, LIGHT.faint, LIGHT.grid, LIGHT.paper

_TITLE_INCHES = 0.28

_SIZES: dict[str, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "font.size": 10,
    "axes.linewidth": 0.8,
    "axes.labelsize": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "grid.linewidth": 0.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "patch.linewidth": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.usetex": False,
    # Text stays text in SVG: small, searchable, drawn with the fonts of the reader.
    "svg.fonttype": "none",
}

_theme: ContextVar[Theme] = ContextVar("theme", default=LIGHT)


def _colours(theme: Theme) -> dict[str, Any]:
    return {
        "figure.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "axes.facecolor": theme.paper,
        "axes.edgecolor": theme.faint,
        "axes.labelcolor": theme.muted,
        "axes.titlecolor": theme.ink,
        "axes.prop_cycle": cycler(color=theme.palette),
        "grid.color": theme.grid,
        "xtick.color": theme.faint,
        "ytick.color": theme.faint,
        "xtick.labelcolor": theme.muted,
        "ytick.labelcolor": theme.muted,
        "legend.labelcolor": theme.ink,
        "text.color": theme.ink,
    }


@contextmanager
def style(*, dark: bool = False) -> Iterator[None]:
    """Draw in the house style inside the block; afterwards matplotlib is as it was.

    Pictures of headrace look like this anyway: the block is for pictures of your own, and for
    dark ones.

    Args:
        dark: Whether to draw for a dark page.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> with style(dark=True):
        ...     figure, ax = plt.subplots()
        >>> ax.get_facecolor() == figure.get_facecolor() != (1.0, 1.0, 1.0, 1.0)
        True
        >>> plt.close(figure)
    """
    theme = DARK if dark else LIGHT
    settings: Any = {**_SIZES, **_colours(theme), "font.family": list(families())}
    token = _theme.set(theme)
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        _theme.reset(token)


def drawn(draw: Callable[P, Axes]) -> Callable[P, Axes]:
    """Make a function draw in the house style: light, or dark inside of `style(dark=True)`.

    The function itself knows the light colours alone.
    """

    @wraps(draw)
    def in_style(*arguments: P.args, **named: P.kwargs) -> Axes:
        dark = _theme.get() is DARK
        with style():
            ax = draw(*arguments, **named)
            figure = ax.get_figure(root=True)
            if dark and figure is not None:
                figure.draw_without_rendering()  # ticks are made when they are first drawn
                darken(figure)
        return ax

    return in_style


def axes(ax: Axes | None = None, *, width: float = 6.0, height: float = 3.8) -> Axes:
    """Answer the given axes, or new ones on a figure that pyplot does not know.

    Args:
        ax: The axes to draw on, if there are any.
        width: Of a new figure, in inches.
        height: Of a new figure, in inches.
    """
    if ax is not None:
        return ax
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def panels(ax: Axes, number: int, *, columns: int = 3) -> list[Axes]:
    """Divide axes into a grid of smaller ones; the outer axes keep the title.

    Args:
        ax: The outer axes; their lines disappear.
        number: How many smaller ones, at least one.
        columns: How many of them stand side by side.
    """
    ax.set_axis_off()
    rows, columns = ceil(number / columns), min(columns, number)
    place = ax.get_subplotspec()
    if place is not None:
        figure: Any = ax.get_figure(root=False)
        # The empty row on top keeps the titles of the first panels clear of the outer title.
        free = rows * _TITLE_INCHES * figure.get_dpi() / ax.get_window_extent().height
        grid = place.subgridspec(rows + 1, columns, height_ratios=[free, *[1] * rows])
        return [figure.add_subplot(grid[columns + n]) for n in range(number)]
    width, height = 1 / columns, 1 / rows
    return [
        ax.inset_axes(
            (n % columns * width, 1 - (n // columns + 1) * height, 0.82 * width, 0.68 * height)
        )
        for n in range(number)
    ]


def colour(index: int) -> str:
    """Answer the colour of the class, cluster or line with this number.

    Example:
        >>> colour(0) == colour(len(PALETTE))
        True
    """
    return PALETTE[index % len(PALETTE)]


def thin(ax: Axes, *, grid: str | None = "both") -> Axes:
    """Leave out what carries nothing: grid lines of one direction, or of both with None."""
    ax.grid(visible=False)
    if grid is not None:
        ax.grid(visible=True, axis=grid)  # type: ignore[arg-type]
    return ax


def by_row(
    ax: Axes, places: Sequence[int] | NDArray[Any], names: Sequence[str], **text: Any
) -> Axes:
    """Give each row of a picture its name, from the top down, with no line to its left.

    Args:
        ax: The axes.
        places: Where the rows are.
        names: What they are called.
        **text: Settings of the names' text.
    """
    ax.set_yticks(places, names, **text)
    ax.invert_yaxis()
    thin(ax, grid="x").tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax
