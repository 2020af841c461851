"""Fitting steps in waves: every statistic that can be learnt at the same time shares one scan."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.cache.errors import NotComparable, NotKept
from headrace.engine import HERE, Engine
from headrace.errors import DataError, Problem, SettingError
from headrace.plan.plan import ColumnInfo, Columns, Node, Plan, PythonNode, same_rows
from headrace.plan.statistic import BlockStatistic, Question, Statistic
from headrace.preprocessing.kept import KeptSteps, Outcome
from headrace.preprocessing.scan import TrainingRows
from headrace.preprocessing.stored import encode_parameters
from headrace.preprocessing.transformer import PythonTransformer, Transformer
from headrace.storage.documents import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headrace.cache.cache import Cache, Part
    from headrace.plan.operation import PlanType
    from headrace.preprocessing.step import Step

__all__ = ["FittedSteps", "fit_steps"]

_FEW = 1_000
"""Rows by which a free Python step shows which columns it makes."""


@dataclass(frozen=True)
class FittedSteps:
    """What fitting answers.

    Attributes:
        plan: The operations.
        rows: The training rows behind all steps; a lazy frame if one was given.
        learnt: For each step, in words, what it learnt.
        scans: How often the rows were read.
    """

    plan: Plan
    rows: pl.DataFrame | pl.LazyFrame
    learnt: tuple[tuple[str, str], ...]
    scans: int


def fit_steps(
    rows: pl.DataFrame | pl.LazyFrame,
    columns: Columns,
    steps: Sequence[Step],
    *,
    cache: Cache | None = None,
    engine: Engine = HERE,
) -> FittedSteps:
    """Fit steps on training rows.

    Steps whose columns do not depend on each other are fitted together, in a *wave*; the number
    of scans is the number of waves, whatever the number of columns or steps. A DataFrame is one
    chunk, with exact statistics, unless it is large and there is an executor; a LazyFrame is read
    in partitions and never held.

    Args:
        rows: Canonical columns, and those that target statistics need.
        columns: The canonical columns.
        steps: Transformers and free Python steps, in order.
        cache: Where fits are kept, so that steps that have not changed do not read the rows again.
        engine: Who learns, and with how much memory.

    Returns:
        The plan, the transformed rows, and what was learnt.
    """
    kept = None if cache is None else KeptSteps(cache, rows)
    entries = [_Entry(step) for step in steps]
    fitting = _Fitting(TrainingRows(rows, engine), dict(columns), entries, kept)
    while fitting.queue:
        fitting.wave()
    return FittedSteps(
        Plan(tuple(columns.values()), tuple(fitting.nodes), tuple(fitting.columns.values())),
        fitting.rows.answer(),
        tuple((repr(step), fitting.learnt[place]) for place, step in enumerate(steps)),
        fitting.rows.scans,
    )


@dataclass
class _Entry:
    """A step that waits; its columns are chosen once, as the steps before it leave them."""

    step: Step
    chosen: tuple[str, ...] | None = None
    place: int = 0


@dataclass
class _Fitting:
    rows: TrainingRows
    columns: Columns
    queue: list[_Entry]
    kept: KeptSteps | None = None
    nodes: list[Node | PythonNode] = field(default_factory=list)
    learnt: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, entry in enumerate(self.queue):
            entry.place = place

    def wave(self) -> None:
        """Fit every step whose columns are already known."""
        ready = self._ready()
        if isinstance(ready[0].step, PythonTransformer):
            self._fit_python(ready[0])
        else:
            self._fit_transformers(ready)
        self.queue = [entry for entry in self.queue if entry not in ready]

    def _ready(self) -> list[_Entry]:
        ready: list[_Entry] = []
        changing: set[str] = set()  # columns that a step in front may change or add
        ending: set[str] = set()  # columns that a step of this wave may drop
        ahead = dict(self.columns)
        for entry in self.queue:
            step = entry.step
            if isinstance(step, PythonTransformer):
                return ready or [entry]
            if not isinstance(step, Transformer):
                raise SettingError(_no_step(step))
            if entry.chosen is None:
                entry.chosen = step.select(ahead)
            waits = bool(changing.intersection(entry.chosen))
            if ending.intersection(entry.chosen):
                waits = waits or _learns_blocks(step, [ahead[n] for n in entry.chosen])
            if not waits:
                ready.append(entry)
            behind = step.after(ahead, entry.chosen)
            if behind is None:
                break
            (ending if step.only_drops and not waits else changing).update(entry.chosen)
            changing.update(set(behind) - set(ahead))
            ahead = behind
        return ready

    def _fit_transformers(self, ready: Sequence[_Entry]) -> None:
        tasks = [_Task(entry, self._infos(entry)) for entry in ready]
        self._look_up(tasks)
        missing = [task for task in tasks if task.outcome is None]
        start = time.perf_counter()
        questions = [q for task in missing for wish in task.wanted for q in _questions(*wish)]
        answers = iter(self.rows.learn(questions))
        learnt = {id(task): [_gather(wish, answers) for wish in task.wanted] for task in missing}
        share = (time.perf_counter() - start) / max(1, len(missing))
        for task in tasks:
            if task.outcome is not None:
                self._apply(task, task.outcome)
                continue
            start = time.perf_counter()
            outcome = _outcome(*task.without_dropped(self.columns, learnt[id(task)]))
            self._apply(task, outcome)
            _keep(task.part, outcome, share + time.perf_counter() - start)

    def _look_up(self, tasks: Sequence[_Task]) -> None:
        """Give each task what is kept of it."""
        ending: list[_Task] = []
        for task in tasks if self.kept is not None else ():
            names = {info.name for info in task.infos}
            beside = {
                one.step.key(): one.part.key
                for one in ending
                if one.part and names.intersection(info.name for info in one.infos)
            }
            task.part = self.kept.part(  # type: ignore[union-attr]
                task.entry.place,
                task.step,
                task.infos,
                hidden=any(statistic.needs for statistic, _ in task.wanted),
                beside=beside,
            )
            task.outcome = _taken_up(task.part)
            if task.step.only_drops:
                ending.append(task)

    def _infos(self, entry: _Entry) -> list[ColumnInfo]:
        return [self.columns[name] for name in entry.chosen or () if name in self.columns]

    def _apply(self, task: _Task, outcome: Outcome) -> None:
        self.learnt[task.entry.place] = outcome.text
        for node in outcome.nodes:
            _check_types(task.step, [self.columns[n] for n in node.inputs], node.operation.takes)
            _check_names(task.step, node, self.columns)
            self._add(node)
        for name in outcome.dropped:
            self.columns.pop(name)
        if self.kept is not None:
            self.kept.add(task.step, outcome)

    def _fit_python(self, entry: _Entry) -> None:
        step = entry.step
        if not isinstance(step, PythonTransformer):
            raise SettingError(_no_step(step))
        if self.rows.lazy:
            self._add_python(entry, step)
            return
        frame = self.rows.collect()
        own = frame.select(list(self.columns))
        self._learn_python(entry, step, own)
        made = same_rows(step.key(), own, step.transform(own))
        outputs = tuple(_info(made[name], self.columns) for name in made.columns)
        self.nodes.append(PythonNode.of(step.key(), step.transform, outputs, _python_state(step)))
        hidden = [name for name in frame.columns if name not in self.columns]
        self.columns = {info.name: info for info in outputs}
        behind = made.hstack(frame.select(hidden)) if hidden else made
        self.rows.replace(behind)
        if self.kept is not None:
            self.kept.start(behind)
        self.learnt[entry.place] = f"free Python, {len(outputs)} columns out"

    def _add_python(self, entry: _Entry, step: PythonTransformer) -> None:
        """Put a free Python step on lazy rows; it sees them by batches, so it cannot learn.

        Raises:
            SettingError: It learns from the rows.
        """
        if type(step).fit is not PythonTransformer.fit:
            raise SettingError(
                f"{step.key()} is free Python that learns (it defines fit), which needs the whole "
                "table in memory: train on a part of the rows (lazy.head(n)), give more memory, or "
                "write the step as an hr.Transformer with statistics"
            )
        some = self.rows.head(_FEW)
        own = some.select(list(self.columns))
        made = same_rows(step.key(), own, step.transform(own))
        outputs = tuple(_info(made[name], self.columns) for name in made.columns)
        node = PythonNode.of(step.key(), step.transform, outputs, _python_state(step))
        self.rows.put(node, list(self.columns))
        self.nodes.append(node)
        self.columns = {info.name: info for info in outputs}
        self.learnt[entry.place] = f"free Python, {len(outputs)} columns out"

    def _learn_python(self, entry: _Entry, step: PythonTransformer, rows: pl.DataFrame) -> None:
        part = self.kept.python_part(entry.place, step, rows) if self.kept is not None else None
        piece = None if part is None else part.load()
        if piece is not None:
            step.restore(piece.document)
            return
        start = time.perf_counter()
        step.fit(rows)
        if part is not None:
            _keep_state(part, step, time.perf_counter() - start)

    def _add(self, node: Node) -> None:
        self.nodes.append(node)
        self.columns = node.after(self.columns)
        self.rows.add(node)


class _Task:
    """A transformer with its columns and the statistics that it wants of them."""

    def __init__(self, entry: _Entry, infos: list[ColumnInfo]) -> None:
        if not isinstance(entry.step, Transformer):
            raise SettingError(_no_step(entry.step))
        self.entry = entry
        self.step = entry.step
        self.infos = infos
        self.part: Part | None = None
        self.outcome: Outcome | None = None
        self.wanted = [
            (statistic, [info.name for info in infos])
            for statistic in (self.step.statistics(infos) if infos else ())
        ]
        for statistic, _ in self.wanted:
            _check_types(self.step, infos, statistic.reads)

    def without_dropped(
        self, columns: Columns, learnt: Sequence[Any]
    ) -> tuple[_Task, Sequence[Any]]:
        """Leave out the columns that a step of the same wave has dropped, and what they taught."""
        kept = [place for place, info in enumerate(self.infos) if info.name in columns]
        if len(kept) == len(self.infos):
            return self, learnt
        fewer = _Task(self.entry, [self.infos[place] for place in kept])
        return fewer, [_taken(values, kept) for values in learnt]


def _outcome(task: _Task, learnt: Sequence[Any]) -> Outcome:
    step, infos = task.step, task.infos
    if not infos:
        return Outcome((), (), "no columns")
    return Outcome(
        tuple(step.nodes(infos, learnt)),
        tuple(step.dropped(infos, learnt)),
        step.describe(infos, learnt),
    )


def _taken_up(part: Part) -> Outcome | None:
    piece = part.load()
    if piece is None:
        return None
    try:
        return Outcome.decode(piece.document, piece.arrays)
    except NotKept as reason:
        part.lost(str(reason))
        return None


def _keep(part: Part | None, outcome: Outcome, seconds: float) -> None:
    if part is None:
        return
    try:
        part.save(*outcome.encode(), seconds=seconds)
    except NotComparable as reason:
        part.not_kept(str(reason))


def _keep_state(part: Part, step: PythonTransformer, seconds: float) -> None:
    state = dict(step.state())
    try:
        canonical_json(state)
    except (TypeError, ValueError):
        part.not_kept("its state() is no plain value")
        return
    part.save(state, seconds=seconds)


def _taken(values: Any, places: list[int]) -> Any:
    if isinstance(values, np.ndarray):
        return values[places]
    return [values[place] for place in places]


def _learns_blocks(step: Transformer, infos: list[ColumnInfo]) -> bool:
    return any(isinstance(statistic, BlockStatistic) for statistic in step.statistics(infos))


def _questions(statistic: Statistic | BlockStatistic, names: list[str]) -> list[Question]:
    if isinstance(statistic, BlockStatistic):
        return [(statistic, names)]
    return [(statistic, [name]) for name in names]


def _gather(wish: tuple[Statistic | BlockStatistic, list[str]], answers: Iterator[Any]) -> Any:
    statistic, names = wish
    if isinstance(statistic, BlockStatistic):
        return next(answers)
    values = [next(answers) for _ in names]
    if all(isinstance(value, (int, float, tuple, np.ndarray)) for value in values):
        return np.array(values, dtype=np.float64)
    return values


def _check_types(step: Step, columns: Sequence[ColumnInfo], takes: PlanType) -> None:
    wrong = [info for info in columns if takes not in {"mixed", info.type}]
    if wrong:
        raise DataError(
            Problem(
                f"{step!r} needs {takes} columns, but this one holds {info.type}s here",
                column=info.name,
                hint="Choose other columns, or move the step before the one that changed it",
            )
            for info in wrong
        )


def _check_names(step: Transformer, node: Node, columns: Columns) -> None:
    taken = [name for name in node.outputs if name in columns and name not in node.inputs]
    if taken and not step.replaces:
        raise DataError(
            Problem(
                f"{step!r} wants to make a column of this name, but there is one already",
                column=name,
                hint="Rename it, or drop it before this step",
            )
            for name in taken
        )


def _python_state(step: PythonTransformer) -> dict[str, Any]:
    parameters, lost = encode_parameters(step.get_params())
    if lost:
        raise SettingError(
            f"{step.key()} is given {', '.join(lost)}, which cannot be stored; parameters of a "
            "free Python step must be plain values"
        )
    return {"parameters": parameters, "learnt": dict(step.state())}


def _info(column: pl.Series, before: Columns) -> ColumnInfo:
    known = before.get(column.name)
    if column.dtype == pl.Float64:
        return known if known and known.type == "number" else _new(column.name, "number")
    if column.dtype == pl.String:
        return known if known and known.type == "string" else _new(column.name, "string")
    if column.dtype == pl.Int64 and known is not None and known.type == "time":
        return known
    if column.dtype == pl.Int32 and known is not None and known.type == "code":
        return known
    raise DataError(
        [
            Problem(
                f"a free Python step made a column of {column.dtype}",
                column=column.name,
                hint="Cast numbers to Float64 and words to String",
            )
        ]
    )


def _new(name: str, kind: Any) -> ColumnInfo:
    return ColumnInfo(name, kind, "number" if kind == "number" else "category")


def _no_step(step: object) -> str:
    return (
        f"a step must be a Transformer, a PythonTransformer, a clusterer or a network at the end; "
        f"received {step!r}"
    )
