"""SIGTERM: at once between pieces of work, at a good moment inside of one."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from headrace.stopping import Stopped, saves_when_stopped

FOLDER = Path("work")


def test_between_pieces_of_work_the_process_ends_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Stopped, match="stopped by SIGTERM; what is done so far is in work") as end:
        with saves_when_stopped(FOLDER):
            os.kill(os.getpid(), signal.SIGTERM)
    assert end.value.code == 128 + signal.SIGTERM
    assert "the same call goes on from there" in capsys.readouterr().err


def test_inside_of_a_piece_of_work_it_waits() -> None:
    reached = False
    with pytest.raises(Stopped), saves_when_stopped(FOLDER) as stopping:
        with stopping.later(), stopping.later():
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopping.asked
            reached = True
    assert reached


def test_an_error_under_way_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="of the work"):
        with saves_when_stopped(FOLDER) as stopping, stopping.later():
            os.kill(os.getpid(), signal.SIGTERM)
            raise ValueError("of the work")


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
