"""The model card: what a release is, for people, as Markdown with a front matter for tools.

The front matter is that of Hugging Face model cards. The card holds nothing that changes from one
writing to the next, no dates and no paths, so that the same model has the same card.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.data.profile import ColumnProfile, Profile
    from headrace.data.schema import Schema
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

__all__ = ["card", "card_of", "model_card"]

_PIPELINE_TAGS = {
    "binary": "tabular-classification",
    "multiclass": "tabular-classification",
    "regression": "tabular-regression",
}
_MOST_CLASSES = 50
_MOST_COLUMNS = 500
_MOST_SLICES = 10


def card(pipeline: Pipeline) -> str:
    """Write the model card of a trained pipeline, as a release of it would hold it.

    What the last evaluation found is in it: metrics with intervals, calibration, verdicts, and
    where the model does worse. `evaluate` before it for a card that says something.

    Raises:
        NotTrainedError: The pipeline is not trained.
    """
    return card_of(pipeline.fitted)


def card_of(fitted: Fitted) -> str:
    """Write the model card of a fitted pipeline."""
    return model_card(fitted.describe(), fitted.schema, fitted.profile)


def model_card(about: Mapping[str, Any], schema: Schema, profile: Profile | None = None) -> str:
    """Write the card of a release.

    Args:
        about: What is known, all of it optional: "task", "target", "classes", "rows" (of training),
            "steps" (as code), "portable" (False: served in Python), "metrics" (by name a number,
            or a dict with value, low and high), "test_rows" (that they were measured on),
            "calibration" (a sentence), "slices" (a sentence for each that the model does worse on),
            "verdicts" (a sentence for each model that it was compared with), "notes" (what else the
            evaluation says), "threshold" (above which the second class is answered).
        schema: The columns that rows must have.
        profile: What the training rows looked like.

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
        _columns(schema, profile),
        *_steps(about.get("steps") or ()),
        _use(about),
        _limits(about),
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
    """Answer the metrics as Hugging Face reads them."""
    lines = ["model-index:", f"- name: {_quoted(about.get('target') or 'headrace')}"]
    lines += ["  results:", "  - task:", f"      type: {tag}"]
    lines += ["    dataset:", "      type: tabular", "      name: held-out rows", "    metrics:"]
    for name, found in about["metrics"].items():
        value = _figures(found)[0]
        if isinstance(value, int | float) and math.isfinite(value):
            lines += [f"    - type: {_quoted(name)}", f"      value: {float(value)!r}"]
    return lines if lines[-1] != "    metrics:" else []


def _quoted(value: object) -> str:
    """Answer any text as a scalar of YAML: JSON's, but for characters that YAML does not print."""
    text = json.dumps(str(value), ensure_ascii=False)
    return re.sub(
        r"[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]",
        lambda found: f"\\u{ord(found[0]):04x}",
        text,
    )


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
        if about.get("threshold") is not None and len(classes) == 2:
            lines.append(
                f"- {shown.split(', ')[-1]} above a probability of {about['threshold']:.4g}"
            )
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
    """Answer what is known beside the metrics: verdicts, probabilities, where it does worse."""
    parts = []
    if verdicts := list(about.get("verdicts") or ()):
        shown = "\n".join(f"- {_text(line)}" for line in verdicts)
        parts.append(f"## Beside other models\n\n{shown}")
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


def _columns(schema: Schema, profile: Profile | None) -> str:
    seen = {column.name: column for column in profile.columns} if profile else {}
    head = ("column", "kind", "missing", *(("training rows without it", "seen") if seen else ()))
    lines = ["## Input", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for column in schema.columns[:_MOST_COLUMNS]:
        missing = ", ".join(_code(spelling) for spelling in column.missing)
        notes = [missing] if missing else []
        notes += ["may be absent"] if column.optional else []
        cells = [_code(column.name), column.kind, "; ".join(notes)]
        cells += _seen(seen.get(column.name)) if seen else []
        lines.append(f"| {' | '.join(cells)} |")
    if (hidden := len(schema.columns) - _MOST_COLUMNS) > 0:
        lines.append(f"| … and {hidden} more |" + " |" * (len(head) - 1))
    return "\n".join(lines)


def _seen(column: ColumnProfile | None) -> list[str]:
    """Answer what training rows held of a column; no word of it, for it may be a person's."""
    if column is None or not column.rows:
        return ["", ""]
    missing = f"{column.missing / column.rows:.1%}"
    if column.minimum is None or column.maximum is None or column.kind == "boolean":
        return [missing, f"{column.distinct:,} values"]
    ends = (column.minimum, column.maximum)
    return [
        missing,
        " – ".join(_day(end) if column.kind == "datetime" else f"{end:.6g}" for end in ends),
    ]


def _day(microseconds: float) -> str:
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return f"{day:%Y-%m-%d}"


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


def _limits(about: Mapping[str, Any]) -> str:
    notes = "".join(f"\n- {_text(note)}" for note in about.get("notes") or ())
    return f"{_LIMITS}\n{notes}" if notes else _LIMITS


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
