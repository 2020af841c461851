"""Why a row is answered as it is: Shapley values from the release's own graph, within a budget.

One order of the columns is a walk from an ordinary row to the row in question, one column at a
time; what the answer moves at each step is that column's part. The parts of a walk add up to the
whole way, so their mean over walks does too (Štrumbelj and Kononenko, 2014). Walks come in pairs,
each with its reverse, which makes the mean steadier. As many are walked as the budget allows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.rows import Blocks
from headrace.deploy.body import Refusal
from headrace.model.targets import Targets
from headrace.serving.schemas import ordinary_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.deploy.runtime import Runtime

__all__ = ["Explainer", "Explanation"]

_MOST_PAIRS = 64
_LARGEST_GAP = 1e-3


@dataclass(frozen=True)
class Explanation:
    """What each column adds to the answer for one row.

    Attributes:
        of: What is explained: the name of the target, or of the class whose probability it is.
        answer: The answer for the row.
        base: The answer for an ordinary row.
        contributions: What each column adds; they sum up to `answer - base`.
        errors: The standard error of each, from the walks that were made.
        gap: What the contributions miss of `answer - base`: rounding, or something is wrong.
        walks: How many orders of the columns were tried.
    """

    of: str
    answer: float
    base: float
    contributions: dict[str, float]
    errors: dict[str, float]
    gap: float
    walks: int

    def to_dict(self) -> dict[str, Any]:
        """Answer the explanation as plain values, the largest contribution first."""
        order = sorted(self.contributions, key=lambda name: -abs(self.contributions[name]))
        return {
            "of": self.of,
            "answer": self.answer,
            "base": self.base,
            "contributions": {name: self.contributions[name] for name in order},
            "errors": {name: self.errors[name] for name in order},
            "gap": self.gap,
            "walks": self.walks,
        }


class Explainer:
    """Explains rows of one release.

    Args:
        runtime: The release.
        seconds: The budget of one row; two walks are made in any case.
        seed: Of the walks' orders.
    """

    def __init__(self, runtime: Runtime, *, seconds: float = 0.003, seed: int = 0) -> None:
        self.runtime = runtime
        self.seconds = seconds
        self._seed = seed
        self._base: Blocks | None = None
        schema = runtime.schema
        blocks = (schema.numbers, schema.strings, schema.times)
        self._places = [
            (name, block, column)
            for block, names in enumerate(blocks)
            for column, name in enumerate(names)
        ]

    def check(self) -> None:
        """Refuse releases that cannot be explained this way.

        Raises:
            Refusal: It answers clusters, or several targets.
        """
        target = self.runtime.target
        if target is None or isinstance(target, Targets):
            raise Refusal(
                422, f"answers of the task {self.runtime.task!r} are not explained by the server"
            )

    def explain(self, blocks: Blocks, row: int, *, seconds: float | None = None) -> Explanation:
        """Explain one row.

        Args:
            blocks: Canonical rows.
            row: Which of them.
            seconds: The budget; that of the explainer where it is None.
        """
        self.check()
        one = blocks.each(lambda block: block[row : row + 1])
        base = self._ordinary()
        differ = [
            place for place in self._places if not _same(one[place[1]], base[place[1]], place[2])
        ]
        ends = self._run(Blocks.joined([base, one]))
        column = int(ends[1].argmax()) if ends.shape[1] > 2 else ends.shape[1] - 1
        before, after = (float(end[column]) for end in ends)
        pairs = self._walk(one, base, differ, column, seconds or self.seconds)
        means = pairs.mean(axis=0)
        spread = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs)) if len(pairs) > 1 else 0 * means
        gap = float(after - before - means.sum())
        contributions = dict.fromkeys((name for name, *_ in self._places), 0.0)
        errors = dict(contributions)
        for (name, *_), mean, error in zip(differ, means.tolist(), spread.tolist(), strict=True):
            contributions[name], errors[name] = mean, error
        if abs(gap) > _LARGEST_GAP * max(1.0, abs(after), abs(before)):
            raise RuntimeError(f"the contributions miss {gap:.3g} of the answer")
        return Explanation(
            self._name(column), after, before, contributions, errors, gap, 2 * len(pairs)
        )

    def _walk(
        self,
        one: Blocks,
        base: Blocks,
        differ: list[tuple[str, int, int]],
        column: int,
        seconds: float,
    ) -> NDArray[np.float64]:
        """Answer the parts of each column, (pairs of walks, columns that differ)."""
        if not differ:
            return np.zeros((1, 0))
        random = np.random.default_rng(self._seed)
        started = time.perf_counter()
        parts = [self._pairs(one, base, differ, column, [random.permutation(len(differ))])]
        taken = time.perf_counter() - started
        # Many walks at once cost less than one after the other, so this is on the safe side.
        more = min(int((seconds - taken) / taken), _MOST_PAIRS - 1)
        if more > 0 and len(differ) > 1:
            orders = [random.permutation(len(differ)) for _ in range(more)]
            parts.append(self._pairs(one, base, differ, column, orders))
        return np.concatenate(parts)

    def _pairs(
        self,
        one: Blocks,
        base: Blocks,
        differ: list[tuple[str, int, int]],
        column: int,
        orders: list[NDArray[np.intp]],
    ) -> NDArray[np.float64]:
        count = len(differ)
        # (walks, steps + 1, columns): whether a column has its new value after a step.
        ranks = np.array([_ranks(order) for order in orders for order in (order, order[::-1])])
        moved = ranks[:, np.newaxis, :] < np.arange(count + 1)[np.newaxis, :, np.newaxis]
        flat = moved.reshape(-1, count)
        states = base.each(lambda block: np.repeat(block, len(flat), axis=0))
        for place, (_, block, position) in enumerate(differ):
            states[block][flat[:, place], position] = one[block][0, position]
        answers = self._run(states)[:, column].reshape(len(ranks), count + 1)
        steps = np.diff(answers, axis=1)
        parts = np.take_along_axis(steps, ranks, axis=1)
        return np.asarray(parts.reshape(len(orders), 2, count).mean(axis=1))

    def _run(self, blocks: Blocks) -> NDArray[np.float64]:
        """Answer what is explained, (rows, classes or 1)."""
        output = np.asarray(self.runtime.run(blocks), np.float64)
        return output.reshape(len(output), -1)

    def _ordinary(self) -> Blocks:
        """Answer an ordinary row: middle numbers, most frequent values."""
        if self._base is None:
            self._base = self.runtime.door([ordinary_row(self.runtime)])
        return self._base

    def _name(self, column: int) -> str:
        if self.runtime.classes:
            return str(self.runtime.classes[column])
        return self.runtime.target.name if self.runtime.target else ""


def _ranks(order: NDArray[np.intp]) -> NDArray[np.intp]:
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks


def _same(left: NDArray[Any], right: NDArray[Any], column: int) -> bool:
    a, b = left[0, column], right[0, column]
    return bool(a == b) or (isinstance(a, float) and np.isnan(a) and np.isnan(b))
