"""Leaks: columns that a model would not have, or should not use, when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.split import halves
from headrace.profiling.alerts import Alert

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from headrace.profiling.goal import Goal
    from headrace.profiling.sample import Sample

__all__ = ["FEWEST_ROWS", "column_leaks", "told"]

FEWEST_ROWS = 60
"""Rows with a target below which no column is said to give it away."""

_ALMOST = 0.97
"""Share of what the target varies that one column may tell at most."""

_LEAF = 5
_LEAVES = 256
_FOLLOWS = 0.97


def column_leaks(
    sample: Sample, goal: Goal, columns: Sequence[str], *, seed: int
) -> Iterator[Alert]:
    """Answer the columns that almost give the target away, and ids.

    Each column alone predicts the target by a small tree, fitted on a half of the sample and
    measured on the other: by Cohen's kappa for classes, by R² of the ranks for numbers. Gaps
    are a value of their own, so a column that is filled only after the event is found too.

    Args:
        sample: The rows.
        goal: The target on the same rows.
        columns: All others.
        seed: Of the halves.
    """
    found = {
        name: told(_ordered(sample, name, goal, seed), goal, seed=seed)
        for name in columns
        if sample.schema[name].kind not in {"id", "text", "datetime"}
    }
    for name, share in found.items():
        if share >= _ALMOST:
            text = (
                f"{name!r} alone tells {share:.1%} of the target {goal.name!r} on rows that were "
                "not looked at; is it known before the target is?"
            )
            yield Alert("gives away", (name,), text, value=share)
    for name in columns:
        yield from _id(sample, name)
    share = told(sample.places.astype(np.float64), goal, seed=seed)
    if share >= _ALMOST:
        text = (
            f"the order of the rows tells {share:.1%} of the target: rows drawn at random have "
            "neighbours on both sides of a split; split by time, or by group"
        )
        yield Alert("order", (), text, "note", share)


def _ordered(sample: Sample, name: str, goal: Goal, seed: int) -> NDArray[np.float64]:
    """Answer a column as numbers for a tree; words by the target's mean in the first half."""
    if sample.schema[name].type != "string":
        return sample.numbers(name)
    levels = sample.levels(name, fewest=_LEAF)
    first = halves(len(levels.codes), seed) & goal.known
    rows = np.bincount(levels.codes[first], minlength=len(levels.names))
    values = goal.codes if goal.classes else goal.ranks
    sums = np.bincount(levels.codes[first], values[first], minlength=len(levels.names))
    order = np.argsort(np.argsort(np.where(rows > 0, sums / np.maximum(rows, 1), np.inf)))
    return order[levels.codes].astype(np.float64)


def told(values: NDArray[np.float64], goal: Goal, *, seed: int) -> float:
    """Answer how much of the target a column tells, 0 to 1, on rows that were not looked at.

    Args:
        values: (rows,) the column; NaN is a value of its own.
        goal: The target on the same rows.
        seed: Of the halves.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    first = halves(len(values), seed)
    learn, test = first & goal.known, ~first & goal.known
    if goal.known.sum() < FEWEST_ROWS or goal.levels < 2:
        return 0.0
    _, ranks = np.unique(np.nan_to_num(values, nan=-np.inf), return_inverse=True)
    x = ranks.reshape(-1, 1).astype(np.float32)
    settings: dict[str, Any] = {
        "min_samples_leaf": _LEAF,
        "max_leaf_nodes": _LEAVES,
        "random_state": seed,
    }
    if goal.classes:
        if min(np.bincount(goal.codes[learn], minlength=2).max(), learn.sum()) == learn.sum():
            return 0.0
        tree = DecisionTreeClassifier(**settings).fit(x[learn], goal.codes[learn])
        return _kappa(goal.codes[test], tree.predict(x[test]).astype(np.intp))
    tree = DecisionTreeRegressor(**settings).fit(x[learn], goal.ranks[learn])
    truth = goal.ranks[test]
    spread = float(((truth - truth.mean()) ** 2).sum())
    left = float(((truth - tree.predict(x[test])) ** 2).sum())
    return max(0.0, 1 - left / spread) if spread > 0 else 0.0


def _kappa(truth: NDArray[np.intp], said: NDArray[np.intp]) -> float:
    size = int(max(truth.max(), said.max())) + 1
    agreed = float(np.mean(truth == said))
    shares = [np.bincount(codes, minlength=size) / len(truth) for codes in (truth, said)]
    chance = float(shares[0] @ shares[1])
    return max(0.0, (agreed - chance) / (1 - chance)) if chance < 1 else 0.0


def _id(sample: Sample, name: str) -> Iterator[Alert]:
    column = sample.schema[name]
    if column.kind == "id":
        text = f"{name!r} names single rows ({column.reason}); a model can only learn it by heart"
        yield Alert("id", (name,), text, "note", 1.0)
        return
    if column.kind != "number" or sample.rows < FEWEST_ROWS:
        return
    values = sample.numbers(name)
    if np.isnan(values).any() or len(np.unique(values)) < len(values):
        return
    # Whole numbers that all differ and step by one from row to row count the rows.
    steps = np.diff(values) - np.diff(sample.places)
    if np.all(values == np.round(values)) and np.mean(steps == 0) >= _FOLLOWS:
        text = f"{name!r} counts the rows; a model can only learn it by heart"
        yield Alert("id", (name,), text, "note", 1.0)
