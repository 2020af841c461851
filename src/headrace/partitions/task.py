"""Tasks: functions of headrace that other processes run; bytes go in, bytes come out."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import asdict, dataclass
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from headrace import errors
from headrace.errors import DataError, HeadraceError, Problem, SettingError
from headrace.partitions.message import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Task", "answer_of", "perform", "task"]

_OURS = "headrace."
_DONE, _REFUSED = b"+", b"-"
_REMEMBERED = 4


@dataclass(frozen=True)
class Task:
    """A function that can be run elsewhere.

    Attributes:
        name: Its module and its own name; all that a worker is told of it.
        function: Takes the value of one task, and what was prepared; answers plain values.
        prepare: Makes, once in each process, what all tasks share: a network from its weights, say.
    """

    name: str
    function: Callable[[Any, Any], Any]
    prepare: Callable[[Any], Any]


def task(prepare: Callable[[Any], Any] = lambda shared: shared) -> Callable[[Any], Task]:
    """Make a task of a function of a module of headrace.

    Args:
        prepare: Makes what the function is given besides its value, of what the tasks share.

    Example:
        >>> @task()
        ... def double(value, shared):
        ...     return 2 * value
        >>> double.function(4, None)
        8
    """

    def made(function: Callable[[Any, Any], Any]) -> Task:
        name = f"{function.__module__}:{getattr(function, '__name__', '')}"
        return Task(name, function, prepare)

    return made


def perform(name: str, message: bytes, shared: bytes) -> bytes:
    """Run a task in this process; the one function that workers are asked to call.

    Args:
        name: The task, as `Task.name` says it; only tasks of headrace itself are looked up.
        message: The packed value.
        shared: What the tasks share, packed; prepared once and remembered.

    Returns:
        The packed answer, or what headrace refused and why (see `answer_of`).

    Raises:
        SettingError: There is no such task.
    """
    found = _find(name)
    try:
        answer = found.function(unpack(message), _prepared(found, shared))
    except HeadraceError as error:
        return _REFUSED + pack(_error_to_dict(error))
    return _DONE + pack(answer)


def answer_of(data: bytes) -> Any:
    """Answer what a task answered.

    Raises:
        HeadraceError: What the task raised, of the same class and with the same words.
    """
    if data[:1] == _DONE:
        return unpack(data[1:])
    raise _error_from_dict(unpack(data[1:]))


def _find(name: str) -> Task:
    module, _, own = name.partition(":")
    found = getattr(import_module(module), own, None) if module.startswith(_OURS) else None
    if not isinstance(found, Task):
        raise SettingError(f"headrace has no task {name!r}: do both sides run the same version?")
    return found


_memory: OrderedDict[tuple[str, str], Any] = OrderedDict()
_lock = Lock()


def _prepared(found: Task, shared: bytes) -> Any:
    """Answer what is prepared of the shared bytes; the last few stay in memory."""
    key = (found.name, hashlib.sha256(shared).hexdigest())
    with _lock:  # threads of one process wait for the first of them
        if key not in _memory:
            _memory[key] = found.prepare(unpack(shared))
        _memory.move_to_end(key)
        while len(_memory) > _REMEMBERED:
            _memory.popitem(last=False)
        return _memory[key]


def _error_to_dict(error: HeadraceError) -> dict[str, Any]:
    problems = error.problems if isinstance(error, DataError) else ()
    return {
        "kind": type(error).__name__,
        "text": str(error),
        "problems": [asdict(problem) | {"value": _shown(problem.value)} for problem in problems],
    }


def _shown(value: object) -> Any:
    plain = value is None or isinstance(value, bool | int | float | str)
    return value if plain else repr(value)


def _error_from_dict(data: dict[str, Any]) -> HeadraceError:
    if data["problems"]:
        return DataError(Problem(**problem) for problem in data["problems"])
    kind: type[HeadraceError] = getattr(errors, data["kind"], HeadraceError)
    return (HeadraceError if kind is DataError else kind)(data["text"])
