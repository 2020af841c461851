"""The process of one worker: `python -m headrace.model.parallel.worker FOLDER`.

The folder holds the job, the worker's shard and the state to start from; the process leaves there
the states that it passes, and at the end an answer or a failure. The environment variable
`TF_CONFIG` says who the other workers are.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.storage.checkpoint import Checkpoint

__all__ = ["ANSWER", "FAILURE", "JOB", "START", "STATE", "main"]

JOB = "job"
START = "start"
ANSWER = "answer"
FAILURE = "failure"
STATE = "state"


def main(folder: Path) -> int:
    """Train as one of several workers; answer the exit status."""
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    kept = Checkpoint(folder)
    try:
        _train(kept)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others must hear of it
        about = {"kind": type(error).__name__, "text": str(error)[:4000]}
        kept.save(FAILURE, {**about, "passes": _may_pass(error)})
        return 1
    return 0


def _train(kept: Checkpoint) -> None:
    from headrace.model.assembly import assemble
    from headrace.model.loop import seeded
    from headrace.model.parallel.compiling import build_training, compile_for_workers
    from headrace.model.parallel.epochs import Worker
    from headrace.model.parallel.job import Job, Shard
    from headrace.model.parallel.shards import Division
    from headrace.model.parallel.sums import Sums

    given, start = kept.load(JOB), kept.load(START)
    if given is None or start is None:
        raise HeadraceError(f"{kept.folder} holds no whole job")
    number = int(json.loads(os.environ["TF_CONFIG"])["task"]["index"])
    sums = Sums()
    job, shard = Job.from_dict(given.document), Shard.of_arrays(given.arrays)
    with seeded(job.seed):
        assembly = assemble(job.network, job.member, job.features, job.target)
        steps = Division(job.rows, job.batch, sums.workers).steps
        compile_for_workers(assembly, steps * job.epochs)
        build_training(assembly.model, shard.own)
        worker = Worker(number, job, shard, assembly=assembly, sums=sums, kept=kept)
        answer = worker.train(kept.load(STATE) or start)
    kept.save(ANSWER, answer.document, answer.arrays)


def _may_pass(error: Exception) -> bool:
    """Answer whether another start may go well: sums without a worker that is gone, a taken port.

    TensorFlow has one kind of error for all that happens inside of its programs and servers.
    """
    from headrace.model.backend import tensorflow

    return isinstance(error, tensorflow().errors.OpError)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: its end of the pipe is closed then."""
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's server would wait for workers that may be gone.
    os._exit(status)
