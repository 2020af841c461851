"""Runs with a cache: the same results and the same release, with only the changed parts done."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

import headrace as hr
from headrace.deploy.registry import Registry
from headrace.evaluate.stage import Evaluate
from headrace.preprocessing.space import Real
from headrace.result import Result
from headrace.train import cached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

    from headrace.run import RunResult
    from headrace.stage import Stage

STEPS = ("1. clean.Impute", "2. normalize.Standardize")
QUICK = hr.Evaluate(compare=(), importance=False, resamples=50)
LIFE = ("train", "evaluate", "deploy", "maintain")


@pytest.fixture
def rows(table: pl.DataFrame) -> pl.DataFrame:
    return table.select("age", "hours", "member", "rich")


def pipeline(*stages: Stage, epochs: int = 2) -> hr.Pipeline:
    network = hr.Network([8], epochs=epochs, batch_size=64)
    steps = [hr.clean.Impute(), hr.normalize.Standardize(), network]
    life = stages or (hr.Train(), QUICK, hr.Deploy(), hr.Maintain())
    return hr.Pipeline(steps, target="rich", stages=life)


def steps_alone(*more: Any) -> hr.Pipeline:
    """A pipeline without a model, which is quick to train."""
    steps = [hr.clean.Impute(), hr.normalize.Standardize(), *more]
    return hr.Pipeline(steps, stages=[hr.Train()])


def figures(results: RunResult) -> dict[str, Any]:
    """The figures of all results, without what a clock measured and where things lie."""
    return {name: timeless(result.to_dict()) for name, result in results.results.items()}


def timeless(value: Any) -> Any:
    clocks = {"seconds", "actual", "estimate", "path", "sizes", "storage", "number"}
    if isinstance(value, dict):
        return {key: timeless(one) for key, one in value.items() if key not in clocks}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[int]:
    """Count the calls of a function, which works as ever."""
    calls: list[int] = []
    whole: Callable[..., Any] = getattr(owner, name)

    def counting(*arguments: Any, **settings: Any) -> Any:
        calls.append(1)
        return whole(*arguments, **settings)

    monkeypatch.setattr(owner, name, counting)
    return calls


@pytest.mark.slow
def test_a_second_run_gives_the_same_and_does_nothing_again(
    rows: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = pipeline()
    without = plain.run(rows, to=tmp_path / "plain", cache=False)
    first = pipeline()
    ran = first.run(rows, to=tmp_path / "registry")
    evaluated = counted(monkeypatch, Evaluate, "measure")
    published = counted(monkeypatch, hr.Deploy, "publish")
    again = pipeline()
    kept = again.run(rows, to=tmp_path / "registry")
    assert (evaluated, published) == ([], [])
    assert ran.cache.kept == ()
    assert set(kept.cache.kept) == {*LIFE, *STEPS, "schema"}
    assert figures(kept) == figures(ran) == figures(without)
    assert first.version == again.version == plain.version
    assert again.home == first.home == tmp_path / "registry"
    assert again.fitted.scores == first.fitted.scores != {}
    assert again.predict(rows).to_list() == first.predict(rows).to_list()
    assert str(again.explain_cache()) == str(kept.cache)
    assert str(without.cache) == "nothing was kept: there was no run with a cache"
    registry = Registry(tmp_path / "registry")
    assert registry.versions() == (first.version,)
    assert [change.action for change in registry.history()] == ["publish", "promote"]
    assert hr.load(tmp_path / "registry").is_trained
    page = kept.report(tmp_path / "report.html").read_text()
    assert "roc_auc" in page


def test_editing_the_last_step_fits_no_other_again(rows: pl.DataFrame, tmp_path: Path) -> None:
    steps_alone(hr.clean.Clip(high=1.0)).run(rows, cache=tmp_path)
    told = steps_alone(hr.clean.Clip(high=2.0)).run(rows, cache=tmp_path).cache
    assert told.kept == ("schema", *STEPS)
    assert told["3. clean.Clip"] == "ran: parameters of Clip changed: high 1.0 -> 2.0"
    assert told["train"] == "ran: parameters of Clip changed: high 1.0 -> 2.0"


@pytest.mark.slow
def test_editing_the_network_or_a_stage_runs_what_follows(
    rows: pl.DataFrame, tmp_path: Path
) -> None:
    more = hr.Evaluate(compare=(), importance=False, resamples=60)
    pipeline(hr.Train(), QUICK).run(rows, cache=tmp_path)
    told = pipeline(hr.Train(), more).run(rows, cache=tmp_path).cache
    assert told.ran == ("evaluate",)
    assert told["evaluate"] == "ran: parameters of Evaluate changed: resamples 50 -> 60"
    told = pipeline(hr.Train(), QUICK, epochs=3).run(rows, cache=tmp_path).cache
    assert told.kept == ("schema", *STEPS)
    assert told["train"] == "ran: parameters of Network changed: epochs 2 -> 3"
    assert told["evaluate"] == "ran: what comes before it changed (the training)"


def test_other_rows_are_told_apart(rows: pl.DataFrame, tmp_path: Path) -> None:
    steps_alone().run(rows, cache=tmp_path)
    told = steps_alone().run(rows.head(500), cache=tmp_path).cache
    assert told.kept == ()
    assert told["train"] == "ran: the rows changed (480 -> 400)"


def test_the_training_gets_a_folder_that_stays(
    rows: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def watched(*_: Any, **settings: Any) -> Any:
        folders.append(settings["checkpoint"])
        raise KeyboardInterrupt

    monkeypatch.setattr(cached, "train", watched)
    told = []
    for epochs in (2, 2, 3):
        pipe = pipeline(hr.Train(), epochs=epochs)
        with pytest.raises(KeyboardInterrupt):
            pipe.run(rows, cache=tmp_path)
        told.append([entry.made for entry in hr.Cache(tmp_path).entries()])
    assert folders[0] == folders[1] != folders[2]
    assert folders[0].is_relative_to(tmp_path / "train")
    assert told == [[None], [None], [None, None]]  # unfinished, and to be cleaned like the rest


@pytest.mark.slow
def test_the_release_is_published_again_if_it_is_gone_or_altered(
    rows: pl.DataFrame, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    first = pipeline(hr.Train(), hr.Deploy())
    first.run(rows, to=tmp_path / "one", cache=cache)
    other = pipeline(hr.Train(), hr.Deploy())
    told = other.run(rows, to=tmp_path / "two", cache=cache).cache
    assert told["deploy"] == f"ran: the registry does not hold the release {first.version} any more"
    (tmp_path / "two" / "releases" / str(first.version) / "card.md").write_text("altered")
    told = pipeline(hr.Train(), hr.Deploy()).run(rows, to=tmp_path / "two", cache=cache).cache
    assert "card.md" in told["deploy"]
    assert Registry(tmp_path / "two").resolve().version == first.version


@pytest.mark.slow
def test_what_maintenance_put_in_place_is_taken_back(rows: pl.DataFrame, tmp_path: Path) -> None:
    pipe = pipeline(hr.Train(), hr.Deploy())
    pipe.run(rows, to=tmp_path)
    registry = Registry(tmp_path)
    champion = registry.resolve()
    pipe.train(rows)
    better = pipe.deploy(tmp_path, alias=None)
    registry.promote(better.version, "a paired test", verdict="better")
    again = pipeline(hr.Train(), hr.Deploy())
    again.run(rows, to=tmp_path)
    assert registry.alias("champion") == again.version == champion.version
    assert registry.previous() is None  # as after the first run


@pytest.mark.slow
def test_clusters_and_several_targets_are_kept_too(table: pl.DataFrame, tmp_path: Path) -> None:
    steps = [hr.clean.Impute(), hr.KMeans(2, columns=["age", "hours"])]
    several = hr.Network([4], epochs=1)
    for target, model in ((None, None), (["rich", "wage"], several)):
        told = []
        for _ in range(2):
            pipe = hr.Pipeline(
                steps if model is None else None,
                target=target,
                network=model,
                stages=[hr.Train(), QUICK],
            )
            told.append(pipe.run(table, cache=tmp_path))
        assert told[0].cache.kept == ()
        assert told[1].cache.ran == ()
        assert figures(told[0]) == figures(told[1])


@dataclass(frozen=True)
class Rows(Result):
    """How many rows there are."""

    train: int
    scores: tuple[str, ...] = ()

    def summary(self) -> str:
        return f"{self.train} rows"

    def to_dict(self) -> dict[str, Any]:
        return {"train": self.train, "scores": list(self.scores)}

    def plot(self, ax: Any = None) -> Any:
        return ax


class Count(hr.Stage):
    """Count the rows; run each time."""

    def run(self, pipeline: hr.Pipeline, context: hr.Context) -> Result:
        return Rows(context.train.height, tuple(pipeline.fitted.scores))


class KeptCount(Count):
    """Count the rows; kept."""

    name = "keptcount"
    cached = True
    kept_as = (Rows,)


class Unstored(Count):
    """Count the rows; says that it is kept, and not what its result is made of."""

    name = "unstored"
    cached = True


def test_stages_of_ones_own_say_whether_they_are_kept(rows: pl.DataFrame, tmp_path: Path) -> None:
    stages = (hr.Train(), QUICK, Count(), KeptCount(), Unstored())
    first = pipeline(*stages).run(rows, cache=tmp_path)
    again = pipeline(*stages).run(rows, cache=tmp_path)
    assert figures(first) == figures(again)
    assert again.cache["count"] == (
        "ran: a stage of your own is kept only if its class says cached = True"
    )
    assert again.cache["keptcount"].startswith("kept from")
    assert first.cache["unstored"] == "ran: never before; not kept: Rows cannot be stored"
    known = ("primary", "rows", "metrics", "calibration", "slices", "verdicts", "notes")
    assert again["keptcount"] == Rows(480, known)


def test_a_network_that_cannot_be_compared_is_trained_each_time(
    rows: pl.DataFrame, tmp_path: Path
) -> None:
    import keras

    stages = [hr.Train()]
    quick = hr.Network([4], epochs=1)
    own = hr.Network([keras.layers.Dense(4)], epochs=1)
    for network in (quick, own):
        steps = [hr.clean.Impute(), network]
        told = hr.Pipeline(steps, target="rich", stages=stages).run(rows, cache=tmp_path)
    assert told.cache["train"].startswith("ran: the parameters of Network cannot be compared: ")
    assert "1. clean.Impute" in told.cache.kept


def test_where_the_cache_is(rows: pl.DataFrame, tmp_path: Path) -> None:
    nothing = steps_alone()
    assert nothing.explain_cache().lines == ()
    assert nothing.run(rows).cache.lines == ()
    steps_alone().run(rows, to=tmp_path / "models", cache=True)
    assert (tmp_path / "models" / ".cache" / "steps").is_dir()
    with pytest.raises(hr.SettingError, match="give one as to, or a folder as cache"):
        steps_alone().run(rows, cache=True)


def test_a_release_is_not_written_to(rows: pl.DataFrame, tmp_path: Path) -> None:
    pipe = steps_alone()
    pipe.train(rows)
    pipe.save(tmp_path / "saved")
    with pytest.raises(hr.ReleaseError, match="is a release; a registry needs a folder of its own"):
        pipe.run(rows, to=tmp_path / "saved")
    assert hr.load(tmp_path / "saved").is_trained


# ---------------------------------------------------------------- tuning

SPACE = {"network_2__learning_rate": Real(1e-3, 1e-1, log=True)}


@pytest.mark.slow
def test_tuning_is_kept_with_what_it_did_to_the_pipeline(
    rows: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headrace.tune import stage

    life = (hr.Train(), hr.Tune(trials=2, space=SPACE), hr.Deploy())
    whole = stage.Search.verdict
    monkeypatch.setattr(
        stage.Search,
        "verdict",
        lambda self, found, validation: _better(*whole(self, found, validation)),
    )
    first, again = pipeline(*life), pipeline(*life)
    ran = first.run(rows, to=tmp_path)
    studied = counted(monkeypatch, stage, "run_study")
    kept = again.run(rows, to=tmp_path)
    assert studied == []
    assert kept["tune"].kept is True  # type: ignore[attr-defined]
    assert kept.cache.ran == ()
    assert figures(kept) == figures(ran)
    assert repr(again) == repr(first) != repr(pipeline(*life))
    assert again.version == first.version


def _better(comparison: Any, estimate: Any) -> Any:
    return replace(comparison, verdict="better"), estimate


# ---------------------------------------------------------------- killed, and two at once

RUNNER = """
import json, os, sys
import headrace as hr
import keras, onnxruntime, optuna, polars, sklearn.ensemble, tensorflow, tf2onnx
import headrace.deploy.stage, headrace.maintain.stage, headrace.train.training, headrace.tune.stage
from headrace.preprocessing.space import Real

