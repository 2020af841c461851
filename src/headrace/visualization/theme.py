"""Light and dark: the colours of every picture and page, and the way from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb, to_rgba_array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DARK", "LIGHT", "Theme", "darken"]


@dataclass(frozen=True)
class Theme:
    """The colours of one mode.

    Attributes:
        ink: Text that matters.
        muted: Other text.
        faint: Lines that carry nothing by themselves.
        grid: Grid lines.
        paper: The ground of pictures and sections.
        page: The ground behind sections.
        palette: The colours of series, in an order that keeps neighbours far apart.
    """

    ink: str
    muted: str
    faint: str
    grid: str
    paper: str
    page: str
    palette: tuple[str, ...]

    @property
    def variables(self) -> dict[str, str]:
        """The CSS variable of each colour."""
        plain = {
            "--ink": self.ink,
            "--muted": self.muted,
            "--faint": self.faint,
            "--grid": self.grid,
            "--paper": self.paper,
            "--page": self.page,
        }
        return plain | {f"--c{number}": one for number, one in enumerate(self.palette, start=1)}


# The first four are those of Okabe and Ito (2008), "Color universal design"; the others were moved
# until every pair stays apart for people with protanopia, deuteranopia and tritanopia, and every
# colour stands out from its paper. tests/visualization/test_theme.py measures it.
LIGHT = Theme(
    ink="#1c2733",
    muted="#5b6876",
    faint="#b4bec9",
    grid="#e4e9ee",
    paper="#ffffff",
    page="#f5f7f9",
    palette=(
        "#0072b2",
        "#d55e00",
        "#009e73",
        "#cc79a7",
        "#a98e2d",
        "#4a97e2",
        "#5a3d9a",
        "#8a5a4c",
    ),
)
DARK = Theme(
    ink="#e6ebf0",
    muted="#9dabb9",
    faint="#566370",
    grid="#2b3540",
    paper="#19212a",
    page="#11171d",
    palette=(
        "#4aa3df",
        "#f08a45",
        "#5affcd",
        "#a28191",
        "#f7b10f",
        "#a9dcff",
        "#8e58d9",
        "#b37265",
    ),
)

_PAIRS = tuple(
    (np.array(to_rgb(light)), to_rgb(DARK.variables[name]))
    for name, light in LIGHT.variables.items()
)
_PARTS = ("facecolor", "edgecolor", "color", "markerfacecolor", "markeredgecolor")


def darken(figure: Figure) -> None:
    """Give everything on a figure that has a colour of the light theme that of the dark one.

    Other colours stay, so what a user has drawn beside is left alone.
    """
    for artist in figure.findobj():
        for part in _PARTS:
            _recolour(artist, part)


def _recolour(artist: Any, part: str) -> None:
    get, put = getattr(artist, f"get_{part}", None), getattr(artist, f"set_{part}", None)
    if get is None or put is None:
        return
    value = get()
    try:
        before = to_rgba_array(value)
    except (ValueError, TypeError):  # such as "auto": it follows another part
        return
    after = before.copy()
    for row, colour in enumerate(before):
        for light, dark in _PAIRS:
            if colour[3] > 0 and np.abs(colour[:3] - light).max() < 1e-3:
                after[row, :3] = dark
    if len(after) and not np.array_equal(after, before):
        put(after if np.ndim(value) == 2 else tuple(after[0]))
