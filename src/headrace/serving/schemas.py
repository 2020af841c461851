"""JSON Schemas of a release: its rows with examples, requests, and answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.data.schema import Column, Schema
    from headrace.deploy.runtime import Runtime

__all__ = [
    "ERROR",
    "answer_schema",
    "ordinary_row",
    "profile_of",
    "request_schema",
    "row_example",
    "row_schema",
]

_TYPES = {"boolean": "boolean", "number": "number"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def row_schema(schema: Schema, profile: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Answer the JSON Schema of one row.

    Args:
        schema: The columns.
        profile: `profile.json` of the release, for the examples.

    Example:
        >>> from headrace.data.schema import Column, Schema
        >>> row_schema(Schema((Column("age", "number"),)))["required"]
        ['age']
    """
    seen = _by_name(profile)
    return {
        "type": "object",
        "properties": {c.name: _property(c, seen.get(c.name, {})) for c in schema.columns},
        "required": [column.name for column in schema.columns if not column.optional],
        "example": row_example(schema, profile),
    }


def row_example(schema: Schema, profile: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Answer an ordinary row: middle numbers, most frequent values."""
    seen = _by_name(profile)
    return {column.name: _example(column, seen.get(column.name, {})) for column in schema.columns}


def profile_of(runtime: Runtime) -> Any:
    """Answer what the release knows of the rows of its training; None where it has no profile."""
    release = runtime.release
    return release.document("profile.json") if "profile.json" in release else None


def ordinary_row(runtime: Runtime) -> dict[str, Any]:
    """Answer an ordinary row of a release, see `row_example`."""
    return row_example(runtime.schema, profile_of(runtime))


def request_schema(runtime: Runtime, profile: Mapping[str, Any] | None) -> dict[str, Any]:
    """Answer the JSON Schema of a request: rows or columns, and the options beside them."""
    row = row_schema(runtime.schema, profile)
    properties = {
        "rows": {"type": "array", "minItems": 1, "items": row},
        "columns": {
            "type": "object",
            "description": "In the place of rows: a list of values by column, equally long.",
            "additionalProperties": {"type": "array"},
        },
        "explain": {"type": "boolean", "default": False, "description": "Say why, row by row."},
        "probabilities": {
            "type": "boolean",
            "default": True,
            "description": "Answer the probability of each class.",
        },
        **({"interval": LEVEL} if runtime.conformal else {}),
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


LEVEL: dict[str, Any] = {
    "type": "number",
    "exclusiveMinimum": 0,
    "exclusiveMaximum": 1,
    "description": "How often the truth shall be inside of an interval or a set.",
}
_ENDS: dict[str, Any] = {
    "type": "object",
    "description": "Where asked for: lower and upper ends (null for none), or sets of labels.",
    "properties": {
        "level": LEVEL,
        "low": {"type": "array", "items": {"type": ["number", "null"]}},
        "high": {"type": "array", "items": {"type": ["number", "null"]}},
        "set": {"type": "array", "items": {"type": "array"}},
        "notes": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["level"],
}
EXPLANATION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "of": {"type": "string", "description": "The target, or the class that is explained."},
        "answer": {"type": "number"},
        "base": {"type": "number", "description": "The answer for an ordinary row."},
        "contributions": {"type": "object", "additionalProperties": {"type": "number"}},
        "errors": {"type": "object", "additionalProperties": {"type": "number"}},
        "gap": {"type": "number", "description": "What the contributions miss; rounding."},
        "walks": {"type": "integer"},
    },
}
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "column": {"type": ["string", "null"]},
                    "row": {"type": ["integer", "null"]},
                    "value": {},
                    "error": {"type": "string"},
                    "hint": {"type": ["string", "null"]},
                },
            },
        },
    },
}


def answer_schema(runtime: Runtime) -> dict[str, Any]:
    """Answer the JSON Schema of an answer."""
    properties: dict[str, Any] = {
        "id": {"type": "string", "description": "Of the request; row n has the id `<id>/<n>`."},
        "version": {"type": "string", "description": "The release that answered."},
        "predictions": {"type": "array", "items": _prediction(runtime)},
    }
    if runtime.classes:
        row = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}}
        properties["probabilities"] = {"type": "array", "items": row}
        properties["classes"] = {"type": "array", "items": {"enum": list(runtime.classes)}}
    elif len(runtime.answer_names) > 1:
        column = {"type": "array", "items": {"type": "number"}}
        properties["distribution"] = {
            "type": "object",
            "description": "Quantiles, or mean and deviation, of each row's target.",
            "additionalProperties": column,
        }
    if runtime.conformal:
        properties["interval"] = _ENDS
    properties["ignored"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "Columns of the request that the release does not know.",
    }
    properties["explanations"] = {"type": "array", "items": EXPLANATION}
    properties["adjusted"] = {
        "type": "boolean",
        "description": "An administrator moved the threshold or the probabilities.",
    }
    properties["fallback"] = {
        "type": "boolean",
        "description": "The model is switched off; this is the answer in its place.",
    }
    required = ["id", "version", "predictions"]
    return {"type": "object", "properties": properties, "required": required}


def _prediction(runtime: Runtime) -> dict[str, Any]:
    if runtime.classes:
        return {"enum": list(runtime.classes)}
    if isinstance(runtime.target, Targets):
        return {"type": "object", "properties": {name: {} for name in runtime.target.columns}}
    return {"type": "integer"} if runtime.task == "clustering" else {"type": "number"}


def _property(column: Column, seen: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": [_TYPES.get(column.kind, "string"), "null"],
        "description": _description(column),
        "examples": [_example(column, seen)],
    }
    if column.kind == "datetime" and column.format is None:
        found["format"] = "date-time"
    return found


def _description(column: Column) -> str:
    missing = f"; missing: {', '.join(map(repr, column.missing))}" if column.missing else ""
    written = f", written as {column.format}" if column.format else ""
    return f"{column.kind}{written}{missing}{'; may be absent' if column.optional else ''}"


def _example(column: Column, seen: Mapping[str, Any]) -> Any:
    if column.kind == "boolean":
        return column.true[0] if column.true else True
    if column.type == "string":
        return next(iter(seen.get("values") or ()), "text")
    middle = _middle(seen.get("edges") or ())
    if column.type == "number":
        return 0 if middle is None else _rounded(middle)
    return _instant(column, middle)


def _instant(column: Column, microseconds: float | None) -> str | int:
    instant = _EPOCH + timedelta(microseconds=microseconds or 0)
    units = {"unix s": 10**6, "unix ms": 10**3, "unix us": 1}
    if column.format in units:
        return round(microseconds or 0) // units[column.format]
    if column.format == "unix ns":
        return round(microseconds or 0) * 1000
    if column.format is not None:
        return instant.strftime(column.format)
    return instant.replace(tzinfo=None).isoformat(timespec="seconds")


def _middle(edges: Sequence[float]) -> float | None:
    return edges[len(edges) // 2] if edges else None


def _rounded(value: float) -> float | int:
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() else rounded


def _by_name(profile: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    return {column["name"]: column for column in (profile or {}).get("columns", ())}
