"""Blocks of resamples: anywhere, in any order, once; kept blocks survive a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import headrace as hr
from headrace.engine import HERE, Engine
from headrace.errors import CheckpointError
from headrace.evaluate import resampling
from headrace.evaluate.drawing import Singly
from headrace.evaluate.evaluation import evaluate
from headrace.evaluate.resampling import Scored, resample
from headrace.metrics.measure import Measure, find
from headrace.model.target import TargetSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl
    from distributed import Client
    from numpy.typing import NDArray

    from headrace.evaluate.intervals import Resampled

SPEC = TargetSpec("bought", "binary", classes=("no", "yes"), threshold=0.3)


def rows(count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, count)
    return truth, np.clip(0.25 + 0.5 * truth + random.normal(0, 0.3, count), 0, 1)


def scored(count: int, metrics: tuple[str, ...] = ("roc_auc", "recall")) -> list[Scored]:
    truth, output = rows(count)
    return [Scored(measure, SPEC, truth, output) for measure in find(metrics, SPEC)]


def bits(found: list[Resampled]) -> list[bytes]:
    return [one.draws.tobytes() + one.left_out.tobytes() for one in found]


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even little work is long enough for workers, and has many blocks."""
    monkeypatch.setattr(resampling, "_LONG_WORK", 0)
    monkeypatch.setattr(resampling, "_BLOCK", 20_000)


def test_blocks_may_be_computed_in_any_order(long: None) -> None:
    draws = resampling._Draws(Singly(1_000), 50, 7)
    blocks = draws.blocks()
    forwards = {block.name: draws.weights(block) for block in blocks}
    again = resampling._Draws(Singly(1_000), 50, 7)
    backwards = {block.name: again.weights(block) for block in reversed(blocks)}
    assert len(forwards) == len(blocks) > 10
    assert all(np.array_equal(forwards[name], backwards[name]) for name in forwards)


def test_more_resamples_begin_with_the_same_ones() -> None:
    few, many = (resample(scored(500), 500, resamples=count) for count in (800, 1_600))
    assert many[0].draws[:800].tolist() == few[0].draws.tolist()


def test_workers_find_the_same_to_the_bit(long: None, cluster: Client) -> None:
    here = resample(scored(1_000), 1_000, resamples=100)
    for executor in (cluster, ThreadPoolExecutor(2)):
        engine = Engine.of(executor=executor)
        assert bits(resample(scored(1_000), 1_000, resamples=100, engine=engine)) == bits(here)


def test_a_metric_of_the_users_own_is_computed_here(long: None, cluster: Client) -> None:
    own = Measure.from_score(
        "recall", lambda y, p, w: float(w @ (y * p)), tasks=["binary"], higher_is_better=True
    )
    truth, output = rows(300)
    kernels = [Scored(own, SPEC, truth, output), *scored(300, ("roc_auc",))]
    assert [kernel.travels for kernel in kernels] == [False, True]
    engine = Engine.of(executor=cluster)
    assert bits(resample(kernels, 300, engine=engine)) == bits(resample(kernels, 300))


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        TargetSpec("k", "multiclass", classes=("a", "b", "c")),
        TargetSpec("p", "regression", mean=1.0, scale=2.0),
        TargetSpec("p", "regression", likelihood="quantiles", quantiles=(0.1, 0.5, 0.9)),
        TargetSpec("p", "regression", likelihood="normal"),
    ],
    ids=lambda spec: f"{spec.task} {spec.likelihood}",
)
def test_every_metric_of_ours_travels(spec: TargetSpec, long: None, cluster: Client) -> None:
    random = np.random.default_rng(0)
    count = 200
    truth = random.integers(0, max(len(spec.classes), 2), count)
    output = random.random((count, spec.outputs))
    if spec.task == "multiclass":
        output /= output.sum(axis=1, keepdims=True)
    y_true = truth.astype(float) if spec.task == "regression" else truth
    found, expected = (
        evaluate(spec, y_true, np.sort(output, axis=1), resamples=40, engine=engine).to_dict()
        for engine in (Engine.of(executor=cluster), HERE)
    )
    assert repr(found) == repr(expected)  # NaN is not equal to itself


def test_kept_blocks_are_not_computed_again(long: None, tmp_path: Path) -> None:
    calls = []

    def counted(values: NDArray[Any]) -> Callable[..., Any]:
        def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            calls.append(len(weights))
            return weights @ values / weights.sum(axis=1)

        return kernel

    def found() -> list[Resampled]:
        kernel = counted(np.arange(500.0))
        return resample([kernel], 500, resamples=200, checkpoint=tmp_path / "kept")

    first = found()
    kept = sorted((tmp_path / "kept").glob("draws-*.npz"))
    assert len(kept) > 3
    calls.clear()
    assert bits(found()) == bits(first)
    assert calls == [1]  # the rows as they are, by which the work is known
    kept[1].write_bytes(b"torn")
    calls.clear()
    assert bits(found()) == bits(first)
    assert len(calls) == 2


def test_other_work_is_refused(tmp_path: Path) -> None:
    resample(scored(100), 100, checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match=r"differs in content, seed"):
        resample(
            [one.measure.prepare(one.y_true, one.output) for one in scored(100)],
            100,
            seed=1,
            checkpoint=tmp_path,
        )


CHILD = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from test_resampling import resample, scored
resample(scored(60_000), 60_000, resamples=400, checkpoint=Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_to_the_same_interval(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    here = os.path.dirname(__file__)  # noqa: PTH120 - a text for the child's path
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), here])
    until = time.monotonic() + 60
    while len(list(folder.glob("*.npz"))) < 4 and time.monotonic() < until:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL  # it had not finished
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    uninterrupted = resample(scored(60_000), 60_000, resamples=400)
    continued = resample(scored(60_000), 60_000, resamples=400, checkpoint=folder)
    assert bits(continued) == bits(uninterrupted)
    assert [one.interval() for one in continued] == [one.interval() for one in uninterrupted]
    assert 4 <= len(kept) < len(list(folder.glob("*.npz")))
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == kept


def test_a_pipeline_keeps_its_resamples(
    trained: hr.Pipeline, fresh: pl.DataFrame, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"compare": (), "importance": False, "resamples": 100}
    plain = hr.load(trained.save(tmp_path / "pipe"))
    first = plain.evaluate(fresh, **settings)
    again = plain.evaluate(fresh, **settings, checkpoint=tmp_path / "kept")
    assert min(path.name for path in (tmp_path / "kept").iterdir()) == "about.json"
    assert first.to_dict() == again.to_dict()
