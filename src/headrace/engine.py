"""The engine: how much memory the work may take, and who does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.sizes import bytes_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["HERE", "Engine"]


@dataclass(frozen=True)
class Engine:
    """What a pipeline's work runs on; it changes how, not what is learnt.

    Tables of several partitions are learnt partition by partition: sums are rounded and quantiles
    sketched accordingly, the same way whoever does it (see docs/distributed.md).

    Attributes:
        memory: The most bytes that the process may hold; None for what the machine has.
        executor: Who works on the parts of a table, with the interface of
            `concurrent.futures.Executor`; None for this process.

    Example:
        >>> Engine.of(memory="2GB").memory
        2000000000
    """

    memory: int | None = None
    executor: Executor | None = None

    @classmethod
    def of(cls, memory: float | str | None = None, executor: Any = None) -> Engine:
        """Make an engine of what users give: "2GB", an executor or a Dask client.

        Raises:
            SettingError: Either cannot be used.
        """
        return cls(None if memory is None else bytes_of(memory), _executor(executor))


HERE = Engine()
"""This process, with the memory that the machine has."""


def _executor(given: Any) -> Executor | None:
    if given is None:
        return None
    if hasattr(given, "get_executor"):  # a Dask client
        return given.get_executor()  # type: ignore[no-any-return]
    if not (hasattr(given, "submit") and hasattr(given, "map")):
        raise SettingError(
            "executor must have the interface of concurrent.futures.Executor (a process pool) or "
            f"be a Dask client, received {given!r}"
        )
    return given  # type: ignore[no-any-return]
