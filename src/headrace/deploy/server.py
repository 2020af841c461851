"""The server: a release behind HTTP, without TensorFlow.

`POST /predict` answers rows, `GET /health` says which release answers, `GET /schema` what rows
look like, `GET /openapi.json` all of it for machines. Bodies are limited in size before they are
read and parsed strictly; an error names row and column. The server listens on this machine only,
unless it is told otherwise.
"""

from __future__ import annotations

import gc
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn
from fastapi import FastAPI, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from headrace.data.rows import RowDoor
from headrace.deploy.body import (
    BodyLimits,
    Refusal,
    decode,
    interval_of,
    problems,
    read_body,
    rows_of,
)
from headrace.deploy.openapi import predict_operation
from headrace.deploy.runtime import Runtime, by_row
from headrace.errors import DataError
from headrace.model.predicted import interval_notes
from headrace.model.targets import Targets

if TYPE_CHECKING:
    import os
    import socket

    from headrace.data.rows import Blocks

__all__ = ["BodyLimits", "create_app", "serve"]

_AT_ONCE = 64
"""Requests with more rows are answered in a thread, so that the others need not wait."""

_encode = msgspec.json.Encoder().encode


class Service:
    """A runtime behind HTTP.

    Args:
        runtime: The release that answers.
        limits: What one request may hold.
    """

    def __init__(self, runtime: Runtime, limits: BodyLimits) -> None:
        """Prepare the parts of an answer that never change."""
        self.runtime = runtime
        self.limits = limits
        self._known = frozenset(runtime.schema.names)
        self._door = lru_cache(maxsize=64)(self._make_door)

    async def predict(self, request: Request) -> Response:
        """Answer rows: a label, value or cluster for each, with what is known of its spread."""
        body = await read_body(request, self.limits.bytes)
        asked = decode(body)
        rows, level = rows_of(asked, self.limits.rows), interval_of(asked)
        if level is not None and not self.runtime.conformal:
            raise Refusal(422, f"the release {self.runtime.version} has no calibrated intervals")
        if len(rows) <= _AT_ONCE:
            return _json(self.answer(rows, level))
        return _json(await run_in_threadpool(self.answer, rows, level))

    async def health(self) -> Response:
        """Say that the server is ready, and which release answers."""
        return _json(
            {"status": "ready", "version": self.runtime.version, "task": self.runtime.task}
        )

    async def schema(self) -> Response:
        """Say which columns rows must have, and what is answered."""
        target = self.runtime.target
        return _json(
            {
                "version": self.runtime.version,
                "task": self.runtime.task,
                "target": target.name if target else None,
                "classes": self.runtime.classes,
                **self.runtime.schema.to_dict(),
            }
        )

    def answer(self, rows: list[Any], level: float | None = None) -> dict[str, Any]:
        """Answer rows that came from outside.

        Args:
            rows: The rows.
            level: Of intervals or sets beside the predictions; None for none.

        Raises:
            DataError: Every value that does not fit and every column that is absent.
        """
        unknown = self._unknown(rows)
        blocks = self._door(unknown)(rows)
        answers = self.runtime.answers(blocks)
        answer: dict[str, Any] = {"version": self.runtime.version, **self._says(answers)}
        if level is not None:
            answer["interval"] = self._interval(answers, blocks, level)
        if unknown:
            answer["ignored"] = unknown
        return answer

    def _says(self, answers: dict[str, Any]) -> dict[str, Any]:
        """Answer the predictions, and what is known of their spread."""
        runtime = self.runtime
        if isinstance(runtime.target, Targets):
            return {"predictions": by_row(runtime.target.decode_answers(answers))} | _spread(
                runtime, answers
            )
        output = answers[runtime.answer_names[0]]
        says: dict[str, Any] = {"predictions": runtime.decode(output).tolist()}
        if runtime.classes:
            return says | {"probabilities": output.tolist(), "classes": runtime.classes}
        return says | (_spread(runtime, answers) if len(answers) > 1 else {})

    def _interval(self, answers: dict[str, Any], blocks: Blocks, level: float) -> dict[str, Any]:
        """Answer intervals or sets as columns; an end that is not there is null."""
        runtime = self.runtime
        ends = runtime.ends(answers, level, blocks).items()
        says = {"level": level} | {name: _plain_column(column) for name, column in ends}
        notes = interval_notes(runtime.conformal, runtime.target, level)
        return says | ({"notes": notes} if notes else {})

    def _unknown(self, rows: list[Any]) -> tuple[str, ...]:
        """Answer the columns that the schema does not know; the answer names them."""
        known = self._known
        found: set[str] = set()
        for row in rows:
            if isinstance(row, dict) and not row.keys() <= known:
                found |= row.keys() - known
        return tuple(sorted(found))

    def _make_door(self, unknown: tuple[str, ...]) -> RowDoor:
        # A door that knows them already does not warn: the answer does.
        return RowDoor(self.runtime.schema, ignore=unknown) if unknown else self.runtime.door


