"""A plan as people read it: which columns go in, what becomes of them, what comes out."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.plan.plan import ColumnInfo, Node, Plan, PythonNode

__all__ = ["plan_html", "plan_text"]

_MOST_NAMES, _MOST_NODES = 4, 200
_HEADER = ("operation", "reads", "makes")


def plan_text(plan: Plan) -> str:
    """Answer a plan as text, an operation a line.

    Example:
        >>> from headrace.plan.arithmetic import Fill
        >>> from headrace.plan.plan import ColumnInfo, Node, Plan
        >>> x = ColumnInfo("x", "number", "number")
        >>> print(plan_text(Plan((x,), (Node.of(Fill([0.0]), ["x"]),), (x,))))
        1 column (1 number) in
        Fill  x  →  x
        1 column (1 number) out
    """
    rows = _rows(plan)
    widths = [max((len(row[place]) for row in rows), default=0) for place in (0, 1)]
    lines = [
        f"{name:<{widths[0]}}  {reads:<{widths[1]}}  →  {makes}" for name, reads, makes in rows
    ]
    return "\n".join([f"{_columns(plan.inputs)} in", *lines, *_rest(plan), f"{_end(plan)}"])


def plan_html(plan: Plan) -> str:
    """Answer a plan as a table, an operation a row; every name is escaped."""
    style = ' style="text-align:left"'
    head = "".join(f"<th{style}>{name}</th>" for name in _HEADER)
    body = "".join(
        "<tr>" + "".join(f"<td{style}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _rows(plan)
    )
    ends = html.escape(". ".join([f"{_columns(plan.inputs)} in", *_rest(plan), _end(plan)]))
    return f"<p>{ends}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _rows(plan: Plan) -> list[tuple[str, str, str]]:
    return [_row(node) for node in plan.nodes[:_MOST_NODES]]


def _row(node: Node | PythonNode) -> tuple[str, str, str]:
    if not node.portable:
        made = [info.name for info in node.outputs]  # type: ignore[union-attr]
        return f"{node.name} (Python)", "all columns", _names(made)  # type: ignore[union-attr]
    name = type(node.operation).__name__  # type: ignore[union-attr]
    return name, _names(node.inputs), _names(node.outputs)  # type: ignore[union-attr,arg-type]


def _rest(plan: Plan) -> list[str]:
    more = len(plan.nodes) - _MOST_NODES
    return [f"{more} more operations are not shown"] if more > 0 else []


def _end(plan: Plan) -> str:
    return f"{_columns(plan.outputs)} out"


def _columns(columns: Sequence[ColumnInfo]) -> str:
    counts: dict[str, int] = {}
    for info in columns:
        counts[info.type] = counts.get(info.type, 0) + 1
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    noun = "column" if len(columns) == 1 else "columns"
    return f"{len(columns)} {noun}" + (f" ({kinds})" if kinds else "")


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(" ".join(name.split()) for name in names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
