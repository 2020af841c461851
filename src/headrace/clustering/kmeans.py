"""k-means: the last step of a pipeline without target, or a step that adds clusters as features."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from headrace.clustering.fitted import FittedKMeans, matrix_of
from headrace.errors import DataError, NotTrainedError, Problem, SettingError
from headrace.plan.distance import Distance, Nearest
from headrace.plan.plan import ColumnInfo, Node
from headrace.plan.sample import RowSample, SampledRows
from headrace.preprocessing.selector import numbers
from headrace.preprocessing.space import Integer
from headrace.preprocessing.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.plan.plan import Columns
    from headrace.plan.statistic import BlockStatistic, Statistic
    from headrace.preprocessing.selector import ColumnChoice

__all__ = ["FittedKMeans", "KMeans"]

_FIRST_CODE = 3
"""The code of the first cluster: 0 to 2 mean missing, unseen and rare, as for every category."""


class KMeans(Transformer):
    """Find clusters of rows around centres: scikit-learn's k-means, its parameters and numbers.

    At the end of a pipeline without target it answers each row's cluster. As a step before others
    it adds the distance to each centre, `distance_1`, `distance_2`, …, and the nearest one as
    category `cluster`. It works on distances, so the columns should be of one scale; put a
    `normalize` step before it. On its own it is used as scikit-learn's: `fit`, `predict`.

    Args:
        n_clusters: How many clusters.
        init: How the first centres are chosen: "k-means++", "random", an array (clusters, columns)
            or a function.
        n_init: How many starts, of which the best counts; "auto" for scikit-learn's choice.
        max_iter: Most passes of one start.
        tol: It has converged when the centres move less than this share of the variance.
        random_state: Seed of the first centres; None is chance in `fit`, and 0 in a pipeline.
        algorithm: "lloyd" or "elkan".
        batch_size: Mini-batches of so many rows, for large tables (scikit-learn's
            `MiniBatchKMeans`); None for all rows at once.
        prefix: What the names of the added columns begin with.
        columns: The columns in which distances are measured.

    Attributes:
        cluster_centers_: (clusters, columns), after `fit`.
        labels_: (rows,) cluster of each row, after `fit`.
        inertia_: Summed squared distances to the nearest centre, after `fit`.

    Example:
        >>> rows = [[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]]
        >>> kmeans = KMeans(2, random_state=0).fit(rows)
        >>> bool(kmeans.labels_[0] == kmeans.labels_[1] != kmeans.labels_[2]), kmeans.inertia_
        (True, 1.0)
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: str | Sequence[Sequence[float]] | NDArray[Any] | Callable[..., Any] = "k-means++",
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: int | None = None,
        algorithm: Literal["lloyd", "elkan"] = "lloyd",
        batch_size: int | None = None,
        prefix: str = "",
        columns: ColumnChoice = numbers(),
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.algorithm = algorithm
        self.batch_size = batch_size
        self.prefix = prefix
        self.columns = columns

    # -- at the end of a pipeline, or on its own ---------------------------------------------

    def fit_matrix(self, matrix: NDArray[Any], *, seed: int | None = 0) -> FittedKMeans:
        """Find the clusters of some rows.

        Args:
            matrix: (rows, columns) without gaps.
            seed: Of the first centres, where `random_state` is None.

        Raises:
            DataError: If there are gaps, or fewer different rows than clusters.
            SettingError: If scikit-learn refuses a parameter.
        """
        rows = matrix_of(matrix)
        self._check_rows(rows)
        estimator = self._estimator(seed)
        try:
            with warnings.catch_warnings():
                # Of fewer different rows than clusters; it is looked into below.
                warnings.filterwarnings("ignore", message="Number of distinct clusters")
                estimator.fit(rows)
        except ValueError as error:
            raise SettingError(f"{self!r} cannot be used: {error}") from error
        labels = np.asarray(estimator.labels_, dtype=np.int64)
        sizes = np.bincount(labels, minlength=self.n_clusters)
        if not sizes.all():
            self._check_distinct(rows)
        centres = np.asarray(estimator.cluster_centers_, dtype=np.float64)
        return FittedKMeans(
            centres, float(estimator.inertia_), sizes, int(estimator.n_iter_), labels
        )

    def _estimator(self, seed: int | None) -> Any:
        from sklearn import cluster

        settings: dict[str, Any] = {
            "init": np.asarray(self.init) if isinstance(self.init, list | tuple) else self.init,
            "n_init": self.n_init,
            "max_iter": self.max_iter,
            "random_state": seed if self.random_state is None else self.random_state,
        }
        if self.batch_size is None:
            settings |= {"tol": self.tol, "algorithm": self.algorithm}
            return cluster.KMeans(self.n_clusters, **settings)
        return cluster.MiniBatchKMeans(self.n_clusters, batch_size=self.batch_size, **settings)

    def _check_rows(self, rows: NDArray[np.float64]) -> None:
        wanted: object = self.n_clusters
        if not isinstance(wanted, int | np.integer) or wanted < 1:
            raise SettingError(
                f"KMeans's n_clusters must be a whole number from 1, received {wanted!r}"
            )
        if not rows.shape[1]:
            raise DataError([Problem("KMeans got no columns", hint="It works on number columns")])
        if len(rows) < self.n_clusters:
            raise DataError([Problem(self._too_few(len(rows), "row"))])

    def _check_distinct(self, rows: NDArray[np.float64]) -> None:
        different = len(np.unique(rows, axis=0))
        if different < self.n_clusters:
            raise DataError([Problem(self._too_few(different, "different row"))])

    def _too_few(self, rows: int, noun: str) -> str:
        plural = "" if rows == 1 else "s"
        return (
            f"{self.n_clusters} clusters need at least {self.n_clusters} different rows, but there "
            f"{'is' if rows == 1 else 'are'} {rows} {noun}{plural}; choose fewer clusters"
        )

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Find the clusters of an array or a data frame, as scikit-learn does.

        Args:
            X: (rows, columns) numbers without gaps.
            y: Not used.
        """
        del y
        self._fitted = self.fit_matrix(X, seed=None)
        return self

    def partial_fit(self, X: Any, y: object = None) -> Self:  # noqa: N803
        """Find clusters in a first part of the rows, or move them by a further part.

        Args:
            X: (rows, columns) numbers without gaps.
            y: Not used.
        """
        del y
        fitted = getattr(self, "_fitted", None)
        self._fitted = self.fit_matrix(X, seed=None) if fitted is None else fitted.partial_fit(X)
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:  # noqa: N803
        """Answer the cluster of each row, (rows,).

        Raises:
            NotTrainedError: If `fit` was not called before.
        """
        return self._found().predict(matrix_of(X))

    def fit_predict(self, X: Any, y: object = None) -> NDArray[np.int64]:  # noqa: N803
        """Find the clusters and answer that of each row, (rows,)."""
        return self.fit(X, y).labels_

    def _found(self) -> FittedKMeans:
        fitted: FittedKMeans | None = getattr(self, "_fitted", None)
        if fitted is None:
            raise NotTrainedError("this KMeans has no clusters yet: call fit(rows) first")
        return fitted

    @property
    def cluster_centers_(self) -> NDArray[np.float64]:
        """The centres, (clusters, columns)."""
        return self._found().centres

    @property
    def labels_(self) -> NDArray[np.int64]:
        """The cluster of each row that was fitted last, (rows,)."""
        labels = self._found().labels
        return np.zeros(0, dtype=np.int64) if labels is None else labels

    @property
    def inertia_(self) -> float:
        """Summed squared distances of the rows to their nearest centre."""
        return self._found().inertia

    @property
    def n_iter_(self) -> int:
        """How many passes it took."""
        return self._found().iterations

    # -- as a step that adds features --------------------------------------------------------

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer the rows themselves: all of a table in memory, a sample of one in chunks."""
        del columns
        return (RowSample(),)

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the distances and the nearest centre.

        Raises:
            DataError: If a value is missing.
        """
        sample: SampledRows = learnt[0]
        gaps = list(zip(columns, sample.missing.tolist(), strict=True))
        if any(missing for _, missing in gaps):
            raise DataError(
                Problem(
                    f"KMeans needs every value, but {missing:,} of {sample.count:,} are missing",
                    column=info.name,
                    hint="Add clean.Impute() before KMeans",
                )
                for info, missing in gaps
                if missing
            )
        centres = self.fit_matrix(sample.rows).centres
        names = tuple(info.name for info in columns)
        codes = np.arange(len(centres)) + _FIRST_CODE
        return [
            Node(Distance(centres), names, self._distances(), keeps=True),
            Node(Nearest(centres, codes), names, (f"{self.prefix}cluster",), keeps=True),
        ]

    def _distances(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}distance_{place + 1}" for place in range(self.n_clusters))

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns:
        """Answer the columns with the distances and the cluster."""
        if not chosen:
            return columns
        made = {name: ColumnInfo(name, "number", "number") for name in self._distances()}
        cluster = ColumnInfo(f"{self.prefix}cluster", "code", "category")
        return {**columns, **made, cluster.name: cluster}

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the number of clusters, rows and columns."""
        sample: SampledRows = learnt[0]
        of = "" if len(sample.rows) == sample.count else f" (a sample of {sample.count:,})"
        return (
            f"{self.n_clusters} clusters of {len(sample.rows):,} rows{of} in {len(columns)} columns"
        )

    def search_space(self) -> Mapping[str, Any]:
        """Answer how many clusters there may be."""
        return {"n_clusters": Integer(2, 32, log=True)}
