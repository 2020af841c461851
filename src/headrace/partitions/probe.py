"""Tasks that do nothing but tell that they ran: to measure what a task costs, and for tests."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from headrace.errors import DataError, Problem
from headrace.partitions.task import task

__all__ = ["echo", "refuse", "wait_for"]


@task()
def echo(value: Any, shared: Any) -> Any:
    """Answer the value and what is shared."""
    return [value, shared]


@task()
def refuse(value: Any, shared: Any) -> Any:
    """Raise what headrace raises of data that does not fit."""
    del shared
    raise DataError([Problem("expected another value", column="x", row=1, value=value)])


@task()
def wait_for(value: Any, shared: Any) -> Any:
    """Write down that the task began, wait, and give its answer.

    Args:
        value: `name` of the task, `seconds` that it takes, and its `answer`.
        shared: A folder; each beginning becomes a file with the process in its name.
    """
    begun = f"{value['name']}-{os.getpid()}-{time.monotonic_ns()}"
    (Path(shared) / begun).touch()
    time.sleep(value["seconds"])
    return value["answer"]
