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
        status, errors = _run(own, os.environ | variables, stopped)
        left = {piece: _content(own / f"{piece}.npz") for piece in (ANSWER, STATE, FAILURE)}
    return {"status": status, "errors": errors, **left}


def _variables(number: int, addresses: Sequence[str], threads: int) -> dict[str, str]:
    task = {"type": "worker", "index": number}
    return {
        "TF_CONFIG": json.dumps({"cluster": {"worker": list(addresses)}, "task": task}),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "HEADRACE_PROGRESS": "0",
    }


def _run(
    folder: Path, environment: Mapping[str, str], stopped: Callable[[], bool]
) -> tuple[int, str]:
    errors = folder / "errors.txt"
    command = [sys.executable, "-m", "headrace.model.parallel.worker", str(folder)]
    with errors.open("wb") as written:
        process = subprocess.Popen(  # noqa: S603 - this Python with a module of headrace
            command, stdin=subprocess.PIPE, stdout=written, stderr=written, env=dict(environment)
        )
        try:
            while process.poll() is None and not stopped():
                time.sleep(_PAUSE)
        finally:
            process.kill()  # nothing when it is over
            status = process.wait()
            if process.stdin is not None:
                process.stdin.close()
    return status, errors.read_bytes()[-_TAIL:].decode(errors="replace")


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
