"""The dashboard: a page to keep open, made of three files and one path with what they show."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from headrace.serving.asking import asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from headrace.serving.admin import Admin
    from headrace.serving.app import Service

__all__ = ["Dashboard"]

_FILES = {
    "/": ("dashboard.html", "text/html; charset=utf-8"),
    "/dashboard.css": ("dashboard.css", "text/css; charset=utf-8"),
    "/dashboard.js": ("dashboard.js", "text/javascript; charset=utf-8"),
}
_SAFE = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_SHOWN = 20


class Dashboard:
    """The page, and what it shows.

    Args:
        service: Who answers.
        admin: What may be done.
        title: What the model is called.
    """

    def __init__(self, service: Service, admin: Admin, title: str) -> None:
        self._service = service
        self._admin = admin
        self._title = title

    def routes(self) -> Iterator[tuple[str, Any, str]]:
        """Answer the paths, what answers them, and the methods."""
        for path, (name, kind) in _FILES.items():
            yield path, _file(name, kind), "GET"
        yield "/admin/dashboard", self.data, "GET"
        yield "/admin/explain", self.explain, "POST"

    async def data(self, _: Request) -> Response:
        """Answer all that the page shows."""
        from headrace.serving.app import json_response

        return json_response(await run_in_threadpool(self._data))

    async def explain(self, request: Request) -> Response:
        """Say why a row was answered so; a look back, and no prediction that is counted."""
        from headrace.serving.app import json_response

        wanted = await asked(request, self._service.limits)
        champion = self._service.live.lineup.champion
        says = await run_in_threadpool(champion.answer, replace(wanted, explain=True))
        return json_response(says)

    def _data(self) -> dict[str, Any]:
        service, recent = self._service, self._service.recent
        last = list(recent.seen)[-_SHOWN:][::-1]
        return {
            "title": self._title,
            "started": service.started,
            "under_way": int(service.under_way()),
            "traffic": recent.traffic(),
            "shares": recent.shares(),
            "recent": [
                {
                    "id": one.id,
                    "time": one.time,
                    "version": one.version,
                    "row": one.row,
                    "prediction": one.prediction,
                    "probability": one.probability,
                }
                for one in last
            ],
            "ledger": service.noted(),
            "monitor": service.monitor.report,
            **self._admin.told(),
        }


def _file(name: str, kind: str) -> Any:
    content = (resources.files("headrace.serving") / name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, headers={"content-type": kind, **_SAFE})

    return answer
