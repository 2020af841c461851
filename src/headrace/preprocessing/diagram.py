"""A pipeline's steps as a picture in HTML, for notebooks and reports."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.preprocessing.step import Step

__all__ = ["diagram"]

_STYLE = """
.headrace-steps { display: inline-block; font: 13px/1.5 system-ui, sans-serif; color: #1c2733; }
.headrace-steps > div { border: 1px solid #9db4c8; border-radius: 6px; background: #f3f8fc;
  padding: 4px 12px; }
.headrace-steps > div + div { margin-top: 16px; position: relative; }
.headrace-steps > div + div::before { content: "↓"; position: absolute; top: -19px; left: 50%;
  color: #5c7f9e; }
.headrace-steps summary { cursor: pointer; font-weight: 600; }
.headrace-steps .room { color: #5c7f9e; font-weight: 400; }
.headrace-steps .learnt { color: #44586b; max-width: 60em; }
.headrace-steps td { padding: 0 12px 0 0; text-align: left; }
.headrace-steps td.given { font-weight: 600; }
"""


def diagram(steps: Sequence[Step], learnt: Sequence[str] = ()) -> str:
    """Answer a box for each step, in order; its parameters unfold with a click.

    Args:
        steps: The steps.
        learnt: What each of them learnt, in words, when they are fitted.

    Returns:
        HTML that needs no other file and no script.

    Example:
        >>> from headrace.preprocessing.clean import Impute
        >>> "Impute" in diagram([Impute()], ["age: 39"])
        True
    """
    texts = [*learnt, *[""] * (len(steps) - len(learnt))]
    boxes = "".join(_box(step, text) for step, text in zip(steps, texts, strict=True))
    empty = "" if steps else "<div>no steps yet: they are chosen from the data</div>"
    return f'<style>{_STYLE}</style><div class="headrace-steps">{boxes}{empty}</div>'


def _box(step: Step, learnt: str) -> str:
    room, _, name = step.key().rpartition(".")
    shown = f'<span class="room">{_escape(room)}.</span>{_escape(name)}'
    rows = "".join(
        f'<tr><td class="{"given" if given else "left"}">{_escape(parameter)}</td>'
        f"<td><code>{_escape(value)}</code></td></tr>"
        for parameter, value, given in _settings(step)
    )
    table = f"<table>{rows}</table>" if rows else "no parameters"
    says = f'<div class="learnt">{_escape(learnt)}</div>' if learnt else ""
    return f"<div><details><summary>{shown}</summary>{table}</details>{says}</div>"


def _settings(step: Step) -> list[tuple[str, str, bool]]:
    """Answer name and value of each parameter, and whether it is not the default."""
    changed = step.changed()
    parameters = step.get_params(deep=False).items()
    return [(name, repr(value), name in changed) for name, value in parameters]


def _escape(text: str) -> str:
    return html.escape(text)
