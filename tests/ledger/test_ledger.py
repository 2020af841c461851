from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import DataError, SettingError
from headrace.ledger.items import Action, Label, Prediction
from headrace.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "größe.sqlite") as found:
        yield found


def made(number: int, **changes: object) -> Prediction:
    given = {"id": f"r/{number}", "time": float(number), "version": "v1"}
    given |= {"features": {"größe": number}, "answer": {"prediction": "no"}, **changes}
    return Prediction(**given)  # type: ignore[arg-type]


def test_the_same_prediction_again_changes_nothing(ledger: Ledger) -> None:
    assert ledger.add_predictions([made(0), made(1), made(1)]) == 2
    assert ledger.add_predictions([made(1), made(2)]) == 1
    assert ledger.counts()["predictions"] == 3
    assert ledger.counts()["other predictions"] == 0
    assert ledger.recent(2) == [made(2), made(1)]


def test_another_prediction_of_a_taken_name_is_kept_beside(ledger: Ledger) -> None:
    other = made(0, answer={"prediction": "yes"})
    assert ledger.add_predictions([made(0), other]) == 1
    assert ledger.add_predictions([other, other]) == 0
    assert ledger.recent() == [made(0)]
    assert ledger.counts()["other predictions"] == 1


def test_the_label_that_became_known_last_counts(ledger: Ledger) -> None:
    ledger.add_predictions([made(0)])
    report = ledger.add_labels([Label("r/0", "b", 20.0), Label("r/0", "a", 10.0)])
    assert (report.added, report.older) == (1, 1)
    assert ledger.labelled()["label"].to_list() == ["b"]
    report = ledger.add_labels([Label("r/0", "c", 30.0), Label("r/0", "c", 30.0)])
    assert (report.corrected, report.repeated) == (1, 1)
    assert ledger.labelled()["label"].to_list() == ["c"]
    assert ledger.counts()["labels"] == 3


def test_a_label_waits_for_its_prediction(ledger: Ledger) -> None:
    assert ledger.add_labels([Label("r/7", 1.5, 9.0)]).unknown == 1
    assert ledger.counts()["waiting labels"] == 1
    assert ledger.labelled().is_empty()
    ledger.add_predictions([made(7)])
    assert ledger.counts()["waiting labels"] == 0
    assert ledger.labelled()["label"].to_list() == ["1.5"]


def test_labels_of_the_future_are_counted_and_kept(ledger: Ledger) -> None:
    ledger.add_predictions([made(0)])
    assert ledger.add_labels([Label("r/0", "a", time.time() + 9_999)]).future == 1
    assert ledger.labelled().height == 1


def test_time_and_release_are_chosen(ledger: Ledger) -> None:
    ledger.add_predictions([made(n, version=f"v{n % 2}") for n in range(10)])
    ledger.add_labels([Label(f"r/{n}", n, 50.0) for n in range(10)])
    assert ledger.labelled(2, 5)["time"].to_list() == [2.0, 3.0, 4.0]
    assert ledger.labelled(version="v1").height == 5


def test_many_names_at_once(ledger: Ledger) -> None:
    assert ledger.add_predictions([made(n) for n in range(2_500)]) == 2_500
    assert ledger.add_predictions([made(n) for n in range(2_600)]) == 100
    assert ledger.add_labels([Label(f"r/{n}", 1, 1.0) for n in range(2_600)]).added == 2_600


def test_what_json_cannot_hold_is_refused_whole(ledger: Ledger) -> None:
    with pytest.raises(DataError, match="the answer cannot be written as JSON"):
        ledger.add_predictions([made(0), made(1, answer={"prediction": float("nan")})])
    with pytest.raises(DataError, match="the label cannot be written as JSON"):
        ledger.add_labels([Label("r/0", object(), 1.0)])
    assert ledger.counts()["predictions"] == 0


def test_actions_are_noted(ledger: Ledger) -> None:
    action = Action(1.0, "ada", "promote", "better", {"auc": 0.9})
    ledger.add_action(action)
    assert ledger.actions() == [action]


def test_what_is_forgotten_is_gone_from_the_file(ledger: Ledger, tmp_path: Path) -> None:
    secret = "Zyxwvut-Geheimnis"
    ledger.add_predictions([made(0, features={"name": secret}), made(1)])
    ledger.add_labels([Label("r/0", secret, 1.0)])
    file = tmp_path / "größe.sqlite"
    assert secret.encode() in file.read_bytes()
    assert ledger.forget(["r/0", "nobody"], who="ada") == 1
    assert secret.encode() not in file.read_bytes()
    assert ledger.counts() == {
        "predictions": 1, "labels": 0, "actions": 1, "other predictions": 0, "waiting labels": 0,
    }  # fmt: skip


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("no database, but a text that is long enough to look at" * 20)
    with pytest.raises(SettingError, match="cannot be opened as a ledger"):
        Ledger(text)
    newer = tmp_path / "newer.sqlite"
    Ledger(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE about SET value = '99' WHERE key = 'format'")
    connection.close()
    with pytest.raises(SettingError, match=r"format 99; this headrace reads up to 1"):
        Ledger(newer)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from("abc")), max_size=30)
)
def test_the_newest_label_counts_in_any_order(labels: list[tuple[int, int, str]]) -> None:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "l") as ledger:
        ledger.add_predictions([made(n) for n in range(4)])
        for name, when, value in labels:
            ledger.add_labels([Label(f"r/{name}", value, float(when))])
        found = ledger.labelled()
        newest: dict[str, float] = {}
        for name, when, _ in labels:
            newest[f"r/{name}"] = max(newest.get(f"r/{name}", 0.0), float(when))
        assert dict(zip(found["id"], found["label_time"], strict=True)) == newest


WRITER = """
import sys
from headrace.ledger.items import Prediction
from headrace.ledger.ledger import Ledger

ledger, start = Ledger(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
for number in range(start, start + int(sys.argv[3])):
    ledger.add_predictions(
        [Prediction(f"{number}/{n}", 1.0, "v1", {"a": n}, {"prediction": n}) for n in range(3)]
    )
    print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_confirmed(tmp_path: Path) -> None:
    file = tmp_path / "l.sqlite"
    confirmed: set[int] = set()
    for run in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(1000 * run), "1000"],
            stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.02 + 0.05 * run)
        process.kill()
        confirmed |= {int(line) for line in process.stdout.read().split("\n")[:-1]}
        process.wait()
        process.stdout.close()
    with Ledger(file) as ledger:
        names = [one.id for one in ledger.recent(100_000)]
    assert len(names) == len(set(names))
    batches = {int(name.split("/")[0]) for name in names}
    assert confirmed <= batches
    assert len(names) == 3 * len(batches)


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "l.sqlite"
    Ledger(file).close()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(start), "30"],
            stdout=subprocess.DEVNULL, env={"PYTHONPATH": ":".join(sys.path)},
        )
        for start in (0, 15)
    ]  # fmt: skip
    assert [process.wait() for process in processes] == [0, 0]
    with Ledger(file) as ledger:
        assert ledger.counts()["predictions"] == 3 * 45
        assert ledger.counts()["other predictions"] == 0
