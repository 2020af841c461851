"""What a feature store is written of: rows as arrays, part by part, here or by workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.scan import batches
from headrace.engine import HERE, Engine
from headrace.errors import DataError
from headrace.model.target import TargetSpec
from headrace.partitions.crew import map_tasks
from headrace.partitions.partition import partition_rows, row_size
from headrace.partitions.task import task
from headrace.plan.batches import by_batch
from headrace.plan.plan import ColumnInfo, Node, Plan, PythonNode
from headrace.preprocessing.partial import Lesson
from headrace.train.labels import LABEL
from headrace.train.reading import ROW, WEIGHT, of_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

__all__ = ["BlockFile", "Contents", "Recipe", "compute_piece"]

_PART = "__headrace_part__"
_HIDDEN = "__headrace_"
_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class BlockFile:
    """A flat file that holds one block of a store.

    Attributes:
        dtype: Of its values, little-endian.
        width: Values of a row; 0 for a block of one dimension.
    """

    dtype: str
    width: int

    @property
    def row_bytes(self) -> int:
        """How long a row is."""
        return np.dtype(self.dtype).itemsize * max(self.width, 1)

    def open(self, path: Path, rows: int) -> NDArray[Any]:
        """Answer its rows, mapped and read-only."""
        shape = (rows, self.width) if self.width else (rows,)
        return np.memmap(path, self.dtype, mode="r", shape=shape)


@dataclass(frozen=True)
class Recipe:
    """How rows become the arrays of a store; row by row, so that any cut gives the same.

    Attributes:
        steps: The operations, and the columns behind them.
        outputs: The columns that are features.
        target: What is predicted.
    """

    steps: Lesson
    outputs: tuple[ColumnInfo, ...]
    target: TargetSpec

    def files(self) -> dict[str, BlockFile]:
        """Answer the files of the blocks that have columns."""
        spec = Plan((), (), self.outputs).spec
        target = "<f4" if self.target.task == "regression" else "<i4"
        found = {"target": BlockFile(target, 0)}
        if spec.numbers:
            found["numbers"] = BlockFile("<f4", len(spec.numbers))
        if spec.categories:
            found["categories"] = BlockFile("<i4", len(spec.categories))
        return found | ({"weight": BlockFile("<f8", 0)} if WEIGHT in self.steps.used else {})

    def arrays(self, rows: pl.DataFrame) -> Arrays:
        """Answer rows that went through the steps, as arrays by file.

        Raises:
            DataError: A number is missing or infinite, or a label is none; the row is that of the
                whole table.
        """
        try:
            features = Plan((), (), self.outputs).features(rows)
            target = self.target.encode(rows[LABEL])
        except DataError as error:
            raise of_table(error, rows[ROW]) from error
        arrays = {
            "numbers": features.numbers,
            "categories": features.categories,
            "target": target,
        }
        if WEIGHT in rows.columns:
            arrays["weight"] = rows[WEIGHT].to_numpy()
        return {name: arrays[name].astype(file.dtype) for name, file in self.files().items()}

    def to_dict(self) -> dict[str, Any]:
        """Answer the recipe as plain values and arrays, as messages hold them."""
        return {
            "steps": self.steps.to_dict(),
            "outputs": [asdict(info) for info in self.outputs],
            "target": self.target.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe from `to_dict`."""
        return cls(
            Lesson.from_dict(data["steps"]),
            tuple(ColumnInfo(**info) for info in data["outputs"]),
            TargetSpec.from_dict(data["target"]),
        )


@task(prepare=Recipe.from_dict)
def compute_piece(piece: tuple[int, pl.DataFrame], recipe: Recipe) -> tuple[int, Arrays]:
    """Answer the arrays of some rows of one part, with the number of the part."""
    number, rows = piece
    return number, recipe.arrays(recipe.steps.chunk(rows.lazy()))


