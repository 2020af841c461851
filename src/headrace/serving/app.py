"""The application: a release behind HTTP, without TensorFlow.

`POST /predict` answers rows, `POST /explain` says why, `POST /feedback` takes the truth when it is
known; the same model answers by the Open Inference Protocol under `/v2` and as MLflow's servers do
under `/invocations`. An administrator changes what answers, while it answers, under `/admin`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from headrace.deploy.body import Refusal, problems
from headrace.deploy.runtime import Runtime
from headrace.errors import DataError, HeadraceError
from headrace.ledger.items import Prediction
from headrace.serving.admin import Admin
from headrace.serving.asking import ARROW, LINES, Asked, BodyLimits, asked
from headrace.serving.batching import Batcher
from headrace.serving.dashboard import Dashboard
from headrace.serving.feedback import labels_of, read_json
from headrace.serving.guard import Guard, GuardSettings
from headrace.serving.inference import Inference
from headrace.serving.live import Live
from headrace.serving.metrics import Metrics
from headrace.serving.mlflow import Invocations
from headrace.serving.monitor import Monitor
from headrace.serving.openapi import document
from headrace.serving.recent import Recent, prediction_id
from headrace.serving.schemas import profile_of

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterator

    from headrace.ledger.writer import LedgerWriter
    from headrace.serving.answering import Answerer
    from headrace.serving.live import Lineup
    from headrace.serving.tokens import TokenFile, Tokens

__all__ = ["BodyLimits", "GuardSettings", "Service", "create_app"]

_AT_ONCE = 64
"""Requests with more rows are answered in a thread, so that the others need not wait."""

_MOST_SHADOWED = 64
"""Requests that wait for the shadow; more are not compared, the champion does not wait."""

encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


class Service:
    """What the application's paths share.

    Args:
        live: Who answers.
        limits: What one request may hold.
        tokens: Who may ask; None where nobody needs a token.
        ledger: Where predictions and labels are noted; None for nowhere.
        every: Seconds between two looks at the registry and the tokens.
    """

    def __init__(
        self,
        live: Live,
        limits: BodyLimits,
        tokens: TokenFile | None = None,
        *,
        ledger: LedgerWriter | None = None,
        every: float = 1.0,
    ) -> None:
        self.live = live
        self.limits = limits
        self.metrics = Metrics()
        self.batcher = Batcher()
        self.batcher.sizes = self.metrics.batch.observe
        self.recent = Recent()
        self.started = time.time()
        self.closing = False
        self.operations: dict[str, Any] = {}
        self._token_file = tokens
        self.tokens: Tokens | None = None if tokens is None else tokens.read()
        self.ledger = ledger
        self.labels = 0
        self.monitor = Monitor()
        self._judged = ""
        self._every = every
        self._shadowing = 0
        self._shadow_tasks: set[asyncio.Task[None]] = set()
        live.on_change.append(self._changed)
        self.metrics.parts(live.lineup.versions())

    def _changed(self, lineup: Lineup) -> None:
        self.metrics.swaps.inc()
        self.metrics.parts(lineup.versions())

    # -- answering --------------------------------------------------------------------------------

    async def predict(self, request: Request) -> Response:
        """Answer rows: a label, value or cluster for each, with what is known of its spread."""
        wanted = await asked(request, self.limits)
        says = await self.answer(request, wanted)
        return _formed(wanted, says)

    async def explain(self, request: Request) -> Response:
        """Answer rows, and what each column adds to each answer."""
        wanted = await asked(request, self.limits)
        return json_response(await self.answer(request, replace(wanted, explain=True)))

    async def answer(
        self, request: Request, wanted: Asked, answerer: Answerer | None = None
    ) -> dict[str, Any]:
        """Answer what is asked, by whoever answers now, and keep it in mind.

        Raises:
            DataError: Rows do not fit.
            Refusal: It cannot be answered.
        """
        started = time.perf_counter()
        lineup = self.live.lineup
        chosen = answerer or lineup.chosen()
        identity: str = request.scope["headrace"]
        if lineup.adjustments.killed:
            says = chosen.fallback(len(wanted.rows))
        elif len(wanted.rows) <= _AT_ONCE and not wanted.explain:
            says = await self.batcher.answer(chosen, wanted)
        else:
            says = await run_in_threadpool(chosen.answer, wanted)
        says = {"id": identity, **says}
        request.scope["headrace.version"] = chosen.version
        self.metrics.rows.labels(chosen.version).inc(len(wanted.rows))
        self.recent.add(identity, wanted.rows, says)
        if self.ledger is not None:
            self._note(identity, wanted, says)
        self.recent.timed(time.perf_counter() - started)
        if lineup.shadow is not None:
            self._compare(lineup.shadow, wanted, says)
        return says

    def _note(self, identity: str, wanted: Asked, says: dict[str, Any]) -> None:
        """Note what was answered; the writer does not keep anybody waiting."""
        now, put = time.time(), self.ledger.put  # type: ignore[union-attr]
        sure = says.get("probabilities")
        for place, (row, answer) in enumerate(zip(wanted.rows, says["predictions"], strict=True)):
            told = {"prediction": answer}
            if sure is not None:
                told["probabilities"] = sure[place]
            put(Prediction(prediction_id(identity, place), now, says["version"], row, told))

    def noted(self) -> dict[str, int] | None:
        """Answer how much the ledger has been given; None without one."""
        if self.ledger is None:
            return None
        return {
            "written": self.ledger.written,
            "dropped": self.ledger.dropped,
            "waiting": self.ledger.waiting,
            "labels": self.labels,
        }

    def under_way(self) -> float:
        """Answer how many requests are being answered."""
        return float(self.metrics.in_progress._value.get())  # noqa: SLF001 - there is no other way

    async def feedback(self, request: Request) -> Response:
        """Take what turned out to be true: `{"labels": [{"id": "…/0", "value": "yes"}]}`."""
        if self.ledger is None:
            raise Refusal(404, "this server keeps no ledger: headrace serve --ledger FILE")
        taken = [self.ledger.put(one) for one in labels_of(await read_json(request, self.limits))]
        if not all(taken):
            raise Refusal(503, f"the ledger is behind: {sum(taken)} of {len(taken)} were taken")
        self.labels += len(taken)
        return json_response({"taken": len(taken)})

    def _compare(self, shadow: Answerer, wanted: Asked, says: dict[str, Any]) -> None:
        """Let the shadow answer the same rows behind the client's back."""
        if self._shadowing >= _MOST_SHADOWED:
            return
        self._shadowing += 1
        task = asyncio.ensure_future(self._shadow(shadow, wanted, says))
        self._shadow_tasks.add(task)
        task.add_done_callback(self._shadow_tasks.discard)

    async def _shadow(self, shadow: Answerer, wanted: Asked, says: dict[str, Any]) -> None:
        try:
            other = await run_in_threadpool(shadow.answer, Asked(wanted.rows))
            pairs = zip(says["predictions"], other["predictions"], strict=True)
            self.metrics.shadow_rows.inc(len(wanted.rows))
            self.metrics.shadow_differs.inc(sum(not _alike(a, b) for a, b in pairs))
        except HeadraceError:  # rows that only the champion can read
            self.metrics.shadow_differs.inc(len(wanted.rows))
        finally:
            self._shadowing -= 1

    # -- what it is -------------------------------------------------------------------------------

    async def live_probe(self, _: Request) -> Response:
        """Say that the process is there."""
        return json_response({"live": True, "status": "live"})

    async def ready_probe(self, _: Request) -> Response:
        """Say whether requests should be sent here."""
        if self.closing:
            return json_response({"ready": False, "live": True, "status": "closing"}, 503)
        return json_response({"ready": True, "live": True, "status": "ready"})

    async def health(self, _: Request) -> Response:
        """Say that the server is ready, and which release answers."""
        champion = self.live.lineup.champion
        says = {"status": "ready", "version": champion.version, "task": champion.runtime.task}
        if self.live.failure:
            says |= {"status": "ready, but a change could not be made"}
        return json_response(says)

    async def schema(self, _: Request) -> Response:
        """Say which columns rows must have, and what is answered."""
        runtime = self.live.lineup.champion.runtime
        return json_response(
            {
                "version": runtime.version,
                "task": runtime.task,
                "target": runtime.target.name if runtime.target else None,
                "classes": runtime.classes,
                **runtime.schema.to_dict(),
            }
        )

    async def figures(self, _: Request) -> Response:
        """Answer the figures for Prometheus."""
        if self.ledger is not None:
            for state in ("written", "dropped", "waiting"):
                self.metrics.logged.labels(state).set(getattr(self.ledger, state))
        text = await run_in_threadpool(self.metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _: Request) -> Response:
        """Answer the interface in OpenAPI's words, for the release that answers now."""
        runtime = self.live.lineup.champion.runtime
        return json_response(document(runtime, profile_of(runtime), self.operations))

    # -- the background ---------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Watch the registry and the tokens as long as the server runs."""
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self.closing = True
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
            if self._shadow_tasks:
                await asyncio.wait(self._shadow_tasks, timeout=5)
            if self.ledger is not None:
                await run_in_threadpool(self.ledger.close)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await run_in_threadpool(self._look)
            await run_in_threadpool(self.judge)

    def judge(self) -> None:
        """Have the monitor judge the champion's rows since it did so last."""
        champion = self.live.lineup.champion
        new: list[Any] = []
        for one in reversed(list(self.recent.seen)):
            if one.id == self._judged:
                break
            if one.version == champion.version:
                new.append(one)
        if not self.monitor.due(len(new)) or "profile.json" not in champion.runtime.release:
            return
        self._judged = new[0].id
        report = self.monitor.look(champion.runtime.path, [one.row for one in reversed(new)])
        for name, told in (report or {"columns": {}})["columns"].items():
            self.metrics.missing.labels(name).set(told["missing"])
            self.metrics.drift.labels(name).set(told["drift"])
            self.metrics.alarm.labels(name).set(told["alarm"])

    def _look(self) -> None:
        failed = self.live.failure
        self.live.refresh()
        if self.live.failure and self.live.failure != failed:
            self.metrics.failed_swaps.inc()
        if self._token_file is not None:
            with contextlib.suppress(HeadraceError, OSError):  # the old ones stay in force
                self.tokens = self._token_file.read()


