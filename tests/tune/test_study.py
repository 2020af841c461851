from __future__ import annotations

import math
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import optuna
import pytest

from headrace.errors import SettingError
from headrace.tune import resuming, study
from headrace.tune.front import Goal
from headrace.tune.space import Choice, Integer, Real
from headrace.tune.study import Tried, run_study

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headrace.tune.study import Report

SPACE = {"x": Real(-10.0, 10.0), "shape": Choice([(1, 2), (3, 4)])}


def bowl(parameters: dict[str, Any], report: Report) -> float:
    """Smallest at x = 2 with the shape (3, 4)."""
    return float((parameters["x"] - 2) ** 2 + (parameters["shape"] == (1, 2)))


def test_the_search_gets_better_than_chance() -> None:
    found = run_study(bowl, SPACE, trials=40)
    assert len(found.trials) == 40
    assert found.best is not None
    assert found.best.value == min(one.value for one in found.trials if one.value is not None)
    assert found.parameters["shape"] == (3, 4)
    assert found.parameters["x"] == pytest.approx(2, abs=0.7)


def test_the_largest_value_can_be_the_best() -> None:
    found = run_study(
        lambda parameters, report: -bowl(parameters, report),
        SPACE,
        trials=20,
        goals=[Goal("score", higher_is_better=True)],
    )
    assert found.best is not None
    assert found.best.value == max(one.value for one in found.trials if one.value is not None)
    assert found.direction == "maximize"


def test_the_settings_in_use_come_first() -> None:
    found = run_study(bowl, SPACE, trials=2, start=[{"x": 2.0, "shape": (3, 4), "other": 5}])
    assert found.trials[0].parameters == {"x": 2.0, "shape": (3, 4)}
    assert found.trials[0].value == 0


