"""What MLflow's scoring servers answer: `/invocations`, `/ping` and `/version`."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response

import headrace
from headrace.deploy.body import Refusal, decode, short
from headrace.errors import DataError
from headrace.serving.asking import Asked, check_rows, read_body
from headrace.serving.openapi import operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from headrace.serving.app import Service

__all__ = ["Invocations"]

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Invocations:
    """The paths that MLflow's clients know.

    Args:
        service: Who answers.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        service.operations |= {
            "POST /invocations": operation(
                "Answer rows as MLflow's servers do",
                body={"type": "object"},
                refusals=(400, 401, 413),
            ),
            "GET /ping": operation("The model is there", refusals=(401,)),
            "GET /version": operation("The version of headrace", refusals=(401,)),
        }

    def routes(self) -> Iterator[tuple[str, Any, str]]:
        """Answer the paths, what answers them, and the methods."""
        yield "/invocations", self.invocations, "POST"
        yield "/ping", self.ping, "GET"
        yield "/version", self.version, "GET"

    async def ping(self, _: Request) -> Response:
        """Say that the model is there."""
        return Response("\n", media_type="application/json")

    async def version(self, _: Request) -> Response:
        """Say which headrace answers."""
        return PlainTextResponse(headrace.__version__)

    async def invocations(self, request: Request) -> Response:
        """Answer rows in any of MLflow's forms."""
        from headrace.serving.app import json_response

        try:
            rows = await self._rows(request)
            wanted = Asked(check_rows(rows, self._service.limits.rows))
            says = await self._service.answer(request, wanted)
        except (Refusal, DataError) as error:
            status = error.status if isinstance(error, Refusal) else 400
            if status == 415:
                return PlainTextResponse(str(error), 415)
            status = 400 if status == 422 else status
            code = "BAD_REQUEST" if status == 400 else "INVALID_STATE"
            return json_response({"error_code": code, "message": str(error)}, status)
        return json_response(says)

    async def _rows(self, request: Request) -> list[Any]:
        kind, _, settings = (request.headers.get("content-type") or "").partition(";")
        kind = kind.strip().lower()
        charset = settings.partition("charset=")[2].strip(' "').lower()
        other = settings.strip() and not settings.strip().lower().startswith("charset=")
        if kind not in ("application/json", "text/csv") or charset not in ("", "utf-8") or other:
            raise Refusal(415, "expected application/json or text/csv, in UTF-8")
        data = await read_body(request, self._service.limits)
        if kind == "text/csv":
            return _of_csv(data)
        return self._of_json(decode(data))

    def _of_json(self, value: Any) -> list[Any]:
        given = [form for form in _FORMS if isinstance(value, dict) and form in value]
        if len(given) != 1 or set(value) - {*_FORMS, "params"}:
            raise Refusal(400, f"expected an object with exactly one of {', '.join(_FORMS)}")
        form = given[0]
        content = value[form]
        if form == "dataframe_split":
            return _of_split(content)
        if isinstance(content, dict):
            return _of_columns(content)
        if not isinstance(content, list):
            raise Refusal(400, f"{form!r} should be a list or an object")
        names = self._service.live.lineup.champion.runtime.schema.names
        return [_named(row, names) if isinstance(row, list) else row for row in content]


def _of_split(content: Any) -> list[dict[str, Any]]:
    right = isinstance(content, dict) and {"columns", "data"} <= set(content)
    if not right or not all(isinstance(content[name], list) for name in ("columns", "data")):
        raise Refusal(400, "'dataframe_split' should hold the lists 'columns' and 'data'")
    return [_named(row, content["columns"]) for row in content["data"]]


def _of_columns(content: dict[str, Any]) -> list[dict[str, Any]]:
    if not content or not all(isinstance(values, list) for values in content.values()):
        raise Refusal(400, "columns should be lists by name")
    if len({len(values) for values in content.values()}) > 1:
        raise Refusal(400, "the columns should be equally long")
    names = list(content)
    return [dict(zip(names, row, strict=True)) for row in zip(*content.values(), strict=True)]


def _named(row: Any, names: Any) -> dict[str, Any]:
    if not isinstance(row, list) or len(row) != len(names):
        raise Refusal(400, f"each row should be a list of {len(names)} values")
    if not all(isinstance(name, str) for name in names):
        raise Refusal(400, "the names of the columns should be texts")
    return dict(zip(names, row, strict=True))


def _of_csv(data: bytes) -> list[dict[str, Any]]:
    """Answer the rows of a CSV text with a header; an empty cell is a missing value."""
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refusal(400, f"expected CSV in UTF-8: {short(str(error))}") from error
    lines = [line for line in lines if line]
    if not lines:
        raise Refusal(400, "expected CSV with a header, received nothing")
    return [
        {name: cell or None for name, cell in _named(line, lines[0]).items()} for line in lines[1:]
    ]
