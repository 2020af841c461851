"""Several workers give the weights of one process, also when one of them is killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import psutil
import pytest

from headrace.engine import Engine
from headrace.errors import SettingError, WorkerError
from headrace.model.parallel import driver, teams
from headrace.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.slow
def test_two_processes_give_the_weights_of_one(
    fit: Callable[..., Any], assert_same: Callable[[Any, Any], None]
) -> None:
    settings: dict[str, Any] = {"monitor": "roc_auc", "schedule": "plateau", "hidden": [8]}
    assert_same(fit(**settings), fit(workers=2, **settings))


@pytest.mark.slow
@pytest.mark.filterwarnings("default:a worker was lost")
def test_a_killed_worker_is_replaced_and_the_weights_are_the_same(
    fit: Callable[..., Any],
    assert_same: Callable[[Any, Any], None],
    kill: Any,
    worker_process: Callable[[int, int], int | None],
) -> None:
    settings: dict[str, Any] = {"epochs": 60, "patience": 60, "optimizer": "sgd"}
    with kill(lambda: worker_process(1, os.getpid())) as killed:
        several = fit(workers=2, **settings)
    assert killed.killed
    [note] = several.notes
    assert note.startswith("a worker was lost; the training went on from epoch ")
    assert "worker 1: killed" in note
    assert "from epoch 1," not in note
    assert_same(fit(**settings), several)


@pytest.mark.slow
def test_workers_end_with_the_process_that_asked_for_them(tmp_path: Path) -> None:
    script = (
        "import headrace as hr, polars as pl; rows = pl.DataFrame({'a': range(500), "
        "'b': [n % 7 for n in range(500)]}); hr.Pipeline([hr.Network([4], epochs=100_000, "
        "patience=None, workers=1)], target='b').train(rows)"
    )
    asks = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    try:
        workers = wait_for(lambda: psutil.Process(asks.pid).children())
        wait_for(lambda: any(tmp_path.glob("headrace-worker-*/state.npz")))
    finally:
        asks.kill()
        asks.wait()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert len(gone) == 1
    assert not alive


_TRAIN = """
import sys
from pathlib import Path
import numpy as np
import polars as pl
import headrace as hr
rows = pl.DataFrame({"a": [n / 500 for n in range(500)], "b": [n % 7 / 7 for n in range(500)]})
settings = {"epochs": 80, "patience": None, "batch_size": 50, "optimizer": "sgd", "dropout": 0.0}
pipe = hr.Pipeline([hr.Network([4], workers=2, **settings)], target="b")
pipe.train(rows, checkpoint=Path(sys.argv[1]))
network = pipe.fitted.network
np.savez(sys.argv[2], *network.weights(), loss=network.history["loss"])
"""


@pytest.mark.slow
def test_a_killed_process_that_asked_goes_on_from_what_its_workers_told(tmp_path: Path) -> None:
    def command(name: str) -> list[str]:
        return [sys.executable, "-c", _TRAIN, str(tmp_path / name), str(tmp_path / f"{name}.npz")]

    asks = subprocess.Popen(command("killed"))
    try:
        (kept,) = wait_for(lambda: list((tmp_path / "killed").rglob("state.npz")))
    finally:
        asks.kill()
        asks.wait()
    state = Checkpoint(kept.parent).load("state")
    assert state is not None
    progress = state.document["progress"]
    assert 0 < progress["epoch"] < 80
    # Whatever the training begins with is kept: figures that it cannot come to by itself.
    progress["history"]["loss"][0] = 123.0
    Checkpoint(kept.parent).save("state", state.document, state.arrays)
    subprocess.run(command("killed"), check=True)
    subprocess.run(command("whole"), check=True)
    went_on, whole = (np.load(tmp_path / f"{name}.npz") for name in ("killed", "whole"))
    assert went_on["loss"][0] == 123.0
    assert went_on["loss"][1:] == pytest.approx(whole["loss"][1:], rel=1e-4)
    for name in whole.files[1:]:
        np.testing.assert_allclose(went_on[name], whole[name], rtol=1e-3, atol=1e-5)
    assert not list((tmp_path / "killed").rglob("state.npz"))


def wait_for(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.slow
def test_a_worker_that_cannot_bind_ends_in_a_clear_error(
    fit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        monkeypatch.setattr(teams, "free_port", lambda: taken.getsockname()[1])
        monkeypatch.setattr(driver, "RESTARTS", 0)
        with pytest.raises(
            WorkerError,
            match="the training with workers=1 came no further than epoch 1, step 1, in 1 tries. "
            "worker 0: UnknownError: Could not start gRPC server",
        ):
            fit(workers=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"workers": 502},
            "workers=502 is more than the 501 training rows: each worker needs rows of its own",
        ),
        ({"workers": 51}, r"a batch of 50 rows is too small for workers=51"),
        ({"workers": 0}, "workers must be a whole number, 1 or more, received 0"),
        (
            {"workers": 2, "time": "2min"},
            "time='2min' goes with a training in one process, and workers=2: state epochs instead",
        ),
        (
            {"workers": 2, "dropout": None, "hidden": [keras.layers.Dense(4)]},
            r"plain values, which hidden cannot become: give names and numbers \(widths or",
        ),
        (
            {"workers": 2, "dropout": None, "hidden": lambda features, target: None},
            "which hidden cannot become",
        ),
        (
            {"workers": 2, "callbacks": (keras.callbacks.Callback(),), "loss": lambda y, p: y - p},
            "which loss and callbacks cannot become",
        ),
        ({"workers": 2, "loss": "dice"}, "the loss 'dice' is one of a whole batch, which several"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(
    fit: Callable[..., Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        fit(**settings)


def test_an_executor_that_is_no_dask_client_is_refused(fit: Callable[..., Any]) -> None:
    with (
        ProcessPoolExecutor(1) as pool,
        pytest.raises(SettingError, match="workers needs a Dask client as executor"),
    ):
        fit(workers=1, engine=Engine.of(executor=pool))
