"""Training on several workers, as the process that asked for it sees it."""

from __future__ import annotations

import time
import warnings
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError, WorkerError
from headrace.model.assembly import assemble
from headrace.model.footprint import PeakMemory
from headrace.model.health import examine
from headrace.model.loop import Training, automatic_batch_size, seeded
from headrace.model.monitor import LOSS
from headrace.model.parallel.compiling import build_training, check_by_row, compile_for_workers
from headrace.model.parallel.job import Job, Shard, check_can_travel, check_known
from headrace.model.parallel.shards import Division
from headrace.model.parallel.state import Progress, state_of
from headrace.model.parallel.teams import Team, team_of
from headrace.model.parallel.worker import ANSWER, FAILURE, JOB, START, STATE
from headrace.model.records import finished, keep_finished
from headrace.model.rows import Rows
from headrace.model.single import Fitting, fitted_to, keras_rows
from headrace.model.stored import StoredRows
from headrace.progress import bar
from headrace.storage.checkpoint import Piece, piece_bytes, piece_from_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.model.fitted import FittedNetwork
    from headrace.model.network import Network
    from headrace.model.presets import Member
    from headrace.model.stored import AnyRows

__all__ = ["RESTARTS", "fit_on_workers"]

RESTARTS = 3
"""How often in a row a training is started again without having come any further."""

_LOOK = 1.0
_KILLED = -9
_PIECES = (ANSWER, STATE, FAILURE)
_GRACE = 60.0
"""Seconds that workers have to end when they are told to."""


def fit_on_workers(network: Network, member: Member, fitting: Fitting) -> FittedNetwork:
    """Train one network on several workers; the weights are those of one process.

    Each worker owns a part of the rows. A worker that dies is noticed; the others end and the
    training goes on from the last state, on the workers that are left.

    Args:
        network: The settings.
        member: What the preset chooses where the settings say nothing.
        fitting: What to fit to.

    Raises:
        SettingError: The settings cannot be sent to workers, or there are too few rows or workers.
        WorkerError: Workers were lost again and again.
    """
    check_can_travel(network)
    team, began = team_of(fitting.engine), time.perf_counter()
    wanted = _workers(network, fitting, team)
    with PeakMemory() as peak, seeded(fitting.seed):
        assembly = assemble(network, member, fitting.feature_spec, fitting.target_spec)
        check_known(assembly.name)
        done = finished(fitting.resuming, assembly.model)
        if done is not None:
            return fitted_to(assembly, fitting, done)
        assembly.start(fitting.rows, fitting.start)
        batch = _batch(network, member, len(fitting.rows), wanted)
        steps = Division(len(fitting.rows), batch, wanted).steps
        epochs = assembly.recipe.epochs_for(steps, validated=fitting.held is not None)
        loss = compile_for_workers(assembly, steps * epochs)
        rows, held = _in_memory(*keras_rows(assembly, fitting, loss))
        check_by_row(loss, assembly.model, rows)
        build_training(assembly.model, rows)
        start = _kept_state(fitting) or state_of(assembly.model, Progress())
        job = Job(
            network,
            member,
            fitting.feature_spec,
            fitting.target_spec,
            rows=len(rows),
            held=0 if held is None else len(held),
            batch=batch,
            epochs=epochs,
            seed=fitting.seed,
        )
        built = time.perf_counter() - began
        with bar(f"training on {wanted} workers", None):
            rounds = _Rounds(team, job, _Table(rows, held, fitting), wanted)
            answer = rounds.train(start)
        assembly.model.set_weights([answer.arrays[name] for name in sorted(answer.arrays)])
        layers = examine(assembly.model, rows)
    training = Training(
        history=answer.document["history"],
        best_epoch=answer.document["best_epoch"],
        seconds={"build": built, "epochs": time.perf_counter() - began - built},
        notes=(*rounds.notes, *answer.document["notes"]),
        monitor=network.monitor if held is not None else LOSS,
        peak_bytes=peak.bytes,
        layers=layers,
    )
    keep_finished(fitting.resuming, assembly.model, training)
    return fitted_to(assembly, fitting, training)


def _kept_state(fitting: Fitting) -> Piece | None:
    """Answer the state that an earlier process has come to, if one has."""
    return None if fitting.resuming is None else fitting.resuming.kept.load(STATE)


