"""The look of every picture: colours, type, axes. No global setting of matplotlib is touched."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from math import ceil
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from headrace.visualization.text import families

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

# Okabe and Ito (2008), "Color universal design", in an order that keeps neighbours far apart; their
# yellow is replaced by an ochre that stands out on white, black by a violet.
PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#7b5fb0",
    "#8a7a52",
)
MARKERS = "os^Dv<>P"
INK = "#1c2733"
MUTED = "#5b6876"
FAINT = "#b4bec9"
GRID = "#e4e9ee"
PAPER = "#ffffff"

_TITLE_INCHES = 0.28

_SETTINGS: dict[str, Any] = {
    "figure.facecolor": PAPER,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "font.size": 10,
    "axes.facecolor": PAPER,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "patch.linewidth": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": INK,
    "text.color": INK,
    "text.usetex": False,
    # Text stays text in SVG: small, searchable, drawn with the fonts of the reader.
    "svg.fonttype": "none",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style inside the block; afterwards matplotlib is as it was.

    Example:
        >>> with style():
        ...     ax = axes()
        >>> ax.get_facecolor()
        (1.0, 1.0, 1.0, 1.0)
    """
    settings: Any = {**_SETTINGS, "font.family": list(families())}
    with mpl.rc_context(settings):
        yield


def drawn(draw: Callable[P, Axes]) -> Callable[P, Axes]:
    """Make a function draw in the house style."""

    @wraps(draw)
    def in_style(*arguments: P.args, **named: P.kwargs) -> Axes:
        with style():
            return draw(*arguments, **named)

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
