"""A Gaussian mixture as clusterer: clusters of any size, direction and density."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from headrace.clustering.fitted import matrix_of, reach_of
from headrace.clustering.fitted_mixture import FittedMixture
from headrace.clustering.step import ClusterStep
from headrace.errors import SettingError
from headrace.preprocessing.selector import numbers
from headrace.preprocessing.space import Choice, Integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.preprocessing.selector import ColumnChoice

__all__ = ["GaussianMixture"]


class GaussianMixture(ClusterStep):
    """Find clusters as normal distributions: scikit-learn's mixture, its parameters and numbers.

    Where k-means takes every cluster for a ball of one size, here each has a size, a direction and
    a density of its own, and a row belongs to the one that it most likely came from.

    Args:
        n_components: How many clusters.
        covariance_type: What shape each has: "full" any ellipsoid, "tied" the same one for all,
            "diag" along the columns, "spherical" balls of different size.
        tol: It has converged when the mean log likelihood grows by less.
        reg_covar: Added to each variance, so that no cluster shrinks to a point.
        max_iter: Most passes of one start.
        n_init: How many starts, of which the best counts.
        random_state: Seed of the first centres; None is chance in `fit`, and the pipeline's seed
            in a pipeline.
        columns: The columns in which clusters are looked for.

    Example:
        >>> rows = np.concatenate([np.linspace(0, 1, 50), np.linspace(20, 80, 50)])[:, np.newaxis]
        >>> found = GaussianMixture(2, random_state=0).fit(rows)
        >>> sorted(np.bincount(found.labels_).tolist())
        [50, 50]
    """

    title: ClassVar[str] = "mixture"

    def __init__(
        self,
        n_components: int = 8,
        *,
        covariance_type: Literal["full", "tied", "diag", "spherical"] = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        random_state: int | None = None,
        columns: ColumnChoice = numbers(),
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state
        self.columns = columns

    def fit_matrix(self, matrix: NDArray[Any], *, seed: int | None = 0) -> FittedMixture:
        """Find the clusters of some rows.

        Args:
            matrix: (rows, columns) without gaps.
            seed: Of the first centres, where `random_state` is None.

        Raises:
            DataError: If there are gaps, or fewer different rows than clusters.
            SettingError: If scikit-learn refuses a parameter.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture as Estimator

        rows = matrix_of(matrix)
        self._check_width(rows.shape[1])
        self._check_count("n_components", self.n_components, len(rows))
        self._check_distinct(self.n_components, rows)
        settings = {name: value for name, value in self.get_params().items() if name != "columns"}
        settings["random_state"] = seed if self.random_state is None else self.random_state
        estimator = Estimator(**settings)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                estimator.fit(rows)
        except ConvergenceWarning as error:
            raise SettingError(
                f"{self!r} has not converged in {self.max_iter} passes: give more (max_iter), a "
                "larger tol, or fewer components"
            ) from error
        except ValueError as error:
            raise SettingError(f"{self!r} cannot be used: {error}") from error
        return self._fitted_of(rows, estimator)

    def _fitted_of(self, rows: NDArray[np.float64], estimator: Any) -> FittedMixture:
        centres = np.asarray(estimator.means_, dtype=np.float64)
        found = FittedMixture(
            centres,
            0.0,
            np.zeros(len(centres), np.int64),
            int(estimator.n_iter_),
            factors=_full(estimator.precisions_cholesky_, self.covariance_type, centres.shape),
            shares=np.asarray(estimator.weights_, dtype=np.float64),
        )
        distances = found.distances(rows)
        labels = found.assign(distances)
        return replace(
            found,
            labels=labels,
            sizes=np.bincount(labels, minlength=len(centres)),
            inertia=float(((rows - centres[labels]) ** 2).sum()),
            reach=reach_of(labels, distances[np.arange(len(rows)), labels], len(centres)),
        )

    def search_space(self) -> Mapping[str, Any]:
        """Answer how many clusters there may be, and of what shape."""
        return {
            "n_components": Integer(2, 32, log=True),
            "covariance_type": Choice(("full", "tied", "diag", "spherical")),
        }


def _full(
    factors: NDArray[Any], covariance_type: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Answer scikit-learn's factors of any shape as (clusters, columns, columns)."""
    clusters, columns = shape
    if covariance_type == "full":
        return np.asarray(factors, dtype=np.float64)
    if covariance_type == "tied":
        return np.repeat(np.asarray(factors)[np.newaxis], clusters, axis=0)
    if covariance_type == "diag":
        return np.asarray(factors)[:, :, np.newaxis] * np.eye(columns)
    return np.asarray(factors)[:, np.newaxis, np.newaxis] * np.eye(columns)
