"""The plan: the ordered operations of a fitted pipeline, and the columns between them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import polars as pl

from headrace.errors import DataError, Problem, SettingError
from headrace.plan.features import Features, FeatureSpec
from headrace.plan.listing import plan_html, plan_text
from headrace.plan.operation import Operation, PlanType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import tensorflow as tf
    from numpy.typing import NDArray

    from headrace.data.schema import Kind, Schema

__all__ = ["ColumnInfo", "Columns", "Node", "Plan", "PythonNode", "same_rows", "schema_columns"]


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column inside a plan.

    Attributes:
        name: Its name.
        type: What it holds: number, string, time or code.
        kind: What it means; selectors choose by it.
        cardinality: How many codes there are, for codes.
    """

    name: str
    type: PlanType
    kind: Kind
    cardinality: int = 0


Columns: TypeAlias = "dict[str, ColumnInfo]"
"""The columns at some point of a plan, in order, by name."""

_KIND_OF: dict[PlanType, Kind] = {
    "number": "number",
    "string": "category",
    "time": "datetime",
    "code": "category",
}


@dataclass(frozen=True)
class Node:
    """One operation at its place in a plan.

    Attributes:
        operation: What is computed.
        inputs: Names of the columns that go in.
        outputs: Names of the columns that come out; an existing name is replaced.
        keeps: Whether the inputs stay among the columns (unless replaced).
        kind: The kind of the outputs, where it is not the one that their type suggests; or one
            kind for each.
        training: What takes the operation's place on the training rows, where they must not see
            their own target. Not written to a release.
    """

    operation: Operation
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    keeps: bool = False
    kind: Kind | tuple[Kind, ...] | None = None
    training: Operation | None = field(default=None, compare=False)

    portable: ClassVar[bool] = True

    @classmethod
    def of(cls, operation: Operation, inputs: Sequence[str], **settings: Any) -> Node:
        """Make a node whose outputs are named by the operation."""
        return cls(operation, tuple(inputs), operation.names(inputs), **settings)

    def after(self, columns: Columns) -> Columns:
        """Answer the columns behind this node."""
        kept = {
            name: info
            for name, info in columns.items()
            if self.keeps or name not in self.inputs or name in self.outputs
        }
        sizes = self.operation.cardinalities() or (0,) * len(self.outputs)
        for place, (name, size) in enumerate(zip(self.outputs, sizes, strict=True)):
            kind = self._kind_of(place, columns)
            kept[name] = ColumnInfo(name, self.operation.gives, kind, size)
        return kept

    def _kind_of(self, place: int, columns: Columns) -> Kind:
        name = self.outputs[place]
        if isinstance(self.kind, tuple):
            return self.kind[place]
        if self.kind is not None:
            return self.kind
        before = columns.get(name)
        if before is not None and before.type == self.operation.gives:
            return before.kind
        return _KIND_OF[self.operation.gives]

    def needs(self, wanted: Collection[str]) -> set[str]:
        """Answer the inputs that the wanted outputs depend on."""
        if not self.operation.columnwise:
            return set(self.inputs)
        pairs = zip(self.inputs, self.outputs, strict=True)
        return {name for name, made in pairs if made in wanted}

    def polars(self, frame: pl.LazyFrame, *, training: bool = False) -> pl.LazyFrame:
        """Add this node's columns to a frame."""
        operation = self.training if training and self.training is not None else self.operation
        made = operation.polars([pl.col(name) for name in self.inputs])
        return frame.with_columns(
            [column.alias(name) for column, name in zip(made, self.outputs, strict=True)]
        )

    def to_dict(self) -> dict[str, Any]:
        """Answer the node as plain values and arrays."""
        return {
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "keeps": self.keeps,
            "kind": self.kind,
            "compute": self.operation.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Node:
        """Rebuild a node from `to_dict`."""
        kind = data["kind"]
        return cls(
            Operation.from_dict(data["compute"]),
            tuple(data["inputs"]),
            tuple(data["outputs"]),
            bool(data["keeps"]),
            tuple(kind) if isinstance(kind, list) else kind,
        )


@dataclass(frozen=True)
class PythonNode:
    """A free Python step at its place in a plan: works on Polars frames only.

    Attributes:
        name: Name of the step's class, by which a loaded plan finds it again.
        transform: Frame in, frame out.
        outputs: The columns behind the step.
        state: What the step needs to be rebuilt, as plain values.
    """

    name: str
    transform: Callable[[pl.DataFrame], pl.DataFrame]
    outputs: tuple[ColumnInfo, ...]
    state: Mapping[str, Any]

    portable: ClassVar[bool] = False

    @classmethod
    def of(
        cls,
        name: str,
        transform: Callable[[pl.DataFrame], pl.DataFrame],
        outputs: tuple[ColumnInfo, ...],
        state: Mapping[str, Any],
    ) -> PythonNode:
        """Make a node that checks that the step keeps the rows."""

        def checked(frame: pl.DataFrame) -> pl.DataFrame:
            return same_rows(name, frame, transform(frame))

        return cls(name, checked, outputs, state)

    def after(self, columns: Columns) -> Columns:
        """Answer the columns behind this step."""
        del columns
        return {info.name: info for info in self.outputs}

    def polars(self, frame: pl.LazyFrame, *, training: bool = False) -> pl.LazyFrame:
        """Send the frame through the step."""
        del training
        return self.transform(frame.collect()).lazy()

    def to_dict(self) -> dict[str, Any]:
        """Answer the step's name, columns and state."""
        return {
            "python": self.name,
            "outputs": [asdict(info) for info in self.outputs],
            "state": dict(self.state),
        }


@dataclass(frozen=True, repr=False)
class Plan:
    """The ordered operations of a fitted pipeline.

    Attributes:
        inputs: The canonical columns that come in.
        nodes: The operations, in order.
        outputs: The columns that go out.

    Example:
        >>> from headrace.plan.arithmetic import Fill
        >>> x = ColumnInfo("x", "number", "number")
        >>> plan = Plan((x,), (Node.of(Fill([0.0]), ["x"]),), (x,))
        >>> plan.polars(pl.LazyFrame({"x": [float("nan")]})).collect()["x"].to_list()
        [0.0]
        >>> Plan.from_dict(plan.to_dict()) == plan
        True
        >>> plan
        Plan(1 columns in, 1 operations, 1 columns out)
    """

    inputs: tuple[ColumnInfo, ...]
    nodes: tuple[Node | PythonNode, ...]
    outputs: tuple[ColumnInfo, ...]

    @property
    def portable(self) -> bool:
        """Whether the plan can become a graph: no free Python step is in it."""
        return all(node.portable for node in self.nodes)

    def __repr__(self) -> str:
        sizes = len(self.inputs), len(self.nodes), len(self.outputs)
        return "Plan({} columns in, {} operations, {} columns out)".format(*sizes)

    def __str__(self) -> str:
        return plan_text(self)

    def _repr_html_(self) -> str:
        return plan_html(self)

    @property
    def used(self) -> tuple[str, ...]:
        """The inputs that some output depends on, in order."""
        wanted = {info.name for info in self.outputs}
        for node in reversed(self.nodes):
            if not isinstance(node, Node):
                wanted |= {info.name for info in self.inputs}
            elif wanted.intersection(node.outputs):
                wanted = (wanted - set(node.outputs)) | node.needs(wanted)
        return tuple(info.name for info in self.inputs if info.name in wanted)

    @property
    def spec(self) -> FeatureSpec:
        """The feature blocks that the plan ends in.

        Raises:
            SettingError: If a column of text or time is left, which no model can take.
        """
        left = [info for info in self.outputs if info.type in {"string", "time"}]
        if left:
            raise SettingError(_left_over(left))
        codes = [info for info in self.outputs if info.type == "code"]
        return FeatureSpec(
            tuple(info.name for info in self.outputs if info.type == "number"),
            tuple(info.name for info in codes),
            tuple(info.cardinality for info in codes),
        )

    def polars(self, frame: pl.LazyFrame, *, training: bool = False) -> pl.LazyFrame:
        """Send canonical rows through the plan, lazily.

        Args:
            frame: Canonical columns (see `headrace.data.conform`).
            training: Whether these are the training rows, which must not see their own target.
        """
        for node in self.nodes:
            frame = node.polars(frame, training=training)
        return frame.select([info.name for info in self.outputs])

    def features(self, frame: pl.DataFrame) -> Features:
        """Gather rows that went through the plan in typed blocks.

        Raises:
            DataError: If a number is missing or infinite, naming column and row.
        """
        spec = self.spec
        _refuse_gaps(frame, spec.numbers)
        numbers = frame.select(pl.col(spec.numbers).cast(pl.Float32))
        categories = frame.select(pl.col(spec.categories).cast(pl.Int32))
        return Features(
            _block(numbers, frame.height, np.float32), _block(categories, frame.height, np.int32)
        )

    def matrix(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Gather rows that went through the plan in one (rows, columns) float64 matrix.

        Raises:
            DataError: If a number is missing or infinite, naming column and row.
            SettingError: If a column is left that is no number.
        """
        spec = self.spec
        if spec.categories:
            raise SettingError(_left_over([i for i in self.outputs if i.type == "code"]))
        _refuse_gaps(frame, spec.numbers)
        return _block(frame.select(spec.numbers), frame.height, np.float64)

    def tensorflow(self, blocks: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Lower the whole plan: raw blocks in, feature blocks out.

        Args:
            blocks: "numbers" (rows, n) float64, "strings" (rows, s), "times" (rows, t) int64, each
                in the order of `inputs`; empty ones may be left out.

        Returns:
            "numbers" (rows, n) float32 and "categories" (rows, c) int32, those that exist.
        """
        import tensorflow as tf

        table = self._run(blocks)
        spec = self.spec
        features = {}
        if spec.numbers:
            features["numbers"] = tf.cast(table.gather(spec.numbers), tf.float32)
        if spec.categories:
            features["categories"] = tf.cast(table.gather(spec.categories), tf.int32)
        return features

    def tensorflow_matrix(self, blocks: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Lower the plan to one (rows, columns) float64 matrix, for a clusterer."""
        return self._run(blocks).gather(self.spec.numbers)

    def tensorflow_columns(self, blocks: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Lower the plan and answer each of its last columns, (rows,) each."""
        table = self._run(blocks)
        return {info.name: table.gather((info.name,))[:, 0] for info in self.outputs}

    def _run(self, blocks: Mapping[str, tf.Tensor]) -> _Blocks:
        table = _Blocks()
        for name, kind in (("numbers", "number"), ("strings", "string"), ("times", "time")):
            columns = tuple(info.name for info in self.inputs if info.type == kind)
            if columns:
                table.add(columns, blocks[name])
        for node in self.nodes:
            if not isinstance(node, Node):
                raise SettingError(
                    f"the step {node.name} is free Python and cannot become part of a graph"
                )
            if node.operation.takes == "mixed":
                made = node.operation.tensorflow([table.gather((name,)) for name in node.inputs])
            else:
                made = node.operation.tensorflow(table.gather(node.inputs))
            table.add(node.outputs, made)
        return table

    def to_dict(self) -> dict[str, Any]:
        """Answer the plan as plain values and arrays."""
        return {
            "inputs": [asdict(info) for info in self.inputs],
            "nodes": [node.to_dict() for node in self.nodes],
            "outputs": [asdict(info) for info in self.outputs],
        }

    @classmethod
    def from_dict(
        cls,
        data: Mapping[str, Any],
        python: Callable[[Mapping[str, Any]], PythonNode] | None = None,
    ) -> Plan:
        """Rebuild a plan from `to_dict` or from the JSON made of it.

        Args:
            data: The plan.
            python: Rebuilds the free Python steps, from the classes known in this process.
        """

        def node(values: Mapping[str, Any]) -> Node | PythonNode:
            if "python" not in values:
                return Node.from_dict(values)
            if python is None:
                raise SettingError(f"the plan holds a free Python step {values['python']!r}")
            return python(values)

        return cls(
            tuple(ColumnInfo(**info) for info in data["inputs"]),
            tuple(node(values) for values in data["nodes"]),
            tuple(ColumnInfo(**info) for info in data["outputs"]),
        )


class _Blocks:
    """The tensors of a graph under construction: which column stands where."""

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._places: dict[str, tuple[int, int]] = {}
        self._widths: list[int] = []

    def add(self, names: Sequence[str], tensor: tf.Tensor) -> None:
        self._tensors.append(tensor)
        self._widths.append(len(names))
        for index, name in enumerate(names):
            self._places[name] = (len(self._tensors) - 1, index)

    def gather(self, names: Sequence[str]) -> tf.Tensor:
        """Answer the columns as one block, (rows, names); cut only where it is needed."""
        import tensorflow as tf

        pieces = [self._cut(block, rows) for block, rows in _runs(self._places[n] for n in names)]
        return pieces[0] if len(pieces) == 1 else tf.concat(pieces, axis=1)

    def _cut(self, block: int, indices: list[int]) -> tf.Tensor:
        import tensorflow as tf

        tensor = self._tensors[block]
        if indices == list(range(self._widths[block])):
            return tensor
        first, last = indices[0], indices[-1]
        if indices == list(range(first, last + 1)):
            return tensor[:, first : last + 1]
        return tf.gather(tensor, tf.constant(indices), axis=1)


def _runs(places: Iterable[tuple[int, int]]) -> list[tuple[int, list[int]]]:
    runs: list[tuple[int, list[int]]] = []
    for block, index in places:
        if runs and runs[-1][0] == block:
            runs[-1][1].append(index)
        else:
            runs.append((block, [index]))
    return runs


def same_rows(step: str, before: pl.DataFrame, after: object) -> pl.DataFrame:
    """Answer what a free Python step made, checked to have a row for each row.

    Raises:
        SettingError: If it is no Polars frame, or has more or fewer rows.
    """
    if not isinstance(after, pl.DataFrame):
        raise SettingError(
            f"{step}.transform must answer a Polars DataFrame, received {type(after).__name__}"
        )
    if after.height != before.height:
        raise SettingError(
            f"{step}.transform must keep the rows: {before.height} went in, {after.height} came out"
        )
    return after


def schema_columns(schema: Schema) -> Columns:
    """Answer the canonical columns of a schema as the columns at the start of a plan."""
    return {
        column.name: ColumnInfo(column.name, column.type, column.kind) for column in schema.columns
    }


def _block(frame: pl.DataFrame, rows: int, dtype: type[np.generic]) -> NDArray[Any]:
    if not frame.width:
        return np.zeros((rows, 0), dtype=dtype)
    return np.ascontiguousarray(frame.to_numpy(order="c"), dtype=dtype)


def _refuse_gaps(frame: pl.DataFrame, names: Sequence[str]) -> None:
    if not names or not frame.height:
        return
    finite = frame.select(pl.col(names).cast(pl.Float32).is_finite().all()).row(0)
    if all(finite):
        return
    raise DataError(_gap(frame[name]) for name, ok in zip(names, finite, strict=True) if not ok)


def _gap(column: pl.Series) -> Problem:
    row = int((~column.cast(pl.Float32).is_finite()).arg_max() or 0)
    missing = column[row] is None or np.isnan(column[row])
    if missing:
        return Problem(
            "the value is missing when it reaches the model",
            column=column.name,
            row=row,
            hint="Add clean.Impute() to the steps",
        )
    return Problem(
        "the value is too large for the model's 32-bit numbers",
        column=column.name,
        row=row,
        value=float(column[row]),
        hint="Add clean.Clip() or a normalize step",
    )


def _left_over(columns: Sequence[ColumnInfo]) -> str:
    named = ", ".join(f"{info.name!r} ({info.kind})" for info in columns)
    return (
        f"a model takes numbers and category codes, but these columns reach it as they are: "
        f"{named}. Add transform.Encode() for categories, transform.Dates() for datetimes, "
        "or transform.Drop() for columns that the model should not see."
    )
