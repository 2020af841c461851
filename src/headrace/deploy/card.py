"""The model card: what a release is, for people, as Markdown with a front matter for tools.

The front matter is that of Hugging Face model cards. The card holds nothing that changes from one
writing to the next, no dates and no paths, so that the same model has the same card.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.data.schema import Schema

__all__ = ["model_card"]

_PIPELINE_TAGS = {
    "binary": "tabular-classification",
    "multiclass": "tabular-classification",
    "regression": "tabular-regression",
}
_MOST_CLASSES = 50
_MOST_COLUMNS = 500
_MOST_SLICES = 10


def model_card(about: Mapping[str, Any], schema: Schema) -> str:
    """Write the card of a release.

    Args:
        about: What is known, all of it optional: "task", "target", "classes", "rows" (of training),
            "steps" (as code), "portable" (False: served in Python), "metrics" (by name a number,
            or a dict with value, low and high), "test_rows" (that they were measured on),
            "calibration" (a sentence), "slices" (a sentence for each that the model does worse on).
        schema: The columns that rows must have.

    Example:
        >>> from headrace.data.schema import Column, Schema
        >>> card = model_card({"task": "binary", "target": "income"},
        ...                   Schema((Column("age", "number"),)))
        >>> [line for line in card.splitlines() if line.startswith("# ")]
        ['# income: binary classification']
    """
    parts = [
        _front_matter(about),
        f"# {_title(about)}",
        _about(about, schema),
        *_metrics(about.get("metrics") or {}, about.get("test_rows")),
        *_weaknesses(about),
        _columns(schema),
        *_steps(about.get("steps") or ()),
        _use(about),
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(about: Mapping[str, Any]) -> str:
    tag = _PIPELINE_TAGS.get(about.get("task") or "")
    lines = ["---", "library_name: headrace", "tags:", "- tabular", "- keras"]
    lines += ["- onnx"] if about.get("portable", True) else []
    lines += [f"pipeline_tag: {tag}"] if tag else []
    lines += _model_index(about, tag) if tag and about.get("metrics") else []
    return "\n".join([*lines, "---"])


def _model_index(about: Mapping[str, Any], tag: str) -> list[str]:
    """Answer the metrics as Hugging Face reads them; JSON's scalars are YAML's, too."""
    lines = ["model-index:", f"- name: {json.dumps(str(about.get('target') or 'headrace'))}"]
    lines += ["  results:", "  - task:", f"      type: {tag}"]
    lines += ["    dataset:", "      type: tabular", "      name: held-out rows", "    metrics:"]
    for name, found in about["metrics"].items():
        value = _figures(found)[0]
        if isinstance(value, int | float) and math.isfinite(value):
            lines += [f"    - type: {json.dumps(str(name))}", f"      value: {float(value)!r}"]
    return lines if lines[-1] != "    metrics:" else []


def _title(about: Mapping[str, Any]) -> str:
    words = {
        "binary": "binary classification",
        "multiclass": "multi-class classification",
        "regression": "regression",
        "clustering": "clusters",
        "joint": "several targets of one network",
    }
    task = words.get(about.get("task") or "", "a headrace pipeline")
    return f"{_text(about['target'])}: {task}" if about.get("target") else task.capitalize()


def _about(about: Mapping[str, Any], schema: Schema) -> str:
    lines = [f"- columns: {len(schema.columns)}"]
    if about.get("rows") is not None:
        lines.append(f"- training rows: {about['rows']:,}")
    if classes := list(about.get("classes") or ()):
        shown = ", ".join(_code(value) for value in classes[:_MOST_CLASSES])
        more = f" and {len(classes) - _MOST_CLASSES} more" if len(classes) > _MOST_CLASSES else ""
        lines.append(f"- classes: {shown}{more}")
    return "\n".join(lines)


def _metrics(metrics: Mapping[str, Any], rows: int | None) -> list[str]:
    if not metrics:
        return ["## Metrics\n\nThis release has not been evaluated."]
    measured = [f"Measured on {rows:,} rows that the model has not seen.", ""] if rows else []
    lines = ["## Metrics", "", *measured, "| metric | value | interval |", "|---|---|---|"]
    for name, found in metrics.items():
        value, low, high = _figures(found)
        interval = f"{low:.4g} – {high:.4g}" if low is not None and high is not None else ""
        shown = f"{value:.4g}" if isinstance(value, int | float) else _text(value)
        lines.append(f"| {_text(name)} | {shown} | {interval} |")
    return ["\n".join(lines)]


def _weaknesses(about: Mapping[str, Any]) -> list[str]:
    """Answer what is known of the model's probabilities, and where it does worse."""
    parts = []
    if about.get("calibration"):
        parts.append(f"## Calibration\n\n{_text(about['calibration'])}")
    if slices := list(about.get("slices") or ()):
        shown = "\n".join(f"- {_text(line)}" for line in slices[:_MOST_SLICES])
        parts.append(
            "## Where it does worse\n\nFound on one half of the rows, tested on the other; at most "
            f"5 % of such finds are false.\n\n{shown}"
        )
    return parts


def _figures(found: Any) -> tuple[Any, Any, Any]:
    if isinstance(found, dict):
        return found.get("value"), found.get("low"), found.get("high")
    return found, None, None


def _columns(schema: Schema) -> str:
    lines = ["## Input", "", "| column | kind | missing |", "|---|---|---|"]
    for column in schema.columns[:_MOST_COLUMNS]:
        missing = ", ".join(_code(spelling) for spelling in column.missing)
        notes = [missing] if missing else []
        notes += ["may be absent"] if column.optional else []
        lines.append(f"| {_code(column.name)} | {column.kind} | {'; '.join(notes)} |")
    if (hidden := len(schema.columns) - _MOST_COLUMNS) > 0:
        lines.append(f"| … and {hidden} more | | |")
    return "\n".join(lines)


def _steps(steps: Any) -> list[str]:
    return ["## Steps\n\n" + "\n".join(f"1. {_code(step)}" for step in steps)] if steps else []


def _use(about: Mapping[str, Any]) -> str:
    load = "hr.Runtime(folder)" if about.get("portable", True) else "hr.load(folder)"
    return (
        "## Use\n\n```python\nimport headrace as hr\n\n"
        f"{load}.predict([{{…}}])   # one dict a row, by column name\n```"
    )


_LIMITS = (
    "## Limits\n\nThe answers are those of a model that has seen the training rows only. Rows of "
    "another time, place or way of measuring can be answered wrongly without a sign of it: compare "
    "them with the training rows (`headrace maintain`) before trusting the answers."
)


def _code(value: object) -> str:
    """Answer any text as code inside of a table's cell."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = re.sub(r"\s+", " ", text).replace("|", "\\|")
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _text(value: object) -> str:
    """Answer any text with Markdown's and HTML's own signs made harmless."""
    flat = re.sub(r"\s+", " ", str(value))
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", flat)
