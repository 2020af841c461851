"""k-means: the last step of a pipeline without target, or a step that adds clusters as features."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from headrace.clustering.fitted import matrix_of
from headrace.clustering.fitted_kmeans import FittedKMeans
from headrace.clustering.lloyd import lloyd, sample_rows
from headrace.clustering.step import ClusterStep
from headrace.errors import DataError, Problem, SettingError
from headrace.plan.distance import Distance, Nearest
from headrace.plan.plan import ColumnInfo, Node
from headrace.plan.sample import RowSample, SampledRows
from headrace.preprocessing.selector import numbers
from headrace.preprocessing.space import Integer
from headrace.preprocessing.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.clustering.blocks import Blocks
    from headrace.plan.plan import Columns
    from headrace.plan.statistic import BlockStatistic, Statistic
    from headrace.preprocessing.selector import ColumnChoice

__all__ = ["FittedKMeans", "KMeans"]

_SAMPLED = 50_000
_SAMPLED_OF_EACH = 50
_FIRST_CODE = 3
"""The code of the first cluster: 0 to 2 mean missing, unseen and rare, as for every category."""


class KMeans(ClusterStep, Transformer):
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

    title: ClassVar[str] = "kmeans"

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
        self._check_width(rows.shape[1])
        self._check_count("n_clusters", self.n_clusters, len(rows))
        estimator = self._estimator(seed)
        try:
            with warnings.catch_warnings():
                # Of fewer different rows than clusters; it is looked into below.
                warnings.filterwarnings("ignore", message="Number of distinct clusters")
                estimator.fit(rows)
        except ValueError as error:
            raise SettingError(f"{self!r} cannot be used: {error}") from error
        labels = np.asarray(estimator.labels_, dtype=np.int64)
        if not np.bincount(labels, minlength=self.n_clusters).all():
            self._check_distinct(self.n_clusters, rows)
        centres = np.asarray(estimator.cluster_centers_, dtype=np.float64)
        found = FittedKMeans.of(rows, labels, centres, int(estimator.n_iter_))
        return replace(found, inertia=float(estimator.inertia_))

    def fit_blocks(self, blocks: Blocks, *, seed: int = 0) -> FittedKMeans:
        """Find the clusters of rows that are not held.

        The first centres are those of a random sample of 50,000 rows (at least 50 for a cluster);
        from there all rows are passed over until the centres stay (see
        `headrace.clustering.lloyd`). `batch_size` matters for the sample alone.

        Args:
            blocks: The rows, block by block, as often as wanted.
            seed: Of the sample and the first centres, where `random_state` is None.

        Raises:
            DataError: There are fewer different rows than clusters.
            SettingError: If scikit-learn refuses a parameter.
        """
        self._check_width(blocks.columns)
        self._check_count("n_clusters", self.n_clusters, blocks.rows)
        chance = seed if self.random_state is None else self.random_state
        sample = sample_rows(blocks, max(_SAMPLED, _SAMPLED_OF_EACH * self.n_clusters), chance)
        first = self.fit_matrix(sample.rows, seed=seed)
        return lloyd(
            blocks,
            first.centres if isinstance(self.init, str) or callable(self.init) else self._given(),
            max_iter=self.max_iter,
            tolerance=self.tol * sample.variance,
            origin=sample.mean,
        )

    def _given(self) -> NDArray[np.float64]:
        return np.asarray(self.init, dtype=np.float64)

    def _estimator(self, seed: int | None) -> Any:
        from sklearn import cluster

        settings: dict[str, Any] = {
            "init": self._given() if isinstance(self.init, list | tuple) else self.init,
            "n_init": self.n_init,
            "max_iter": self.max_iter,
            "random_state": seed if self.random_state is None else self.random_state,
        }
        if self.batch_size is None:
            settings |= {"tol": self.tol, "algorithm": self.algorithm}
            return cluster.KMeans(self.n_clusters, **settings)
        return cluster.MiniBatchKMeans(self.n_clusters, batch_size=self.batch_size, **settings)

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

    @property
    def inertia_(self) -> float:
        """Summed squared distances of the rows to their nearest centre."""
        return self.found.inertia

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
