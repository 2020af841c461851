"""The training rows while steps are fitted: what is done to them, and what is learnt from them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.errors import SettingError
from headrace.plan.batches import by_batch
from headrace.plan.statistic import Question, gathers, observe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.plan.plan import Node, PythonNode

__all__ = ["TrainingRows"]

_CHUNK_ROWS = 250_000
_HIDDEN = "__headrace_"


class TrainingRows:
    """The training rows on their way through the steps.

    Operations are put on lazily. A table in memory is computed anew only when a statistic wants
    to have a changed column as it is; aggregations stream through what is pending. A lazy table is
    read in chunks and never held.

    Attributes:
        scans: How often the rows were read to learn from them.
    """

    def __init__(self, rows: pl.DataFrame | pl.LazyFrame) -> None:
        self.scans = 0
        self._start(rows)

    def _start(self, rows: pl.DataFrame | pl.LazyFrame) -> None:
        self._held = rows if isinstance(rows, pl.DataFrame) else None
        self._lazy = rows.lazy()
        self._pending: set[str] = set()

    def add(self, node: Node) -> None:
        """Put an operation on the rows."""
        self._lazy = node.polars(self._lazy, training=True)
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
        self._lazy = by_batch(node, self._lazy, columns)

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
        return self._whole(questions) if self._held is not None else self._chunked(questions)

    def _whole(self, questions: Sequence[Question]) -> list[Any]:
        wanted = {name for q in questions if gathers(q[0]) for name in q[1]}
        rows = self.collect() if wanted & self._pending or self._held is None else self._held
        values = observe(rows, questions, through=self._lazy)
        # Sorting and grouping release the interpreter: the columns are finished side by side.
        with ThreadPoolExecutor(max_workers=pl.thread_pool_size()) as pool:
            return list(pool.map(_finish_whole, questions, values))

    def _chunked(self, questions: Sequence[Question]) -> list[Any]:
        statistics = [statistic for statistic, _ in questions]

        def states(chunk: pl.DataFrame) -> list[Any]:
            # In one piece: where files end inside of a chunk must not change how sums are rounded.
            values = observe(chunk.rechunk(), questions)
            return [s.start(value) for s, value in zip(statistics, values, strict=True)]

        def merge(left: list[Any], right: list[Any]) -> list[Any]:
            return [s.merge(a, b) for s, a, b in zip(statistics, left, right, strict=True)]

        used = self._lazy.select(_used(self._lazy, questions))
        # In order, so that sums are rounded the same way every time.
        chunks = used.collect_batches(chunk_size=_CHUNK_ROWS, maintain_order=True)
        merged = reduce(merge, map(states, chunks), states(used.head(0).collect()))
        return [s.finish(state) for s, state in zip(statistics, merged, strict=True)]


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
