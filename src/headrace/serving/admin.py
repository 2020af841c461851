"""What an administrator may do while the model answers: adjust it, promote, roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from headrace.deploy.body import Refusal, decode
from headrace.errors import ReleaseError, SettingError
from headrace.serving.asking import JSON, read_body
from headrace.serving.openapi import operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from headrace.serving.app import Service

__all__ = ["Admin"]

_WHY = {"type": "string", "minLength": 1, "description": "The reason, for the history."}


class Admin:
    """The paths under `/admin`; the guard asks for the role.

    Args:
        service: Who answers.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        service.operations |= _operations()

    def routes(self) -> Iterator[tuple[str, Any, str]]:
        """Answer the paths, what answers them, and the methods."""
        yield "/admin/state", self.state, "GET"
        yield "/admin/adjust", self.adjust, "POST"
        yield "/admin/promote", self.promote, "POST"
        yield "/admin/rollback", self.rollback, "POST"

    async def state(self, _: Request) -> Response:
        """Say who answers, what is adjusted, which releases there are, and what was changed."""
        return _json(await run_in_threadpool(self.told))

    def told(self) -> dict[str, Any]:
        """Answer what `state` says, as plain values."""
        live = self._service.live
        releases = [] if live.registry is None else list(live.registry.versions())
        return {
            "answering": live.lineup.versions(),
            "adjustments": live.lineup.adjustments.to_dict(),
            "releases": releases,
            "changes": live.changes(),
            "failure": live.failure,
        }

    async def adjust(self, request: Request) -> Response:
        """Change what is answered, from the next request on: `{"changes": {…}, "why": "…"}`."""
        given = await self._given(request, {"changes", "why"})
        changes = given["changes"]
        if not isinstance(changes, dict) or not changes:
            raise Refusal(422, "'changes' should be an object with one or more adjustments")
        who = request.scope["headrace.caller"].name
        after = await run_in_threadpool(
            _refusing, lambda: self._service.live.adjust(changes, who=who, why=given["why"])
        )
        return _json({"adjustments": after.to_dict()})

    async def promote(self, request: Request) -> Response:
        """Make a release the champion: `{"version": "…", "why": "…"}`."""
        given = await self._given(request, {"version", "why"})
        if not isinstance(given["version"], str):
            raise Refusal(422, "'version' should be a text")
        return await self._move(request, "promote", given["version"], given["why"])

    async def rollback(self, request: Request) -> Response:
        """Make the champion before this one the champion again: `{"why": "…"}`."""
        given = await self._given(request, {"why"})
        return await self._move(request, "rollback", "", given["why"])

    async def _move(self, request: Request, action: str, version: str, why: str) -> Response:
        who = request.scope["headrace.caller"].name
        now = await run_in_threadpool(
            _refusing, lambda: self._service.live.move(action, version, who=who, why=why)
        )
        return _json({"champion": now})

    async def _given(self, request: Request, keys: set[str]) -> dict[str, Any]:
        """Read a body; only one that is declared as JSON, which no form of a web page can be."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise Refusal(415, f"expected {JSON}")
        value = decode(await read_body(request, self._service.limits))
        if not isinstance(value, dict) or set(value) != keys:
            raise Refusal(422, f"expected an object with {', '.join(sorted(keys))}")
        if not isinstance(value["why"], str) or not value["why"].strip():
            raise Refusal(422, "say why, in a few words: the history keeps it")
        return value


def _refusing(act: Any) -> Any:
    """Do something; what cannot be done is the client's to know, without the server's paths."""
    try:
        return act()
    except SettingError as error:
        raise Refusal(422, str(error)) from error
    except ReleaseError as error:
        raise Refusal(409, _without_paths(str(error))) from error


def _without_paths(text: str) -> str:
    words = [word for word in text.split(" ") if "/" not in word and "\\" not in word]
    return " ".join(words)


def _operations() -> dict[str, Any]:
    def body(**properties: Any) -> dict[str, Any]:
        found = {**properties, "why": _WHY}
        return {"type": "object", "properties": found, "required": list(found)}

    return {
        "GET /admin/state": operation("Who answers, and what was changed", refusals=(401, 403)),
        "POST /admin/adjust": operation(
            "Change what is answered: canary, shadow, threshold, fallback, kill switch",
            body=body(changes={"type": "object"}),
            example={"changes": {"threshold": 0.4}, "why": "fewer missed cases"},
        ),
        "POST /admin/promote": operation(
            "Make a release the champion", body=body(version={"type": "string"})
        ),
        "POST /admin/rollback": operation("Go back to the champion before", body=body()),
    }


def _json(content: Any) -> Response:
    from headrace.serving.app import json_response

    return json_response(content)