def test_the_same_seed_tries_the_same() -> None:
    first, again, other = (
        [one.parameters for one in run_study(bowl, SPACE, trials=12, seed=seed).trials]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def learner(parameters: dict[str, Any], report: Report) -> float:
    """Twenty epochs of a loss that is settled by x from the first one on."""
    for epoch in range(20):
        if report(epoch, abs(parameters["x"]) + 1 / (epoch + 1)):
            return math.nan
    return float(abs(parameters["x"]))


@pytest.mark.parametrize("pruning", ["asha", "hyperband", "median"])
@pytest.mark.parametrize("higher_is_better", [False, True])
def test_bad_trials_are_stopped_on_their_losses(higher_is_better: bool, pruning: Any) -> None:
    sign = -1 if higher_is_better else 1
    found = run_study(
        lambda parameters, report: sign * learner(parameters, report),
        {"x": Real(0.0, 10.0)},
        trials=30,
        goals=[Goal("score", higher_is_better=higher_is_better)],
        pruning=pruning,
    )
    pruned = [one for one in found.trials if one.state == "pruned"]
    assert len(pruned) >= 5
    assert all(one.value is None for one in pruned)
    assert found.parameters["x"] < min(one.parameters["x"] for one in pruned)


def test_a_stored_study_goes_on_to_the_number_of_trials(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    first = run_study(bowl, SPACE, trials=5, storage=path, start=[{"x": 1.0}])
    assert first.storage == str(path)
    more = run_study(bowl, SPACE, trials=9, storage=path, start=[{"x": 1.0}])
    assert [one.to_dict() for one in more.trials[:5]] == [one.to_dict() for one in first.trials]
    assert len(more.trials) == 9
    assert len({one.parameters["x"] for one in more.trials}) == 9
    same = run_study(bowl, SPACE, trials=9, storage=path)
    assert len(same.trials) == 9


def test_the_file_can_be_read_by_optuna_itself(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    run_study(bowl, SPACE, trials=3, storage=path)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    stored = optuna.load_study(study_name=None, storage=storage)
    assert [one.state.name for one in stored.trials] == ["COMPLETE"] * 3
    storage.remove_session()
    storage.engine.dispose()


KILLED = """
    import os, signal, sys
    from headrace.tune.space import Real
    from headrace.tune.study import Tried, run_study

    calls = 0

    def objective(parameters, report):
        global calls
        calls += 1
        if calls == int(sys.argv[2]):
            report(0, 1.0)
            print(parameters["x"], flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return parameters["x"] ** 2

    run_study(objective, {"x": Real(-10.0, 10.0)}, trials=6, storage=sys.argv[1])
"""


def killed(path: Path, *, during: int) -> float:
    """Answer the setting of the trial during which the process was killed."""
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path), str(during)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return float(ended.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_nothing_that_was_finished_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    running = killed(path, during=4)

    def objective(parameters: dict[str, Any], report: Report) -> float:
        return float(parameters["x"] ** 2)

    found = run_study(objective, {"x": Real(-10.0, 10.0)}, trials=6, storage=path)
    assert len(found.trials) == 6
    assert [one.number for one in found.trials[:3]] == [0, 1, 2]
    assert found.trials[3].parameters["x"] == running  # the killed one comes again
    assert all(one.state == "complete" for one in found.trials)
    assert all(one.value == one.parameters["x"] ** 2 for one in found.trials)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_settings_that_killed_many_processes_are_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "_MOST_DEATHS", 2)
    path = tmp_path / "study.db"
    deadly = killed(path, during=4)
    assert killed(path, during=1) == deadly
    tried: list[float] = []

    def objective(parameters: dict[str, Any], report: Report) -> float:
        tried.append(parameters["x"])
        return float(parameters["x"] ** 2)

    found = run_study(objective, {"x": Real(-10.0, 10.0)}, trials=6, storage=path)
    assert len(found.trials) == 6
    assert len(tried) == 3
    assert deadly not in tried


def test_ctrl_c_leaves_a_study_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    tried: list[float] = []

    def objective(parameters: dict[str, Any], report: Report) -> float:
        tried.append(parameters["x"])
        if len(tried) == 3:
            raise KeyboardInterrupt
        return bowl(parameters, report)

    with pytest.raises(KeyboardInterrupt):
        run_study(objective, SPACE, trials=5, storage=path)
    found = run_study(objective, SPACE, trials=5, storage=path)
    assert len(found.trials) == 5
    assert tried[2] == tried[3]


def test_the_time_limit_holds_within_a_trial() -> None:
    epochs = []

    def slow(parameters: dict[str, Any], report: Report) -> float:
        for epoch in range(1000):
            epochs.append(epoch)
            time.sleep(0.01)
            if report(epoch, 1.0):
                break
        return float(parameters["x"])

    found = run_study(slow, {"x": Real(0.0, 1.0)}, time=0.3)
    assert len(epochs) <= 31
    (only,) = found.trials
    assert only.state == "complete"
    assert only.note == "stopped when time was up"
    assert found.best is only


def test_the_time_limit_ends_the_study_between_trials() -> None:
    def objective(parameters: dict[str, Any], report: Report) -> float:
        time.sleep(0.02)
        return float(parameters["x"])

    found = run_study(objective, {"x": Real(0.0, 1.0)}, time=0.4)
    assert 1 <= len(found.trials) <= 20
    assert found.seconds >= 0.4


def test_a_failed_trial_is_kept_with_its_reason() -> None:
    def objective(parameters: dict[str, Any], report: Report) -> float:
        if parameters["n"] % 2:
            raise ValueError("odd numbers do not train")
        return math.nan if parameters["n"] == 2 else float(parameters["n"])

    found = run_study(
        objective,
        {"n": Integer(1, 9)},
        trials=4,
        start=[{"n": 4}, {"n": 1}, {"n": 8}, {"n": 2}],
    )
    assert [one.state for one in found.trials] == ["complete", "failed", "complete", "failed"]
    assert found.trials[1].note == "ValueError: odd numbers do not train"
    assert "the value became nan" in found.trials[3].note
    assert found.parameters == {"n": 4}


def test_a_study_that_only_fails_says_why() -> None:
    def objective(parameters: dict[str, Any], report: Report) -> float:
        raise ValueError("no such layer")

    with pytest.raises(
        SettingError, match=r"3 trials in a row failed, the first one with .*x.*: no such layer"
    ) as caught:
        run_study(objective, SPACE, trials=10)
    assert isinstance(caught.value.__cause__, ValueError)


def test_another_space_or_other_data_does_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    run_study(bowl, SPACE, trials=1, storage=path, identity="table 1")
    with pytest.raises(SettingError, match="was made with another space"):
        run_study(bowl, {**SPACE, "x": Real(0.0, 1.0)}, storage=path, identity="table 1")
    with pytest.raises(SettingError, match="was made with another identity"):
        run_study(bowl, SPACE, storage=path, identity="table 2")
    with pytest.raises(SettingError, match="was made with another objective"):
        run_study(bowl, SPACE, storage=path, identity="table 1", goals=[Goal("auc", True)])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"trials": 0}, "trials must be 1 or more, received 0"),
        ({"time": 0}, "time is a number of seconds above 0, received 0"),
        ({"time": -1.5}, r"received -1\.5"),
    ],
)
def test_limits_that_allow_nothing_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        run_study(bowl, SPACE, **settings)


