"""Teams of workers: processes on this machine, or one on each worker of a Dask cluster.

A team starts the processes and answers a future of each one's report; whoever asked may stop them
all. Dask carries numbers, texts and bytes only.
"""

from __future__ import annotations

import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, Self

from headrace.errors import SettingError
from headrace.model.parallel.process import free_port, run_worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from headrace.engine import Engine

__all__ = ["Here", "OnDask", "Team", "team_of"]

_PATIENCE = 60.0
_LOOK = 1.0


class Team(Protocol):
    """Whoever can run the processes of workers."""

    what: str
    """What a worker runs on, in words."""

    def size(self, wanted: int) -> int:
        """Answer how many workers there can be now, at most those wanted."""

    def start(
        self, parcels: Sequence[Mapping[str, bytes]], *, telling: bool
    ) -> list[Future[dict[str, Any]]]:
        """Start a worker for each parcel and answer the futures of their reports.

        Args:
            parcels: What each worker is given.
            telling: Whether the first worker tells its states, as somebody keeps them.
        """

    def state(self) -> bytes | None:
        """Answer the last state that the first worker has told; None before it has told any."""

    def lost(self) -> set[int]:
        """Answer the numbers of the workers that nobody runs any more and that will not report."""

    def stop(self) -> None:
        """End all workers that still run; their futures then have reports."""


def team_of(engine: Engine) -> Team:
    """Answer the team of an engine: the Dask cluster that its executor stands for, or this machine.

    Raises:
        SettingError: The executor is no Dask client's.
    """
    if engine.executor is None:
        return Here()
    client = getattr(engine.executor, "_client", None)
    if client is None or not hasattr(client, "nthreads"):
        raise SettingError(
            "workers needs a Dask client as executor (each worker of the cluster trains its part), "
            f"or none (the workers are processes on this machine), received {engine.executor!r}"
        )
    return OnDask(client)


class Here:
    """Processes on this machine."""

    what = "process on this machine"

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._state: bytes | None = None

    def size(self, wanted: int) -> int:
        """Answer the number that is wanted."""
        return wanted

    def start(
        self, parcels: Sequence[Mapping[str, bytes]], *, telling: bool
    ) -> list[Future[dict[str, Any]]]:
        """Start a process for each parcel."""
        stopped = self._stopped = threading.Event()
        addresses = [f"127.0.0.1:{free_port()}" for _ in parcels]
        threads = max(1, (os.cpu_count() or 1) // len(parcels))
        pool = ThreadPoolExecutor(len(parcels), thread_name_prefix="headrace-worker")
        futures = [
            pool.submit(
                run_worker,
                number,
                parcel,
                addresses,
                threads=threads,
                stopped=stopped.is_set,
                told=self._tell if telling and not number else None,
                environment=_device(number, len(parcels)),
            )
            for number, parcel in enumerate(parcels)
        ]
        pool.shutdown(wait=False)
        return futures

    def state(self) -> bytes | None:
        """Answer the last state that the first process has told."""
        return self._state

    def lost(self) -> set[int]:
        """Answer none: whatever becomes of a process, this machine reports it."""
        return set()

    def stop(self) -> None:
        """End all processes."""
        self._stopped.set()

    def _tell(self, state: bytes) -> None:
        self._state = state


class OnDask:
    """A process on each of some workers of a Dask cluster.

    Args:
        client: Of the cluster.
    """

    what = "worker of the Dask cluster"

    def __init__(self, client: Any) -> None:
        self._client = client
        self._used: list[str] = []
        self._stop: Any = None
        self._told: Any = None
        self._state: bytes | None = None

    def size(self, wanted: int) -> int:
        """Answer how many workers the cluster has now, at most those wanted."""
        return min(wanted, len(self._addresses()))

    def start(
        self, parcels: Sequence[Mapping[str, bytes]], *, telling: bool
    ) -> list[Future[dict[str, Any]]]:
        """Start a process on as many workers as there are parcels, one on each."""
        self._used = self._addresses()[: len(parcels)]
        asked = [self._on(address).submit(_own_address) for address in self._used]
        addresses = [future.result(timeout=_PATIENCE) for future in asked]
        name = f"headrace-training-{secrets.token_hex(8)}"
        self._stop = _event(name, self._client)
        self._told = _queue(name, self._client) if telling else None
        futures = []
        for number, (address, parcel) in enumerate(zip(self._used, parcels, strict=True)):
            sent = self._client.scatter(dict(parcel), workers=[address], hash=False)
            tells = telling and not number
            futures.append(
                self._on(address).submit(_run_on_dask, number, sent, addresses, name, tells)
            )
        return futures

    def state(self) -> bytes | None:
        """Answer the last state that came through the scheduler."""
        while self._told is not None and self._told.qsize():
            self._state = self._told.get()
        return self._state

    def lost(self) -> set[int]:
        """Answer the numbers of those whose worker of the cluster is gone."""
        there = set(self._addresses())
        return {number for number, address in enumerate(self._used) if address not in there}

    def stop(self) -> None:
        """Let all workers that are left end their processes."""
        if self._stop is not None:
            self._stop.set()

    def _addresses(self) -> list[str]:
        # Asked of the scheduler; `scheduler_info` may answer what it was a moment ago.
        return sorted(self._client.nthreads())

    def _on(self, address: str) -> Any:
        return self._client.get_executor(
            workers=[address], allow_other_workers=False, pure=False, retries=0
        )


class _Asked:
    """Whether the event that stops the workers is set, asked of the scheduler now and then."""

    def __init__(self, name: str) -> None:
        from distributed import get_client

        self._event = _event(name, get_client())
        self._over = threading.Event()
        self._set = False
        self._thread = threading.Thread(target=self._watch, daemon=True, name="headrace-stop")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()

    def __call__(self) -> bool:
        return self._set

    def _watch(self) -> None:
        while not self._over.wait(_LOOK):
            self._set = self._set or bool(self._event.is_set())


def _event(name: str, client: Any) -> Any:
    from distributed import Event

    return Event(name, client=client)  # type: ignore[no-untyped-call]


def _queue(name: str, client: Any) -> Any:
    from distributed import Queue

    return Queue(name, client=client)  # type: ignore[no-untyped-call]


def _own_address() -> str:
    """Answer the host of a Dask worker with a free port; runs there."""
    from distributed import get_worker

    host = get_worker().address.rpartition("/")[2].rpartition(":")[0]
    return f"{host}:{free_port()}"


def _run_on_dask(
    number: int,
    parcel: Mapping[str, bytes],
    addresses: Sequence[str],
    name: str,
    tells: bool,
) -> dict[str, Any]:
    """Run the process of a worker as a task of a Dask worker."""
    from distributed import get_client, get_worker

    here = get_worker()
    told = _queue(name, get_client()).put if tells else None
    with _Asked(name) as stopped:
        return run_worker(
            number,
            parcel,
            addresses,
            threads=here.state.nthreads,
            stopped=stopped,
            told=told,
            folder=here.local_directory,
        )


def _device(number: int, workers: int) -> dict[str, str]:
    """Answer which GPU a process takes: one each, or none for anybody."""
    from headrace.model.backend import tensorflow

    gpus = len(tensorflow().config.list_physical_devices("GPU"))
    return {"CUDA_VISIBLE_DEVICES": str(number) if 1 < gpus >= workers else "-1"}
