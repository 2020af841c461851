"""Cluster drift: do new rows fall into the clusters as the training rows did?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.clustering.fitted import NOISE, FittedClusters
from headrace.errors import DataError, NotTrainedError, Problem, SettingError
from headrace.maintain.wording import percent, plural
from headrace.metrics import twosample
from headrace.metrics.proportions import wilson
from headrace.result import Result
from headrace.table import html_list, html_table, text_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.deploy.runtime import Runtime
    from headrace.metrics.twosample import Outcome
    from headrace.pipeline import Pipeline

__all__ = ["ClusterDrift", "ClusterShare", "cluster_drift", "clusters_drifted"]

_BINS = 20
_FAR = 0.99
_HEADER = ("cluster", "rows before", "share", "rows now", "share", "low", "high")


@dataclass(frozen=True, slots=True)
class ClusterShare:
    """How many rows are in a cluster, before and now.

    Attributes:
        cluster: Its number; -1 for noise.
        rows_before: Training rows in it.
        rows: New rows in it.
        share_before: Their share of the training rows.
        share: Their share of the new rows.
        low: The lower end of that share's interval (95 %, Wilson).
        high: The upper end.
    """

    cluster: int
    rows_before: int
    rows: int
    share_before: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class ClusterDrift(Result):
    """New rows against the clusters of the training rows.

    Attributes:
        rows: New rows.
        reference_rows: Training rows.
        alarm: Whether the clusters have drifted.
        shares: Each cluster before and now.
        share_p: The chance of such shares without drift, corrected for all tests (Holm).
        share_effect: How far the shares are apart: Jensen–Shannon distance, 0 to 1.
        distance_p: The chance of such distances to the clusters without drift, corrected.
        distance_effect: How far the distances are apart: Jensen–Shannon distance.
        far: The share of new rows that are farther out than 99 % of their cluster's training rows.
        far_low: The lower end of its interval (95 %, Wilson).
        far_high: The upper end.
        false_alarm_rate: The chance of an alarm when nothing has changed, at most.
        smallest_effect: Smaller changes raise no alarm.
    """

    rows: int
    reference_rows: int
    alarm: bool
    shares: tuple[ClusterShare, ...]
    share_p: float
    share_effect: float
    distance_p: float
    distance_effect: float
    far: float
    far_low: float
    far_high: float
    false_alarm_rate: float
    smallest_effect: float

    def sentence(self) -> str:
        """Answer the finding in one sentence."""
        sizes = f"{plural(self.rows, 'new row')} against {self.reference_rows:,}"
        if not self.alarm:
            return f"the new rows fall into the clusters as those of training did ({sizes})"
        what = []
        if self._alarms(self.share_p, self.share_effect):
            what.append("their shares changed")
        if self._alarms(self.distance_p, self.distance_effect):
            what.append(
                f"rows lie elsewhere in them: {percent(self.far)} are farther out than 99 % were"
            )
        return f"the clusters drifted: {' and '.join(what)} ({sizes})"

    def summary(self) -> str:
        """Answer the finding, the shares, and what the alarm is worth."""
        worth = (
            f"the chance of a false alarm is at most {percent(self.false_alarm_rate)} (Holm); "
            f"changes under {self.smallest_effect:g} Jensen–Shannon distance raise none"
        )
        far = (
            f"farther out than 99 % of the training rows: {percent(self.far)} of the new ones "
            f"({percent(self.far_low)} to {percent(self.far_high)}), 1 % expected"
        )
        tests = (
            f"shares: distance {self.share_effect:.3f}, p {self.share_p:.2g}; "
            f"places: distance {self.distance_effect:.3f}, p {self.distance_p:.2g}"
        )
        table = text_table(_HEADER, self._cells())
        return "\n".join([f"Clusters: {self.sentence()}", "", table, "", far, tests, worth])

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values."""
        return {**asdict(self), "shares": [asdict(one) for one in self.shares]}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share of each cluster before and now."""
        from headrace import visualization

        axes: Axes = visualization.cluster_shares(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        table = html_table(_HEADER, self._cells(), caption="cluster drift")
        return html_list([self.sentence()]) + table

    def _alarms(self, p_value: float, effect: float) -> bool:
        return p_value <= self.false_alarm_rate and effect >= self.smallest_effect

    def _cells(self) -> list[list[str]]:
        return [
            [
                "noise" if one.cluster == NOISE else str(one.cluster),
                f"{one.rows_before:,}",
                f"{one.share_before:.1%}",
                f"{one.rows:,}",
                *(f"{value:.1%}" for value in (one.share, one.low, one.high)),
            ]
            for one in self.shares
        ]


def cluster_drift(
    model: Pipeline | Runtime,
    rows: object,
    *,
    false_alarm_rate: float = 0.01,
    smallest_effect: float = 0.05,
) -> ClusterDrift:
    """Compare how new rows fall into clusters with how the training rows did.

    Two questions are asked: whether each cluster has its share of the rows, and whether rows lie
    as far out in their clusters as the training rows did. The training rows are not needed: the
    release knows how many rows each cluster had, and how far they were. Tests use the sizes of both
    samples and are corrected together (Holm, 1979).

    Args:
        model: A trained pipeline that ends in a clusterer, or an `hr.Runtime` of its release.
        rows: New rows, from any source that the model takes.
        false_alarm_rate: The chance of an alarm when nothing has changed.
        smallest_effect: The Jensen–Shannon distance under which a change raises no alarm.

    Raises:
        DataError: The rows do not fit, or there are none.
        NotTrainedError: The model has no clusters.
        SettingError: A rate that is not between 0 and 1, or a release that is too old.

    Example:
        >>> import headrace as hr
        >>> random = np.random.default_rng(0)
        >>> def table(share):
        ...     return {"x": 9.0 * (random.random(2000) < share) + random.normal(size=2000)}
        >>> pipe = hr.Pipeline([hr.KMeans(2, random_state=0)])
        >>> _ = pipe.train(table(0.5))
        >>> cluster_drift(pipe, table(0.5)).alarm, cluster_drift(pipe, table(0.7)).alarm
        (False, True)
    """
    if hasattr(model, "fitted"):
        fitted = model.fitted
        return clusters_drifted(
            fitted.clusters,
            fitted.output(fitted.conform(rows)),
            false_alarm_rate=false_alarm_rate,
            smallest_effect=smallest_effect,
        )
    if model.target is not None:
        raise NotTrainedError(
            f"the release {model.version} predicts {model.target.name!r}: it has no clusters"
        )
    return clusters_drifted(
        FittedClusters.from_dict(model.release.document("clusters.json")),
        model.distances(rows),
        false_alarm_rate=false_alarm_rate,
        smallest_effect=smallest_effect,
    )


def clusters_drifted(
    clusters: FittedClusters,
    distances: NDArray[Any],
    *,
    false_alarm_rate: float = 0.01,
    smallest_effect: float = 0.05,
) -> ClusterDrift:
    """Compare rows whose distances to the clusters are known; see `cluster_drift`.

    Args:
        clusters: The clusters of the training rows.
        distances: (rows, clusters) of the new rows.
        false_alarm_rate: The chance of an alarm when nothing has changed.
        smallest_effect: The Jensen–Shannon distance under which a change raises no alarm.
    """
    for name, value in (
        ("false_alarm_rate", false_alarm_rate),
        ("smallest_effect", smallest_effect),
    ):
        if not 0 <= value < 1:
            raise SettingError(f"{name} must be at least 0 and under 1, received {value!r}")
    if not len(distances):
        raise DataError([Problem("there are no new rows to compare")])
    labels = clusters.assign(distances)
    inside = labels != NOISE
    sizes, counts = clusters.sizes, np.bincount(labels[inside], minlength=len(clusters.sizes))
    scores = clusters.outlier_score_of(distances[inside])
    shares, share_effect = _shares_test(sizes, counts)
    before, now = _bins(sizes, scores)
    places = _places_tests(before, now)
    tests = [None if shares is None else shares.p_value, *places]
    corrected = twosample.holm([1.0 if p is None else p for p in tests])
    distance_p, distance_effect = min(corrected[1:]), twosample.distance(before, now)
    far = int((scores > _FAR).sum())
    far_low, far_high = wilson(far, len(scores), 0.95)
    alarms = [
        (corrected[0], share_effect),
        (distance_p, distance_effect),
    ]
    return ClusterDrift(
        rows=len(distances),
        reference_rows=int(sizes.sum()),
        alarm=any(p <= false_alarm_rate and e >= smallest_effect for p, e in alarms),
        shares=tuple(_share(n, sizes, counts) for n in range(len(sizes))),
        share_p=corrected[0],
        share_effect=share_effect,
        distance_p=distance_p,
        distance_effect=distance_effect,
        far=far / max(len(scores), 1),
        far_low=far_low,
        far_high=far_high,
        false_alarm_rate=false_alarm_rate,
        smallest_effect=smallest_effect,
    )


def _shares_test(
    sizes: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[Outcome | None, float]:
    before, now = sizes.astype(np.float64), counts.astype(np.float64)
    if not now.sum():
        return None, 0.0
    outcome = twosample.same_distribution(*twosample.pool_rare(before, now))
    return outcome, twosample.distance(before, now)


def _bins(
    sizes: NDArray[np.int64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answer training and new rows by how far out they are: of training, each has as many."""
    now, _ = np.histogram(scores, bins=_BINS, range=(0.0, 1.0))
    return np.full(_BINS, sizes.sum() / _BINS), now.astype(np.float64)


def _places_tests(before: NDArray[np.float64], now: NDArray[np.float64]) -> list[float | None]:
    if not now.sum():
        return [None]
    pooled = twosample.pool_adjacent(np.rint(before), now)
    tests = (twosample.same_distribution(*pooled), twosample.same_level(*pooled))
    return [None if one is None else one.p_value for one in tests]


def _share(cluster: int, sizes: NDArray[np.int64], counts: NDArray[np.int64]) -> ClusterShare:
    before, now = int(sizes.sum()), int(counts.sum())
    low, high = wilson(int(counts[cluster]), now, 0.95)
    return ClusterShare(
        cluster,
        int(sizes[cluster]),
        int(counts[cluster]),
        float(sizes[cluster] / max(before, 1)),
        float(counts[cluster] / max(now, 1)),
        low,
        high,
    )
