"""How far headrace scales: constants measured on this machine, then up to 1,000 workers on paper.

    python benchmarks/scale.py [--rows 1000000] [--tasks 2000] [--tiny] [--known FILE]

Measured here: seconds a row of statistics, of scoring and of a training step of the default
network; bytes of the states and of the gradients; merging; a sum over two workers through loopback;
what Dask's scheduler spends on a task. Stated: the network between machines and how much workers
straggle (`--bandwidth`, `--latency`, `--spread`). From both `scale_simulation.py` works out the
speed-up for 1 to 1,000 workers. `--known` keeps what was measured in a file, so that another
network can be tried without measuring again.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import polars as pl
from scale_simulation import Network, Training, Tree, run_tree, train_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = 12
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
BATCHES = (1_024, 16_384, 262_144)
PARTITIONS = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
TABLE = 10_000_000_000
GOOD = 0.8
MOST_TASKS = 100_000


@dataclass(frozen=True)
class Constants:
    """What was measured; seconds and bytes."""

    scan_row: float
    score_row: float
    states: dict[str, int]
    state: int
    merge: float
    step_fixed: float
    step_row: float
    gradients: int
    sum_small: float
    sum_gradients: float
    dispatch: float


# -- measuring ------------------------------------------------------------------------------------


def measure(rows: int, tasks: int, repeats: int) -> Constants:
    from headrace.plan.statistic import Question, observe

    chunk = numbers(rows)
    kinds = learnt()
    questions: list[Question] = [(kind, [name]) for name in chunk.columns for kind in kinds]

    def scan() -> list[Any]:
        found = observe(chunk, questions)
        return [kind.start(values) for (kind, _), values in zip(questions, found, strict=True)]

    states = scan()
    pairs = list(zip([kind for kind, _ in questions], states, strict=True))
    merging = timed(lambda: [kind.merge(state, state) for kind, state in pairs], repeats)
    fixed, row, gradients, score = training_step(repeats)
    small, large = sums(gradients)
    return Constants(
        scan_row=timed(scan, repeats) / rows,
        score_row=score,
        states=sizes(chunk),
        state=sum(size(state) for state in states),
        merge=merging,
        step_fixed=fixed,
        step_row=row,
        gradients=gradients,
        sum_small=small,
        sum_gradients=large,
        dispatch=dispatch(tasks),
    )


def numbers(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    return pl.DataFrame({f"x{place}": random.normal(size=rows) for place in range(COLUMNS)})


def learnt() -> list[Any]:
    """What the default steps learn of a number column."""
    from headrace.plan.statistic import Extremes, Missing, Quantiles, Variance

    return [Missing(), Variance(), Extremes(), Quantiles((0.01, 0.5, 0.99))]


def sizes(chunk: pl.DataFrame) -> dict[str, int]:
    """Bytes of the state of each statistic, after one chunk."""
    from headrace.plan.counts import ValueCounts
    from headrace.plan.statistic import Count, Covariance, Mean, observe

    words = chunk.select(word=(pl.col("x0") * 1000).cast(pl.Int64).cast(pl.String))
    asked = [(kind, chunk, ["x0"]) for kind in [Count(), Mean(), *learnt()]]
    asked += [(Covariance(), chunk, chunk.columns), (ValueCounts(), words, ["word"])]
    found = {}
    for kind, rows, names in asked:
        state = kind.start(observe(rows, [(kind, names)])[0])
        found[type(kind).__name__] = size(state)
    return found


def size(state: Any) -> int:
    """Bytes of a state: of its numbers and texts, without what Python adds."""
    if hasattr(state, "serialize"):
        return len(state.serialize())
    if isinstance(state, pl.DataFrame | pl.Series):
        return int(state.estimated_size())
    if isinstance(state, dict):
        return sum(size(value) for value in state.values())
    if isinstance(state, list | tuple):
        return sum(size(value) for value in state)
    return int(np.asarray(state).nbytes)


class Alone:
    """Sums over one worker."""

    workers = 1

    def of(self, block: Any) -> Any:
        """Answer the block itself."""
        return block


def training_step(repeats: int) -> tuple[float, float, int, float]:
    """Seconds of a step: fixed and a row; bytes of the gradients; seconds of scoring a row."""
    import headrace as hr
    from headrace.model.assembly import assemble
    from headrace.model.parallel.compiling import build_training, compile_for_workers
    from headrace.model.parallel.shards import OwnSteps
    from headrace.model.parallel.step import SharedSteps
    from headrace.model.presets import preset
    from headrace.model.rows import Rows
    from headrace.model.target import TargetSpec
    from headrace.plan.features import FeatureSpec

    spec = FeatureSpec(tuple(f"x{place}" for place in range(COLUMNS)))
    target = TargetSpec("y", "binary", classes=(0, 1))
    assembly = assemble(hr.Network(), preset("balanced").members[0], spec, target)
    compile_for_workers(assembly, 1_000)
    random = np.random.default_rng(0)
    inputs = {"numbers": random.normal(size=(8_192, COLUMNS)).astype(np.float32)}
    rows = Rows(inputs, (inputs["numbers"][:, :1] > 0).astype(np.float32))
    build_training(assembly.model, rows)
    widths, seconds, steps = (64, 256, 1_024), [], 16
    for width in widths:
        shared = SharedSteps(assembly.model, rows, Alone())  # type: ignore[arg-type]
        places = random.integers(0, 8_192, (steps, width)).astype(np.int32)
        counts = np.full(steps, width, dtype=np.int32)

        def run(shared: SharedSteps = shared, own: OwnSteps = OwnSteps(places, counts, counts)):  # noqa: ANN202, B008
            shared.start_epoch(own)
            shared.advance()

        seconds.append(timed(run, repeats) / steps)
    row, fixed = np.polyfit(widths, seconds, 1)
    gradients = 4 * sum(int(np.prod(v.shape)) for v in assembly.model.trainable_variables)
    score = timed(lambda: assembly.model.predict_on_batch(inputs), repeats) / 8_192
    return max(float(fixed), 0.0), float(row), gradients, score


def sums(gradients: int) -> tuple[float, float]:
    """Seconds of a sum over two processes on this machine: of one number, and of gradients."""
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("", 0))
            ports.append(probe.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    processes = []
    for number in range(2):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}})
        processes.append(
            subprocess.Popen(
                [sys.executable, __file__, "--add", str(gradients)],
                env=os.environ | {"TF_CONFIG": config, "CUDA_VISIBLE_DEVICES": "-1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
    small, large = json.loads(processes[0].communicate()[0].splitlines()[-1])
    processes[1].communicate()
    return small, large


def add(gradients: int) -> None:
    """Be one of the two processes of `sums`."""
    from headrace.model.parallel.sums import Sums

    together, found = Sums(), []
    import tensorflow as tf

    for count in (1, gradients // 4):
        block = tf.zeros([count])

        @tf.function(autograph=False)
        def many(block: Any = block) -> Any:
            return tf.while_loop(
                lambda number, _: number < 100,
                lambda number, held: (number + 1, together.of(held)),
                [0, block],
                parallel_iterations=1,
            )

        found.append(timed(many, 3) / 100)
    print(json.dumps(found), flush=True)
    os._exit(0)


def dispatch(tasks: int) -> float:
    """Seconds that Dask's scheduler and its messages take for a task that does nothing."""
    # `distributed.py` beside this file must not be found in place of the library.
    here = Path(__file__).resolve().parent
    others = [place for place in sys.path if Path(place).resolve() != here]
    sys.path[:] = [*others, str(here)]
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(nothing, range(100), pure=False))
        began = time.perf_counter()
        client.gather(client.map(nothing, range(tasks), pure=False))
        return (time.perf_counter() - began) / tasks


