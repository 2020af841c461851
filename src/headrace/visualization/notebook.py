"""A result in a notebook: the tables and pictures of the report, in the notebook's own colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.visualization.content import Numbers, render
from headrace.visualization.style import style
from headrace.visualization.text import browser_fonts
from headrace.visualization.theme import DARK, LIGHT

if TYPE_CHECKING:
    from headrace.visualization.theme import Theme

__all__ = ["notebook"]

_MOST_BYTES = 400_000

# Text has the notebook's colour; lines and marks follow its theme, where it says which it has.
_CSS = """.headrace-result { max-width: 60rem; }
.headrace-result .pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
.headrace-result figure { margin: 0; flex: 1 1 20rem; max-width: 34rem; }
.headrace-result figure.wide { flex-basis: 100%; max-width: 100%; }
.headrace-result svg { width: 100%; height: auto; }
.headrace-result table { border-collapse: collapse; }
.headrace-result th, .headrace-result td { text-align: left; padding: .2em .8em .2em 0; }
.headrace-result th { font-weight: 500; opacity: .75; }
.headrace-result .number { text-align: right; }
.headrace-result .caption { font-weight: 600; margin: .8em 0 .2em; }
.headrace-result .plain { display: flex; flex-wrap: wrap; gap: .3em 1.6em; margin: .3em 0; }
.headrace-result dt { opacity: .7; font-size: .85em; font-weight: 400; }
.headrace-result dd { margin: 0; }
.headrace-result .range { display: block; position: relative; width: 110px; height: 8px;
  border-radius: 4px; background: var(--grid); }
.headrace-result .range i { position: absolute; inset: 0 auto; border-radius: 4px;
  background: var(--c1); opacity: .45; min-width: 3px; height: 8px; }
.headrace-result .range b { position: absolute; top: -3px; width: 3px; height: 14px;
  background: var(--c1); }"""
_DARK_HOSTS = (
    'body[data-jp-theme-light="false"] .headrace-result',
    "body.vscode-dark .headrace-result",
    'html[theme="dark"] .headrace-result',
)


def notebook(result: Any) -> str:
    """Answer a result as HTML for the cell of a notebook; it holds no script and loads nothing.

    Args:
        result: Any result of headrace.
    """
    with browser_fonts(), style():
        shown = str(render(result, Numbers()))
    if len(shown.encode()) > _MOST_BYTES:
        shown = _without_pictures(shown)
    colours = f".headrace-result {{ {_variables(LIGHT)} }} " + "".join(
        f"{host} {{ {_variables(DARK)} }} " for host in _DARK_HOSTS
    )
    return f'<div class="headrace-result"><style>{colours}{_CSS}</style>{shown}</div>'


def _variables(theme: Theme) -> str:
    named = theme.variables | {"--ink": "currentColor"}
    return "; ".join(f"{name}: {colour}" for name, colour in named.items())


def _without_pictures(shown: str) -> str:
    """Leave pictures out of what would make a notebook heavy, and say so."""
    before, mark, rest = shown.partition('<div class="pictures">')
    while mark:
        _, _, rest = rest.partition("</figure></div>")
        before += "<p>Its pictures are large and left out here: call plot().</p>"
        head, mark, rest = rest.partition('<div class="pictures">')
        before += head
    return before
