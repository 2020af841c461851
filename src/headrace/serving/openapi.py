"""The server's interface in OpenAPI's words, with the columns of the release and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.serving.schemas import ERROR, answer_schema, request_schema, row_example

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.deploy.runtime import Runtime

__all__ = ["Operation", "document"]

_REFUSALS = {
    400: "The body cannot be read.",
    401: "A bearer token is needed.",
    403: "The token does not allow it.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    413: "The body has too many bytes or rows.",
    415: "The body is of a form that is not known.",
    422: "Rows that do not fit the columns, or something that is not known.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "The model is switched off, or the server is closing.",
}
_OF_ROWS = (400, 401, 408, 413, 415, 422, 429, 503)
_LINES = "application/x-ndjson"
_ARROW = "application/vnd.apache.arrow.stream"
_PLAIN = {"type": "object"}
_LABEL = {
    "type": "object",
    "required": ["id", "value"],
    "properties": {
        "id": {"type": "string", "description": "Of the prediction: `<id of the request>/<row>`."},
        "value": {"description": "The truth; of several targets an object."},
        "time": {"type": ["string", "number"], "description": "When it became known."},
        "source": {"type": "string"},
    },
}

Operation = dict[str, Any]


def document(
    runtime: Runtime, profile: Mapping[str, Any] | None, others: Mapping[str, Operation]
) -> dict[str, Any]:
    """Answer the OpenAPI document of a server.

    Args:
        runtime: The release that answers.
        profile: `profile.json` of the release, for the examples.
        others: The operations of paths beside the model's own: "METHOD /path" and what they do.
    """
    paths: dict[str, dict[str, Any]] = {}
    for key, operation in {**_own(runtime, profile), **others}.items():
        method, _, path = key.partition(" ")
        paths.setdefault(path, {})[method.lower()] = operation
    name = runtime.target.name if runtime.target else runtime.task
    return {
        "openapi": "3.1.0",
        "info": {"title": f"headrace: {name}", "version": runtime.version},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
        },
        "security": [{"token": []}, {}],
    }


def operation(
    summary: str,
    *,
    body: Mapping[str, Any] | None = None,
    example: Any = None,
    answers: Mapping[str, Any] | None = None,
    refusals: Sequence[int] = (401, 403, 422),
    parameters: Sequence[Mapping[str, Any]] = (),
) -> Operation:
    """Answer what OpenAPI says of one path and method.

    Args:
        summary: What it does.
        body: The JSON Schema of its body.
        example: A body.
        answers: The JSON Schema of its answer.
        refusals: The statuses that it may be refused with.
        parameters: What the path or the address holds.
    """
    content = {"application/json": {"schema": dict(answers or _PLAIN)}}
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    found: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": content},
            **{
                str(status): {"description": _REFUSALS[status], "content": refused}
                for status in refusals
            },
        },
    }
    if body is not None:
        shown: dict[str, Any] = {"schema": body}
        if example is not None:
            shown["example"] = example
        found["requestBody"] = {"required": True, "content": {"application/json": shown}}
    if parameters:
        found["parameters"] = list(parameters)
    return found


def path_parameter(name: str) -> dict[str, Any]:
    """Answer a part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _own(runtime: Runtime, profile: Mapping[str, Any] | None) -> dict[str, Operation]:
    """Answer the operations that every server has."""
    body = request_schema(runtime, profile)
    example = {"rows": [row_example(runtime.schema, profile)]}
    answer = answer_schema(runtime)
    predict = operation(
        "Answer rows", body=body, example=example, answers=answer, refusals=_OF_ROWS
    )
    content = predict["requestBody"]["content"]
    content[_LINES] = {"schema": {"type": "string", "description": "A row as JSON on each line."}}
    content[_ARROW] = {"schema": {"type": "string", "format": "binary"}}
    explain = operation(
        "Answer rows, and say why",
        body=body,
        example=example,
        answers=answer,
        refusals=_OF_ROWS,
    )
    return {
        "POST /predict": predict,
        "POST /explain": explain,
        "POST /feedback": operation(
            "Take what turned out to be true",
            body={
                "type": "object",
                "required": ["labels"],
                "properties": {"labels": {"type": "array", "minItems": 1, "items": _LABEL}},
            },
            example={"labels": [{"id": "5f0c-1/0", "value": 1}]},
            refusals=(400, 401, 404, 422, 503),
        ),
        "GET /health": operation("Which release answers", refusals=(401,)),
        "GET /health/live": operation("The process is there", refusals=()),
        "GET /health/ready": operation("Requests can be sent here", refusals=(503,)),
        "GET /schema": operation("Which columns rows must have", refusals=(401,)),
        "GET /metrics": operation("Figures for Prometheus", refusals=(401,)),
        "GET /openapi.json": operation("This document", refusals=(401,)),
    }
