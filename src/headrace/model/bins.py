"""Edges of the bins in which the number columns are embedded, learnt from the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from headrace.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.model.target import Task

__all__ = ["Bins", "find_edges"]

Bins = Literal["quantile", "mix", "tree"]

_NARROWEST = 1e-4
"""Bins narrower than this share of the column's range are joined: they would make steep slopes."""


def find_edges(
    numbers: NDArray[np.float32],
    target: NDArray[np.generic],
    *,
    task: Task,
    kind: Bins,
    count: int,
    least: int,
    seed: int,
) -> list[NDArray[np.float32]]:
    edges = []
    for column in numbers.T:
        inner = _inner(column, target, task, kind, count, least, seed)
        edges.append(_joined(column, inner))
    return edges


def _inner(column, target, task, kind, count, least, seed):
    if kind == "quantile":
        return np.quantile(column, np.linspace(0, 1, count + 1))
    if kind == "mix":
        half = np.linspace(0, 1, count // 2 + 1)
        return np.concatenate([np.quantile(column, half), np.quantile(np.unique(column), half)])
    if kind == "tree":
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        tree_class = DecisionTreeRegressor if task == "regression" else DecisionTreeClassifier
        tree = tree_class(max_leaf_nodes=count, min_samples_leaf=least, random_state=seed)
        tree.fit(column[:, None], target)
        return tree.tree_.threshold[tree.tree_.feature >= 0]
    raise SettingError(kind)


def _joined(column, inner):
    low, high = float(column.min()), float(column.max())
    if low == high:
        return np.asarray([low, low + 1], dtype=np.float32)
    edges = np.unique(np.concatenate([[low], inner, [high]]).astype(np.float32))
    kept = [edges[0]]
    for edge in edges[1:]:
        if edge - kept[-1] >= _NARROWEST * (high - low):
            kept.append(edge)
    if len(kept) == 1:
        kept.append(edges[-1])
    return np.asarray(kept, dtype=np.float32)
