"""Clusters that keep their numbers when a pipeline is trained again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headrace.clustering.fitted import FittedClusters
from headrace.clustering.matching import match_clusters
from headrace.errors import DataError

if TYPE_CHECKING:
    from headrace.train.fitted import Fitted

__all__ = ["numbered_as"]


def numbered_as(before: Fitted | None, fitted: Fitted) -> Fitted:
    """Answer a pipeline whose clusters have the numbers of those that they follow.

    The old and the new clusters are asked about the same rows, some of those that the new ones
    were found in; so the steps before them may have learnt something else, and may be others.

    Args:
        before: The pipeline as it was trained before; None if it was not.
        fitted: The pipeline as it is trained now.
    """
    old = None if before is None else before.model
    new, kept = fitted.model, fitted.kept
    if not isinstance(old, FittedClusters) or not isinstance(new, FittedClusters):
        return fitted
    if before is None or kept is None or not kept.sample.height:
        return fitted
    try:
        canonical = before.conform(kept.sample_rows)
        was = before.decode(before.output(canonical))
    except DataError:
        return _noting(fitted, "the columns are others than before, and so the clusters' numbers")
    now = fitted.decode(fitted.output(kept.sample))
    match = match_clusters(was, now, len(old.centres), len(new.centres))
    if np.array_equal(match.order, np.arange(len(new.centres))):
        return _noting(fitted, str(match))
    return _noting(replace(fitted, model=new.ordered(match.order)), str(match))


def _noting(fitted: Fitted, note: str) -> Fitted:
    result = fitted.result
    if result is None:
        return fitted
    return replace(fitted, result=replace(result, notes=(*result.notes, note)))
