"""Fits of steps that are kept: what has not changed is not fitted again.

The fit of a step is decided by the values of the columns that it looks at, by what the steps in
front do to these columns, by its code, its parameters and the versions of the libraries. Other
columns and other steps do not count, so a new column or a step for other columns does not make it
fit again, nor does an edit in front that comes to the same.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.cache.code import code_of, versions
from headrace.cache.codec import Codec
from headrace.cache.errors import NotComparable, NotKept
from headrace.cache.values import plain
from headrace.data.fingerprint import Contents, contents
from headrace.errors import ReleaseError
from headrace.plan.operation import Operation
from headrace.plan.plan import Node
from headrace.preprocessing.target_mean import folded_from_dict
from headrace.preprocessing.transformer import PythonTransformer
from headrace.storage.arrays import arrays_bytes
from headrace.storage.documents import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.cache.cache import Cache, Part
    from headrace.plan.plan import ColumnInfo
    from headrace.preprocessing.step import Step

__all__ = ["KeptSteps", "Outcome"]

_HIDDEN = "__headrace_"
_TARGET = "the target"
_LIBRARIES = ("polars", "numpy", "scipy", "datasketches")
_CODEC = Codec()


@dataclass(frozen=True)
class Outcome:
    """What the fit of a transformer comes to.

    Attributes:
        nodes: The nodes of the plan.
        dropped: The columns that end here.
        text: In words, what was learnt.
    """

    nodes: tuple[Node, ...]
    dropped: tuple[str, ...]
    text: str

    def encode(self) -> tuple[Any, dict[str, Any]]:
        """Answer the outcome as a document and arrays.

        Raises:
            NotComparable: An operation holds something that cannot be stored.
        """
        nodes = [_node_to_dict(node) for node in self.nodes]
        return _CODEC.encode({"nodes": nodes, "dropped": self.dropped, "text": self.text})

    @classmethod
    def decode(cls, document: Any, arrays: Mapping[str, Any]) -> Outcome:
        """Answer the outcome that `encode` wrote.

        Raises:
            NotKept: It names an operation that is not known in this process.
        """
        try:
            found = _CODEC.decode(document, arrays)
            nodes = tuple(_node_from_dict(node) for node in found["nodes"])
        except (ValueError, ReleaseError) as error:
            raise NotKept(str(error)) from error
        return cls(nodes, tuple(found["dropped"]), found["text"])


@dataclass(frozen=True)
class _Done:
    """A node with the step that made it."""

    step: int
    name: str
    node: Node
    digest: str


class KeptSteps:
    """The kept fits of steps, looked up while steps are fitted.

    Args:
        cache: Where they are kept.
        rows: The training rows.
    """

    def __init__(self, cache: Cache, rows: pl.DataFrame | pl.LazyFrame) -> None:
        self._cache = cache
        self.start(rows)

    def start(self, rows: pl.DataFrame | pl.LazyFrame) -> None:
        """Go on with other rows, such as those behind a free Python step."""
        self._reading = "in memory" if isinstance(rows, pl.DataFrame) else "in parts"
        self._contents = contents(rows)
        self._nodes: list[_Done] = []
        self._steps = 0

    def add(self, step: Step, outcome: Outcome) -> None:
        """Note what a step did, for those behind it."""
        self._steps += 1
        for node in outcome.nodes:
            self._nodes.append(_Done(self._steps, type(step).__name__, node, _digest(node)))

    def part(
        self,
        place: int,
        step: Step,
        columns: Sequence[ColumnInfo],
        *,
        hidden: bool,
        beside: Mapping[str, str | None],
    ) -> Part:
        """Answer the fit of a step as a part of the work.

        Args:
            place: Where the step stands, counted from 0.
            step: The step.
            columns: The columns that it looks at.
            hidden: Whether it looks at the target of the rows too.
            beside: Steps that may end some of these columns at the same time, with their keys.
        """
        wanted, before = self._before({info.name for info in columns})
        rows = _rows(self._contents, wanted, hidden=hidden)
        shown = [[info.name, info.type, info.kind, info.cardinality] for info in columns]
        data = {"the rows": rows, "the columns": shown, "reading": self._reading}
        return self._part(place, step, data, {**before, **beside})

    def python_part(self, place: int, step: PythonTransformer, frame: pl.DataFrame) -> Part | None:
        """Answer the fit of a free Python step; None where it says nothing of what it learns."""
        own = type(step)
        learns = own.fit is not PythonTransformer.fit
        tells = own.state is not PythonTransformer.state
        takes_back = own.restore is not PythonTransformer.restore
        if not (learns and tells and takes_back):
            return None
        data = {"the rows": _rows(contents(frame), set(frame.columns), hidden=False)}
        return self._part(place, step, data, {})

    def _part(
        self, place: int, step: Step, data: Mapping[str, Any], before: Mapping[str, str | None]
    ) -> Part:
        label = f"{place + 1}. {step.key()}"
        try:
            ingredients: Any = {
                "data": data,
                "code": code_of(type(step), plain),
                "parameters": {type(step).__name__: plain(step.get_params(deep=False))},
                "versions": versions(*_LIBRARIES),
                "before": _known(before),
            }
        except NotComparable as reason:
            ingredients = reason
        return self._cache.part("steps", step.key(), ingredients, label)

    def _before(self, wanted: set[str]) -> tuple[set[str], dict[str, str]]:
        """Answer the first columns that some columns come from, and what is done on the way."""
        used: dict[int, list[_Done]] = {}
        for done in reversed(self._nodes):
            if wanted.intersection(done.node.outputs):
                used.setdefault(done.step, []).append(done)
                wanted = (wanted - set(done.node.outputs)) | done.node.needs(wanted)
        before: dict[str, str] = {}
        for _, nodes in sorted(used.items()):
            name = nodes[0].name
            count = sum(key.partition(" ")[0] == name for key in before)
            before[f"{name} {count + 1}" if count else name] = _joined(nodes)
        return wanted, before


def _joined(nodes: Sequence[_Done]) -> str:
    return hashlib.sha256(" ".join(one.digest for one in nodes).encode()).hexdigest()


def _rows(found: Contents, wanted: set[str], *, hidden: bool) -> dict[str, Any]:
    """Answer the rows by the hashes of the columns that are looked at."""
    if not found.columns:
        return {"count": found.rows, "columns": {"files": found.digest}}
    digests = {name: found.columns[name] for name in found.columns if name in wanted}
    if hidden:
        beside = [found.columns[name] for name in found.columns if name.startswith(_HIDDEN)]
        digests[_TARGET] = " ".join([*beside, digests.get(_TARGET, "")])
    return {"count": found.rows, "columns": digests}


def _known(before: Mapping[str, str | None]) -> dict[str, str]:
    unknown = [name for name, key in before.items() if key is None]
    if unknown:
        raise NotComparable(f"{unknown[0]} beside it cannot be compared")
    return {name: str(key) for name, key in before.items()}


def _node_to_dict(node: Node) -> dict[str, Any]:
    training = None if node.training is None else node.training.to_dict()
    return {**node.to_dict(), "training": training}


def _node_from_dict(data: Mapping[str, Any]) -> Node:
    node, training = Node.from_dict(data), data["training"]
    if training is None:
        return node
    return Node(
        node.operation,
        node.inputs,
        node.outputs,
        node.keeps,
        node.kind,
        folded_from_dict(training) or Operation.from_dict(training),
    )


def _digest(node: Node) -> str:
    try:
        document, arrays = _CODEC.encode(_node_to_dict(node))
    except NotComparable:
        # Nothing behind such an operation is taken for something that was kept.
        return secrets.token_hex(16)
    content = canonical_json(document) + arrays_bytes(arrays)
    return hashlib.sha256(content).hexdigest()