def _in_memory(rows: AnyRows, held: AnyRows | None) -> tuple[Rows, Rows | None]:
    if isinstance(rows, StoredRows) or isinstance(held, StoredRows):
        raise SettingError(
            "workers share rows that are held in memory, and these lie on disk because they do not "
            "fit: leave workers out, or give more memory"
        )
    return rows, held


@dataclass(frozen=True, eq=False)
class _Table:
    """All rows, as Keras reads them.

    Attributes:
        rows: To learn from.
        held: To validate with, if any.
        fitting: Where they come from.
    """

    rows: Rows
    held: Rows | None
    fitting: Fitting

    def shard(self, job: Job, number: int, workers: int) -> Shard:
        """Answer what a worker is given."""
        own = _taken(self.rows, Division(job.rows, job.batch, workers).owned(number))
        if self.held is None or self.fitting.held is None:
            return Shard(own)
        held = _taken(self.held, Division(job.held, job.held, workers).owned(number))
        if job.network.monitor == LOSS:
            return Shard(own, held)
        return Shard(own, held, self.fitting.held.target, self.fitting.held.weight)


class _Rounds:
    """The rounds of a training: each goes on from the state that the one before has come to.

    Attributes:
        notes: What the user should know.
    """

    def __init__(self, team: Team, job: Job, table: _Table, wanted: int) -> None:
        self._team, self._job, self._table, self._wanted = team, job, table, wanted
        self._told: bytes | None = None
        self.notes: list[str] = []

    def train(self, start: Piece) -> Piece:
        """Train to the end; answer what the first worker answers."""
        state, tries = start, 0
        while True:
            workers = self._team.size(self._wanted)
            if not workers:
                raise WorkerError(f"there is no {self._team.what} left to go on with the training")
            reports = self._round(state, workers)
            answers = [_piece(report, ANSWER) for report in reports]
            if all(answer is not None for answer in answers):
                return self._agreed([answer for answer in answers if answer is not None])
            _raise_lasting(reports)
            further = _newest([state, *(_piece(report, STATE) for report in reports)])
            tries = tries + 1 if further is state else 1
            state = further
            self._tell(state, reports, tries)

    def _round(self, state: Piece, workers: int) -> list[dict[str, Any] | None]:
        """Run all workers until they have ended; None for one that left no report."""
        begin = piece_bytes(state)
        futures = self._team.start(
            [{JOB: self._given(number, workers), START: begin} for number in range(workers)],
            telling=self._table.fitting.resuming is not None,
        )
        waiting, until = set(futures), float("inf")
        try:
            while waiting and time.monotonic() < until:
                done, waiting = wait(waiting, _LOOK, FIRST_COMPLETED)
                self._keep_told()
                lost = {futures[number] for number in self._team.lost()} & waiting
                if until == float("inf") and (lost or any(map(_failed, done))):
                    self._team.stop()
                    until = time.monotonic() + _GRACE
                waiting -= lost
        finally:
            self._team.stop()
            for future in futures:
                future.cancel()  # nothing for those that are done
        return [_report(future) for future in futures]

    def _keep_told(self) -> None:
        """Keep the newest state, so that a training goes on when this process has died, too."""
        resuming = self._table.fitting.resuming
        if resuming is None:
            return
        told = self._team.state()
        if told is None or told is self._told:
            return
        piece = piece_from_bytes(told, STATE)
        resuming.kept.save(STATE, piece.document, piece.arrays)
        self._told = told

    def _given(self, number: int, workers: int) -> bytes:
        shard = self._table.shard(self._job, number, workers)
        return piece_bytes(Piece(self._job.to_dict(), shard.arrays()))

    def _agreed(self, answers: Sequence[Piece]) -> Piece:
        """Answer what all workers have come to."""
        first = answers[0]
        apart = max(
            float(np.max(np.abs(np.float64(array) - other.arrays[name]), initial=0.0))
            for other in answers
            for name, array in first.arrays.items()
        )
        if apart:
            self.notes.append(
                f"the workers' weights differ by up to {apart:.2g}, as their machines are of "
                "different kinds; those of the first are kept"
            )
        return first

    def _tell(self, state: Piece, reports: Sequence[dict[str, Any] | None], tries: int) -> None:
        """Say that the training goes on, or that it does not."""
        progress = Progress(**state.document["progress"])
        why = _why(reports)
        if tries > RESTARTS:
            raise WorkerError(
                f"the training with workers={self._wanted} came no further than epoch "
                f"{progress.epoch + 1}, step {progress.step + 1}, in {tries} tries. {why}"
            )
        note = (
            f"a worker was lost; the training went on from epoch {progress.epoch + 1}, step "
            f"{progress.step + 1}. {why}"
        )
        self.notes.append(note)
        warnings.warn(note, stacklevel=7)