def test_optuna_speaks_as_before_afterwards() -> None:
    before = optuna.logging.get_verbosity()
    run_study(bowl, SPACE, trials=1)
    assert optuna.logging.get_verbosity() == before


def test_the_progress_shows_the_best_so_far_and_its_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes: list[str] = []

    class Noted:
        def advance(self, steps: float = 1, note: str = "") -> None:
            notes.append(note)

    @contextmanager
    def bar(title: str, total: float | None) -> Iterator[Noted]:
        yield Noted()

    monkeypatch.setattr(study, "bar", bar)
    losses = iter([0.5, 0.7, 0.3])

    def objective(parameters: dict[str, Any], report: Report) -> Tried:
        loss = next(losses)
        return Tried(loss, score=(1 - loss, 0.9 - loss, 1.1 - loss))

    run_study(objective, SPACE, trials=3)
    best = "best 0.5000, validation score 0.5000 (0.4000 to 0.6000)"
    assert notes[:3] == ["", best, best]
    assert notes[3] == "best 0.3000, validation score 0.7000 (0.6000 to 0.8000)"


def test_several_goals_are_searched_at_once_and_none_is_stopped(tmp_path: Path) -> None:
    def objective(parameters: dict[str, Any], report: Report) -> Tried:
        for epoch in range(9):
            assert not report(epoch, 100.0 * parameters["x"] ** 2)
        return Tried(parameters["x"], (abs(parameters["x"] - 4),), epochs=9)

    goals = [Goal("score", higher_is_better=True), Goal("latency", unit="ms")]
    path = tmp_path / "study.db"
    found = run_study(objective, SPACE, trials=25, goals=goals, storage=path)
    assert all(one.state == "complete" and one.epochs == 9 for one in found.trials)
    assert all(2 <= one.parameters["x"] <= 10 for one in found.front)
    assert len(found.front) > 2
    again = run_study(objective, SPACE, trials=25, goals=goals, storage=path)
    assert [one.to_dict() for one in again.trials] == [one.to_dict() for one in found.trials]
    with pytest.raises(SettingError, match="was made with another objective"):
        run_study(objective, SPACE, trials=25, goals=goals[:1], storage=path)


def test_networks_of_an_ensemble_are_judged_by_the_first_one() -> None:
    def objective(parameters: dict[str, Any], report: Report) -> float:
        for _ in range(2):  # two networks, one after the other
            for epoch in range(5):
                report(epoch, 1.0)
        return 1.0

    found = run_study(objective, SPACE, trials=2)
    assert [one.epochs for one in found.trials] == [5, 5]


def test_a_choice_of_steps_is_resumed_with_its_settings(tmp_path: Path) -> None:
    from headrace.preprocessing import normalize

    scales = Choice([normalize.Quantile(), normalize.Robust(), None])
    space = {"scale": scales, "scale__squash": Choice([None, 3.0]), "x": Real(0.0, 1.0)}
    tried: list[dict[str, Any]] = []

    def objective(parameters: dict[str, Any], report: Report) -> float:
        tried.append(parameters)
        if len(tried) == 4:
            raise KeyboardInterrupt
        return float(parameters["x"])

    start = [{"scale": normalize.Robust(), "scale__squash": 3.0, "x": 0.5}]
    settings: dict[str, Any] = {"trials": 8, "storage": tmp_path / "study.db", "start": start}
    with pytest.raises(KeyboardInterrupt):
        run_study(objective, space, **settings)
    assert tried[0] == {"scale": "normalize.Robust()", "scale__squash": 3.0, "x": 0.5}
    found = run_study(objective, space, **settings)
    assert len(found.trials) == 8
    assert tried[4] == tried[3]
    for one in found.trials:
        chosen = one.parameters["scale"]
        assert ("scale__squash" in one.parameters) == (chosen == "normalize.Robust()")