def nothing(number: int) -> int:
    return number


def timed(work: Callable[[], Any], repeats: int) -> float:
    """The median of some runs, after one that does not count."""
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


# -- tables ---------------------------------------------------------------------------------------


def show_constants(known: Constants) -> None:
    print("| measured | |\n|---|---|")
    print(f"| statistics of {COLUMNS} number columns, a row | {1e9 * known.scan_row:,.0f} ns |")
    print(f"| scoring with the default network, a row | {1e6 * known.score_row:,.2f} µs |")
    print(f"| their state | {known.state:,} bytes |")
    print(f"| merging two such states | {1e3 * known.merge:,.2f} ms |")
    print(f"| training step, fixed | {1e3 * known.step_fixed:,.2f} ms |")
    print(f"| training step, a row | {1e6 * known.step_row:,.2f} µs |")
    print(f"| gradients added up in a step | {known.gradients:,} bytes |")
    print(f"| a sum of one number, 2 processes | {1e3 * known.sum_small:,.2f} ms |")
    print(f"| a sum of the gradients, 2 processes | {1e3 * known.sum_gradients:,.2f} ms |")
    print(f"| Dask, a task that does nothing | {1e3 * known.dispatch:,.2f} ms |\n")
    print("| state of | bytes |\n|---|---|")
    for name, count in known.states.items():
        print(f"| {name} | {count:,} |")


