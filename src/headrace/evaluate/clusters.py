"""Judging clusters: how well apart they are, and whether other rows would show them again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.errors import DataError, Problem, SettingError
from headrace.evaluate.intervals import Resampled, check_confidence
from headrace.evaluate.resampling import resample
from headrace.evaluate.result import ClusterEvaluation, Metric
from headrace.metrics.counting import weighted_mean
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Refit", "evaluate_clusters"]

Refit: TypeAlias = Callable[[NDArray[Any], int], Callable[[NDArray[Any]], NDArray[Any]]]
"""(rows, seed) -> a function from rows to their clusters: clusters those rows anew."""

_HIGHER_IS_BETTER = {
    "silhouette": True,
    "davies_bouldin": False,
    "calinski_harabasz": True,
    "stability": True,
}
_RANGES = {"silhouette": (-1.0, 1.0), "stability": (-math.inf, 1.0)}


def evaluate_clusters(
    matrix: NDArray[Any],
    labels: NDArray[Any],
    centres: NDArray[Any],
    *,
    columns: Sequence[str] = (),
    refit: Refit | None = None,
    refits: int = 20,
    most_rows: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> ClusterEvaluation:
    """Answer how well rows fall into clusters.

    Silhouette, Davies–Bouldin and Calinski–Harabasz say how compact and how far apart the clusters
    are. Stability says whether they are more than an accident of these rows: resampled rows are
    clustered anew, and the adjusted Rand index tells how well both clusterings agree.

    Args:
        matrix: (rows, columns) the rows as they were clustered, without gaps.
        labels: (rows,) the cluster of each, from 0.
        centres: (clusters, columns) the centres.
        columns: The names of the columns, for pictures.
        refit: Clusters rows anew, for example
            `lambda rows, seed: KMeans(3, random_state=seed).fit(rows).predict`; without it
            stability and two of the intervals are left out.
        refits: How many times the rows are drawn and clustered anew.
        most_rows: A random sample of so many rows is used for all but sizes and inertia.
        confidence: The confidence of the intervals.
        seed: The same seed gives the same answer.
        notes: What else the result should say.

    Raises:
        DataError: The arrays do not fit each other, or the matrix has gaps.
        SettingError: There are fewer than 20 refits.

    Example:
        >>> random = np.random.default_rng(0)
        >>> rows = np.concatenate([random.normal(centre, 1, (50, 2)) for centre in (0, 9)])
        >>> labels = np.repeat([0, 1], 50)
        >>> centres = np.stack([rows[:50].mean(axis=0), rows[50:].mean(axis=0)])
        >>> answer = evaluate_clusters(rows, labels, centres)
        >>> answer.sizes, bool(answer.metrics["silhouette"].low > 0.7)
        ((50, 50), True)
    """
    check_confidence(confidence)
    matrix, labels, centres = _checked(matrix, labels, centres)
    if refit is not None and refits < 20:
        raise SettingError(f"refits must be 20 or more for an interval, received {refits}")
    random = np.random.default_rng(seed)
    chosen = np.arange(len(matrix))
    if len(matrix) > most_rows:
        chosen = np.sort(random.choice(len(matrix), most_rows, replace=False))
    rows, clusters = matrix[chosen], labels[chosen]
    silhouettes = _silhouettes(rows, clusters)
    again = _Refits(rows, clusters, len(centres))
    if refit is not None:
        again.run(refit, refits, random)
    resampled = {
        "silhouette": _silhouette(silhouettes, seed),
        **{name: again.separation(name) for name in ("davies_bouldin", "calinski_harabasz")},
    }
    if refit is not None:
        resampled["stability"] = again.stability(seed)
    return ClusterEvaluation(
        rows=len(matrix),
        sizes=tuple(np.bincount(labels, minlength=len(centres)).tolist()),
        inertia=float(((matrix - centres[labels]) ** 2).sum()),
        metrics={name: _metric(name, one, confidence) for name, one in resampled.items()},
        recovery=again.recovery(),
        notes=(*notes, *_notes(len(matrix), len(rows), labels, centres)),
        matrix=rows,
        labels=clusters,
        centres=centres,
        silhouettes=silhouettes,
        columns=tuple(columns),
    )


class _Refits:
    """What clusterings of resampled rows say about the first one."""

    def __init__(self, rows: NDArray[Any], labels: NDArray[Any], clusters: int) -> None:
        self.rows, self.labels, self.clusters = rows, labels, clusters
        self.agreement: list[float] = []
        self.overlaps: list[NDArray[np.float64]] = []
        self.separations: dict[str, list[float]] = {"davies_bouldin": [], "calinski_harabasz": []}

    def run(self, refit: Refit, refits: int, random: np.random.Generator) -> None:
        """Cluster drawn rows anew, so many times."""
        from sklearn.metrics import adjusted_rand_score

        with bar("clustering again", refits) as progress:
            for seed in range(refits):
                drawn = random.integers(0, len(self.rows), len(self.rows))
                assign = refit(self.rows[drawn], seed)
                labels = np.asarray(assign(self.rows))
                self.agreement.append(float(adjusted_rand_score(self.labels, labels)))
                self.overlaps.append(_best_overlaps(self.labels, labels, self.clusters))
                for name, values in self.separations.items():
                    values.append(_separation(name, self.rows[drawn], labels[drawn]))
                progress.advance()

    def separation(self, name: str) -> Resampled:
        """Answer an index of how far apart the clusters are, resampled by the refits."""
        value = _separation(name, self.rows, self.labels)
        return Resampled(value, np.array(self.separations[name]), np.empty(0), len(self.rows))

    def stability(self, seed: int) -> Resampled:
        """Answer the mean agreement of the refits."""
        agreement = np.array(self.agreement)
        kernels = [lambda weights: weighted_mean(agreement, weights)]
        return resample(kernels, len(agreement), seed=seed)[0]

    def recovery(self) -> tuple[float, ...]:
        """Answer for each cluster its mean overlap with the refits' most similar cluster."""
        if not self.overlaps:
            return ()
        return tuple(float(share) for share in np.mean(self.overlaps, axis=0))