def _workers(network: Network, fitting: Fitting, team: Team) -> int:
    wanted = int(network.workers or 1)
    if wanted > len(fitting.rows):
        raise SettingError(
            f"workers={wanted} is more than the {len(fitting.rows)} training rows: each worker "
            "needs rows of its own"
        )
    there = team.size(wanted)
    if there < wanted:
        raise SettingError(
            f"workers={wanted} needs as many workers in the Dask cluster, which has {there}: "
            "start more (cluster.scale), wait for them (client.wait_for_workers), or ask for fewer"
        )
    return wanted


def _batch(network: Network, member: Member, rows: int, workers: int) -> int:
    size = network.batch_size or member.batch * automatic_batch_size(rows)
    if size < workers:
        raise SettingError(
            f"a batch of {size} rows is too small for workers={workers}: each step is shared out "
            "among all of them, so batch_size must be as large, and better many times as large"
        )
    return min(size, rows)


def _taken(rows: Rows, part: slice) -> Rows:
    weight = None if rows.weight is None else rows.weight[part]
    inputs = {name: block[part] for name, block in rows.inputs.items()}
    return Rows(inputs, rows.target[part], weight)


def _failed(future: Any) -> bool:
    report = _report(future)
    return report is None or report["status"] != 0


def _report(future: Any) -> dict[str, Any] | None:
    """Answer a worker's report; None where whoever ran it is gone."""
    if not future.done() or future.cancelled():
        return None
    error = future.exception()
    if error is None:
        return dict(future.result())
    return {"status": 1, "errors": f"{type(error).__name__}: {error}", **dict.fromkeys(_PIECES)}


def _piece(report: Mapping[str, Any] | None, name: str) -> Piece | None:
    data = None if report is None else report[name]
    return None if data is None else piece_from_bytes(data, name)


def _newest(pieces: Sequence[Piece | None]) -> Piece:
    """Answer the state that has come furthest, the first of equal ones."""
    known = [piece for piece in pieces if piece is not None]
    return max(known, key=_place)


def _place(piece: Piece) -> tuple[int, int]:
    progress = Progress(**piece.document["progress"])
    return progress.epoch, progress.step


def _raise_lasting(reports: Sequence[Mapping[str, Any] | None]) -> None:
    """Raise an error that another start would end in again, such as one of the settings."""
    for number, report in enumerate(reports):
        failure = _piece(report, FAILURE)
        if failure is None or failure.document["passes"]:
            continue
        kind, text = failure.document["kind"], failure.document["text"]
        if kind == SettingError.__name__:
            raise SettingError(text)
        raise WorkerError(f"worker {number} could not train: {kind}: {text}")


def _why(reports: Sequence[Mapping[str, Any] | None]) -> str:
    """Answer how the workers ended, in words, for those that were not stopped from here."""
    found = []
    for number, report in enumerate(reports):
        if report is None:
            found.append(f"worker {number}: whoever ran it is gone")
            continue
        failure = _piece(report, FAILURE)
        if failure is not None:
            text = _reason(failure.document["text"])
            found.append(f"worker {number}: {failure.document['kind']}: {text}")
        elif report["status"] == _KILLED:
            found.append(f"worker {number}: killed")
        elif report["status"]:
            end = report["errors"][-300:]
            found.append(f"worker {number}: ended with {report['status']}: {end}")
    return "; ".join(found)


def _reason(text: str) -> str:
    """Answer the line of an error that says why; TensorFlow's have many others."""
    lines = text.splitlines() or [""]
    return next((line for line in lines if "aborted by" in line), lines[0])[:300]
