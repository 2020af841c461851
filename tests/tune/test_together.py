"""Trials on several workers: none lost, none doubled, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING, Any

import optuna
import pytest

import headrace as hr
from headrace.engine import Engine
from headrace.errors import SettingError
from headrace.partitions.message import pack, unpack
from headrace.partitions.probe import refuse, wait_for
from headrace.tune.attempt import Ground
from headrace.tune.front import Goal
from headrace.tune.remote import RemoteTrials, run_trial, stays_here
from headrace.tune.space import Choice, Real
from headrace.tune.study import run_study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl
    from distributed import Client

    from headrace.partitions.task import Task
    from headrace.tune.result import TuneResult

SPACE = {"x": Real(-10.0, 10.0)}


class Bowl:
    """Trials that take a while and are worth (x - 2)²."""

    def __init__(self, folder: Path, seconds: float = 0.0, task: Task = wait_for) -> None:
        self.task, self.shared, self.seconds = task, str(folder), seconds
        self.told: list[tuple[list[float], float | None]] = []
        folder.mkdir(exist_ok=True)

    def message(
        self, parameters: Mapping[str, Any], limits: Sequence[float], seconds: float | None
    ) -> dict[str, Any]:
        value = (parameters["x"] - 2) ** 2
        self.told.append((list(limits), seconds))
        losses = [value + 6 - epoch for epoch in range(7)]
        answer = {"value": value, "losses": losses, "pruned": False, "late": False}
        return {"name": f"{parameters['x']:.17g}", "seconds": self.seconds, "answer": answer}


def never(parameters: dict[str, Any], report: Any) -> float:
    raise AssertionError("this process must not try anything")


def search(bowl: Bowl, executor: Any, trials: int = 12, **settings: Any) -> TuneResult:
    engine = Engine.of(executor=executor)
    return run_study(never, SPACE, trials=trials, engine=engine, elsewhere=bowl, **settings)


def begun(folder: Path) -> Counter[str]:
    return Counter(path.name.rsplit("-", 2)[0] for path in folder.iterdir())


class Counting(ThreadPoolExecutor):
    """Threads that count how many tasks are in hand at a time."""

    most = 0
    in_hand = 0

    def submit(self, *args: Any, **settings: Any) -> Any:
        self.in_hand += 1
        self.most = max(self.most, self.in_hand)
        future = super().submit(*args, **settings)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Any) -> None:
        self.in_hand -= 1


def test_several_trials_run_at_a_time_and_each_is_told_once(tmp_path: Path) -> None:
    with Counting(3) as threads:
        found = search(Bowl(tmp_path / "begun", 0.05), threads)
    assert threads.most == 3
    assert [trial.number for trial in found.trials] == list(range(12))
    assert all(trial.state == "complete" for trial in found.trials)
    assert found.best is not None
    assert found.best.value == (found.parameters["x"] - 2) ** 2


def test_the_losses_of_a_trial_reach_the_study_and_the_next_ones(tmp_path: Path) -> None:
    bowl = Bowl(tmp_path / "begun")
    with ThreadPoolExecutor(1) as threads:
        search(bowl, threads, 8, time=60.0, storage=tmp_path / "study.db")
    stored = optuna.load_study(study_name="headrace", storage=f"sqlite:///{tmp_path}/study.db")
    assert all(len(trial.intermediate_values) == 7 for trial in stored.trials)
    limits, seconds = bowl.told[-1]
    at_the_rung = sorted(trial.intermediate_values[4] for trial in stored.trials[:-1])
    assert [epoch for epoch, limit in enumerate(limits) if limit < float("inf")] == [4]
    assert limits[4] == at_the_rung[1]  # of eight with itself, the best third goes on
    assert seconds is not None
    assert 0 < seconds <= 60


def test_trials_that_fail_are_kept_with_their_reason(tmp_path: Path) -> None:
    with (
        ThreadPoolExecutor(1) as threads,
        pytest.raises(SettingError, match=r"3 trials in a row failed.*expected another value"),
    ):
        search(Bowl(tmp_path / "begun", task=refuse), threads, storage=tmp_path / "study.db")
    again = search(
        Bowl(tmp_path / "begun"), ThreadPoolExecutor(1), 6, storage=tmp_path / "study.db"
    )
    assert [trial.state for trial in again.trials] == ["failed"] * 3 + ["complete"] * 3
    assert "expected another value" in again.trials[0].note


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_is_tried_again_and_told_once(
    cluster: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "begun"
    folder.mkdir()

    def kill() -> None:
        while len(known := sorted(folder.iterdir(), key=lambda p: p.name.rsplit("-", 1)[1])) < 4:
            time.sleep(0.01)
        os.kill(int(known[-1].name.rsplit("-", 2)[1]), signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    found = search(Bowl(folder, 0.3), cluster, 8)
    killer.join()
    assert [trial.number for trial in found.trials] == list(range(8))
    assert all(trial.state == "complete" for trial in found.trials)
    tries = begun(folder)
    assert len(tries) == 8
    assert max(tries.values()) > 1
    cluster.wait_for_workers(2, timeout=60)


CHILD = """
import sys
sys.path.insert(0, sys.argv[2])
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from test_together import Bowl, search
folder = Path(sys.argv[1])
search(Bowl(folder / "begun", 0.25), ThreadPoolExecutor(2), 10, storage=folder / "study.db")
"""


@pytest.mark.slow
def test_a_killed_study_loses_no_trial(tmp_path: Path) -> None:
    here = os.path.dirname(__file__)  # noqa: PTH120 - a text for the child's path
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), here])
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if (tmp_path / "begun").is_dir() and len(list((tmp_path / "begun").iterdir())) >= 5:
            break
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    address = f"sqlite:///{tmp_path}/study.db"
    states = optuna.trial.TrialState
    stored = optuna.load_study(study_name="headrace", storage=address).trials
    complete = {t.number: t.value for t in stored if t.state == states.COMPLETE}
    running = [t.params for t in stored if t.state == states.RUNNING]
    assert complete
    assert running
    found = search(
        Bowl(tmp_path / "begun"), ThreadPoolExecutor(2), 10, storage=tmp_path / "study.db"
    )
    assert len(found.trials) == 10
    values = {trial.number: trial.value for trial in found.trials}
    assert complete.items() <= values.items()
    tried = [trial.parameters["x"] for trial in found.trials]
    assert all(parameters["x"] in tried for parameters in running)


class Own(hr.clean.Impute):
    """A step of the user's."""


