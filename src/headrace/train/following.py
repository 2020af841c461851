"""Clusters that follow a stream: centres move with the rows that come, and keep their numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headrace.clustering.fitted_kmeans import FittedKMeans
from headrace.errors import SettingError

if TYPE_CHECKING:
    from headrace.pipeline import Pipeline

__all__ = ["update_clusters"]


def update_clusters(pipe: Pipeline, rows: object, *, half_life: float | None = None) -> Pipeline:
    """Move the centres of a trained pipeline by further rows; its steps stay as they are.

    Each row moves the centre nearest to it, so cluster 2 stays cluster 2 while it wanders. How far
    the clusters reach (`hr.outlier_scores`) follows too.

    Args:
        pipe: A pipeline that ends in `hr.KMeans`; it is changed.
        rows: New rows, from any source that fits the memory.
        half_life: After so many further rows a row counts half, so that the centres follow rows
            that drift; None to forget nothing.

    Returns:
        The same pipeline.

    Raises:
        DataError: The rows do not fit.
        SettingError: The pipeline ends in something else, or the half-life is not above 0.

    Example:
        >>> import headrace as hr
        >>> pipe = hr.Pipeline([hr.KMeans(2, random_state=0)])
        >>> _ = pipe.train({"x": [0.0, 0.2, 9.0, 9.2]})
        >>> _ = update_clusters(pipe, {"x": [9.5, 9.7]})
        >>> sorted(pipe.fitted.clusters.centres.ravel().round(2).tolist())
        [0.1, 9.35]
    """
    fitted = pipe.fitted
    if not isinstance(fitted.model, FittedKMeans):
        raise SettingError(
            "only the centres of hr.KMeans follow further rows: train the pipeline again instead, "
            "its clusters keep their numbers"
        )
    moved = fitted.model.partial_fit(fitted.matrix(fitted.conform(rows)), half_life=half_life)
    pipe.adopt(replace(fitted, model=moved, scores={}), None)
    return pipe