def live(data, to):
    steps = [hr.clean.Impute(), hr.normalize.Standardize(), hr.Network([8], epochs=2)]
    tune = hr.Tune(trials=1, space={"network_2__learning_rate": Real(1e-3, 1e-1, log=True)})
    quick = hr.Evaluate(compare=(), importance=False, resamples=50)
    stages = [hr.Train(), quick, tune, hr.Deploy(), hr.Maintain()]
    pipe = hr.Pipeline(steps, target="rich", stages=stages)
    results = pipe.run(data, to=to)
    told = {name: result.to_dict() for name, result in results.results.items()}
    with open(os.path.join(to, "told.json"), "w") as file:
        json.dump({"told": told, "version": pipe.version, "kept": results.cache.kept}, file)
    with open(os.path.join(to, f"kept {os.getpid()}.json"), "w") as file:
        json.dump(results.cache.kept, file)

print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        live(*json.loads(line))
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Runner:
    """A process that has loaded everything, and runs a pipeline in a child of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", textwrap.dedent(RUNNER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._told() == "ready"

    def _told(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(self, to: Path) -> int:
        assert self.process.stdin is not None
        to.mkdir(exist_ok=True)
        self.process.stdin.write(json.dumps([str(self.data), str(to)]) + "\n")
        self.process.stdin.flush()
        return int(self._told())

    def ended(self) -> int:
        return int(self._told())

    def run(self, to: Path) -> dict[str, Any]:
        self.start(to)
        assert self.ended() == 0
        return self.told(to)

    def told(self, to: Path) -> dict[str, Any]:
        found = json.loads((to / "told.json").read_text())
        return {"told": timeless(found["told"]), "version": found["version"]}

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture
def runner(rows: pl.DataFrame, tmp_path: Path) -> Iterator[Runner]:
    rows.write_parquet(tmp_path / "rows.parquet")
    one = Runner(tmp_path / "rows.parquet")
    yield one
    one.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_run_that_is_killed_again_and_again_ends_in_the_same(
    runner: Runner, tmp_path: Path
) -> None:
    began = time.monotonic()
    whole = runner.run(tmp_path / "whole")
    seconds = time.monotonic() - began
    moments, killed, here = random.Random(7), 0, 0
    folders = (tmp_path / f"killed {number}" for number in range(100))
    folder = next(folders)
    while killed < 10:
        child = runner.start(folder)
        if here < 4:  # settings that have ended five processes are given up
            time.sleep(moments.uniform(0.02, 0.35) * seconds)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        if runner.ended() == signal.SIGKILL:
            killed, here = killed + 1, here + 1
        else:  # it came to its end before: the next one begins anew
            assert runner.told(folder) == whole
            folder, here = next(folders), 0
    assert runner.run(folder) == whole
    registry = Registry(folder)
    assert registry.versions() == Registry(tmp_path / "whole").versions()
    assert registry.alias("champion") == whole["version"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_two_processes_at_once_come_to_the_same(runner: Runner, tmp_path: Path) -> None:
    other = Runner(runner.data)
    both = (runner, other)
    for one in both:
        one.start(tmp_path / "registry")
    assert [one.ended() for one in both] == [0, 0]
    other.close()
    told = json.loads((tmp_path / "registry" / "told.json").read_text())
    # Each took what the other one had done.
    kept = [json.loads(one.read_text()) for one in (tmp_path / "registry").glob("kept *.json")]
    assert len(kept) == 2
    assert {"train", "evaluate", "tune", "deploy"} <= {name for names in kept for name in names}
    assert Registry(tmp_path / "registry").versions() == (told["version"],)
