"""The one gate that every request goes through: who asks, how much, and what came of it.

Nothing is open unless it is listed here. A token is asked for on every other path as soon as there
are tokens; without any, only this very machine may ask, by a name of this machine (a page on the
web that a browser shows here cannot reach the server under a name of its own).
"""

from __future__ import annotations

import itertools
import json
import logging
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from headrace.serving.metrics import Metrics
    from headrace.serving.tokens import Role, Token, Tokens

__all__ = ["OPEN", "Caller", "Guard", "GuardSettings", "needed_role"]

OPEN = frozenset(
    {
        *("/", "/dashboard.js", "/dashboard.css"),  # the page alone: what it shows needs a token
        *("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"),
    }
)
"""Paths that need no token: they tell nothing but that the server is there."""

_ROUTES = frozenset(
    {
        *("/predict", "/explain", "/feedback", "/health", "/schema", "/openapi.json"),
        *("/metrics", "/invocations", "/ping", "/version", "/v2"),
        *OPEN,
    }
)
_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", ""})
_IDENTITY = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
_MOST_CALLERS = 10_000
_log = logging.getLogger("headrace.serving")


@dataclass(frozen=True, kw_only=True)
class GuardSettings:
    """What the gate lets through.

    Attributes:
        requests: Requests that may be under way at once; more are turned away with 429.
        rate: Requests a second of one caller, over a while; None for no limit.
        any_host: Whether the server may be asked under any name without tokens.
        log: Whether each request is written to the log as a line of JSON.
    """

    requests: int = 512
    rate: float | None = None
    any_host: bool = False
    log: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: The name of the token, or "anyone".
        role: What it may do.
    """

    name: str
    role: Role


def needed_role(path: str) -> Role | None:
    """Answer the role that a path needs; None where it is open.

    Example:
        >>> needed_role("/health/live"), needed_role("/predict"), needed_role("/admin/adjust")
        (None, 'predict', 'admin')
    """
    if path in OPEN:
        return None
    return "admin" if path.startswith("/admin") else "predict"


class Guard:
    """Lets requests through, or turns them away; numbers, counts and times them.

    Args:
        app: What is guarded.
        tokens: Answers the tokens in force.
        metrics: Where requests are counted.
        settings: What is let through.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        tokens: Callable[[], Tokens | None],
        metrics: Metrics,
        settings: GuardSettings,
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._metrics = metrics
        self._settings = settings
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._start = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of any kind."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        identity = self._identity(headers)
        scope["headrace"] = identity
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", identity.encode()))
            await send(message)

        self.under_way += 1
        self._metrics.in_progress.inc()
        try:
            refusal = self._refusal(scope, headers)
            if refusal is None:
                await self._app(scope, receive, answer)
            else:
                code, text, told, reason = refusal
                self._metrics.refused.labels(reason).inc()
                await _refuse(answer, code, text, told)
        finally:
            self.under_way -= 1
            self._metrics.in_progress.dec()
            seconds = time.perf_counter() - started
            self._metrics.count(_route(scope["path"]), status, seconds)
            if self._settings.log:
                self._write(scope, identity, status, seconds)

    def _refusal(
        self, scope: Scope, headers: dict[bytes, bytes]
    ) -> tuple[int, str, dict[str, str], str] | None:
        """Answer status, words, headers and reason of a refusal; None where there is none."""
        role = needed_role(scope["path"])
        caller, wrong = self._caller(headers)
        if role is not None:
            if caller is None:
                ask = {"www-authenticate": "Bearer"}
                return (
                    401,
                    wrong or "a bearer token is needed: Authorization: Bearer …",
                    ask,
                    "token",
                )
            if role == "admin" and caller.role != "admin":
                return 403, f"the token {caller.name!r} may predict, not change things", {}, "role"
        if self.under_way > self._settings.requests:
            return 429, "too many requests are under way; try again", {"retry-after": "1"}, "busy"
        if role is not None and caller is not None:
            wait = self._wait(caller.name, scope)
            if wait:
                text = f"more than {self._settings.rate:g} requests a second; try again"
                return 429, text, {"retry-after": str(int(wait) + 1)}, "rate"
        scope["headrace.caller"] = caller
        return None

    def _caller(self, headers: dict[bytes, bytes]) -> tuple[Caller | None, str]:
        tokens = self._tokens()
        if tokens is None:
            host = headers.get(b"host", b"").decode("latin-1")
            name = host.rpartition(":")[0] if host.count(":") == 1 or "]:" in host else host
            if self._settings.any_host or name.lower() in _HOSTS:
                return _ANYONE, ""
            return None, "without tokens the server answers to names of its own machine alone"
        given = headers.get(b"authorization", b"").decode("latin-1")
        kind, _, secret = given.partition(" ")
        token = tokens.find(secret.strip()) if kind.lower() == "bearer" else None
        if token is None:
            return None, "the bearer token is not known" if given else ""
        return _caller_of(token), ""

    def _wait(self, name: str, scope: Scope) -> float:
        """Answer how many seconds a caller should wait; each has a bucket of two seconds' worth."""
        rate = self._settings.rate
        if rate is None:
            return 0.0
        client = scope.get("client")
        key = name if name != _ANYONE.name or not client else str(client[0])
        now, most = time.monotonic(), max(2 * rate, 1.0)
        left, seen = self._buckets.pop(key, (most, now))
        left = min(most, left + (now - seen) * rate)
        waits = left < 1
        self._buckets[key] = (left if waits else left - 1, now)
        if len(self._buckets) > _MOST_CALLERS:
            self._buckets.popitem(last=False)
        return (1 - left) / rate if waits else 0.0

    def _identity(self, headers: dict[bytes, bytes]) -> str:
        """Answer the request's name: its own where it has a decent one."""
        given = headers.get(b"x-request-id")
        if given is not None:
            text = given.decode("latin-1")
            if _IDENTITY.fullmatch(text):
                return text
        return f"{self._start}-{next(self._numbers):x}"

    def _write(self, scope: Scope, identity: str, status: int, seconds: float) -> None:
        caller = scope.get("headrace.caller")
        line = {
            "event": "request",
            "id": identity,
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": status,
            "seconds": round(seconds, 6),
            "caller": caller.name if caller else None,
            "version": scope.get("headrace.version"),
        }
        _log.info(json.dumps(line, ensure_ascii=False))


_ANYONE = Caller("anyone", "admin")


def _caller_of(token: Token) -> Caller:
    return Caller(token.name, token.role)


def _route(path: str) -> str:
    """Answer a name for a path that there are few of."""
    if path in _ROUTES:
        return path
    for start in ("/v2/models", "/admin"):
        if path.startswith(start):
            return start
    return "other"


async def _refuse(send: Any, status: int, text: str, headers: dict[str, str]) -> None:
    body = msgspec.json.encode({"error": text})
    told = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    pairs = [(name.encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
