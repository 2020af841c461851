"""Limited patience with clients that send the head of a request a byte at a time, or never."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["patient_protocol"]


@cache
def patient_protocol(seconds: float) -> Any:  # noqa: C901 - a small class in a function
    """Answer uvicorn's protocol, made to close connections whose next request does not arrive.

    Args:
        seconds: How long the head of a request may take, from its first byte on (the first
            request of a connection: from the connection on).
    """
    base = _base()

    class Patient(base):  # type: ignore[misc, valid-type]
        """Closes what takes too long."""

        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            arrived = self.cycle is not before
            if arrived:
                self._stop()
            elif self._timer is None and (self.cycle is None or self.cycle.response_complete):
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _wait(self) -> None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._give_up)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _give_up(self) -> None:
            self._timer = None
            if not self.transport.is_closing():
                self.transport.close()

    return Patient


def _base() -> Callable[..., Any]:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol

        return H11Protocol
    return HttpToolsProtocol
