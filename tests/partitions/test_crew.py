"""Tasks on every kind of executor: in order, once each, also when a worker is killed."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from collections import Counter
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import headrace
from headrace.engine import Engine
from headrace.errors import DataError, SettingError, WorkerError
from headrace.partitions.crew import crew, map_tasks
from headrace.partitions.message import pack
from headrace.partitions.probe import echo, refuse, wait_for
from headrace.partitions.task import answer_of, perform
from headrace.partitions.workers import is_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client


class Strict(Executor):
    """Threads that take nothing but text and bytes, and see to it that bytes come back."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2)
        self.calls = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **settings: Any) -> Future[Any]:
        assert fn is perform
        assert not settings
        assert [type(one) for one in args] == [str, bytes, bytes]
        self.calls += 1

        def checked() -> Any:
            answer = fn(*args)
            assert type(answer) is bytes
            return answer

        return self.pool.submit(checked)


@pytest.fixture
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def answers(executor: Any, count: int = 20) -> list[Any]:
    return list(map_tasks(Engine.of(executor=executor), echo, range(count), shared={"a": (1,)}))


def test_every_executor_answers_in_order(cluster: Client, processes: ProcessPoolExecutor) -> None:
    expected = [[number, {"a": (1,)}] for number in range(20)]
    assert answers(None) == expected
    assert answers(cluster) == expected
    assert answers(processes) == expected
    assert answers(Strict()) == expected


def test_nothing_is_given_to_an_executor_but_by_the_workers() -> None:
    source = Path(headrace.__file__).parent
    giving = re.compile(r"(?<!self\._workers)\.submit\(")
    # Threads of their own that read, write and draw, and the task that starts a process for training.
    others = {
        *("model/feed.py", "model/saving.py", "model/parallel/teams.py"),
        "evaluate/resampling.py",
    }
    found = [path for path in source.rglob("*.py") if giving.search(path.read_text("utf-8"))]
    places = {path.relative_to(source).as_posix() for path in found}
    assert places - others == {"partitions/workers.py"}


def test_nothing_to_do_is_no_answer() -> None:
    assert answers(Strict(), 0) == []


def test_few_tasks_are_in_hand_at_a_time() -> None:
    drawn = []

    def values() -> Iterator[int]:
        for number in range(50):
            drawn.append(number)
            yield number

    with ThreadPoolExecutor(2) as pool:
        found = map_tasks(Engine.of(executor=pool), echo, values())
        next(found)
        assert len(drawn) <= 6
        assert [value for value, _ in found] == list(range(1, 50))


def test_what_headrace_refuses_is_refused_with_the_same_words(cluster: Client) -> None:
    words = "column 'x', row 1: expected another value, received 7"
    for executor in (None, cluster, Strict()):
        with pytest.raises(DataError) as caught:
            list(map_tasks(Engine.of(executor=executor), refuse, [7]))
        assert str(caught.value) == words
        assert caught.value.problems[0].row == 1


def test_large_messages_reach_a_cluster_as_data(cluster: Client) -> None:
    large = np.arange(2_000_000.0)
    found = list(map_tasks(Engine.of(executor=cluster), echo, [large, large + 1], shared=large))
    assert np.array_equal(found[1][0], large + 1)
    assert np.array_equal(found[1][1], large)


def test_other_errors_come_through_at_once(cluster: Client) -> None:
    with pytest.raises(FileNotFoundError):
        list(map_tasks(Engine.of(executor=cluster), wait_for, [timed(0, 0)], shared="/no/folder"))


def test_only_tasks_of_headrace_are_looked_up() -> None:
    for name in ("os:system", "headrace.partitions.task:perform", "headrace.errors:nothing"):
        with pytest.raises(SettingError, match="headrace has no task"):
            perform(name, pack(0), pack(None))


def test_an_answer_is_a_message() -> None:
    assert answer_of(perform(echo.name, pack(3), pack(None))) == [3, None]


class Breaking(Strict):
    """An executor whose workers are lost each time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **settings: Any) -> Future[Any]:
        self.calls += 1
        lost: Future[Any] = Future()
        lost.set_exception(ConnectionResetError("the worker is gone"))
        return lost


def test_a_task_that_is_lost_again_and_again_is_given_up() -> None:
    executor = Breaking()
    with pytest.raises(WorkerError, match=r"probe:echo was lost with its worker 3 times.*is gone"):
        answers(executor, 1)
    assert executor.calls == 3


def test_the_fault_of_a_task_is_no_loss() -> None:
    assert not is_lost(FileNotFoundError("x"))
    assert is_lost(ConnectionResetError("x"))


def timed(number: int, seconds: float) -> dict[str, Any]:
    return {"name": str(number), "seconds": seconds, "answer": number}


def kill_one(folder: Path, after: int) -> None:
    """Kill a worker in the middle: once so many tasks have begun, the one that began last."""
    while len(begun := sorted(folder.iterdir(), key=lambda p: int(p.name.split("-")[2]))) < after:
        time.sleep(0.01)
    os.kill(int(begun[-1].name.split("-")[1]), signal.SIGKILL)


def finish_with_a_kill(executor: Any, folder: Path) -> None:
    folder.mkdir()
    killer = Thread(target=kill_one, args=(folder, 5))
    killer.start()
    tasks = [timed(number, 0.2) for number in range(14)]
    found = list(map_tasks(Engine.of(executor=executor), wait_for, tasks, shared=str(folder)))
    killer.join()
    assert found == list(range(14))
    begun = Counter(path.name.split("-")[0] for path in folder.iterdir())
    assert max(begun.values()) > 1  # a task was really lost
    assert len(begun) == 14


@pytest.mark.slow
def test_a_killed_worker_of_a_cluster_loses_nothing(cluster: Client, tmp_path: Path) -> None:
    finish_with_a_kill(cluster, tmp_path / "begun")
    cluster.wait_for_workers(2, timeout=60)


@pytest.mark.slow
def test_a_killed_process_of_a_pool_loses_nothing(
    processes: ProcessPoolExecutor, tmp_path: Path
) -> None:
    finish_with_a_kill(processes, tmp_path / "begun")
    assert answers(processes, 4) == [[number, {"a": (1,)}] for number in range(4)]


def test_a_crew_tells_the_end_of_each_task_as_it_comes(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool, crew(pool, wait_for, str(tmp_path)) as workers:
        workers.give("long", timed(1, 0.5))
        workers.give("short", timed(2, 0.1))
        assert workers.next(timeout=0.001) is None
        assert [one.key for one in (workers.next(), workers.next()) if one] == ["short", "long"]
        assert len(workers) == 0
