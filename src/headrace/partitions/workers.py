"""The workers behind an executor: how many there are, how bytes reach them, how they are lost."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import BrokenExecutor, CancelledError, ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

from headrace.partitions.task import perform

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

__all__ = ["Workers", "is_lost", "workers_of"]

_SCATTERED = 100_000
"""Bytes from which on a message takes Dask's way for data instead of its way for tasks."""


class Workers:
    """Some executor's workers.

    Args:
        executor: With the interface of `concurrent.futures.Executor`.
        shared: The bytes that all tasks share.
    """

    def __init__(self, executor: Executor, shared: bytes) -> None:
        self._executor = executor
        self._shared = shared

    @property
    def width(self) -> int:
        """How many tasks can run at a time; a guess where the executor does not say."""
        return int(getattr(self._executor, "_max_workers", 0) or os.cpu_count() or 1)

    def submit(self, name: str, message: bytes) -> Future[bytes]:
        """Give a task away."""
        return self._executor.submit(perform, name, message, self._shared)

    def renew(self) -> None:
        """Make good a loss, so that lost tasks can be given away again."""

    def close(self) -> None:
        """Let go of what was set up for the work; the user's executor is not touched."""


class _Processes(Workers):
    """A process pool, which breaks as a whole when one of its processes is killed."""

    def __init__(self, executor: ProcessPoolExecutor, shared: bytes) -> None:
        super().__init__(executor, shared)
        self._given = executor
        self._own: ProcessPoolExecutor | None = None

    def submit(self, name: str, message: bytes) -> Future[bytes]:
        try:
            return super().submit(name, message)
        except BrokenExecutor:
            self.renew()
            return super().submit(name, message)

    def renew(self) -> None:
        """Go on with a pool of the same size; a broken one takes no more tasks."""
        if not getattr(self._executor, "_broken", False):
            return  # this loss was made good with another one's
        self.close()
        self._own = ProcessPoolExecutor(
            self.width,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=getattr(self._given, "_initializer", None),
            initargs=getattr(self._given, "_initargs", ()),
        )
        self._executor = self._own

    def close(self) -> None:
        if self._own is not None:
            self._own.shutdown(wait=False, cancel_futures=True)


class _Dask(Workers):
    """The workers of a Dask client: large messages go as data, the shared one once to each."""

    def __init__(self, executor: Executor, client: Any, shared: bytes) -> None:
        super().__init__(executor, shared)
        self._client = client
        self._everywhere: Any = None
        self._sent: dict[Any, Any] = {}

    @property
    def width(self) -> int:
        return max(1, sum(int(threads) for threads in self._client.nthreads().values()))

    def submit(self, name: str, message: bytes) -> Future[bytes]:
        shared: Any = self._shared
        if len(shared) > _SCATTERED:
            shared = self._everywhere = self._everywhere or self._scatter(shared, broadcast=True)
        sent: Any = message
        if len(message) > _SCATTERED:
            sent = self._scatter(message)
        future: Future[bytes] = self._executor.submit(perform, name, sent, shared)
        if sent is not message:
            # Dask keeps data for as long as somebody holds on to it.
            self._sent[future] = sent
            future.add_done_callback(lambda done: self._sent.pop(done, None))
        return future

    def renew(self) -> None:
        """Send the shared bytes anew: the worker that held them may be the one that is gone."""
        self._everywhere = None

    def close(self) -> None:
        self._everywhere = None
        self._sent.clear()

    def _scatter(self, data: bytes, *, broadcast: bool = False) -> Any:
        return self._client.scatter(data, broadcast=broadcast, hash=False)


def workers_of(executor: Executor, shared: bytes) -> Workers:
    """Answer the workers of any executor."""
    client = getattr(executor, "_client", None)  # Dask's ClientExecutor has no public way
    if client is not None and hasattr(client, "scatter"):
        return _Dask(executor, client, shared)
    if isinstance(executor, ProcessPoolExecutor):
        return _Processes(executor, shared)
    return Workers(executor, shared)


def is_lost(error: BaseException) -> bool:
    """Answer whether a task came to nothing by no fault of its own: another try may do better."""
    of_dask = type(error).__module__.startswith("distributed")  # KilledWorker, CommClosedError, …
    return of_dask or isinstance(error, BrokenExecutor | CancelledError | ConnectionError)