def create_app(
    path: str | os.PathLike[str] | Runtime,
    *,
    name: str = "champion",
    threads: int = 1,
    limits: BodyLimits | None = None,
    tokens: TokenFile | None = None,
    guard: GuardSettings | None = None,
    ledger: str | os.PathLike[str] | None = None,
    every: float = 1.0,
) -> Starlette:
    """Answer the ASGI application that serves a release.

    Args:
        path: A release folder, a registry, or a `Runtime`. A registry's alias is followed: when
            another release is promoted, it answers from the next request on.
        name: For a registry: the alias or version that answers.
        threads: Threads inside one call of the graph.
        limits: What one request may hold; 16 MiB and 10,000 rows by default.
        tokens: Who may ask; None where nobody needs a token.
        guard: How many requests are let through, and whose.
        ledger: The SQLite file where predictions and labels are noted; None for nowhere.
        every: Seconds between two looks at the registry.

    Raises:
        ReleaseError: No release, altered, or without an ONNX graph.
    """
    followed = not isinstance(path, Runtime)
    runtime = path if isinstance(path, Runtime) else Runtime(path, name=name, threads=threads)
    live = Live(
        runtime, runtime.registry, name if followed and runtime.registry else None, threads=threads
    )
    service = Service(live, limits or BodyLimits(), tokens, ledger=_writer(ledger), every=every)
    gate = Middleware(
        Guard,
        tokens=lambda: service.tokens,
        metrics=service.metrics,
        settings=guard or GuardSettings(),
    )
    app = Starlette(
        routes=[Route(path, act, methods=[method]) for path, act, method in routes(service)],
        middleware=[gate],
        exception_handlers=_HANDLERS,
        lifespan=service.lifespan,
    )
    app.state.service = service
    return app


