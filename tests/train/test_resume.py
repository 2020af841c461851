"""Killed at any moment, a training goes on to the very weights of one that was never killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import polars as pl
import pytest

import headrace as hr
from headrace.errors import CheckpointError
from headrace.model import saving
from headrace.storage import files
from headrace.storage.checkpoint import Checkpoint

SOURCE = Path(__file__).resolve().parents[2] / "src"
KILLS = """
import hashlib, json, os, random, shutil, signal, sys, time
from pathlib import Path
import numpy as np
from headrace.model.backend import keras
keras()
from headrace.model import averages, ensemble, health, records, saving, schedules, watch, optimizer
from headrace.model.layers import *
from headrace.model.loop import Resuming
from headrace.model.labelled import Window
from headrace.model.network import Network
from headrace.model.target import TargetSpec
from headrace.plan.features import Features, FeatureSpec
from headrace.storage.checkpoint import Checkpoint

NETWORKS = {
    "tabm": dict(hidden="tabm", settings={"members": 2, "hidden": [8], "embedding": None},
                 epochs=9, batch_size=40, dropout=0.2, schedule="cosine", monitor="roc_auc"),
    "plateau": dict(hidden=[8], embedding=None, epochs=12, batch_size=40, dropout=0.1,
                    schedule="plateau", patience=4, calibrate="temperature"),
    "disk": dict(hidden=[8], embedding=None, epochs=6, batch_size=40, patience=None),
}

def rows(count, seed):
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(count, 3)).astype(np.float32)
    codes = chance.integers(0, 5, size=(count, 1)).astype(np.int32)
    return Features(numbers, codes), (numbers[:, 0] + chance.normal(size=count) > 0).astype(np.int32)

def work(case, folder, result):
    saving.EVERY = 0.0
    fitted = Network(**NETWORKS[case]).fit(
        *rows(4000, 0), feature_spec=FeatureSpec(("a", "b", "c"), ("d",), (5,)),
        target_spec=TargetSpec("y", "binary", classes=(0, 1)), validation=rows(500, 1), seed=3,
        window=Window(1000, 50) if case == "disk" else None,
        resuming=None if folder is None else Resuming(Checkpoint(folder)),
    )
    digest = hashlib.sha256()
    for array in fitted.weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    history = {name: [repr(v) for v in values] for name, values in fitted.history.items()}
    result.write_text(json.dumps([digest.hexdigest(), history, fitted.best_epoch]))

def attempt(case, folder, result, after):
    child = os.fork()
    if not child:
        try:
            work(case, folder, result)
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    until = time.monotonic() + after
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]

place, case, wanted = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
began = time.monotonic()
assert attempt(case, None, place / "expected", 600) == 0
whole = time.monotonic() - began
expected = json.loads((place / "expected").read_text())
chance, kills, rounds, amid = random.Random(0), 0, 0, 0
while kills < wanted:
    folder, result = place / f"round {rounds}", place / f"result {rounds}"
    last = 0
    while True:
        after = whole * chance.uniform(0.3, 1.1) if kills < wanted else 600
        status = attempt(case, folder, result, after)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), "the training failed"
        kills += 1
        amid += saving.latest(Checkpoint(folder)) is not None
    assert json.loads(result.read_text()) == expected, (json.loads(result.read_text()), expected)
    shutil.rmtree(folder)
    rounds += 1
print(json.dumps({"kills": kills, "rounds": rounds, "amid": amid}))
"""


def table(rows: int = 400, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    x, word = random.normal(size=rows), random.choice(["a", "b", "c"], rows)
    return pl.DataFrame({"x": x, "word": word, "y": np.where(x + (word == "a") > 0.4, "yes", "no")})


def pipeline(**network: Any) -> hr.Pipeline:
    settings = {"epochs": 6, "patience": 4, "batch_size": 32, **network}
    steps = [hr.transform.Encode(), hr.clean.Impute(), hr.normalize.Standardize()]
    return hr.Pipeline([*steps, hr.Network(settings.pop("hidden", [8]), **settings)], target="y")


def digest(pipe: hr.Pipeline) -> str:
    found = hashlib.sha256()
    for array in pipe.fitted.network.weights():
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


class Dies(keras.callbacks.Callback):  # type: ignore[misc]
    """End a training in the middle, as a lost machine would."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._at = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self._at:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "EVERY", 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "kills"), [("tabm", 20), ("plateau", 16), ("disk", 16)])
def test_more_than_fifty_random_kills_change_no_bit(tmp_path: Path, case: str, kills: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path), case, str(kills)],
        env=os.environ | {"PYTHONPATH": str(SOURCE), "HEADRACE_PROGRESS": "0"},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["kills"] >= kills
    assert told["amid"] >= kills // 4  # many died with something done already


@pytest.mark.slow
@pytest.mark.parametrize("network", [{}, {"hidden": "tabm", "settings": {"members": 2}}])
def test_a_training_that_died_goes_on_where_it_was(tmp_path: Path, network: Any) -> None:
    whole = pipeline(**network)
    expected = whole.train(table())
    with pytest.raises(KeyboardInterrupt):
        pipeline(**network, callbacks=[Dies(3)]).train(table(), checkpoint=tmp_path / "kept")
    pipe = pipeline(**network)
    result = pipe.train(table(), checkpoint=tmp_path / "kept")
    assert digest(pipe) == digest(whole)
    assert result.history == expected.history
    assert result.best_epoch == expected.best_epoch


