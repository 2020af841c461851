"""Numbers that stay: which of the clusters found now are those that were found before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ClusterMatch", "match_clusters"]

_SAME = 0.5
"""The overlap from which two clusters are one and the same; no two can have it with a third."""


@dataclass(frozen=True)
class ClusterMatch:
    """How the clusters of a new fit follow from those before.

    Attributes:
        order: For each new number the number that the new fit had given.
        overlaps: For each new number the rows that it shares with the old cluster of this number,
            as a share of the rows of either (Jaccard similarity); 0 where there was none.
        renamed: Old numbers that are too high now, with the new number of the same cluster.
        vanished: Old numbers whose cluster is not found again.
        appeared: New numbers whose cluster was not there before.

    Example:
        >>> before, after = np.array([0, 0, 0, 1, 1, 1]), np.array([1, 1, 1, 0, 0, 2])
        >>> match = match_clusters(before, after, 2, 3)
        >>> match.order, match.appeared
        ((1, 0, 2), (2,))
        >>> print(match)
        cluster 0 is as before (100 % of its rows), cluster 1 is as before (67 %); cluster 2 is new
    """

    order: tuple[int, ...]
    overlaps: tuple[float, ...]
    renamed: dict[int, int]
    vanished: tuple[int, ...]
    appeared: tuple[int, ...]

    def __str__(self) -> str:
        came_from = {new: old for old, new in self.renamed.items()}
        kept = [number for number in range(len(self.order)) if number not in self.appeared]
        parts = []
        for place, number in enumerate(kept):
            share = f"{100 * self.overlaps[number]:.0f} %{' of its rows' if not place else ''}"
            what = f"was {came_from[number]}" if number in came_from else "is as before"
            parts.append(f"cluster {number} {what} ({share})")
        said = [", ".join(parts)] if parts else []
        said += [f"cluster {number} is new" for number in self.appeared]
        said += [f"the former cluster {number} is not found again" for number in self.vanished]
        return "; ".join(said)


def match_clusters(
    before: NDArray[Any], after: NDArray[Any], old_clusters: int, new_clusters: int
) -> ClusterMatch:
    """Give new clusters the numbers of the old ones that hold the same rows.

    The numbers are given so that as many rows as possible keep theirs: an assignment problem
    (H. W. Kuhn, 1955). Two clusters count as the same when they share at least half of the rows
    of either (C. Hennig, 2007). What is new takes the lowest number that is free.

    Args:
        before: (rows,) the old cluster of each row, from 0; -1 for none.
        after: (rows,) the new cluster of the same rows.
        old_clusters: How many there were.
        new_clusters: How many there are.

    Raises:
        DataError: There are no rows, or not as many of one as of the other.
    """
    if not len(before) or len(before) != len(after):
        text = f"expected the same rows twice, received {len(before)} and {len(after)}"
        raise DataError([Problem(text)])
    shared = np.zeros((old_clusters, new_clusters))
    known = (before >= 0) & (after >= 0)
    np.add.at(shared, (before[known], after[known]), 1)
    old_rows = np.bincount(before[before >= 0], minlength=old_clusters)
    new_rows = np.bincount(after[after >= 0], minlength=new_clusters)
    either = old_rows[:, np.newaxis] + new_rows - shared
    overlaps = shared / np.maximum(either, 1)
    pairs = _pairs(shared, overlaps)
    same = {old: new for old, new in pairs.items() if overlaps[old, new] >= _SAME}
    numbers = _numbers(pairs, same, new_clusters)
    came_from = {numbers[new]: old for old, new in same.items()}
    order = sorted(range(new_clusters), key=numbers.__getitem__)
    return ClusterMatch(
        order=tuple(order),
        overlaps=tuple(
            float(overlaps[came_from[number], order[number]]) if number in came_from else 0.0
            for number in range(new_clusters)
        ),
        renamed={old: number for number, old in sorted(came_from.items()) if old != number},
        vanished=tuple(old for old in range(old_clusters) if old not in same),
        appeared=tuple(number for number in range(new_clusters) if number not in came_from),
    )


def _pairs(shared: NDArray[np.float64], overlaps: NDArray[np.float64]) -> dict[int, int]:
    """Answer the new cluster of each old one, where they share rows."""
    from scipy.optimize import linear_sum_assignment

    # Among assignments that keep as many rows, the one whose clusters are more alike.
    old, new = linear_sum_assignment(shared + overlaps / (1 + overlaps.size), maximize=True)
    pairs = zip(old.tolist(), new.tolist(), strict=True)
    return {i: j for i, j in pairs if shared[i, j] > 0}


def _numbers(pairs: dict[int, int], same: dict[int, int], clusters: int) -> dict[int, int]:
    """Answer the number of each new cluster: its old one where that is below the count."""
    given = {new: old for old, new in same.items() if old < clusters}
    for old, new in pairs.items():  # what has become of a cluster may keep its number, too
        if new not in given and old < clusters and old not in given.values():
            given[new] = old
    free = iter(sorted(set(range(clusters)) - set(given.values())))
    return {new: given[new] if new in given else next(free) for new in range(clusters)}
