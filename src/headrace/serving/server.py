"""The server: the application behind a socket, in one process or several."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from headrace.deploy.runtime import Runtime
from headrace.errors import SettingError
from headrace.serving.app import create_app
from headrace.serving.asking import BodyLimits
from headrace.serving.guard import GuardSettings
from headrace.serving.patience import PatientProtocol
from headrace.serving.tokens import TokenFile

if TYPE_CHECKING:
    import socket

    from starlette.applications import Starlette

__all__ = ["ServerSettings", "serve"]

_HERE = ("127.0.0.1", "localhost", "::1")
_SETTINGS = "HEADRACE_SERVE"


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """How a server listens.

    Attributes:
        host: The address; another than this machine's own needs tokens.
        port: The port; 0 for any that is free.
        workers: Processes that share the port.
        tokens: A file of tokens, see `headrace token`.
        open: Whether other machines may ask without tokens.
        certificate: A file for TLS, with the chain.
        key: Its private key.
        ledger: The SQLite file where predictions and labels are noted.
        patience: Seconds that the head of a request may take to arrive.
        drain: Seconds that requests under way may take when the server stops.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    tokens: str | None = None
    open: bool = False
    certificate: str | None = None
    key: str | None = None
    ledger: str | None = None
    patience: float = 10.0
    drain: float = 10.0

    def check(self) -> None:
        """Refuse what would let anybody in by mistake.

        Raises:
            SettingError: Another address without tokens, or half of a certificate.
        """
        if self.host not in _HERE and self.tokens is None and not self.open:
            raise SettingError(
                f"host {self.host} lets other machines ask: give tokens (headrace token FILE add "
                "NAME, then --tokens FILE), or say --open if anybody may ask and change things"
            )
        if (self.certificate is None) != (self.key is None):
            raise SettingError("TLS needs both, certificate and key")
        if self.workers < 1:
            raise SettingError(f"workers must be 1 or more, received {self.workers}")


def serve(
    path: str | os.PathLike[str] | Runtime,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    name: str = "champion",
    threads: int = 1,
    limits: BodyLimits | None = None,
    guard: GuardSettings | None = None,
    settings: ServerSettings | None = None,
) -> None:
    """Serve a release until it is interrupted; requests under way are finished first.

    Args:
        path: A release folder, a registry, or a `Runtime`.
        host: The address to listen on; "0.0.0.0" lets other machines in.
        port: The port; 0 for any that is free.
        name: For a registry: the alias or version that answers.
        threads: Threads inside one call of the graph.
        limits: What one request may hold.
        guard: How many requests are let through.
        settings: Tokens, TLS, worker processes; in the place of `host` and `port`.

    Raises:
        ReleaseError: No release, altered, or without an ONNX graph.
        SettingError: Other machines could ask without tokens.
    """
    chosen = settings or ServerSettings(host=host, port=port)
    chosen.check()
    _log_to_stderr()
    guard = guard or GuardSettings()
    if chosen.open:
        guard = GuardSettings(**{**_plain(guard), "any_host": True})
    if chosen.workers > 1:
        _serve_by_many(path, name, threads, limits or BodyLimits(), guard, chosen)
        return
    PatientProtocol.seconds = chosen.patience
    app = create_app(
        path,
        name=name,
        threads=threads,
        limits=limits,
        guard=guard,
        tokens=TokenFile(chosen.tokens) if chosen.tokens else None,
        ledger=chosen.ledger,
    )
    server = _Server(uvicorn.Config(app, **_uvicorn(chosen)))
    connections = server.server_state.connections
    app.state.service.batcher.alone = lambda: len(connections) <= 1
    # What is loaded now stays: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()
    server.run()


def _serve_by_many(  # noqa: PLR0917 - all that a worker needs
    path: Any, name: str, threads: int, limits: BodyLimits, guard: GuardSettings,
    chosen: ServerSettings,
) -> None:  # fmt: skip
    """Serve by several processes, which count their figures in one folder."""
    if isinstance(path, Runtime):
        raise SettingError("several workers open the release themselves: give its path")
    Runtime(path, name=name)  # what is wrong is said here, once
    with tempfile.TemporaryDirectory(prefix="headrace-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        os.environ[_SETTINGS] = json.dumps(
            {
                "path": str(Path(path).resolve()),
                "name": name,
                "threads": threads,
                "limits": _plain(limits),
                "guard": _plain(guard),
                "tokens": chosen.tokens,
                "ledger": chosen.ledger,
                "patience": chosen.patience,
            }
        )
        uvicorn.run(
            "headrace.serving.server:worker", factory=True, workers=chosen.workers,
            **_uvicorn(chosen),
        )  # fmt: skip


def worker() -> Starlette:
    """Answer the application of one of several worker processes."""
    given = json.loads(os.environ[_SETTINGS])
    _log_to_stderr()
    PatientProtocol.seconds = given["patience"]
    return create_app(
        given["path"],
        name=given["name"],
        threads=given["threads"],
        limits=BodyLimits(**given["limits"]),
        guard=GuardSettings(**given["guard"]),
        tokens=TokenFile(given["tokens"]) if given["tokens"] else None,
        ledger=given["ledger"],
    )


def _uvicorn(chosen: ServerSettings) -> dict[str, Any]:
    return {
        "host": chosen.host,
        "port": chosen.port,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "lifespan": "on",
        "timeout_graceful_shutdown": int(chosen.drain),
        "timeout_keep_alive": 30,
        "http": PatientProtocol,
        "h11_max_incomplete_event_size": 1 << 16,
        "ssl_certfile": chosen.certificate,
        "ssl_keyfile": chosen.key,
    }


def _plain(settings: Any) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}


def _log_to_stderr() -> None:
    """Let the server's own log out, as lines of JSON, unless somebody has arranged for it."""
    log = logging.getLogger("headrace.serving")
    if not log.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)


class _Server(uvicorn.Server):
    """Says where it listens as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            app: Any = self.config.app
            version = app.state.service.live.lineup.champion.version
            scheme = "https" if self.config.is_ssl else "http"
            sys.stderr.write(f"headrace serves {version} on {scheme}://{shown}:{port}\n")
            sys.stderr.flush()
