"""A picture as SVG text that stands inside an HTML page and follows its light or dark theme."""

from __future__ import annotations

import html
import re
import warnings
from io import StringIO
from typing import TYPE_CHECKING

import matplotlib as mpl

from headrace.visualization.style import style
from headrace.visualization.theme import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["VARIABLES", "svg"]

# The colours of the house style -> the CSS variables that a page gives them.
VARIABLES = {colour: name for name, colour in LIGHT.variables.items()}

_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACES = re.compile(r'\s+xmlns(:\w+)?="[^"]*"')
# Names that matplotlib gives to groups; the names that are referred to are digests.
_GROUP_IDS = re.compile(r' id="[A-Za-z0-9.]+_\d+"')


def svg(ax: Axes, *, alt: str, salt: str = "") -> str:
    """Answer the figure of some axes as one `<svg>` element.

    Colours of the house style become CSS variables (`--ink`, `--c1`, …), each with the colour
    itself for pages that do not set them. The same picture gives the same text.

    Args:
        ax: Axes on the figure.
        alt: What the picture shows, for readers who cannot see it.
        salt: Keeps the names inside apart from those of other pictures on the page.
    """
    figure = ax.get_figure(root=True)
    buffer = StringIO()
    with style(), mpl.rc_context({"svg.hashsalt": f"headrace{salt}"}), warnings.catch_warnings():
        # A character that matplotlib's fonts lack is still drawn by the browser.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})  # type: ignore[union-attr]
    return _inline(buffer.getvalue(), alt)


def _inline(text: str, alt: str) -> str:
    text = _PROLOGUE.sub("", text, count=1)
    text = _METADATA.sub("", text)
    text = _GROUP_IDS.sub("", text)
    head, _, body = text.partition(">")
    head = _NAMESPACES.sub("", head)
    view = re.search(r'viewBox="[^"]*"', head)
    opening = f'<svg {view[0] if view else ""} role="img" aria-label="{html.escape(alt)}"'
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable}, {colour})")
    return f"{opening}>{body.strip()}"
