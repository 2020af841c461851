"""Tables of figures as aligned text and as HTML."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["figure", "html_list", "html_table", "text_table"]

_STYLE = "text-align:{side};padding:0.2em 0.8em"


def figure(value: float) -> str:
    """Answer a number with about four digits, "–" for none.

    Example:
        >>> [figure(value) for value in (0.91834, 47_512.3, 12.5, 0.0, float("nan"))]
        ['0.9183', '47,512', '12.5', '0', '–']
    """
    size = abs(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if size >= 1000:
        return f"{value:,.0f}"
    if 0.01 <= size < 1:
        return f"{value:.4f}"
    return f"{value:.4g}"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Answer an aligned table: the first column to the left, the others to the right.

    Columns without a header (the last one, for remarks) are kept to the left.

    Example:
        >>> print(text_table(["metric", "value", ""], [["mae", "1.25", "mind"], ["r2", "0.5", ""]]))
        metric  value
        mae      1.25  mind
        r2        0.5
    """
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = []
    for row in table:
        cells = [
            cell.ljust(width) if column == 0 or not header[column] else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "") -> str:
    """Answer the same table as HTML; every cell is escaped.

    Example:
        >>> html_table(["a"], [["<1"]]).count("&lt;1")
        1
    """

    def line(cells: Sequence[str], tag: str) -> str:
        made = []
        for column, cell in enumerate(cells):
            side = "left" if column == 0 or not header[column] else "right"
            made.append(f'<{tag} style="{_STYLE.format(side=side)}">{html.escape(cell)}</{tag}>')
        return f"<tr>{''.join(made)}</tr>"

    style = "text-align:left;padding:0.4em 0.8em"
    head = f'<caption style="{style}">{html.escape(caption)}</caption>' if caption else ""
    head += f"<thead>{line(header, 'th')}</thead>"
    body = "".join(line(row, "td") for row in rows)
    return f'<table class="headrace">{head}<tbody>{body}</tbody></table>'


def html_list(lines: Sequence[str]) -> str:
    """Answer lines as an HTML list, "" when there are none."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""
