"""The pieces of an HTML page. Every text is escaped here, and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.visualization.picture import svg
from headrace.visualization.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Html", "Table", "details", "facts", "figure", "interval", "pictures", "pill", "table"]

_WIDE_INCHES = 7.0


class Html(str):
    """Text that is HTML already; every other string is escaped."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for a table of the report.

    Attributes:
        columns: The headings.
        rows: One value a heading; numbers stand on the right, `Html` stays as it is.
        caption: What the table shows.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""


def text(value: object) -> str:
    """Answer a value as HTML: numbers with the digits that count, all else escaped.

    Example:
        >>> text("a < b"), text(0.91834), text(48842), text(None)
        ('a &lt; b', '0.918', '48,842', '–')
    """
    if isinstance(value, Html):
        return str(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    return html.escape(str(value))


def table(shown: Table) -> Html:
    """Answer a table that scrolls sideways where the screen is narrow.

    Example:
        >>> "<td>a &amp; b</td>" in table(Table(["name"], [["a & b"]]))
        True
    """
    numeric = [
        bool(shown.rows) and all(_is_number(row[index]) for row in shown.rows)
        for index in range(len(shown.columns))
    ]
    classes = [' class="number"' if right else "" for right in numeric]
    caption = f"<caption>{text(shown.caption)}</caption>" if shown.caption else ""
    head = "".join(
        f"<th{kind}>{text(name)}</th>" for name, kind in zip(shown.columns, classes, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(f'<td{c}>{text(v)}</td>' for v, c in zip(row, classes, strict=True))}</tr>"
        for row in shown.rows
    )
    return Html(
        f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def facts(values: Mapping[str, object]) -> Html:
    """Answer the row of figures on top of the page; (figure, remark) adds a small line."""
    cards = []
    for name, value in values.items():
        figure, remark = value if isinstance(value, tuple) else (value, None)
        small = f"<small>{text(remark)}</small>" if remark else ""
        cards.append(f"<div><dt>{text(name)}</dt><dd>{text(figure)}{small}</dd></div>")
    return Html(f'<dl class="facts">{"".join(cards)}</dl>' if cards else "<div class=facts></div>")


def figure(ax: Axes, *, salt: str) -> Html:
    """Answer the figure of some axes as a picture inside the page."""
    whole = ax.get_figure(root=True)
    width = whole.get_size_inches()[0] if whole is not None else 0
    alt = ax.get_title(loc="left") or ax.get_title() or "picture"
    kind = ' class="wide"' if width > _WIDE_INCHES else ""
    return Html(f"<figure{kind}>{svg(ax, alt=alt, salt=salt)}</figure>")


def pictures(found: Sequence[Html]) -> Html:
    """Answer pictures side by side, as many as the screen has room for."""
    return Html(f'<div class="pictures">{"".join(found)}</div>' if found else "")


def interval(value: float, low: float, high: float) -> Html:
    """Answer a small bar from 0 to 1 with the interval and the value on it.

    Example:
        >>> interval(0.9, 0.8, 1.0)
        '<span class="range"><i style="left:80.0%;width:20.0%"></i><b style="left:90.0%"></b></span>'
    """
    return Html(
        f'<span class="range"><i style="left:{low:.1%};width:{high - low:.1%}"></i>'
        f'<b style="left:{value:.1%}"></b></span>'
    )


def pill(verdict: str) -> Html:
    """Answer a verdict in the colour of what it says.

    Example:
        >>> pill("better")
        '<span class="pill good">better</span>'
    """
    word = verdict.lower()
    good = word.startswith(("better", "keep", "promote", "pass", "ok", "agree", "yes"))
    bad = word.startswith(("worse", "rollback", "fail", "drift", "disagree", "no "))
    kind = "good" if good else "bad" if bad and "not enough" not in word else "open"
    return Html(f'<span class="pill {kind}">{text(verdict)}</span>')


def details(heading: str, inside: str) -> Html:
    """Answer text that opens on a click."""
    return Html(f"<details><summary>{text(heading)}</summary><pre>{text(inside)}</pre></details>")