def _writer(ledger: str | os.PathLike[str] | None) -> LedgerWriter | None:
    if ledger is None:
        return None
    from headrace.ledger.ledger import Ledger
    from headrace.ledger.writer import LedgerWriter

    return LedgerWriter(Ledger(ledger))


def routes(service: Service) -> Iterator[tuple[str, Any, str]]:
    """Answer every path of the application, what answers it, and the method."""
    yield "/predict", service.predict, "POST"
    yield "/explain", service.explain, "POST"
    yield "/feedback", service.feedback, "POST"
    yield "/health", service.health, "GET"
    yield "/health/live", service.live_probe, "GET"
    yield "/health/ready", service.ready_probe, "GET"
    yield "/schema", service.schema, "GET"
    yield "/metrics", service.figures, "GET"
    yield "/openapi.json", service.openapi, "GET"
    name = model_name(service.live)
    admin = Admin(service)
    page = Dashboard(service, admin, name)
    for part in (Inference(service, name), Invocations(service), admin, page):
        yield from part.routes()


def model_name(live: Live) -> str:
    """Answer what the model is called: as its registry's folder, or as its target.

    Names hold letters, digits, `-`, `_` and `.`, so that they fit into an address.
    """
    runtime = live.lineup.champion.runtime
    said = live.registry.path.name if live.registry else _target(runtime)
    return re.sub(r"[^\w.-]+", "-", said, flags=re.ASCII).strip("-.") or "model"


