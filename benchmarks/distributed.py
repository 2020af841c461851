"""One worker against two: how much quicker is given work, and what does a task cost?

    python benchmarks/distributed.py [--rows 4000000] [--small]

Starts Dask workers on this machine, one thread and one core each, and runs the same work on one and
on two of them: statistics of a table of Parquet files, scoring, resamples of an evaluation, trials
of a search, members of an ensemble. Then it measures what the scheduler takes for a task that does
nothing, and kills a worker in the middle of the statistics: the result must be the same.

Everything is compared with the same work in the same run; the machine should have two cores that
nothing else uses.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import headrace as hr
from headrace.engine import Engine
from headrace.evaluate.resampling import Scored, resample
from headrace.metrics.measure import find
from headrace.model.labelled import Labelled
from headrace.model.presets import Member
from headrace.model.remote import MemberJob, fit_members
from headrace.model.single import Fitting
from headrace.model.target import TargetSpec
from headrace.partitions.crew import map_tasks
from headrace.partitions.message import pack
from headrace.partitions.probe import echo
from headrace.plan.features import Features, FeatureSpec
from headrace.plan.plan import ColumnInfo
from headrace.preprocessing.fit import fit_steps
from headrace.preprocessing.partial import Lesson
from headrace.tune.attempt import Ground
from headrace.tune.front import Goal
from headrace.tune.remote import RemoteTrials
from headrace.tune.space import Real
from headrace.tune.study import run_study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

EMPTY_TASKS = 500
ONE_THREAD = {
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
"""One worker may not use two cores, or two workers could not be quicker."""

NUMBERS = [f"x{place}" for place in range(8)]
COLUMNS = {name: ColumnInfo(name, "number", "number") for name in NUMBERS}
COLUMNS["word"] = ColumnInfo("word", "string", "category")


@contextmanager
def workers(count: int) -> Iterator[Client]:
    # This file has the name of the library: it must not be found in its place.
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [folder for folder in sys.path if folder != here]
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=count, threads_per_worker=1, dashboard_address=":0", env=ONE_THREAD
        ) as cluster,
        Client(cluster) as client,
    ):
        if hasattr(os, "sched_setaffinity"):  # not on macOS
            for core, worker in enumerate(sorted(client.ncores())):
                client.run(os.sched_setaffinity, 0, {core}, workers=[worker])
        yield client


def table(rows: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    frame = pl.DataFrame({name: random.lognormal(size=rows) for name in NUMBERS})
    words = pl.Series("word", random.integers(0, 200, rows)).cast(pl.String)
    signal_ = frame["x0"] - frame["x1"] + pl.Series(random.normal(size=rows))
    return frame.with_columns(words, (signal_ > 0).cast(pl.String).alias("bought"))


def not_here(parameters: dict[str, Any], report: Any) -> float:
    raise RuntimeError(f"{parameters} should be tried by a worker, not here ({report})")


class Work:
    """What is measured; each part takes an engine and answers something to compare."""

    def __init__(self, folder: Path, rows: int, *, small: bool) -> None:
        self.files = folder / "table"
        self.files.mkdir()
        self.small = small
        for part in range(8):
            table(rows // 8, part).write_parquet(self.files / f"{part}.parquet")
        self.sample = table(5_000 if small else 40_000, 99)
        steps = [hr.clean.Impute(), hr.transform.Encode(), hr.normalize.Quantile()]
        self.pipe = hr.Pipeline([*steps, hr.Network([64, 64], epochs=2)], target="bought")
        self.pipe.train(self.sample)

    def statistics(self, engine: Engine) -> bytes:
        """Fit three steps, in three scans."""
        steps = [hr.clean.Impute(), hr.clean.Clip(), hr.normalize.Quantile()]
        rows = pl.scan_parquet(sorted(self.files.iterdir()))
        fitted = fit_steps(rows, COLUMNS, steps, engine=engine)
        return pack([Lesson(fitted.plan.nodes, (), ()).to_dict()])  # type: ignore[arg-type]

    def scoring(self, engine: Engine) -> bytes:
        """Predict all files."""
        files = [str(file) for file in sorted(self.files.iterdir())]
        self.pipe.set_params(executor=engine.executor)
        return self.pipe.predict_proba(files).tobytes()

    def resamples(self, engine: Engine) -> bytes:
        """Draw the rows of an evaluation again and again."""
        rows = 20_000 if self.small else 200_000
        random = np.random.default_rng(0)
        truth = random.integers(0, 2, rows)
        says = np.clip(0.3 + 0.4 * truth + random.normal(0, 0.3, rows), 0, 1)
        spec = TargetSpec("bought", "binary", classes=("no", "yes"))
        kernels = [Scored(one, spec, truth, says) for one in find(["roc_auc", "f1"], spec)]
        count = 600 if self.small else 1000
        return b"".join(
            one.draws.tobytes() for one in resample(kernels, rows, resamples=count, engine=engine)
        )

    def trials(self, engine: Engine) -> int:
        """Try settings of a network; how many are stopped early depends on who ran beside."""
        steps = [hr.clean.Impute(), hr.transform.Encode(), hr.normalize.Standardize()]
        network = hr.Network([64, 64], epochs=4, patience=None)
        base = hr.Pipeline([*steps, network], target="bought")
        space = {"network_3__learning_rate": Real(1e-3, 1e-2, log=True)}
        learn, held = hr.split(self.sample, share=0.2, seed=0)
        ground = Ground(learn, held, "bought", (Goal("loss"),))
        found = run_study(
            not_here,
            space,
            trials=4 if self.small else 12,
            engine=engine,
            elsewhere=RemoteTrials(base, ground, space),
        )
        return sum(one.state in {"complete", "pruned"} for one in found.trials)

    def members(self, engine: Engine) -> int:
        """Train four networks on four parts of the rows."""
        rows = 5_000 if self.small else 50_000
        random = np.random.default_rng(0)
        numbers = random.normal(size=(rows, 8)).astype(np.float32)
        fitting = Fitting(
            FeatureSpec(tuple(NUMBERS)),
            TargetSpec("bought", "binary", classes=("no", "yes")),
            Labelled(
                Features(numbers, np.zeros((rows, 0), np.int32)),
                (numbers[:, 0] > 0).astype(np.int32),
            ),
        )
        places = np.arange(rows)
        jobs = [
            MemberJob(Member("tabm"), seed, places[places % 4 != seed], places[places % 4 == seed])
            for seed in range(4)
        ]
        network = hr.Network(epochs=4, patience=None)
        return len(list(fit_members(network, fitting, jobs, engine)))


def seconds(part: Callable[[Engine], Any], client: Client) -> tuple[float, Any]:
    """Answer the seconds of a second run: the first one imports and compiles."""
    engine = Engine.of(executor=client)
    part(engine)
    began = time.perf_counter()
    found = part(engine)
    return time.perf_counter() - began, found


def overhead(client: Client) -> float:
    engine = Engine.of(executor=client)
    list(map_tasks(engine, echo, range(20)))
    began = time.perf_counter()
    list(map_tasks(engine, echo, range(EMPTY_TASKS)))
    return (time.perf_counter() - began) / EMPTY_TASKS


def killed(work: Work, client: Client, usual: float) -> tuple[float, Any]:
    """Kill a worker in the middle of the statistics."""
    pids = client.run(os.getpid)
    timer = Timer(usual / 2, os.kill, (next(iter(pids.values())), signal.SIGKILL))
    timer.start()
    began = time.perf_counter()
    found = work.statistics(Engine.of(executor=client))
    timer.join()
    return time.perf_counter() - began, found


def main(rows: int, *, small: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder), rows, small=small)
        parts = {
            f"statistics, {rows:,} rows": work.statistics,
            f"scoring, {rows:,} rows": work.scoring,
            "resamples of an evaluation": work.resamples,
            "trials": work.trials,
            "members of an ensemble": work.members,
        }
        with workers(1) as client:
            alone = {name: seconds(part, client) for name, part in parts.items()}
        print(f"{'':<34} {'1 worker':>10} {'2 workers':>10} {'speed-up':>9}  the same result")
        with workers(2) as client:
            for name, part in parts.items():
                took, found = seconds(part, client)
                before, expected = alone[name]
                ratio = before / took
                same = "yes" if found == expected else "NO"
                print(f"{name:<34} {before:>8.2f} s {took:>8.2f} s {ratio:>8.2f}x  {same}")
                if part == work.statistics:
                    usual = took
            print(f"\na task that does nothing: {1000 * overhead(client):.2f} ms")
            took, found = killed(work, client, usual)
            same = "the same result" if found == alone[next(iter(parts))][1] else "ANOTHER RESULT"
            print(f"statistics, one of two workers killed in the middle: {took:.2f} s, {same}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs")
    given = parser.parse_args()
    main(200_000 if given.small else given.rows, small=given.small)