def _checked(
    matrix: NDArray[Any], labels: NDArray[Any], centres: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    matrix = np.asarray(matrix, dtype=np.float64)
    centres = np.asarray(centres, dtype=np.float64)
    labels = np.asarray(labels)
    problems = []
    if matrix.ndim != 2 or len(matrix) == 0:
        problems.append(Problem(f"expected rows and columns to judge, received {matrix.shape}"))
    elif not np.isfinite(matrix).all():
        row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        problems.append(Problem("the rows must be finite numbers without gaps", row=row))
    if labels.shape != matrix.shape[:1]:
        problems.append(
            Problem(f"expected one cluster for each of {len(matrix)} rows, received {labels.shape}")
        )
    if centres.ndim != 2 or centres.shape[1:] != matrix.shape[1:]:
        problems.append(
            Problem(f"centres must have the columns of the rows, received {centres.shape}")
        )
    if not problems and not np.isin(labels, np.arange(len(centres))).all():
        problems.append(Problem(f"clusters must be numbered from 0 to {len(centres) - 1}"))
    if problems:
        raise DataError(problems)
    return matrix, labels.astype(np.intp), centres


def _silhouettes(rows: NDArray[np.float64], labels: NDArray[np.intp]) -> NDArray[np.float64]:
    from sklearn.metrics import silhouette_samples

    if not _separable(labels):
        return np.full(len(rows), np.nan)
    return np.asarray(silhouette_samples(rows, labels), dtype=np.float64)


def _silhouette(silhouettes: NDArray[np.float64], seed: int) -> Resampled:
    kernels = [lambda weights: weighted_mean(silhouettes, weights)]
    return resample(kernels, len(silhouettes), seed=seed)[0]


def _separation(name: str, rows: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

    if not _separable(labels):
        return math.nan
    index = davies_bouldin_score if name == "davies_bouldin" else calinski_harabasz_score
    return float(index(rows, labels))


def _separable(labels: NDArray[np.intp]) -> bool:
    return 2 <= len(np.unique(labels)) < len(labels)


def _best_overlaps(
    labels: NDArray[np.intp], others: NDArray[Any], clusters: int
) -> NDArray[np.float64]:
    """Answer for each cluster the Jaccard similarity to the most similar other cluster."""
    _, codes = np.unique(others, return_inverse=True)
    shared = np.zeros((clusters, int(codes.max()) + 1))
    np.add.at(shared, (labels, codes), 1)
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
    best: NDArray[np.float64] = (shared / np.maximum(either, 1)).max(axis=1)
    return best


def _metric(name: str, resampled: Resampled, confidence: float) -> Metric:
    lowest, highest = _RANGES.get(name, (0.0, math.inf))
    low, high, note = resampled.interval(confidence, lowest=lowest, highest=highest)
    if not math.isfinite(resampled.value):
        note = "undefined: it needs at least two clusters and more rows than clusters"
    elif not len(resampled.draws):
        low, high, note = lowest, highest, "no interval without clustering again"
    return Metric(
        name=name,
        value=resampled.value,
        low=low,
        high=high,
        higher_is_better=_HIGHER_IS_BETTER[name],
        confidence=confidence,
        note=note,
    )


def _notes(
    rows: int, used: int, labels: NDArray[np.intp], centres: NDArray[np.float64]
) -> list[str]:
    notes = []
    if used < rows:
        notes.append(f"separation and stability are measured on a sample of {used:,} rows")
    empty = len(centres) - len(np.unique(labels))
    if empty:
        notes.append(f"{empty} of {len(centres)} clusters have no row")
    return notes
