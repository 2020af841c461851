"""The crew: tasks given to workers, lost ones given again, each answer taken once."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headrace.errors import WorkerError
from headrace.partitions.message import pack
from headrace.partitions.task import answer_of
from headrace.partitions.workers import is_lost, workers_of
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Executor, Future

    from headrace.engine import Engine
    from headrace.partitions.task import Task
    from headrace.partitions.workers import Workers

__all__ = ["Crew", "Ended", "crew", "map_tasks"]

_TRIES = 3
_AHEAD = 2
"""Tasks in hand for each that can run: the next one is there when a worker is done."""


@dataclass(frozen=True)
class Ended:
    """A task that has come to its end.

    Attributes:
        key: What it was given under.
        answer: What it answered; None where it raised.
        error: What it raised; None where it answered.
    """

    key: Any
    answer: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class _InHand:
    key: Any
    message: bytes
    tries: int = 1


class Crew:
    """The workers of an executor with what they have in hand; see `crew`."""

    def __init__(self, workers: Workers, task: Task) -> None:
        self._workers = workers
        self._task = task
        self._in_hand: dict[Future[bytes], _InHand] = {}

    def __len__(self) -> int:
        """Answer how many tasks are in hand."""
        return len(self._in_hand)

    @property
    def width(self) -> int:
        """How many tasks can run at a time."""
        return self._workers.width

    def give(self, key: Any, value: Any) -> None:
        """Give a task away.

        Args:
            key: What its end is told under.
            value: Its value, plain (see `headrace.partitions.message`).
        """
        self._submit(_InHand(key, pack(value)))

    def next(self, timeout: float | None = None) -> Ended | None:
        """Wait for a task to end; those that are lost with their worker are tried again.

        Args:
            timeout: After how many seconds to answer None.

        Returns:
            How it ended. `WorkerError` is its error when it was lost again and again.
        """
        while self._in_hand:
            done, _ = wait(self._in_hand, timeout=timeout, return_when=FIRST_COMPLETED)
            if not done:
                return None
            future = done.pop()
            ended = self._ended(future, self._in_hand.pop(future))
            if ended is not None:
                return ended
        return None

    def stop(self) -> None:
        """Take back what has not been begun."""
        for future in self._in_hand:
            future.cancel()
        self._workers.close()

    def _submit(self, task: _InHand) -> None:
        self._in_hand[self._workers.submit(self._task.name, task.message)] = task

    def _ended(self, future: Future[bytes], task: _InHand) -> Ended | None:
        try:
            return Ended(task.key, answer_of(future.result()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to who gave the task
            if not is_lost(error):
                return Ended(task.key, error=error)
            if task.tries >= _TRIES:
                return Ended(task.key, error=_given_up(self._task, error))
        self._workers.renew()
        self._submit(replace(task, tries=task.tries + 1))
        return None


@contextmanager
def crew(executor: Executor, task: Task, shared: Any = None) -> Iterator[Crew]:
    """Set up the workers of an executor for tasks of one kind.

    Args:
        executor: Who works.
        task: What is done.
        shared: What all tasks share, plain.
    """
    found = Crew(workers_of(executor, pack(shared)), task)
    try:
        yield found
    finally:
        found.stop()


def map_tasks(
    engine: Engine,
    task: Task,
    values: Iterable[Any],
    *,
    shared: Any = None,
    title: str = "",
    total: int | None = None,
) -> Iterator[Any]:
    """Give the answer of a task for each value, in the order of the values.

    With an executor as many tasks are in hand as keep it busy, no more; answers wait for their
    turn. A task that is lost with its worker is tried again, three times in all; each value is
    answered once. Without an executor this process does it all, one value after the other.

    Args:
        engine: Who works.
        task: What is done.
        values: One for each task; taken as they are needed.
        shared: What all tasks share.
        title: What the progress bar says; "" for no bar.
        total: How many values there are, if that is known.

    Raises:
        WorkerError: A task was lost again and again.
    """
    if engine.executor is None:
        answers = _here(task, values, shared)
    else:
        answers = _there(engine.executor, task, values, shared)
    if not title:
        yield from answers
        return
    with bar(title, total) as progress:
        for answer in answers:
            progress.advance()
            yield answer


def _here(task: Task, values: Iterable[Any], shared: Any) -> Iterator[Any]:
    prepared = task.prepare(shared)
    for value in values:
        yield task.function(value, prepared)


def _there(executor: Executor, task: Task, values: Iterable[Any], shared: Any) -> Iterator[Any]:
    waiting = enumerate(values)
    answers: dict[int, Any] = {}
    turn = 0
    with crew(executor, task, shared) as workers:
        width = workers.width
        for number, value in waiting:
            workers.give(number, value)
            while number - turn >= _AHEAD * width - 1:
                _take(workers, answers)
                while turn in answers:
                    yield answers.pop(turn)
                    turn += 1
        while workers or turn in answers:
            if turn not in answers:
                _take(workers, answers)
            while turn in answers:
                yield answers.pop(turn)
                turn += 1


def _take(workers: Crew, answers: dict[int, Any]) -> None:
    ended = workers.next()
    if ended is None:
        return
    if ended.error is not None:
        raise ended.error
    answers[ended.key] = ended.answer


def _given_up(task: Task, error: Exception) -> WorkerError:
    return WorkerError(
        f"the task {task.name} was lost with its worker {_TRIES} times, the last time by "
        f"{type(error).__name__}: {error}. Its worker may have been killed for want of memory: "
        "give workers more, or smaller partitions by memory="
    )
