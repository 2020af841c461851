"""How many clusters there are, and whether there are any."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.clustering.fitted import matrix_of
from headrace.clustering.kmeans import KMeans
from headrace.engine import HERE
from headrace.errors import DataError, Problem, SettingError
from headrace.preprocessing.clean import Impute
from headrace.preprocessing.normalize import Standardize
from headrace.progress import bar
from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.preprocessing.step import Step

    Shape = Callable[[np.random.Generator, int], NDArray[np.float64]]

__all__ = ["ClusterNumber", "NumberFigures", "choose_k"]

_HEADER = ("k", "silhouette", "beyond chance", "gap", "± error", "Davies–Bouldin", "stability", "")
_FEWEST_ROWS = 20
_STABLE = 0.6
"""Agreement (adjusted Rand index) of clusterings of different rows below which none is shown."""


@dataclass(frozen=True, slots=True)
class NumberFigures:
    """What speaks for a number of clusters.

    Attributes:
        k: The number.
        silhouette: The mean silhouette width (Rousseeuw, 1987), -1 to 1.
        beyond: How many standard deviations it lies above that of rows without clusters.
        gap: The gap statistic (Tibshirani, Walther and Hastie, 2001).
        gap_error: Its standard error.
        davies_bouldin: Davies and Bouldin's index (1979); less is better.
        stability: How well clusterings of different halves of the rows agree (adjusted Rand
            index).
    """

    k: int
    silhouette: float
    beyond: float
    gap: float
    gap_error: float
    davies_bouldin: float
    stability: float


@dataclass(frozen=True)
class ClusterNumber(Result):
    """How many clusters there are.

    Attributes:
        k: The recommended number; 1 for no clusters.
        reason: Why, in words.
        p_value: How often rows without clusters look as clustered as these: the larger one of rows
            of one normal cloud with their covariance, and rows spread evenly over their range.
        figures: What speaks for each number.
        rows: How many rows there are.
        sample: How many of them were looked at.
    """

    k: int
    reason: str
    p_value: float
    figures: tuple[NumberFigures, ...]
    rows: int
    sample: int

    @property
    def clustered(self) -> bool:
        """Whether there are clusters."""
        return self.k > 1

    def summary(self) -> str:
        """Answer the recommendation with its reason, and the figures of each number."""
        found = f"{self.k} clusters" if self.clustered else "no clusters"
        looked = f"{self.sample:,} of {self.rows:,} rows"
        table = text_table(_HEADER, self._cells())
        return f"{found}: {self.reason} (p {self.p_value:.2g}, {looked}).\n\n{table}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values."""
        return {**asdict(self), "figures": [asdict(one) for one in self.figures]}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what speaks for each number."""
        from headrace import visualization

        axes: Axes = visualization.cluster_numbers(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        found = f"{self.k} clusters" if self.clustered else "no clusters"
        return html_list([f"{found}: {self.reason}."]) + html_table(_HEADER, self._cells())

    def _cells(self) -> list[list[str]]:
        return [
            [
                str(one.k),
                *map(figure, (one.silhouette, one.beyond, one.gap, one.gap_error)),
                *map(figure, (one.davies_bouldin, one.stability)),
                "recommended" if one.k == self.k else "",
            ]
            for one in self.figures
        ]


def choose_k(
    data: object,
    ks: Iterable[int] = range(2, 11),
    *,
    steps: Sequence[Step] | None = None,
    references: int = 39,
    halves: int = 10,
    sample: int = 2_000,
    reference_rows: int = 500,
    level: float = 0.05,
    seed: int = 0,
) -> ClusterNumber:
    """Answer how many clusters there are; "none" is an answer.

    k-means finds k clusters in any rows. So the rows are compared with rows that have none: drawn
    from one normal cloud with the same covariance (as Liu et al., 2008), and evenly over the box of
    the rows' principal axes (Tibshirani et al., 2001). Only where the silhouette of some number
    lies further above theirs than theirs above each other's, over all numbers together, and
    clusterings of different halves of the rows agree, there are clusters. The number is the one
    with the largest silhouette times agreement.

    Args:
        data: A matrix (rows, columns) of numbers without gaps, or any source of raw rows, which go
            through the steps.
        ks: The numbers to try, each 2 or more.
        steps: Steps for raw rows; None to fill gaps and standardise the number columns, and leave
            the others out.
        references: Tables without clusters, of each of the two kinds, at least 19.
        halves: Pairs of halves of the rows that are clustered for the stability.
        sample: Rows that the figures are made of, at random, of more.
        reference_rows: Rows of each table without clusters, and of the rows beside them.
        level: How often rows without clusters may be said to have some.
        seed: Of all draws.

    Raises:
        DataError: There are fewer than 20 different rows, or a value is missing.
        SettingError: A setting is out of its range.

    Example:
        >>> random = np.random.default_rng(0)
        >>> rows = np.concatenate([random.normal(centre, 1, (80, 2)) for centre in (0, 8, 16)])
        >>> choose_k(rows, range(2, 6), references=19).k
        3
    """
    tried = sorted(set(ks))
    _check(tried, references, halves, level)
    matrix = _matrix(data, steps)
    different = len(np.unique(matrix, axis=0))
    if different < max(_FEWEST_ROWS, max(tried) + 1):
        needed = max(_FEWEST_ROWS, max(tried) + 1)
        text = f"{needed} different rows are needed, and there are {different}"
        raise DataError([Problem(text, hint="Try fewer clusters, or bring more rows")])
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(seed)
    rows = _some(matrix, sample, random)
    # Hundreds of small tables: threads would wait for each other, on a busy machine for minutes.
    with threadpool_limits(limits=1), bar("choosing k", 2 * references + halves + 1) as progress:
        own = _silhouettes(_some(rows, reference_rows, random), tried)
        few = min(reference_rows, len(rows))
        beyond, p_values = [], []
        for shape in (_cloud(rows), _box(rows)):
            found = []
            for _ in range(references):
                drawn = shape(random, few)
                found.append(_silhouettes(drawn, tried))
                progress.advance()
            by_number, p_value = _beyond(own, np.array(found))
            beyond.append(by_number)
            p_values.append(p_value)
        agreement = _stabilities(rows, tried, halves, random, progress.advance)
        progress.advance(note="figures")
        gaps = _gaps(rows, tried, few, max(10, references // 4), random)
        figures = _figures(rows, tried, np.min(beyond, axis=0), gaps, agreement)
    k, reason = _recommended(figures, max(p_values), level)
    return ClusterNumber(k, reason, max(p_values), figures, len(matrix), len(rows))


def _check(tried: Sequence[int], references: int, halves: int, level: float) -> None:
    if not tried or tried[0] < 2:
        raise SettingError(f"ks must be whole numbers from 2, received {list(tried)}")
    if not 0 < level < 0.5:
        raise SettingError(f"level must lie between 0 and 0.5, received {level}")
    needed = math.ceil(1 / level) - 1
    if references < needed:
        raise SettingError(
            f"references must be {needed} or more for level={level}: fewer cannot tell that apart "
            f"from chance; received {references}"
        )
    if halves < 1:
        raise SettingError(f"halves must be 1 or more, received {halves}")


def _matrix(data: object, steps: Sequence[Step] | None) -> NDArray[np.float64]:
    if steps is None and isinstance(data, np.ndarray):
        return matrix_of(data)
    from headrace.train.training import train

    # Not those of a network: its quantile maps would flatten the very hills that clusters are.
    before = [Impute(), Standardize()] if steps is None else steps
    fitted = train(data, [*before, KMeans(2)], target=None, engine=HERE)
    return fitted.matrix(fitted.conform(data))


def _some(rows: NDArray[np.float64], most: int, random: np.random.Generator) -> NDArray[np.float64]:
    if len(rows) <= most:
        return rows
    return rows[random.choice(len(rows), most, replace=False)]


def _cloud(rows: NDArray[np.float64]) -> Shape:
    """Answer a drawing of rows of one normal cloud with the covariance of some rows."""
    centre = rows.mean(axis=0)
    _, spread, axes = np.linalg.svd(rows - centre, full_matrices=False)
    scales = spread / math.sqrt(max(1, len(rows) - 1))
    return lambda random, count: centre + random.normal(size=(count, len(scales))) * scales @ axes


def _box(rows: NDArray[np.float64]) -> Shape:
    """Answer a drawing of rows spread evenly over the box of some rows' principal axes."""
    centre = rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows - centre, full_matrices=False)
    turned = (rows - centre) @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return lambda random, count: centre + random.uniform(low, high, (count, len(low))) @ axes


