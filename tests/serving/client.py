"""An application and a client to it, in one process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["ask", "ask_all"]


def ask(app: Starlette, method: str, path: str, **given: Any) -> httpx.Response:
    """Send one request."""
    return ask_all(app, [(method, path, given)])[0]


def ask_all(
    app: Starlette, requests: list[tuple[str, str, dict[str, Any]]]
) -> list[httpx.Response]:
    """Send requests, all at once."""

    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            sent = (client.request(method, path, **given) for method, path, given in requests)
            return list(await asyncio.gather(*sent))

    return asyncio.run(send())
