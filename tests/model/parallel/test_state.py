"""Reports of workers, and what is made of them."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from headrace.errors import SettingError, WorkerError
from headrace.model.parallel import driver
from headrace.storage.checkpoint import Piece, piece_bytes


def report(status: int = 1, **pieces: Any) -> dict[str, Any]:
    left = {name: piece_bytes(Piece(document)) for name, document in pieces.items()}
    return {
        "status": status,
        "errors": "the end",
        "answer": None,
        "state": None,
        "failure": None,
    } | left


def failure(kind: str, text: str, *, passes: bool) -> dict[str, Any]:
    return report(failure={"kind": kind, "text": text, "passes": passes})


def test_an_error_of_the_settings_is_raised_as_such() -> None:
    with pytest.raises(SettingError, match=r"^the loss became nan$"):
        driver._raise_lasting([None, failure("SettingError", "the loss became nan", passes=False)])


def test_any_other_lasting_error_names_the_worker() -> None:
    with pytest.raises(WorkerError, match="worker 1 could not train: ImportError: no module x"):
        driver._raise_lasting([None, failure("ImportError", "no module x", passes=False)])


def test_an_error_that_may_pass_is_not_raised() -> None:
    driver._raise_lasting([None, failure("UnavailableError", "gone", passes=True), report(-9)])


def test_why_says_how_each_worker_ended() -> None:
    reports = [
        failure("UnavailableError", "Graph\n\nCollective ops is aborted by: reset", passes=True),
        report(-9),
        report(-11),
        report(0),
        None,
    ]
    assert driver._why(reports) == (
        "worker 0: UnavailableError: Collective ops is aborted by: reset; worker 1: killed; "
        "worker 2: ended with -11: the end; worker 4: whoever ran it is gone"
    )


def test_the_state_that_has_come_furthest_is_gone_on_from() -> None:
    states = [
        Piece({"progress": {"epoch": epoch, "step": step}})
        for epoch, step in [(0, 0), (3, 0), (2, 64)]
    ]
    assert driver._newest([None, *states]) is states[1]


def test_a_task_that_ends_in_an_error_is_a_report_too() -> None:
    ended: Future[Any] = Future()
    ended.set_exception(OSError("no space left"))
    found = driver._report(ended)
    assert found is not None
    assert (found["status"], found["errors"]) == (1, "OSError: no space left")
