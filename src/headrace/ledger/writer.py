"""Writing to a ledger beside the work: whoever has something to note never waits for the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from headrace.errors import DataError
from headrace.ledger.items import Label, Prediction

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from headrace.ledger.ledger import Ledger

__all__ = ["LedgerWriter"]

_log = logging.getLogger("headrace.ledger")
_LONGEST_WAIT = 30.0


class LedgerWriter:
    """Takes predictions and labels at once, and writes them from a thread of its own.

    Args:
        ledger: Where they go.
        most: How many may wait; more are dropped, and counted.
        batch: How many are written in one transaction.

    Attributes:
        written: How many are on the disk.
        dropped: How many were not taken, or could not be written as they are.
    """

    def __init__(self, ledger: Ledger, *, most: int = 100_000, batch: int = 1_000) -> None:
        self.written = 0
        self.dropped = 0
        self._ledger = ledger
        self._most, self._batch = most, batch
        self._items: deque[Prediction | Label] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._writing = 0
        self._thread = threading.Thread(target=self._run, name="headrace-ledger", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many are not on the disk yet."""
        return len(self._items) + self._writing

    def put(self, item: Prediction | Label) -> bool:
        """Take an item, without waiting; answer whether it was taken."""
        if self._closing or len(self._items) >= self._most:
            self.dropped += 1
            return False
        self._items.append(item)
        if len(self._items) == 1:
            with self._changed:
                self._changed.notify_all()
        return True

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until all that was taken is on the disk; answer whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.waiting, timeout)

    def close(self, timeout: float = 30.0) -> bool:
        """Write all that was taken and stop; answer whether all is on the disk."""
        self._closing = True
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self.waiting

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        wait = 0.0
        batch: list[Prediction | Label] = []
        while True:
            if not batch:
                batch = self._next()
                if not batch:
                    return
            try:
                self._write(batch)
            except (sa.exc.SQLAlchemyError, OSError) as error:
                if not wait:
                    _log.warning(
                        "the ledger cannot be written, %d items wait: %s", self.waiting, error
                    )
                wait = min(max(2 * wait, 0.1), _LONGEST_WAIT)
                if self._closing and wait > 2:
                    return  # what could not be written is counted as waiting
                time.sleep(wait)
                continue
            wait = 0.0
            with self._changed:
                self._writing = 0
                self._changed.notify_all()
            batch = []

    def _next(self) -> list[Prediction | Label]:
        """Answer the next items; none when the writer is closed and all is written."""
        with self._changed:
            while not self._items:
                if self._closing:
                    return []
                self._changed.wait(0.5)
            batch = [self._items.popleft() for _ in range(min(self._batch, len(self._items)))]
            self._writing = len(batch)
            return batch

    def _write(self, batch: list[Prediction | Label]) -> None:
        groups: list[tuple[Any, list[Any]]] = [
            (self._ledger.add_predictions, [one for one in batch if isinstance(one, Prediction)]),
            (self._ledger.add_labels, [one for one in batch if isinstance(one, Label)]),
        ]
        written = sum(_add(add, items) for add, items in groups if items)
        # Counted last: a batch that failed half-way is written again, which changes nothing.
        self.written += written
        self.dropped += len(batch) - written


def _add(add: Any, items: list[Any]) -> int:
    """Add items, answer how many; one that cannot be written must not hold up the others."""
    try:
        add(items)
    except DataError as error:
        if len(items) > 1:
            return sum(_add(add, [item]) for item in items)
        _log.warning("an item cannot be written: %s", error)
        return 0
    return len(items)