@pytest.mark.slow
def test_callbacks_of_keras_go_on_too(tmp_path: Path) -> None:
    def stopping() -> list[Any]:
        early = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
        return [early, keras.callbacks.ReduceLROnPlateau("val_loss", patience=1)]

    settings = {"epochs": 14, "patience": None, "learning_rate": 0.1}
    rows = (table(), 0.2)
    whole = pipeline(**settings, callbacks=stopping())
    expected = whole.train(*rows)
    assert 4 < expected.epochs < 14
    with pytest.raises(KeyboardInterrupt):
        pipeline(**settings, callbacks=[*stopping(), Dies(expected.epochs - 1)]).train(
            *rows, checkpoint=tmp_path
        )
    pipe = pipeline(**settings, callbacks=stopping())
    assert pipe.train(*rows, checkpoint=tmp_path).history == expected.history
    assert digest(pipe) == digest(whole)


def test_what_is_finished_is_not_done_again(tmp_path: Path) -> None:
    pipe = pipeline(calibrate="temperature", threshold="f1")
    first = pipe.train(table(), checkpoint=tmp_path)
    again = pipeline(calibrate="temperature", threshold="f1", callbacks=[Dies(0)])
    second = again.train(table(), checkpoint=tmp_path)
    assert digest(again) == digest(pipe)
    assert second.history == first.history
    assert second.decision == first.decision
    assert again.predict_proba(table()).tolist() == pipe.predict_proba(table()).tolist()


@pytest.mark.slow
def test_an_ensemble_goes_on_behind_its_finished_networks(tmp_path: Path) -> None:
    settings = {"preset": "best", "hidden": "linear", "epochs": 2}
    whole = pipeline(**settings)
    whole.train(table())
    trained: list[int] = []

    class Third(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            trained.append(1)
            if len(trained) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(**settings, callbacks=[Third()]).train(table(), checkpoint=tmp_path)
    pipe = pipeline(**settings, callbacks=[Third()])
    pipe.train(table(), checkpoint=tmp_path)
    assert len(trained) == 3 + 3  # two were finished, the third began anew
    assert digest(pipe) == digest(whole)


@pytest.mark.slow
def test_the_second_training_of_a_split_by_time_is_kept_too(tmp_path: Path) -> None:
    rows = table().with_row_index("day").with_columns(pl.col("day").cast(pl.Int64))
    split = hr.Split(time="day")
    whole, pipe = pipeline(), pipeline()
    whole.train(rows, split)
    pipe.train(rows, split, checkpoint=tmp_path)
    again = pipeline(callbacks=[Dies(0)])
    again.train(rows, split, checkpoint=tmp_path)
    assert digest(again) == digest(pipe) == digest(whole)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rows": table(401)}, "it differs in rows"),
        ({"network": {"epochs": 7}}, "it differs in steps"),
        ({"seed": 1}, "it differs in seed"),
    ],
)
def test_another_training_is_refused(tmp_path: Path, change: Any, text: str) -> None:
    pipeline(epochs=1).train(table(), checkpoint=tmp_path)
    pipe = pipeline(**{"epochs": 1, **change.get("network", {})})
    pipe.seed = change.get("seed", 0)
    with pytest.raises(CheckpointError, match=f"holds the checkpoint of other work: {text}"):
        pipe.train(change.get("rows", table()), checkpoint=tmp_path)


@pytest.mark.slow
def test_a_training_with_time_left_goes_on_with_what_is_left(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pipeline(time=60, callbacks=[Dies(2)]).train(table(), checkpoint=tmp_path)
    result = pipeline(time=60).train(table(), checkpoint=tmp_path)
    assert result.epochs <= 6


@pytest.mark.slow
def test_a_full_disk_ends_the_training_with_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_disk: Any
) -> None:
    expected = pipeline()
    expected.train(table())
    with pytest.raises(KeyboardInterrupt):
        pipeline(callbacks=[Dies(2)]).train(table(), checkpoint=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(files, "disk", failing_disk(2))
        with pytest.raises(CheckpointError, match="cannot be written: no space left on device"):
            pipeline().train(table(), checkpoint=tmp_path)
    pipe = pipeline()
    pipe.train(table(), checkpoint=tmp_path)
    assert digest(pipe) == digest(expected)


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        pipeline(callbacks=[Dies(0)]).train(table(), checkpoint=tmp_path / "file" / "kept")


STOPPED = """
import sys, numpy as np, polars as pl, keras
import headrace as hr
from headrace.model import saving
saving.EVERY = 1000.0
class Slow(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        print("epoch", epoch, flush=True)
        import time; time.sleep(0.2)
chance = np.random.default_rng(0)
x = chance.normal(size=400)
rows = pl.DataFrame({"x": x, "y": np.where(x > 0, "yes", "no")})
network = hr.Network([4], epochs=200, patience=None, batch_size=64, callbacks=[Slow()])
hr.Pipeline([network], target="y").train(rows, checkpoint=sys.argv[1])
"""


@pytest.mark.slow
def test_sigterm_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(tmp_path / "kept")],
        env=os.environ | {"PYTHONPATH": str(SOURCE), "HEADRACE_PROGRESS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        for line in running.stdout or ():
            if line == "epoch 3\n":
                break
        running.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - began < 30
    assert f"stopped by SIGTERM; what is done so far is in {tmp_path / 'kept'}" in errors
    assert "the same call goes on from there" in errors
    found = saving.latest(Checkpoint(tmp_path / "kept" / "network"))
    assert found is not None
    assert found.epoch >= 3