@dataclass(frozen=True, eq=False)
class Contents:
    """What a store is written of.

    Attributes:
        rows: Canonical rows, numbered, in order, with their labels, and weights if there are any.
        plan: The steps.
        spec: What is predicted.
        seed: Of the order inside of parts.
        training: Whether these are the training rows, which must not see their own target.
        engine: Who computes, and with how much memory; it changes no byte.
    """

    rows: pl.LazyFrame
    plan: Plan
    spec: TargetSpec
    seed: int
    training: bool = False
    engine: Engine = HERE

    def files(self) -> dict[str, BlockFile]:
        """Answer the files of the blocks that have columns."""
        return self._recipe().files()

    def parts(self, first: int, rows: int) -> Iterator[tuple[int, Arrays]]:
        """Answer numbered parts, each as arrays by file; parts without a row are left out.

        Args:
            first: The part to begin with.
            rows: Rows of the source that make a part.

        Raises:
            DataError: A number is missing or infinite behind the steps.
            WorkerError: Rows were lost with their worker again and again.
        """
        wanted = replace(self, rows=self.rows.filter(pl.col(ROW) >= first * rows))
        for number, pieces in groupby(wanted._computed(rows), key=itemgetter(0)):  # noqa: SLF001
            arrays = [piece for _, piece in pieces]
            whole = {name: np.concatenate([one[name] for one in arrays]) for name in arrays[0]}
            order = np.random.default_rng((self.seed, number)).permutation(len(whole["target"]))
            yield number, {name: array[order] for name, array in whole.items()}

    def _computed(self, rows: int) -> Iterator[tuple[int, Arrays]]:
        """Answer the arrays of pieces of parts, in order."""
        recipe = self._recipe()
        portable = self.plan.portable and recipe.steps.travels
        if self.engine.executor is None or not portable:
            frame = self._behind().select(recipe.steps.used)
            pieces = _pieces(frame, rows, min(rows, _BATCH_ROWS))
            return ((number, recipe.arrays(piece)) for number, piece in pieces)
        frame = self.rows.select(self._read(recipe.steps))
        size = partition_rows(self.engine.memory, row_size(frame.collect_schema().values()))
        sent = _pieces(frame, rows, min(rows, size))
        return map_tasks(self.engine, compute_piece, sent, shared=recipe.to_dict())

    def _recipe(self) -> Recipe:
        nodes = [node for node in self.plan.nodes if isinstance(node, Node)]
        if not self.training:
            nodes = [replace(node, training=None) for node in nodes]
        beside = [ROW, LABEL, *([WEIGHT] if WEIGHT in self.rows.collect_schema() else ())]
        used = (*(info.name for info in self.plan.outputs), *beside)
        return Recipe(Lesson(tuple(nodes), (), used), self.plan.outputs, self.spec)

    def _behind(self) -> pl.LazyFrame:
        """Send the rows through the steps, with what is beside their features."""
        rows, columns = self.rows, {info.name: info for info in self.plan.inputs}
        for node in self.plan.nodes:
            if isinstance(node, PythonNode):
                rows = by_batch(node, rows, columns)
            else:
                rows = node.polars(rows, training=self.training)
            columns = node.after(columns)
        return rows

    def _read(self, steps: Lesson) -> list[str]:
        """Answer the columns that workers need; what is hidden only where steps look at it."""
        wanted = {*steps.used, *(name for node in steps.nodes for name in node.inputs)}
        hidden = any(node.training is not None for node in steps.nodes)
        there = self.rows.collect_schema().names()
        return [n for n in there if n in wanted or (hidden and n.startswith(_HIDDEN))]


def _pieces(frame: pl.LazyFrame, part: int, size: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Cut rows into pieces that end where a part ends, each with the number of its part."""
    for batch in batches(frame, size):
        numbered = batch.with_columns((pl.col(ROW) // part).alias(_PART))
        for piece in numbered.partition_by(_PART, maintain_order=True):
            yield int(piece[_PART][0]), piece.drop(_PART)
