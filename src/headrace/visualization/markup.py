"""The pieces of an HTML page. Every text is escaped here, and nowhere else."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.visualization.picture import svg
from headrace.visualization.text import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

__all__ = [
    "Figure",
    "Html",
    "Table",
    "details",
    "facts",
    "figure",
    "interval",
    "items",
    "pictures",
    "pill",
    "plain",
    "rounded",
    "table",
    "text",
]

_WIDE_INCHES = 7.0
_LONG = 14
_LONG_VALUE = 24
_PILLS = {
    **dict.fromkeys(("better", "keep", "promote", "passed"), "good"),
    **dict.fromkeys(("worse", "rollback", "failed", "error"), "bad"),
}


class Html(str):
    """Text that is HTML already; every other string is escaped."""

    __slots__ = ()


class Figure(str):
    """A number that is written already; it stands on the right as numbers do."""

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
    numeric = (_are_numbers([row[n] for row in shown.rows]) for n in range(len(shown.columns)))
    classes = [' class="number"' if right else "" for right in numeric]
    # Above the table, not in it: a caption would be as wide as a table that scrolls.
    caption = f'<p class="caption">{text(shown.caption)}</p>' if shown.caption else ""
    head = "".join(
        f"<th{kind}>{text(name)}</th>" for name, kind in zip(shown.columns, classes, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(_cell(v, kind) for v, kind in zip(row, classes, strict=True))}</tr>"
        for row in shown.rows
    )
    return Html(
        f'{caption}<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: object, kind: str) -> str:
    """Answer a cell, with the value that it is sorted by where its text hides it."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    sorted_by = ""
    if isinstance(value, Figure):
        sorted_by = value.replace(",", "").replace("−", "-")
    elif plain and math.isfinite(value):  # type: ignore[arg-type]
        sorted_by = repr(value)
    given = f' data-value="{html.escape(sorted_by)}"' if sorted_by not in {"", "–"} else ""
    return f"<td{kind}{given}>{text(value)}</td>"


def _are_numbers(values: Sequence[object]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(
        isinstance(value, int | float | Figure) and not isinstance(value, bool) for value in given
    )


def plain(values: Mapping[str, object]) -> Html:
    """Answer names and their values, as many side by side as there is room for."""
    pairs = []
    for name, value in values.items():
        long = ' class="long"' if len(text(value)) > _LONG_VALUE else ""
        pairs.append(f"<div{long}><dt>{text(name)}</dt><dd>{text(value)}</dd></div>")
    return Html(f'<dl class="plain">{"".join(pairs)}</dl>')


def rounded(*values: float, width: float) -> tuple[Figure, ...]:
    """Answer numbers with the digits that an interval of this width can tell apart.

    Example:
        >>> rounded(0.91834, 0.91, 0.92, width=0.01)
        ('0.918', '0.910', '0.920')
        >>> rounded(47312.4, width=2600.0)
        ('47,312',)
    """
    known = math.isfinite(width) and width > 0
    digits = min(6, max(0, 1 - math.floor(math.log10(width)))) if known else 4
    return tuple(
        Figure(f"{value:,.{digits}f}".replace("-", "−") if math.isfinite(value) else "–")
        for value in values
    )


def items(sentences: Sequence[str]) -> Html:
    """Answer sentences as a list.

    Example:
        >>> items(["a < b"])
        '<ul><li>a &lt; b</li></ul>'
    """
    lines = "".join(f"<li>{text(sentence)}</li>" for sentence in sentences)
    return Html(f"<ul>{lines}</ul>" if lines else "")


def facts(values: Mapping[str, object]) -> Html:
    """Answer the row of figures on top of the page; (figure, remark) adds a small line."""
    cards = []
    for name, value in values.items():
        figure, remark = value if isinstance(value, tuple) else (value, None)
        small = f"<small>{text(remark)}</small>" if remark else ""
        long = ' class="long"' if len(text(figure)) > _LONG else ""
        cards.append(f"<div><dt>{text(name)}</dt><dd{long}>{text(figure)}{small}</dd></div>")
    return Html(f'<dl class="facts">{"".join(cards)}</dl>' if cards else "")


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
        >>> '<i style="left:80.0%;width:20.0%"></i>' in interval(0.9, 0.8, 1.0)
        True
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
    kind = _PILLS.get(verdict, "open")
    return Html(f'<span class="pill {kind}">{text(verdict)}</span>')


def details(heading: str, inside: str) -> Html:
    """Answer text that opens on a click."""
    return Html(f"<details><summary>{text(heading)}</summary><pre>{text(inside)}</pre></details>")
