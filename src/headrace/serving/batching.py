"""Micro-batching: requests that are there at the same moment are answered by one call of the graph.

Nobody waits for others to come: a request that is alone is answered at once. Where many clients
ask, the event loop reads several requests in one turn; those are answered together at its end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from headrace.data.rows import Blocks
from headrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.serving.answering import Answerer
    from headrace.serving.asking import Asked

__all__ = ["Batcher"]

_MOST_ROWS = 256
"""Rows of one call; more wait for the next turn."""

_Waiting = tuple["Answerer", "Asked", "asyncio.Future[dict[str, Any]]"]


class Batcher:
    """Joins small requests that arrive together.

    Attributes:
        alone: Says whether one client is connected at most, who is then answered at once.
        sizes: Is told how many requests each call answers.
    """

    def __init__(self) -> None:
        self.alone: Callable[[], bool] = lambda: False
        self.sizes: Callable[[int], None] = lambda _: None
        self._waiting: list[_Waiting] = []

    async def answer(self, answerer: Answerer, asked: Asked) -> dict[str, Any]:
        """Answer a request, perhaps together with others.

        Raises:
            DataError: Rows of this very request do not fit.
            Refusal: It asks for what the release does not know.
        """
        if self.alone():
            self.sizes(1)
            return answerer.answer(asked)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[dict[str, Any]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._turn)
        self._waiting.append((answerer, asked, future))
        return await future

    def _turn(self) -> None:
        waiting, self._waiting = self._waiting, []
        for group in _groups(waiting):
            self.sizes(len(group))
            _settle(group)


def _groups(waiting: list[_Waiting]) -> list[list[_Waiting]]:
    """Answer requests in groups for one release each, of no more rows than one call may have."""
    groups: dict[int, list[list[_Waiting]]] = {}
    rows: dict[int, int] = {}
    for one in waiting:
        key, count = id(one[0]), len(one[1].rows)
        if key not in groups or rows[key] + count > _MOST_ROWS:
            groups.setdefault(key, []).append([])
            rows[key] = 0
        groups[key][-1].append(one)
        rows[key] += count
    return [group for parts in groups.values() for group in parts]


def _settle(group: list[_Waiting]) -> None:
    if len(group) == 1:
        _by_itself(group[0])
        return
    answerer = group[0][0]
    try:
        read = [answerer.read(asked.rows) for _, asked, _ in group]
        joined = Blocks.joined([blocks for blocks, _ in read])
        answers = answerer.runtime.answers(joined)
    except DataError:
        # One of them does not fit: each is told what is wrong with its own rows.
        for one in group:
            _by_itself(one)
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait
        for _, _, future in group:
            if not future.done():
                future.set_exception(error)
        return
    first = 0
    for (_, asked, future), (blocks, ignored) in zip(group, read, strict=True):
        part = slice(first, first + len(asked.rows))
        first = part.stop
        own = {name: column[part] for name, column in answers.items()}
        _set(future, lambda a=asked, b=blocks, o=own, i=ignored: _checked(answerer, a, b, o, i))  # type: ignore[misc]


def _checked(answerer: Answerer, *given: Any) -> dict[str, Any]:
    answerer.check(given[0])
    return answerer.says(*given)


def _by_itself(one: _Waiting) -> None:
    answerer, asked, future = one
    _set(future, lambda: answerer.answer(asked))


def _set(future: asyncio.Future[dict[str, Any]], answer: Callable[[], dict[str, Any]]) -> None:
    if future.done():  # the client has gone
        return
    try:
        future.set_result(answer())
    except Exception as error:  # noqa: BLE001 - it belongs to the one who waits
        future.set_exception(error)
