"""Patterns: groups of rows where the target differs, found on a half and tested on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from headrace.data.split import halves
from headrace.profiling.leaks import FEWEST_ROWS
from headrace.table import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.profiling.goal import Goal
    from headrace.profiling.sample import Sample

__all__ = ["Pattern", "find_patterns"]

_DEPTH = 3
_SMALLEST = 0.02
_FEWEST = 15
_RATE = 0.05
_WORDS = 20


@dataclass(frozen=True, slots=True)
class Pattern:
    """Rows where the target differs from that of all others.

    Attributes:
        name: Which rows, in words.
        rows: How many rows it was tested on.
        measure: What is compared: the mean of the target, or the share of a class.
        value: Of these rows.
        others: Of all other rows.
        q_value: The share of false finds among patterns with at most this value (Benjamini and
            Hochberg, 1995).
    """

    name: str
    rows: int
    measure: str
    value: float
    others: float
    q_value: float

    def sentence(self) -> str:
        """Answer the pattern in words."""
        return (
            f"{self.name}: {self.measure} {figure(self.value)}, of the others "
            f"{figure(self.others)} ({self.rows:,} rows, q {self.q_value:.2g})"
        )


def find_patterns(
    sample: Sample, goal: Goal, columns: Sequence[str], *, seed: int
) -> tuple[Pattern, ...]:
    """Find where the target differs most: the leaves of a shallow tree, tested on other rows.

    The tree of three levels is grown on a half of the sample. Each leaf is compared with all other
    rows on the other half, numbers by Welch's test, classes by Fisher's exact one on the class
    whose share differs most in the first half. At most 5 % of what is answered is false.

    Args:
        sample: The rows.
        goal: The target on the same rows.
        columns: Which columns may say where; texts and ids are left out.
        seed: Of the halves.

    Returns:
        The patterns that hold on the other half, the largest difference first.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    names, table, gaps = _features(sample, columns)
    first = halves(sample.rows, seed)
    learn, test = first & goal.known, ~first & goal.known
    if not names or goal.known.sum() < FEWEST_ROWS or goal.levels < 2:
        return ()
    smallest = max(_FEWEST, int(_SMALLEST * learn.sum()))
    settings: dict[str, Any] = {
        "max_depth": _DEPTH,
        "min_samples_leaf": smallest,
        "random_state": seed,
    }
    kind = DecisionTreeClassifier if goal.classes else DecisionTreeRegressor
    values = goal.codes if goal.classes else goal.values
    tree = kind(**settings).fit(table[learn], values[learn])
    leaves = tree.apply(table)
    tested = [
        _tested(_path(tree.tree_, leaf, names, gaps), leaves == leaf, goal, learn, test)
        for leaf in np.unique(leaves[learn])
        if tree.tree_.node_count > 1 and (leaves[test] == leaf).sum() >= 3
    ]
    if not tested:
        return ()
    q_values = stats.false_discovery_control([p_value for *_, p_value in tested])
    found = [
        Pattern(name, rows, measure, value, others, float(q))
        for (name, rows, measure, value, others, _), q in zip(tested, q_values, strict=True)
        if q <= _RATE
    ]
    return tuple(sorted(found, key=lambda one: -abs(one.value - one.others)))


def _features(
    sample: Sample, columns: Sequence[str]
) -> tuple[list[tuple[str, str | None]], NDArray[np.float32], set[int]]:
    """Answer what a tree may ask: numbers as they are, a truth value for each frequent word."""
    names: list[tuple[str, str | None]] = []
    made: list[NDArray[np.float64]] = []
    for name in columns:
        kind = sample.schema[name].kind
        if kind in {"number", "boolean"}:
            names.append((name, None))
            made.append(np.clip(sample.numbers(name), -1e37, 1e37))
        elif kind == "category":
            held = sample.frame[name]
            counted = held.value_counts(sort=True).head(_WORDS)
            for word in counted[name].to_list():
                names.append((name, word))
                made.append((held == word).to_numpy().astype(np.float64))
    table = np.column_stack(made) if made else np.zeros((sample.rows, 0))
    gaps = {i for i, column in enumerate(made) if np.isnan(column).any()}
    return names, table.astype(np.float32), gaps


def _path(tree: Any, leaf: int, names: Sequence[tuple[str, str | None]], gaps: set[int]) -> str:
    """Answer the questions on the way to a leaf, in words."""
    asked: dict[
        tuple[int, bool], tuple[float, bool]
    ] = {}  # the nearest to the leaf is the tightest
    node = leaf
    while node:
        below = np.flatnonzero(tree.children_left == node)
        left = bool(len(below))
        parent = int(below[0] if left else np.flatnonzero(tree.children_right == node)[0])
        key = int(tree.feature[parent]), left
        edge, gap = asked.get(key, (float(tree.threshold[parent]), key[0] in gaps))
        asked[key] = edge, gap and bool(tree.missing_go_to_left[parent]) == left
        node = parent
    said = []
    for (feature, left), (edge, gap) in reversed(asked.items()):
        name, word = names[feature]
        if word is not None:
            said.append(f"{name} {'not ' if left else ''}{f'= {word}' if word else 'missing'}")
        else:
            said.append(f"{name} {'up to' if left else 'above'} {edge:.6g}{' or missing' * gap}")
    return " and ".join(said)


def _tested(
    name: str,
    inside: NDArray[np.bool_],
    goal: Goal,
    learn: NDArray[np.bool_],
    test: NDArray[np.bool_],
) -> tuple[str, int, str, float, float, float]:
    here, there = test & inside, test & ~inside
    rows = int(here.sum())
    if not goal.classes:
        one, other = goal.values[here], goal.values[there]
        if not len(other) or (np.ptp(one) == 0 and np.ptp(other) == 0):
            p_value = 1.0 if not len(other) or one[0] == other[0] else 0.0
        else:
            p_value = float(stats.ttest_ind(one, other, equal_var=False).pvalue)
        mean = float(other.mean()) if len(other) else float("nan")
        return name, rows, f"mean {goal.name}", float(one.mean()), mean, p_value
    size = len(goal.classes)
    shares = [
        np.bincount(goal.codes[part], minlength=size) / max(1, part.sum())
        for part in (learn & inside, learn & ~inside)
    ]
    chosen = int(np.argmax(np.abs(shares[0] - shares[1])))
    hits = [int((goal.codes[part] == chosen).sum()) for part in (here, there)]
    counts = [[hits[0], rows - hits[0]], [hits[1], int(there.sum()) - hits[1]]]
    p_value = float(stats.fisher_exact(counts).pvalue)
    measure = f"share of {goal.name} = {goal.classes[chosen]}"
    return name, rows, measure, hits[0] / rows, hits[1] / max(1, int(there.sum())), p_value
