"""Starting the process of a worker, and waiting for it: run on the machine that it works on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.model.parallel.worker import ANSWER, FAILURE, JOB, START, STATE
from headrace.storage.files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["free_port", "run_worker"]

_PAUSE = 0.1
_TAIL = 2000

_TELL = 10.0
"""Seconds between two states that are told: the work of so many is lost with who asked."""


def free_port() -> int:
    """Answer a port that is free on this machine now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def run_worker(
    number: int,
    parcel: Mapping[str, bytes],
    addresses: Sequence[str],
    *,
    threads: int,
    stopped: Callable[[], bool],
    told: Callable[[bytes], None] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: str | None = None,
) -> dict[str, Any]:
    """Run the process of one worker to its end.

    Args:
        number: The worker's, from 0.
        parcel: The pieces "job" and "start", as bytes.
        addresses: "host:port" of every worker.
        threads: Of TensorFlow.
        stopped: Answers whether to end the process at once, as another worker is gone.
        told: Is given the states that the worker passes, now and then.
        environment: Further variables of the process.
        folder: Where the worker's folder is made; None for the system's temporary folder.

    Returns:
        "status": the exit status (negative for a signal); "answer", "state" and "failure": the
        pieces that the worker has left, as bytes or None; "errors": the end of its error stream.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-worker-", dir=folder) as name:
        own = Path(name)
        for piece in (JOB, START):
            write_file(own / f"{piece}.npz", parcel[piece])
        variables = _variables(number, addresses, threads) | dict(environment or {})
        telling = None if told is None else _Telling(own / f"{STATE}.npz", told)
        status, errors = _run(own, os.environ | variables, stopped, telling)
        left = {piece: _content(own / f"{piece}.npz") for piece in (ANSWER, STATE, FAILURE)}
    return {"status": status, "errors": errors, **left}


def _variables(number: int, addresses: Sequence[str], threads: int) -> dict[str, str]:
    task = {"type": "worker", "index": number}
    return {
        "TF_CONFIG": json.dumps({"cluster": {"worker": list(addresses)}, "task": task}),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "HEADRACE_PROGRESS": "0",
    }


class _Telling:
    """Tells the state that lies in a file when it is new, not too often."""

    def __init__(self, file: Path, told: Callable[[bytes], None]) -> None:
        self._file, self._told = file, told
        self._next = 0.0

    def look(self) -> None:
        if time.monotonic() >= self._next and self._file.is_file():
            self._told(self._file.read_bytes())
            self._next = time.monotonic() + _TELL


def _run(
    folder: Path,
    environment: Mapping[str, str],
    stopped: Callable[[], bool],
    telling: _Telling | None,
) -> tuple[int, str]:
    errors = folder / "errors.txt"
    command = [sys.executable, "-m", "headrace.model.parallel.worker", str(folder)]
    with errors.open("wb") as written:
        process = subprocess.Popen(  # noqa: S603 - this Python with a module of headrace
            command, stdin=subprocess.PIPE, stdout=written, stderr=written, env=dict(environment)
        )
        try:
            while process.poll() is None and not stopped():
                if telling is not None:
                    telling.look()
                time.sleep(_PAUSE)
        finally:
            process.kill()  # nothing when it is over
            status = process.wait()
            if process.stdin is not None:
                process.stdin.close()
    return status, errors.read_bytes()[-_TAIL:].decode(errors="replace")


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