def json_response(content: Any, status: int = 200, headers: Any = None) -> Response:
    """Answer plain values as JSON."""
    return Response(encode(content), status, headers, media_type="application/json")


def _formed(wanted: Asked, says: dict[str, Any]) -> Response:
    """Answer in the form of the request."""
    if wanted.form == "json":
        return json_response(says)
    if wanted.form == "lines":
        return Response(
            _encode_lines(_by_line(says)),
            media_type=LINES[0],
            headers={"x-headrace-version": says["version"]},
        )
    return Response(_arrow(says), media_type=ARROW, headers={"x-headrace-version": says["version"]})


def _by_line(says: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer one object for each row."""
    columns = _columns(says)
    return [
        {name: values[place] for name, values in columns.items()}
        for place in range(len(says["predictions"]))
    ]


def _columns(says: dict[str, Any]) -> dict[str, Any]:
    rows = len(says["predictions"])
    columns: dict[str, Any] = {
        "id": [prediction_id(says["id"], place) for place in range(rows)],
        "version": [says["version"]] * rows,
        "prediction": says["predictions"],
    }
    if "probabilities" in says:
        columns["probabilities"] = says["probabilities"]
    columns |= says.get("distribution", {})
    columns |= {k: v for k, v in says.get("interval", {}).items() if k not in ("level", "notes")}
    if "explanations" in says:
        columns["explanation"] = says["explanations"]
    return columns


def _arrow(says: dict[str, Any]) -> bytes:
    import pyarrow as pa

    columns = _columns(says)
    columns.pop("explanation", None)
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-6 * max(1.0, abs(one))
    return bool(one == other)


# -- failures -------------------------------------------------------------------------------------


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refusal) else 400
    return json_response({"error": str(error)}, status)


async def _bad_rows(_: Request, error: Exception) -> Response:
    found = problems(error) if isinstance(error, DataError) else []
    return json_response({"error": str(error), "problems": found}, 422)


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return json_response({"error": "the request failed"}, 500)
    return json_response({"error": str(error.detail)}, error.status_code, error.headers)


async def _gone(_: Request, error: Exception) -> Response:
    del error
    return Response(status_code=400)  # nobody is there to read it


async def _failed(_: Request, error: Exception) -> Response:
    # The log has the details; they are none of the client's business.
    del error
    return json_response({"error": "the server could not answer; its log says why"}, 500)


_HANDLERS: dict[Any, Any] = {
    Refusal: _refused,
    DataError: _bad_rows,
    HTTPException: _http_error,
    ClientDisconnect: _gone,
    Exception: _failed,
}


def _target(runtime: Runtime) -> str:
    return runtime.target.name if runtime.target else runtime.task
