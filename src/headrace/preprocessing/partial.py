"""What one partition teaches: operations that wait are put on it, statistics become states.

The work on a partition can be done anywhere: operations and statistics are sent as their names and
parameters, states come back as plain values, arrays and tables.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.partitions.partition import Partition
from headrace.partitions.task import task
from headrace.plan.operation import Operation
from headrace.plan.plan import Node
from headrace.plan.statistic import BlockStatistic, Question, Statistic, observe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

__all__ = ["Lesson", "learn_partition", "statistic_from_dict", "statistic_to_dict"]

_OURS = "headrace."
_CLASS = "class"


@dataclass(frozen=True)
class Lesson:
    """What is to be learnt from each partition.

    Attributes:
        nodes: Operations that are put on the rows first.
        questions: The statistics, with their columns.
        used: The columns that they read, behind the operations.
    """

    nodes: tuple[Node, ...]
    questions: tuple[Question, ...]
    used: tuple[str, ...]

    @property
    def travels(self) -> bool:
        """Whether another process knows all of it: everything is headrace's own, not the user's."""
        operations = [operation for node in self.nodes for operation in _operations(node)]
        return all(map(_is_ours, [*operations, *_inside(s for s, _ in self.questions)]))

    def chunk(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Answer the used columns of some rows, behind the operations."""
        for node in self.nodes:
            rows = node.polars(rows, training=True)
        # In one piece: where files end inside of a part must not change how sums are rounded.
        return rows.select(self.used).collect(engine="in-memory").rechunk()

    def states(self, rows: pl.LazyFrame) -> list[Any]:
        """Answer the state of each statistic."""
        values = observe(self.chunk(rows), self.questions)
        return [s.start(value) for (s, _), value in zip(self.questions, values, strict=True)]

    def merge(self, left: list[Any], right: list[Any]) -> list[Any]:
        """Answer the states of both parts' rows together."""
        states = zip(self.questions, left, right, strict=True)
        return [statistic.merge(a, b) for (statistic, _), a, b in states]

    def finish(self, states: list[Any]) -> list[Any]:
        """Answer the values."""
        return [s.finish(state) for (s, _), state in zip(self.questions, states, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Answer the lesson as plain values and arrays, as messages hold them."""
        return {
            "nodes": [
                node.to_dict() | {"training": node.training and _told(node.training)}
                for node in self.nodes
            ],
            "questions": [
                [statistic_to_dict(statistic), list(names)] for statistic, names in self.questions
            ],
            "used": list(self.used),
            "modules": sorted({type(o).__module__ for n in self.nodes for o in _operations(n)}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Lesson:
        """Rebuild a lesson from `to_dict`."""
        for module in data["modules"]:
            _import_ours(module)  # an operation is known once its module is there
        return cls(
            tuple(_node(node) for node in data["nodes"]),
            tuple(
                (statistic_from_dict(statistic), names) for statistic, names in data["questions"]
            ),
            tuple(data["used"]),
        )


@task(prepare=Lesson.from_dict)
def learn_partition(partition: Mapping[str, Any], lesson: Lesson) -> list[Any]:
    """Answer the states of one partition."""
    return lesson.states(Partition.from_dict(partition).open())


def statistic_to_dict(statistic: Statistic | BlockStatistic) -> dict[str, Any]:
    """Answer a statistic of headrace as its name and parameters.

    Example:
        >>> from headrace.plan.statistic import Quantiles
        >>> stored = statistic_to_dict(Quantiles((0.5,)))
        >>> statistic_from_dict(stored) == Quantiles((0.5,))
        True
    """
    return _told(statistic)


def statistic_from_dict(data: Mapping[str, Any]) -> Statistic | BlockStatistic:
    """Rebuild a statistic from `statistic_to_dict`.

    Raises:
        SettingError: headrace has no such statistic.
    """
    return _known(data, Statistic, BlockStatistic)  # type: ignore[no-any-return]


def _told(value: Any) -> dict[str, Any]:
    """Answer a statistic or an operation as its name and parameters."""
    kind = type(value)
    parameters = {field.name: _stored(getattr(value, field.name)) for field in fields(value)}
    return {_CLASS: f"{kind.__module__}:{kind.__name__}", "parameters": parameters}


def _known(data: Mapping[str, Any], *kinds: type) -> Any:
    """Rebuild what `_told` told; operations for training rows alone are in no registry."""
    module, _, name = str(data[_CLASS]).partition(":")
    kind = getattr(_import_ours(module), name, None)
    if not (isinstance(kind, type) and issubclass(kind, kinds)):
        raise SettingError(f"headrace has no {kinds[0].__name__.lower()} {name!r}")
    return kind(**{name: _restored(value) for name, value in data["parameters"].items()})


def _stored(value: Any) -> Any:
    if isinstance(value, Statistic | BlockStatistic | Operation):
        return _told(value)
    return tuple(map(_stored, value)) if isinstance(value, tuple) else value


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and _CLASS in value:
        return _known(value, Statistic, BlockStatistic, Operation)
    return tuple(map(_restored, value)) if isinstance(value, tuple) else value


def _node(data: Mapping[str, Any]) -> Node:
    training = data["training"]
    node = Node.from_dict(data)
    return node if training is None else replace(node, training=_known(training, Operation))


def _operations(node: Node) -> list[Operation]:
    return [node.operation, *([] if node.training is None else [node.training])]


def _inside(statistics: Iterable[Any]) -> list[Any]:
    """Answer statistics with all that they are made of."""
    found: list[Any] = []
    waiting = list(statistics)
    while waiting:
        one = waiting.pop()
        found.append(one)
        parts = list(getattr(one, "__dict__", {}).values())
        waiting += [part for part in parts if isinstance(part, Statistic | BlockStatistic)]
        found += [part for part in parts if isinstance(part, Operation)]
    return found


def _is_ours(value: object) -> bool:
    return type(value).__module__.startswith(_OURS)


def _import_ours(module: str) -> Any:
    if not module.startswith(_OURS):
        raise SettingError(f"only headrace's own parts travel by name, received {module!r}")
    return import_module(module)