def test_what_needs_the_users_code_is_tried_here() -> None:
    assert stays_here([hr.clean.Impute(), hr.Network([8])]) == ""
    assert "Own is a step of your own" in stays_here([Own()])
    network = hr.Network([8], callbacks=(print,))
    assert "Network is given callbacks, which cannot be sent" in stays_here([network])


def test_a_trial_travels_as_plain_data_and_comes_back_measured(table: pl.DataFrame) -> None:
    """What a worker does, done here."""
    learn, held = hr.split(table.select("age", "hours", "rich"), share=0.2, stratify="rich")
    network = hr.Network("linear", epochs=6, embedding=None, batch_size=128)
    base = hr.Pipeline([hr.normalize.Standardize(), network], target="rich")
    space = {
        "standardize_0": Choice(
            [hr.normalize.Standardize(), (hr.clean.Impute(), hr.normalize.Robust())]
        ),
        "standardize_0__squash": Choice([None, 2.0]),
    }
    ground = Ground(learn, held, "rich", (Goal("roc_auc", higher_is_better=True),))
    trials = RemoteTrials(base, ground, space)
    shared = unpack(pack(trials.shared))
    chosen = {
        "standardize_0": "(clean.Impute(), normalize.Robust())",
        "standardize_0__squash": 2.0,
    }
    answer = run_trial.function(unpack(pack(trials.message(chosen, [], None))), shared)
    assert answer["value"] == pytest.approx(answer["score"][0])
    assert len(answer["output"]) == held.height
    assert (answer["pruned"], answer["late"]) == (False, False)
    assert len(answer["losses"]) == 6
    stopped = run_trial.function(unpack(pack(trials.message(chosen, [-1.0] * 9, 60.0))), shared)
    assert stopped["pruned"]
    assert len(stopped["losses"]) == 1
    assert stopped["output"] is None


@pytest.mark.slow
def test_a_pipeline_is_tuned_by_a_cluster(table: pl.DataFrame, cluster: Client) -> None:
    rows = table.select("age", "hours", "rich")
    network = hr.Network("linear", epochs=2, embedding=None, batch_size=128)
    pipe = hr.Pipeline([hr.clean.Impute(), network], target="rich", executor=cluster)
    space = {"network_1__learning_rate": Real(1e-3, 1e-1, log=True)}
    found = pipe.tune(rows, trials=3, space=space)
    assert [trial.state for trial in found.trials] == ["complete"] * 3
    assert all(trial.score is not None for trial in found.trials)
    assert found.estimate is not None
    assert found.estimate.trials == 3
    assert pipe.is_trained == found.kept