def _clustered(rows: NDArray[np.float64], k: int) -> Any:
    return KMeans(k, n_init=1, random_state=0).fit_matrix(rows)


def _silhouettes(rows: NDArray[np.float64], tried: Sequence[int]) -> NDArray[np.float64]:
    """Answer the mean silhouette for each number, (numbers,)."""
    from sklearn.metrics import pairwise_distances, silhouette_score

    distances = pairwise_distances(rows)
    np.fill_diagonal(distances, 0.0)
    return np.array(
        [
            silhouette_score(distances, _clustered(rows, k).labels, metric="precomputed")
            for k in tried
        ]
    )


def _beyond(
    own: NDArray[np.float64], references: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Answer how far each number lies beyond references, and the p-value over all numbers.

    Each table, ours too, is measured by the mean and the deviation of all tables, so that all are
    treated alike and the p-value is exact.
    """
    every = np.vstack([own, references])
    spread = np.maximum(every.std(axis=0), 1e-12)
    scaled = (every - every.mean(axis=0)) / spread
    largest = scaled.max(axis=1)
    p_value = float(np.count_nonzero(largest >= largest[0] - 1e-12) / len(largest))
    deviation = np.maximum(references.std(axis=0), 1e-12)
    return (own - references.mean(axis=0)) / deviation, p_value


def _inertias(rows: NDArray[np.float64], tried: Sequence[int]) -> NDArray[np.float64]:
    """Answer log inertias for 1 and each number, (1 + numbers,)."""
    found = [float(((rows - rows.mean(axis=0)) ** 2).sum())]
    found += [_clustered(rows, k).inertia for k in tried]
    return np.log(np.maximum(found, 1e-300))


def _stabilities(
    rows: NDArray[np.float64],
    tried: Sequence[int],
    halves: int,
    random: np.random.Generator,
    advance: Any,
) -> NDArray[np.float64]:
    """Answer for each number how well clusterings of two halves agree on all rows, (numbers,)."""
    from sklearn.metrics import adjusted_rand_score

    found = np.empty((halves, len(tried)))
    for turn in range(halves):
        order = random.permutation(len(rows))
        parts = order[: len(rows) // 2], order[len(rows) // 2 :]
        for place, k in enumerate(tried):
            first, second = (_clustered(rows[part], k).predict(rows) for part in parts)
            found[turn, place] = adjusted_rand_score(first, second)
        advance()
    return np.asarray(found.mean(axis=0))


def _gaps(
    rows: NDArray[np.float64],
    tried: Sequence[int],
    few: int,
    tables: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Answer the gap statistic of each number and its error, (2, numbers)."""
    even = np.array([_inertias(_box(rows)(random, few), tried) for _ in range(tables)])
    gaps = even.mean(axis=0) - _inertias(_some(rows, few, random), tried)
    return np.stack([gaps, even.std(axis=0) * math.sqrt(1 + 1 / tables)])[:, 1:]


def _figures(
    rows: NDArray[np.float64],
    tried: Sequence[int],
    beyond: NDArray[np.float64],
    gaps: NDArray[np.float64],
    agreement: NDArray[np.float64],
) -> tuple[NumberFigures, ...]:
    from sklearn.metrics import davies_bouldin_score

    widths = _silhouettes(rows, tried)
    return tuple(
        NumberFigures(
            k,
            float(widths[place]),
            float(beyond[place]),
            float(gaps[0, place]),
            float(gaps[1, place]),
            float(davies_bouldin_score(rows, _clustered(rows, k).labels)),
            float(agreement[place]),
        )
        for place, k in enumerate(tried)
    )


def _recommended(figures: Sequence[NumberFigures], p_value: float, level: float) -> tuple[int, str]:
    """Answer the number and the reason."""
    if p_value > level:
        return 1, (
            "rows without clusters look as clustered as these: one normal cloud, or an even "
            "spread, explains them"
        )
    stable = [one for one in figures if one.stability >= _STABLE]
    if not stable:
        best = max(figures, key=lambda one: one.stability)
        return 1, (
            "the rows are no plain cloud, but clusterings of different halves of them do not agree "
            f"(best at {best.k}: {best.stability:.2f}, at least {_STABLE} is asked for)"
        )
    best = max(stable, key=lambda one: one.silhouette * one.stability)
    return best.k, (
        f"the silhouette of {best.k} clusters, {best.silhouette:.2f}, lies {best.beyond:.1f} "
        "standard deviations above that of rows without clusters, and halves of the rows agree on "
        f"them ({best.stability:.2f})"
    )
