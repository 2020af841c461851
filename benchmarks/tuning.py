"""Test scores after the same time of tuning: headrace, KerasTuner's Hyperband, Optuna with Keras.

    python benchmarks/tuning.py [--time 60] [--tables adult california] [--seeds 0] [--tiny]
        [--data FOLDER] [--keras-tuner "uv run --isolated --no-project --with keras-tuner …"]

Each table is divided once: a fifth is measured and seen by none. All get the same training rows and
the same seconds of wall time, imports left out, one after the other. headrace tunes the steps that
it chooses with the network, holds rows apart for its verdict, and trains the better pipeline on
all rows within the time; the others answer with the best network that they had by then. Optuna with
Keras runs in this environment, KerasTuner in one of its own: `--keras-tuner` is the command that
starts a Python with keras-tuner, tensorflow, scikit-learn and pandas; without it, it is left out
unless it is installed here.

Each score has its 95 % interval, and a verdict of the paired comparison with headrace's.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("HEADRACE_PROGRESS", "0")

import numpy as np
import polars as pl

import headrace as hr
from headrace.evaluate.comparison import compare
from headrace.metrics.measure import find
from headrace.table import figure, text_table
from headrace.tune.honest import standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.tune.result import TuneResult

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).with_name("tuning_peers.py")


@dataclass(frozen=True)
class Table:
    """A table and what is predicted."""

    file: str
    target: str
    task: Any
    metric: str


TABLES = {
    "adult": Table("adult.csv.gz", "income", "binary", "roc_auc"),
    "california": Table("california_housing.csv.gz", "median_house_value", "regression", "rmse"),
}


@dataclass(frozen=True)
class Run:
    """What a search came to."""

    name: str
    output: np.ndarray
    seconds: float
    trials: int
    remark: str = ""


def main() -> None:
    given = arguments()
    for name in given.tables:
        for seed in given.seeds:
            measure(TABLES[name], name, seed, given)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--time", type=float, default=60.0, help="seconds a search may take")
    parser.add_argument("--tables", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--keras-tuner", default="", help="the command of a Python that has it")
    parser.add_argument("--tiny", action="store_true", help="2,000 rows and 15 seconds")
    return parser.parse_args()


def measure(table: Table, name: str, seed: int, given: argparse.Namespace) -> None:
    rows = pl.read_csv(given.data / table.file, infer_schema_length=None)
    if given.tiny:
        rows = rows.sample(2_000, seed=0)
    stratify = table.target if table.task == "binary" else None
    train, test = hr.split(rows, share=0.2, stratify=stratify, seed=seed)
    limit = 15.0 if given.tiny else given.time
    with tempfile.TemporaryDirectory() as folder:
        for part, frame in (("train", train), ("test", test)):
            frame.write_csv(Path(folder) / f"{part}.csv")
        ours, found = headrace(train, test, table, limit, seed)
        runs = [ours, untuned(train, test, table, limit, seed)]
        command = [folder, table.task, table.target, str(limit), str(seed)]
        runs.append(peer("Optuna + Keras", [sys.executable], "optuna", command))
        if given.keras_tuner or find_spec("keras_tuner"):
            python = shlex.split(given.keras_tuner) or [sys.executable]
            runs.append(peer("KerasTuner Hyperband", python, "hyperband", command))
    print(f"\n{name}, {train.height:,} rows to tune on, {limit:.0f} s each, seed {seed}\n")
    print(scores(runs, truth(test, train, table), table, seed))
    if found.estimate:
        print(f"\nheadrace: {found.estimate.summary()}", flush=True)


def headrace(
    train: pl.DataFrame, test: pl.DataFrame, table: Table, limit: float, seed: int
) -> tuple[Run, TuneResult]:
    import tensorflow as tf

    tf.constant(0)  # imports are no part of the time
    began = time.monotonic()
    pipe = hr.Pipeline(target=table.target, seed=seed)
    found = pipe.tune(train, time=limit)
    if not found.kept:
        left = max(limit - (time.monotonic() - began), 1.0)
        pipe = hr.Pipeline(target=table.target, seed=seed, network=hr.Network(time=left))
        pipe.train(train)
    seconds = time.monotonic() - began
    remark = "new settings kept" if found.kept else "the defaults stay"
    return Run(
        "headrace tune", answers(pipe, test, table), seconds, len(found.trials), remark
    ), found


def untuned(train: pl.DataFrame, test: pl.DataFrame, table: Table, limit: float, seed: int) -> Run:
    began = time.monotonic()
    pipe = hr.Pipeline(target=table.target, seed=seed, network=hr.Network(time=limit))
    pipe.train(train)
    seconds = time.monotonic() - began
    return Run("headrace, no tuning", answers(pipe, test, table), seconds, 0)


def answers(pipe: hr.Pipeline, test: pl.DataFrame, table: Table) -> np.ndarray:
    rows = test.drop(table.target)
    if table.task == "binary":
        return pipe.predict_proba(rows)[:, 1]
    return np.asarray(pipe.predict(rows), dtype=np.float64)


def peer(name: str, python: Sequence[str], way: str, command: list[str]) -> Run:
    """Run a search in a process of its own, which may have another environment."""
    ended = subprocess.run(
        [*python, str(PEERS), way, *command], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        sys.exit(f"{name} failed:\n{ended.stderr[-3000:]}")
    trials, seconds = ended.stdout.split()[-2:]
    output = np.load(Path(command[0]) / f"{way}.npy").astype(np.float64)
    return Run(name, output, float(seconds), int(trials))


def truth(test: pl.DataFrame, train: pl.DataFrame, table: Table) -> np.ndarray:
    if table.task == "regression":
        return test[table.target].to_numpy().astype(np.float64)
    classes = train[table.target].unique().sort().to_list()
    return (test[table.target] == classes[1]).to_numpy().astype(np.intp)


def scores(runs: list[Run], known: np.ndarray, table: Table, seed: int) -> str:
    (measured,) = find([table.metric], table.task)
    lines = []
    for run in runs:
        value, ends = standing(known, run.output, measured, draws=1000, seed=seed)
        verdict = "" if run is runs[0] else against(runs[0], run, known, table, seed)
        interval = f"{figure(ends.low)} to {figure(ends.high)}"
        remark = "; ".join(filter(None, [verdict, run.remark]))
        tried = str(run.trials or "–")
        lines.append([run.name, figure(value), interval, tried, f"{run.seconds:.1f}", remark])
    return text_table(["", table.metric, "95 % interval", "trials", "seconds", ""], lines)


def against(ours: Run, other: Run, known: np.ndarray, table: Table, seed: int) -> str:
    found = compare(
        known, ours.output, other.output, task=table.task, metric=table.metric, seed=seed
    )
    return f"headrace tune is {found.verdict}" if "data" not in found.verdict else found.verdict


if __name__ == "__main__":
    main()