def _plain_column(column: Any) -> list[Any]:
    return column if isinstance(column, list) else column.tolist()


def _spread(runtime: Runtime, answers: dict[str, Any]) -> dict[str, Any]:
    columns = runtime.distribution(answers)
    return {"distribution": {name: column.tolist() for name, column in columns.items()}}


def create_app(
    path: str | os.PathLike[str] | Runtime,
    *,
    name: str = "champion",
    threads: int = 1,
    limits: BodyLimits | None = None,
) -> FastAPI:
    """Answer the ASGI application that serves a release.

    Args:
        path: A release folder, a registry, or a `Runtime`.
        name: For a registry: the alias or version that answers.
        threads: Threads inside one call of the graph.
        limits: What one request may hold; 16 MiB and 10,000 rows by default.

    Raises:
        ReleaseError: No release, altered, or without an ONNX graph.
    """
    runtime = path if isinstance(path, Runtime) else Runtime(path, name=name, threads=threads)
    service = Service(runtime, limits or BodyLimits())
    app = FastAPI(title=_title(runtime), version=runtime.version, docs_url=None, redoc_url=None)
    # A plain route: rows go through the release's own door, so FastAPI need not look at them.
    app.add_route("/predict", service.predict, methods=["POST"])
    app.get("/health", response_model=None)(service.health)
    app.get("/schema", response_model=None)(service.schema)
    app.openapi()["paths"]["/predict"] = {"post": predict_operation(runtime, _profile(runtime))}
    app.exception_handler(Refusal)(_refused)
    app.exception_handler(DataError)(_bad_rows)
    app.exception_handler(StarletteHTTPException)(_http_error)
    app.exception_handler(ClientDisconnect)(_gone)
    app.exception_handler(Exception)(_failed)
    return app


def serve(
    path: str | os.PathLike[str] | Runtime,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    name: str = "champion",
    threads: int = 1,
    limits: BodyLimits | None = None,
) -> None:
    """Serve a release until it is interrupted; requests under way are finished first.

    Args:
        path: A release folder, a registry, or a `Runtime`.
        host: The address to listen on; "0.0.0.0" lets other machines in.
        port: The port; 0 for any that is free.
        name: For a registry: the alias or version that answers.
        threads: Threads inside one call of the graph.
        limits: What one request may hold.

    Raises:
        ReleaseError: No release, altered, or without an ONNX graph.
    """
    app = create_app(path, name=name, threads=threads, limits=limits)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=10,
    )
    # What is loaded now stays: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    _Server(config).run()


class _Server(uvicorn.Server):
    """Says where it listens as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            app: Any = self.config.app
            sys.stderr.write(f"headrace serves {app.version} on http://{shown}:{port}\n")
            sys.stderr.flush()


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refusal) else 400
    return _json({"error": str(error)}, status)


async def _bad_rows(_: Request, error: Exception) -> Response:
    found = problems(error) if isinstance(error, DataError) else []
    return _json({"error": str(error), "problems": found}, 422)


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, StarletteHTTPException | HTTPException):
        return _json({"error": "the request failed"}, 500)
    return _json({"error": str(error.detail)}, error.status_code, error.headers)


async def _gone(_: Request, error: Exception) -> Response:
    del error
    return Response(status_code=400)  # nobody is there to read it


async def _failed(_: Request, error: Exception) -> Response:
    # The log has the details; they are none of the client's business.
    del error
    return _json({"error": "the server could not answer; its log says why"}, 500)


def _json(content: Any, status: int = 200, headers: Any = None) -> Response:
    return Response(_encode(content), status, headers, media_type="application/json")


def _profile(runtime: Runtime) -> Any:
    release = runtime.release
    return release.document("profile.json") if "profile.json" in release else None


def _title(runtime: Runtime) -> str:
    return f"headrace: {runtime.target.name if runtime.target else runtime.task}"
