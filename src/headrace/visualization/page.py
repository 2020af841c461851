"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.storage.files import write_file
from headrace.visualization.content import Content, Numbers, render
from headrace.visualization.headline import headline
from headrace.visualization.markup import facts as cards
from headrace.visualization.style import style
from headrace.visualization.text import browser_fonts
from headrace.visualization.theme import DARK, LIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["report", "write_report"]

# What the sections of a run are called.
_HEADINGS = {
    "train": "Training",
    "evaluate": "Evaluation",
    "tune": "Tuning",
    "verify": "Verification",
    "deploy": "Release",
    "maintain": "Maintenance",
}

# Nothing is loaded, and no script runs but the one whose digest stands here.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="headrace">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{colours}
{css}</style>
</head>
<body{bare}>
<a class="skip" href="#main">Skip to the results</a>
<header><div><p class="kind">headrace report</p>
<button id="theme" type="button" hidden>Dark</button>
<h1>{title}</h1><p>{about}</p></div></header>
<div class="layout">
{facts}
<div class="body">
<nav aria-label="Sections"><ol>{links}</ol></nav>
<main id="main">
{sections}
</main>
</div>
<footer>{written}</footer>
</div>
<script>{script}</script>
</body>
</html>
"""


def report(
    sections: Mapping[str, Content],
    *,
    title: str = "The life of a model",
    about: str = "",
    facts: Mapping[str, object] | None = None,
    written: datetime | None = None,
) -> str:
    """Answer a page with a section for each entry, readable on paper, telephone and screen.

    Args:
        sections: Heading, or the name of a stage → what stands there: a result (it is shown with
            its tables, pictures and text), axes, a `Table`, text (several lines stand as code), a
            mapping of names to values, or a list of these.
        title: The title of the page.
        about: A sentence under the title.
        facts: The figures on top: name → value, or (value, remark). None takes them from the
            results.
        written: When it was written; now if not given.

    Returns:
        HTML with style and pictures inside; it loads nothing.

    Example:
        >>> page = report({"Data": {"rows": 48842}}, title="Income <2026>")
        >>> "<h1>Income &lt;2026&gt;</h1>" in page, "48,842" in page
        (True, True)
    """
    salt, script = Numbers(), _asset("report.js")
    shown = {_heading(name): content for name, content in sections.items()}
    names = {heading: f"s{n}-{_slug(heading)}" for n, heading in enumerate(shown, start=1)}
    with browser_fonts(), style():
        parts = [
            f'<section id="{names[heading]}"><h2>{html.escape(heading)}</h2>'
            f"{render(content, salt)}</section>"
            for heading, content in shown.items()
        ]
    links = [f'<li><a href="#{name}">{html.escape(head)}</a></li>' for head, name in names.items()]
    top = headline(sections) if facts is None else facts
    moment = (written or datetime.now(UTC)).astimezone(UTC)
    return _PAGE.format(
        title=html.escape(title),
        about=html.escape(about),
        policy=_POLICY.format(digest=_digest(script)),
        colours=_colours(),
        css=_asset("report.css"),
        script=script,
        bare="" if top else ' class="bare"',
        facts=cards(top),
        links="".join(links),
        sections="\n".join(parts),
        written=f"Written {moment:%Y-%m-%d %H:%M} UTC",
    )


def write_report(
    path: str | Path,
    sections: Mapping[str, Content],
    *,
    title: str = "The life of a model",
    about: str = "",
    facts: Mapping[str, object] | None = None,
) -> Path:
    """Write the page of `report` to a file; the file is there as a whole or not at all.

    Args:
        path: The file; its folder is made when it is missing.
        sections: See `report`.
        title: See `report`.
        about: See `report`.
        facts: See `report`.

    Returns:
        The path of the file.
    """
    page = report(sections, title=title, about=about, facts=facts)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(target, page.encode("utf-8"))
    return target


def _asset(name: str) -> str:
    return files("headrace.visualization").joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _colours() -> str:
    """Answer the colours of both themes: the system's, or the one that was chosen on the page."""
    light, dark = (
        "; ".join(f"{name}: {colour}" for name, colour in theme.variables.items())
        for theme in (LIGHT, DARK)
    )
    return (
        f":root {{ color-scheme: light; {light} }}\n"
        f"@media screen {{ :root[data-theme=dark] {{ color-scheme: dark; {dark} }} }}\n"
        "@media screen and (prefers-color-scheme: dark) "
        f"{{ :root:not([data-theme=light]) {{ color-scheme: dark; {dark} }} }}"
    )


def _heading(name: str) -> str:
    return _HEADINGS.get(name, name[:1].upper() + name[1:])


def _slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"
