"""Outlier scores: how far out rows are in their clusters, by any clustering model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.clustering.fitted import FittedClusters
from headrace.errors import NotTrainedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.deploy.runtime import Runtime
    from headrace.pipeline import Pipeline

__all__ = ["outlier_scores"]


def outlier_scores(model: Pipeline | Runtime, rows: object) -> NDArray[Any]:
    """Answer how far out each row is in its cluster, (rows,) from 0 to 1.

    It is the share of the training rows of its cluster that are nearer: 0.99 means that one in a
    hundred rows of training was as far out, 1 that none was. It is the same for a pipeline and for
    its release.

    Args:
        model: A trained pipeline that ends in a clusterer, or an `hr.Runtime` of its release.
        rows: The rows, from any source that the model takes.

    Raises:
        DataError: The rows do not fit.
        NotTrainedError: The model predicts a target, or is not trained.
        SettingError: The release is older than outlier scores.

    Example:
        >>> import headrace as hr
        >>> pipe = hr.Pipeline([hr.KMeans(2, random_state=0)])
        >>> _ = pipe.train({"x": [0.0, 0.1, 0.2, 9.0, 9.1, 9.2]})
        >>> outlier_scores(pipe, {"x": [0.1, 30.0]}).tolist()
        [0.0, 1.0]
    """
    if hasattr(model, "fitted"):
        fitted = model.fitted
        return fitted.clusters.outlier_score_of(fitted.output(fitted.conform(rows)))
    if model.target is not None:
        raise NotTrainedError(
            f"the release {model.version} predicts {model.target.name!r}: it has no clusters"
        )
    clusters = FittedClusters.from_dict(model.release.document("clusters.json"))
    return clusters.outlier_score_of(model.distances(rows))
