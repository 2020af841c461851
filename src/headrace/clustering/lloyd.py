"""k-means on rows that are not held: Lloyd's passes over blocks.

Each pass assigns all rows to the nearest centre and sums them up by centre; the next centres are
the means (S. P. Lloyd, "Least squares quantization in PCM", 1982). The sums do not depend on how
much memory there is, so from the same first centres the answer is that of the rows in memory, but
for the last digits of long sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headrace.clustering.fitted import reach_of
from headrace.clustering.fitted_kmeans import FittedKMeans
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from headrace.clustering.blocks import Blocks

__all__ = ["Sampled", "lloyd", "sample_rows"]

_MOST_REACHES = 1_000_000
"""Rows whose distances tell how far the clusters reach."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """Some rows, and what all of them say together.

    Attributes:
        rows: (sampled, columns) drawn at random, each row as likely as any other.
        mean: (columns,) of all rows.
        variance: The mean of the columns' variances.
    """

    rows: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: float


def sample_rows(blocks: Blocks, most: int, seed: int) -> Sampled:
    """Draw rows in one pass; the same seed draws the same rows, however they are cut into blocks.

    Args:
        blocks: The rows.
        most: How many may be held.
        seed: Of the draw.
    """
    random = np.random.default_rng(seed)
    kept, lots = np.empty((0, blocks.columns)), np.empty(0)
    count, mean, squares = 0, np.zeros(blocks.columns), np.zeros(blocks.columns)
    for block in blocks:
        # Chan, Golub and LeVeque (1979): means and squares of parts add up without losing digits.
        apart, both = block.mean(axis=0) - mean, count + len(block)
        squares += block.var(axis=0) * len(block) + apart**2 * (count * len(block) / both)
        mean, count = mean + apart * (len(block) / both), both
        lots = np.concatenate([lots, random.random(len(block))])
        kept = np.concatenate([kept, block])
        if len(kept) > most:
            lowest = np.sort(np.argpartition(lots, most - 1)[:most])
            kept, lots = kept[lowest], lots[lowest]
    return Sampled(kept, mean, float((squares / max(count, 1)).mean()))


def lloyd(
    blocks: Blocks,
    centres: NDArray[np.float64],
    *,
    max_iter: int,
    tolerance: float,
    origin: NDArray[np.float64],
) -> FittedKMeans:
    """Move centres until they stay, in passes over all rows.

    A centre that no row is nearest to goes to the row that is farthest from its own, as in
    scikit-learn.

    Args:
        blocks: The rows.
        centres: (clusters, columns) to start from.
        max_iter: Most passes.
        tolerance: The centres stay when the sum of their squared moves is no larger.
        origin: (columns,) a point among the rows; distances are measured from there, so that they
            keep their digits where all rows are far from zero.
    """
    blocks, centres, passes = _Shifted(blocks, origin), centres - origin, 0
    with bar("k-means", max_iter) as progress:
        for _ in range(max_iter):
            moved = _moved(blocks, centres)
            shift = float(((moved - centres) ** 2).sum())
            centres, passes = moved, passes + 1
            progress.advance(note=f"centres moved by {np.sqrt(shift):.3g}")
            if shift <= tolerance:
                break
    found = _finished(blocks, centres, passes)
    return replace(found, centres=found.centres + origin)


@dataclass(frozen=True, eq=False)
class _Shifted:
    """Rows, seen from another origin."""

    blocks: Blocks
    origin: NDArray[np.float64]

    @property
    def rows(self) -> int:
        return self.blocks.rows

    @property
    def columns(self) -> int:
        return self.blocks.columns

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        return (block - self.origin for block in self.blocks)


def _moved(blocks: Blocks, centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer the mean of the rows that are nearest to each centre."""
    clusters = len(centres)
    sums, counts = np.zeros_like(centres), np.zeros(clusters)
    far, far_rows, far_labels = np.empty(0), np.empty((0, blocks.columns)), np.empty(0, np.intp)
    for block in blocks:
        labels, squares = _nearest(block, centres)
        counts += np.bincount(labels, minlength=clusters)
        sums += _sums(block, labels, clusters)
        top = np.argsort(-squares, kind="stable")[:clusters]
        far = np.concatenate([far, squares[top]])
        far_rows = np.concatenate([far_rows, block[top]])
        far_labels = np.concatenate([far_labels, labels[top]])
        top = np.argsort(-far, kind="stable")[:clusters]
        far, far_rows, far_labels = far[top], far_rows[top], far_labels[top]
    for cluster, place in zip(np.flatnonzero(counts == 0), range(len(far)), strict=False):
        counts[far_labels[place]] -= 1
        sums[far_labels[place]] -= far_rows[place]
        counts[cluster], sums[cluster] = 1, far_rows[place]
    filled = counts[:, np.newaxis] > 0
    return np.where(filled, sums / np.maximum(counts, 1)[:, np.newaxis], centres)


def _finished(blocks: Blocks, centres: NDArray[np.float64], passes: int) -> FittedKMeans:
    """Assign all rows a last time, and see how far the clusters reach."""
    every = -(-blocks.rows // _MOST_REACHES)
    inertia, sizes = 0.0, np.zeros(len(centres), np.int64)
    labels_seen, own_seen = [], []
    for block in blocks:
        labels, squares = _nearest(block, centres)
        inertia += float(squares.sum())
        sizes += np.bincount(labels, minlength=len(centres))
        labels_seen.append(labels[::every])
        own_seen.append(np.sqrt(squares[::every]))
    reach = reach_of(np.concatenate(labels_seen), np.concatenate(own_seen), len(centres))
    return FittedKMeans(centres, inertia, sizes, passes, reach=reach)


def _nearest(
    rows: NDArray[np.float64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Answer the nearest centre of each row and the squared distance to it, (rows,) each."""
    from sklearn.metrics import pairwise_distances_argmin_min

    labels, squares = pairwise_distances_argmin_min(rows, centres, metric="sqeuclidean")
    return np.asarray(labels, dtype=np.intp), np.asarray(squares, dtype=np.float64)


def _sums(
    rows: NDArray[np.float64], labels: NDArray[np.intp], clusters: int
) -> NDArray[np.float64]:
    return np.stack([np.bincount(labels, column, clusters) for column in rows.T], axis=1)
