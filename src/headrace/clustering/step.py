"""A clusterer: the last step of a pipeline without target, or an object on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from headrace.clustering.fitted import FittedClusters, matrix_of
from headrace.errors import DataError, NotTrainedError, Problem, SettingError
from headrace.preprocessing.step import Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.clustering.blocks import Blocks
    from headrace.preprocessing.selector import ColumnChoice

__all__ = ["ClusterStep"]


class ClusterStep(Step):
    """The base of every clusterer.

    A subclass says how clusters are found, `fit_matrix`; what they say of other rows is the
    business of `FittedClusters`. On its own a clusterer is used as scikit-learn's are.

    Attributes:
        columns: The columns in which clusters are looked for.
        title: What a training calls it.
    """

    columns: ColumnChoice
    title: ClassVar[str] = ""

    def fit_matrix(self, matrix: NDArray[Any], *, seed: int | None = 0) -> FittedClusters:
        """Find the clusters of some rows.

        Args:
            matrix: (rows, columns) without gaps.
            seed: Of what is left to chance.

        Raises:
            DataError: There are gaps, or too few rows.
            SettingError: A parameter cannot be used.
        """
        raise NotImplementedError

    def fit_blocks(self, blocks: Blocks, *, seed: int = 0) -> FittedClusters:
        """Find the clusters of rows that are not held.

        Args:
            blocks: The rows, block by block, as often as wanted.
            seed: Of what is left to chance.

        Raises:
            SettingError: The clusterer needs the whole table.
        """
        del blocks, seed
        raise SettingError(
            f"{type(self).__name__} needs the whole table, which does not fit the memory: take a "
            "part of the rows (lazy.head(n), or a sample), give more memory, or take hr.KMeans"
        )

    # -- as scikit-learn's -------------------------------------------------------------------

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Find the clusters of an array or a data frame, as scikit-learn does.

        Args:
            X: (rows, columns) numbers without gaps.
            y: Not used.
        """
        del y
        self._fitted = self.fit_matrix(X, seed=None)
        return self

    def predict(self, X: Any) -> NDArray[np.int64]:  # noqa: N803
        """Answer the cluster of each row, (rows,); -1 for rows that belong to none.

        Raises:
            NotTrainedError: If `fit` was not called before.
        """
        return self.found.predict(matrix_of(X))

    def fit_predict(self, X: Any, y: object = None) -> NDArray[np.int64]:  # noqa: N803
        """Find the clusters and answer that of each row, (rows,)."""
        return self.fit(X, y).labels_

    def outlier_score(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Answer how far out each row is in its cluster, see `FittedClusters.outlier_score`."""
        return self.found.outlier_score(matrix_of(X))

    @property
    def found(self) -> FittedClusters:
        """The clusters that `fit` found.

        Raises:
            NotTrainedError: If `fit` was not called before.
        """
        fitted: FittedClusters | None = getattr(self, "_fitted", None)
        if fitted is None:
            name = type(self).__name__
            raise NotTrainedError(f"this {name} has no clusters yet: call fit(rows) first")
        return fitted

    @property
    def cluster_centers_(self) -> NDArray[np.float64]:
        """The centres, (clusters, columns)."""
        return self.found.centres

    @property
    def labels_(self) -> NDArray[np.int64]:
        """The cluster of each row that was fitted last, (rows,)."""
        labels = self.found.labels
        return np.zeros(0, dtype=np.int64) if labels is None else labels

    @property
    def n_iter_(self) -> int:
        """How many passes it took."""
        return self.found.iterations

    # -- checks that they share --------------------------------------------------------------

    def _check_width(self, columns: int) -> None:
        if not columns:
            name = type(self).__name__
            raise DataError([Problem(f"{name} got no columns", hint="It works on number columns")])

    def _check_count(self, name: str, wanted: object, rows: int) -> None:
        """Raise unless a number of clusters is one, and there are as many rows."""
        if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1:
            raise SettingError(
                f"{type(self).__name__}'s {name} must be a whole number from 1, received {wanted!r}"
            )
        if rows < wanted:
            raise DataError([Problem(_too_few(int(wanted), rows, "row"))])

    def _check_distinct(self, wanted: int, rows: NDArray[np.float64]) -> None:
        different = len(np.unique(rows, axis=0))
        if different < wanted:
            raise DataError([Problem(_too_few(wanted, different, "different row"))])


def _too_few(wanted: int, rows: int, noun: str) -> str:
    plural = "" if rows == 1 else "s"
    return (
        f"{wanted} clusters need at least {wanted} different rows, but there "
        f"{'is' if rows == 1 else 'are'} {rows} {noun}{plural}; choose fewer clusters"
    )