def tree_of(known: Constants, partition: int, *, merged: bool) -> Tree:
    row = known.scan_row if merged else known.score_row
    state = (known.merge, known.state) if merged else (0.0, 0)
    return Tree(max(1, TABLE // partition), row * partition, known.dispatch, *state)


def show_partitions(known: Constants, network: Network, *, merged: bool) -> None:
    what = "statistics" if merged else "scoring"
    print(f"\n{what} of {TABLE:,} rows: speed-up (efficiency), and what limits it\n")
    possible = [one for one in PARTITIONS if TABLE // one <= MOST_TASKS]
    print("| workers | " + " | ".join(f"{one:,} rows a partition" for one in possible) + " |")
    print("|---" * (len(possible) + 1) + "|")
    for workers in WORKERS:
        cells = []
        for partition in possible:
            tree = tree_of(known, partition, merged=merged)
            ran = run_tree(tree, workers, network)
            gain = tree.partitions * tree.task / ran.seconds
            limit = " scheduler" if ran.scheduler > 0.9 else ""
            few = " too few" if tree.partitions < 3 * workers else ""
            cells.append(f"{gain:,.1f} ({gain / workers:.0%}){limit or few}")
        print(f"| {workers:,} | " + " | ".join(cells) + " |")
    for workers in (10, 100, 1_000):
        enough = least(known, workers, network, merged=merged)
        print(f"{GOOD:.0%} on {workers:,} workers needs partitions of {enough}")


def least(known: Constants, workers: int, network: Network, *, merged: bool) -> str:
    """The smallest partition, among round numbers, that keeps the workers busy for 80 %."""
    for partition in [step * 10**power for power in range(3, 9) for step in (1, 2, 5)]:
        tree = tree_of(known, partition, merged=merged)
        tree = Tree(20 * workers, tree.task, tree.dispatch, tree.merge, tree.state)
        ran = run_tree(tree, workers, network)
        if tree.partitions * tree.task / ran.seconds / workers >= GOOD:
            return f"{partition:,} rows ({1e3 * tree.task:,.0f} ms)"
    return "none"


def show_training(known: Constants, network: Network) -> None:
    print("\ntraining the default network: speed-up (efficiency), share of the sum in a step\n")
    print("| workers | " + " | ".join(f"batch {batch:,}" for batch in BATCHES) + " |")
    print("|---" * (len(BATCHES) + 1) + "|")
    for workers in WORKERS:
        cells = []
        for batch in BATCHES:
            if batch < 2 * workers:
                cells.append("–")
                continue
            one, _ = train_seconds(trained(known, batch), 1, network)
            seconds, ring = train_seconds(trained(known, batch), workers, network)
            gain = one / seconds
            cells.append(f"{gain:,.1f} ({gain / workers:.0%}), {ring / seconds:.0%}")
        print(f"| {workers:,} | " + " | ".join(cells) + " |")


def trained(known: Constants, batch: int) -> Training:
    from headrace.model.parallel.shards import Division

    rows = 1_000 * batch
    return Training(
        known.step_fixed,
        known.step_row,
        known.gradients,
        lambda workers: Division(rows, batch, workers).usual_width,
    )


def constants(file: Path | None, measured: Callable[[], Constants]) -> Constants:
    """Read the constants from a file; or measure them, and keep them there."""
    if file is not None and file.exists():
        return Constants(**json.loads(file.read_text(encoding="utf-8")))
    found = measured()
    if file is not None:
        file.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--bandwidth", type=float, default=Network.bandwidth, help="bytes a second")
    parser.add_argument("--latency", type=float, default=Network.latency, help="seconds")
    parser.add_argument("--spread", type=float, default=Network.spread)
    parser.add_argument("--known", type=Path, help="what was measured: read, or written")
    parser.add_argument("--add", type=int, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.add:
        add(told.add)
    if told.tiny:
        told.rows, told.tasks, told.repeats = 100_000, 500, 2
    network = Network(told.bandwidth, told.latency, told.spread)
    known = constants(told.known, lambda: measure(told.rows, told.tasks, told.repeats))
    show_constants(known)
    print(
        f"\nstated: {8e-9 * network.bandwidth:g} Gbit/s, {1e6 * network.latency:,.0f} µs, "
        f"seconds of a task spread by {network.spread:.0%}"
    )
    show_partitions(known, network, merged=True)
    show_partitions(known, network, merged=False)
    show_training(known, network)


if __name__ == "__main__":
    main()
