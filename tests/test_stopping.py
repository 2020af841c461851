"""SIGTERM: at once between pieces of work, at a good moment inside of one."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from headrace.stopping import Stopped, Stopping, saves_when_stopped

FOLDER = Path("work")


def test_between_pieces_of_work_the_process_ends_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "stopped by SIGTERM; what is done so far is in work"
    with pytest.raises(Stopped, match=text) as end, saves_when_stopped(FOLDER):
        os.kill(os.getpid(), signal.SIGTERM)
    assert end.value.code == 128 + signal.SIGTERM
    assert "the same call goes on from there" in capsys.readouterr().err


def ask(stopping: Stopping, seen: list[bool]) -> None:
    with stopping.later(), stopping.later():
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append(stopping.asked)


def test_inside_of_a_piece_of_work_it_waits() -> None:
    seen: list[bool] = []
    with pytest.raises(Stopped), saves_when_stopped(FOLDER) as stopping:
        ask(stopping, seen)
    assert seen == [True]


def fail(stopping: Stopping) -> None:
    with stopping.later():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ValueError("of the work")


def test_an_error_under_way_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="of the work"), saves_when_stopped(FOLDER) as stopping:
        fail(stopping)


def test_the_handler_of_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with saves_when_stopped(FOLDER):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_outside_of_the_main_thread_nothing_changes() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with saves_when_stopped(FOLDER):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
