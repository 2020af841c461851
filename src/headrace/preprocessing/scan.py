"""The training rows while steps are fitted: what is done to them, and what is learnt from them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.partitions.crew import map_tasks
from headrace.partitions.partition import partition_rows, row_size, split_frame, split_lazy
from headrace.plan.batches import by_batch
from headrace.plan.statistic import Question, gathers, observe
from headrace.preprocessing.partial import Lesson, learn_partition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headrace.partitions.partition import Partition
    from headrace.plan.plan import Node, PythonNode

__all__ = ["TrainingRows"]

_HIDDEN = "__headrace_"


class TrainingRows:
    """The training rows on their way through the steps.

    Operations are put on lazily. A table in memory is computed anew only when a statistic wants
    to have a changed column as it is; aggregations stream through what is pending. A lazy table is
    read in partitions and never held; so is a table of several partitions for an executor, whose
    workers put the pending operations on themselves. States are merged in the order of the
    partitions: the answer does not depend on who worked when.

    Args:
        rows: Canonical columns, and hidden ones that target statistics need.
        engine: Who works, and how much memory there is; it decides how many rows a partition has.

    Attributes:
        scans: How often the rows were read to learn from them.
    """

    def __init__(self, rows: pl.DataFrame | pl.LazyFrame, engine: Engine = HERE) -> None:
        self.scans = 0
        self._engine = engine
        self._start(rows)

    def _start(self, rows: pl.DataFrame | pl.LazyFrame) -> None:
        self._held = rows if isinstance(rows, pl.DataFrame) else None
        self._lazy = rows.lazy()
        self._source = self._lazy
        self._nodes: list[Node] = []
        self._pending: set[str] = set()

    def add(self, node: Node) -> None:
        """Put an operation on the rows."""
        self._lazy = node.polars(self._lazy, training=True)
        self._nodes.append(node)
        self._pending.update(node.outputs)

    @property
    def lazy(self) -> bool:
        """Whether the rows are a lazy table, which is never held."""
        return self._held is None

    def head(self, rows: int) -> pl.DataFrame:
        """Answer the first rows behind all operations so far."""
        return self._lazy.head(rows).collect()

    def put(self, node: PythonNode, columns: Sequence[str]) -> None:
        """Put a free Python step on lazy rows, which it sees batch by batch."""
        self._start(by_batch(node, self._lazy, columns))

    def collect(self) -> pl.DataFrame:
        """Answer the rows behind all operations so far, in memory."""
        if self._held is None:
            return self._lazy.collect()
        if self._pending:
            self._start(self._lazy.collect())
        return self._held

    def answer(self) -> pl.DataFrame | pl.LazyFrame:
        """Answer the rows behind all operations as they were given: in memory, or lazy."""
        return self._lazy if self._held is None else self.collect()

    def replace(self, rows: pl.DataFrame) -> None:
        """Go on with other rows."""
        self._start(rows)
        self.scans += 1

    def learn(self, questions: Sequence[Question]) -> list[Any]:
        """Learn all statistics in one pass, in the order of the questions.

        Raises:
            SettingError: If a statistic needs the target and there is none.
        """
        if not questions:
            return []
        self.scans += 1
        _check_needs(self._lazy, questions)
        if self._held is not None and not self._is_shared(self._held):
            return self._whole(questions)
        return self._in_partitions(questions)

    def _is_shared(self, held: pl.DataFrame) -> bool:
        """Answer whether a table in memory is worth sending to workers."""
        return self._engine.executor is not None and held.height > self._partition_rows()

    def _whole(self, questions: Sequence[Question]) -> list[Any]:
        wanted = {name for q in questions if gathers(q[0]) for name in q[1]}
        rows = self.collect() if wanted & self._pending or self._held is None else self._held
        values = observe(rows, questions, through=self._lazy)
        # Sorting and grouping release the interpreter: the columns are finished side by side.
        with ThreadPoolExecutor(max_workers=pl.thread_pool_size()) as pool:
            return list(pool.map(_finish_whole, questions, values))

    def _in_partitions(self, questions: Sequence[Question]) -> list[Any]:
        used = _used(self._lazy, questions)
        lesson = Lesson(tuple(self._nodes), tuple(questions), tuple(used))
        # In order, so that sums are rounded the same way every time.
        return lesson.finish(reduce(lesson.merge, self._states(lesson)))

    def _states(self, lesson: Lesson) -> Iterator[list[Any]]:
        """Give the states of each partition, in order."""
        partitions = self._partitions(lesson)
        if self._engine.executor is None or not lesson.travels:
            return (lesson.states(partition.open()) for partition in partitions)
        return map_tasks(
            self._engine,
            learn_partition,
            (partition.to_dict() for partition in partitions),
            shared=lesson.to_dict(),
        )

    def _partitions(self, lesson: Lesson) -> Iterator[Partition]:
        wanted = {*lesson.used, *(name for node in lesson.nodes for name in node.inputs)}
        there = self._source.collect_schema().names()
        read = [name for name in there if name in wanted or name.startswith(_HIDDEN)]
        rows = self._partition_rows()
        if self._held is not None:
            return split_frame(self._held.select(read), rows)
        return split_lazy(self._source, rows, read)

    def _partition_rows(self) -> int:
        kinds = self._source.collect_schema().values()
        return partition_rows(self._engine.memory, row_size(kinds))


def _finish_whole(question: Question, values: Mapping[str, Any]) -> Any:
    return question[0].finish_whole(values)


def _used(rows: pl.LazyFrame, questions: Sequence[Question]) -> list[str]:
    named = {name for _, names in questions for name in names}
    hidden = any(statistic.needs for statistic, _ in questions)
    return [
        name
        for name in rows.collect_schema().names()
        if name in named or (hidden and name.startswith(_HIDDEN))
    ]


def _check_needs(rows: pl.LazyFrame, questions: Sequence[Question]) -> None:
    needed = [(type(s).__name__, names[0], s.needs) for s, names in questions if s.needs]
    there = set(rows.collect_schema().names()) if needed else set()
    for statistic, name, needs in needed:
        if not there.issuperset(needs):
            raise SettingError(
                f"{statistic} of {name!r} needs the target of each row, but the pipeline has none: "
                "hr.Pipeline(steps, target='the column to predict')"
            )
