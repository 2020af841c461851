"""k-means behind the steps that suit the columns, as one of scikit-learn's clusterers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin

from headrace.clustering.kmeans import KMeans
from headrace.clustering.step import ClusterStep
from headrace.data.infer import infer_schema
from headrace.errors import SettingError
from headrace.estimators.base import PipelineEstimator
from headrace.pipeline import Pipeline
from headrace.preprocessing import clean, normalize, transform
from headrace.preprocessing.selector import booleans, ids, numbers, texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from headrace.data.schema import Kind
    from headrace.preprocessing.step import Step

__all__ = ["Clusterer"]


class Clusterer(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    ClusterMixin,  # type: ignore[misc]
    PipelineEstimator,
):
    """Clusters of rows with columns of any kind, as scikit-learn's clusterers find them.

    It wraps `hr.Pipeline` with `hr.KMeans` as its last step. Without steps of your own gaps are
    filled, dates become their parts, numbers are brought to mean 0 and variance 1, and words
    become flags.

    Args:
        n_clusters: How many clusters.
        n_init: How many starts, of which the best counts; "auto" for scikit-learn's choice.
        max_iter: Most passes of one start.
        batch_size: Mini-batches of so many rows, for large tables; None for all rows at once.
        steps: The steps before the clusters; None to choose them from the columns' kinds.
        kinds: Kinds of columns where the inferred ones are not wanted, `{"zip": "category"}`.
        random_state: Seed of the first centres; None for chance.

    Attributes:
        labels_: The cluster of each row of `fit`, (rows,).
        cluster_centers_: (clusters, columns), in the columns that the steps give.
        inertia_: Summed squared distances of the rows to their nearest centre.
        n_iter_: How many passes it took.
        pipeline_: The trained `hr.Pipeline`: it can be evaluated, saved, deployed and maintained.
        n_features_in_: How many columns `fit` saw.
        feature_names_in_: Their names, (columns,), where they came with names.

    Example:
        >>> rows = [[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]]
        >>> clusters = Clusterer(2).fit_predict(rows)
        >>> bool(clusters[0] == clusters[1] != clusters[2])
        True
    """

    labels_: NDArray[np.int64]

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 300,
        batch_size: int | None = None,
        steps: Sequence[Step] | None = None,
        kinds: Mapping[str, Kind] | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.steps = steps
        self.kinds = kinds
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit the steps and find the clusters.

        Args:
            X: (rows, columns): a pandas, Polars or Arrow table, an array or nested lists.
            y: Not used.

        Raises:
            ValueError: If there are fewer different rows than clusters.
            SettingError: If a setting cannot be used.
        """
        del y
        table = self._rows_to_learn(X, least=_least_rows(self.n_clusters))
        seed = self._seed(self.random_state)
        kmeans = KMeans(
            self.n_clusters,
            n_init=self.n_init,
            max_iter=self.max_iter,
            batch_size=self.batch_size,
            random_state=seed,
            columns=numbers() | booleans(),
        )
        pipeline = Pipeline([*self._steps(table), kmeans], kinds=self.kinds, seed=seed)
        pipeline.train(table)
        found = pipeline.fitted.clusters
        self.pipeline_ = pipeline
        self.labels_ = pipeline.predict(table).to_numpy()
        self.cluster_centers_ = found.centres
        self.inertia_ = found.inertia
        self.n_iter_ = found.iterations
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:  # noqa: N803
        """Answer the cluster of each row, (rows,).

        Raises:
            NotFittedError: If `fit` was not called before.
            ValueError: If the columns are not those of `fit`.
        """
        table = self._rows_to_answer(X)
        clusters: NDArray[np.int64] = self.pipeline_.predict(table).to_numpy()
        return clusters

    def transform(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Answer the Euclidean distance of each row to each centre, (rows, clusters).

        Raises:
            NotFittedError: If `fit` was not called before.
            ValueError: If the columns are not those of `fit`.
        """
        table, fitted = self._rows_to_answer(X), self.pipeline_.fitted
        distances: NDArray[np.float64] = fitted.output(fitted.conform(table))
        return distances

    def score(self, X: Any, y: object = None) -> float:  # noqa: N803
        """Answer how near rows are to their centres: the negative of their inertia.

        Args:
            X: (rows, columns).
            y: Not used.
        """
        del y
        return -float((self.transform(X).min(axis=1) ** 2).sum())

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)

    def _steps(self, table: pl.DataFrame) -> list[Step]:
        if self.steps is None:
            schema = infer_schema(table.lazy(), kinds=self.kinds)
            return _default_steps({column.kind for column in schema.columns})
        if self.steps and isinstance(self.steps[-1], ClusterStep):
            raise SettingError(
                "the steps of a Clusterer end before the clusters: leave out hr.KMeans, and say "
                "n_clusters and the like to the Clusterer"
            )
        return [step.copy() for step in self.steps]


def _least_rows(n_clusters: object) -> int:
    # What is no whole number of clusters is refused by KMeans, in its own words.
    return max(n_clusters, 2) if isinstance(n_clusters, int) else 2


def _default_steps(kinds: set[Kind]) -> list[Step]:
    """Answer steps that bring columns of any kind to numbers of one scale."""
    steps: list[Step] = []
    if "id" in kinds:
        steps.append(transform.Drop(ids(), reason="an id says nothing about new rows"))
    if "text" in kinds:
        steps.append(transform.Drop(texts(), reason="free text needs a text model"))
    steps += [clean.DropConstant(), clean.Impute()]
    if "datetime" in kinds:
        steps.append(transform.Dates())
    steps.append(normalize.Standardize())
    if "category" in kinds:  # behind Standardize: flags stay 0 and 1
        steps.append(transform.OneHot())
    return steps
