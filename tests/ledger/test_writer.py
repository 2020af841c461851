from __future__ import annotations

import logging
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest

from headrace.ledger.items import Label, Prediction
from headrace.ledger.ledger import Ledger
from headrace.ledger.writer import LedgerWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.sqlite") as found:
        yield found


def made(number: int, **changes: object) -> Prediction:
    given = {"id": f"r/{number}", "time": 1.0, "version": "v", "features": None, "answer": {}}
    return Prediction(**{**given, **changes})  # type: ignore[arg-type]


def test_all_that_was_taken_is_written(ledger: Ledger) -> None:
    with LedgerWriter(ledger, batch=100) as writer:
        threads = [
            threading.Thread(
                target=lambda k=k: [writer.put(made(k * 1000 + n)) for n in range(500)]
            )
            for k in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert writer.put(Label("r/1", "yes", 2.0))
        assert writer.flush()
        assert (writer.written, writer.dropped, writer.waiting) == (2001, 0, 0)
        assert ledger.counts()["predictions"] == 2000
    assert ledger.counts()["labels"] == 1
    assert not writer.put(made(9))
    assert writer.dropped == 1


def test_a_clean_stop_loses_nothing(ledger: Ledger) -> None:
    writer = LedgerWriter(ledger)
    for number in range(5_000):
        writer.put(made(number))
    assert writer.close()
    assert ledger.counts()["predictions"] == 5_000


def test_it_is_bounded_and_counts_what_it_drops(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = sqlite3.connect(tmp_path / "l.sqlite", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with caplog.at_level(logging.WARNING), LedgerWriter(ledger, most=50, batch=10) as writer:
        started = time.perf_counter()
        taken = sum(writer.put(made(number)) for number in range(1_000))
        assert time.perf_counter() - started < 5  # nobody waits for the disk
        assert 50 <= taken <= 60
        assert writer.dropped == 1_000 - taken
        lock.execute("COMMIT")
        lock.close()
        assert writer.flush()
    assert ledger.counts()["predictions"] == taken


def test_one_odd_item_does_not_hold_up_the_others(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), LedgerWriter(ledger) as writer:
        for number in range(10):
            writer.put(made(number, answer={"a": object() if number == 5 else 1}))
        assert writer.flush()
        assert (writer.written, writer.dropped) == (9, 1)
    assert "cannot be written as JSON" in caplog.text
