"""Pictures of clusters: the points by cluster, and how well each point sits in its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headrace.errors import SettingError
from headrace.visualization.style import INK, MARKERS, MUTED, PAPER, axes, colour, drawn, thin
from headrace.visualization.text import count, label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["cluster_scatter", "silhouette"]

_MOST_POINTS = 6_000
_MOST_NAMED = 12


@drawn
def cluster_scatter(
    points: Any,
    labels: ArrayLike | None = None,
    centres: ArrayLike | None = None,
    *,
    columns: Sequence[str] | None = None,
    title: str = "Clusters",
    ax: Axes | None = None,
) -> Axes:
    """Draw points by cluster; more than two columns are projected on their principal components.

    Args:
        points: (rows, columns), at least two columns; a data frame is taken as its values. Or a
            result that carries `matrix`, `labels` and `centres`, perhaps the names as `columns`.
        labels: (rows,) the cluster of each point; -1 means no cluster. Left out for a result.
        centres: (clusters, columns), drawn as crosses.
        columns: The names of the columns, for the axes.
        title: The title.
        ax: The axes to draw on.

    Raises:
        SettingError: Fewer than two columns, or the lengths differ.

    Example:
        >>> ax = cluster_scatter([[0, 0], [1, 1], [9, 9]], [0, 0, 1], columns=["x", "y"])
        >>> ax.get_xlabel(), [text.get_text() for text in ax.get_legend().get_texts()]
        ('x', ['0 · 2 rows', '1 · 1 rows'])
    """
    if labels is None:
        columns = columns or getattr(points, "columns", None) or None
        points, labels, centres = points.matrix, points.labels, points.centres
    values, of = _checked(points, labels)
    names = list(columns) if columns is not None else _names(points, values.shape[1])
    plane = _plane(values, names)
    flat = plane.project(values)
    ax = axes(ax, width=6.4, height=4.6)
    for index, cluster in enumerate(np.unique(of)):
        inside = flat[of == cluster]
        _points(ax, inside, index, name=_name(int(cluster), len(inside)), share=len(of))
    if centres is not None:
        _centres(ax, plane.project(np.asarray(centres, dtype=np.float64)))
    ax.set(title=label(title, longest=60), xlabel=plane.x, ylabel=plane.y)
    if len(np.unique(of)) <= _MOST_NAMED:
        legend = ax.legend(title="cluster", loc="center left", bbox_to_anchor=(1, 0.5))
        legend.set_alignment("left")
        for handle in legend.legend_handles:
            handle.set(sizes=[40], alpha=1)  # type: ignore[union-attr]
    return ax


def _checked(points: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values, of = np.asarray(points, dtype=np.float64), np.asarray(labels, dtype=np.int64).ravel()
    if values.ndim != 2 or values.shape[1] < 2:
        raise SettingError(
            f"a picture of clusters needs points of shape (rows, two or more columns), "
            f"received {values.shape}"
        )
    if len(values) != len(of):
        raise SettingError(f"{len(values)} points for {len(of)} labels: give one label a point")
    return values, of


def _names(points: ArrayLike, number: int) -> list[str]:
    """The columns of a data frame, else made names."""
    names = getattr(points, "columns", None)
    return [str(n) for n in names] if names is not None else [f"column {n}" for n in range(number)]


class _Plane(NamedTuple):
    """What the two directions of the picture are."""

    middle: NDArray[np.float64]
    directions: NDArray[np.float64]  # (columns, 2)
    x: str
    y: str

    def project(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (values - self.middle) @ self.directions


def _plane(values: NDArray[np.float64], names: list[str]) -> _Plane:
    columns = values.shape[1]
    if columns == 2:
        return _Plane(np.zeros(2), np.eye(2), label(names[0]), label(names[1]))
    finite = values[np.isfinite(values).all(axis=1)]
    middle = finite.mean(axis=0)
    spread, directions = np.linalg.eigh(np.cov(finite - middle, rowvar=False))
    shares = spread[::-1] / max(spread.sum(), np.finfo(float).tiny)
    x, y = (f"principal component {n + 1} ({shares[n]:.0%} of the variance)" for n in range(2))
    return _Plane(middle, _same_sign(directions[:, ::-1][:, :2]), x, y)


def _same_sign(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Principal directions with their largest part positive, so that pictures do not flip."""
    largest = np.argmax(np.abs(directions), axis=0)
    return directions * np.where(directions[largest, range(directions.shape[1])] < 0, -1, 1)


def _name(cluster: int, rows: int) -> str:
    return f"{'none' if cluster < 0 else cluster} · {count(rows)}"


def _points(ax: Axes, flat: NDArray[np.float64], index: int, *, name: str, share: int) -> None:
    """One cluster: at most its share of the points that the eye can tell apart."""
    most = max(50, round(_MOST_POINTS * len(flat) / share))
    if len(flat) > most:
        flat = flat[np.random.default_rng(0).choice(len(flat), most, replace=False)]
    ax.scatter(
        flat[:, 0],
        flat[:, 1],
        s=float(np.clip(9_000 / share, 7, 42)),
        color=colour(index),
        marker=MARKERS[index % len(MARKERS)],
        alpha=0.75,
        linewidth=0,
        label=name,
        rasterized=share > 1_500,
    )


def _centres(ax: Axes, flat: NDArray[np.float64]) -> None:
    ax.scatter(
        flat[:, 0],
        flat[:, 1],
        s=150,
        marker="X",
        color=INK,
        edgecolor=PAPER,
        linewidth=1.5,
        label="centre",
    )


@drawn
def silhouette(values: Any, labels: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Draw how well each point sits in its cluster (Rousseeuw, 1987).

    Each cluster is one shape, its points sorted: 1 is far inside, 0 on the border, below 0 nearer
    to another cluster.

    Args:
        values: (rows,) the silhouette of each point. Or a result that carries `silhouettes` and
            `labels`.
        labels: (rows,) the cluster of each point. Left out for a result.
        ax: The axes to draw on.

    Raises:
        SettingError: The lengths differ.
    """
    if labels is None:
        values, labels = values.silhouettes, values.labels
    each, of = np.asarray(values, dtype=np.float64).ravel(), np.asarray(labels).ravel()
    if len(each) != len(of):
        raise SettingError(f"{len(each)} silhouettes for {len(of)} labels: give one a point")
    ax = thin(axes(ax), grid="x")
    gap, start, ticks = max(1, len(each) // 60), 0, []
    clusters = np.unique(of)
    for index, cluster in enumerate(clusters):
        inside = np.sort(each[of == cluster])
        rows = np.arange(start, start + len(inside))
        ax.fill_betweenx(rows, 0, inside, color=colour(index), alpha=0.85, linewidth=0, step="mid")
        ticks.append(start + len(inside) / 2)
        start += len(inside) + gap
    ax.axvline(float(each.mean()), color=INK, linewidth=1, linestyle=(0, (4, 3)))
    ax.set_yticks(ticks, [label(cluster) for cluster in clusters])
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.set(title="Silhouette", xlabel="silhouette of a point", ylabel="cluster")
    note = f"mean {each.mean():.3f} · {count(len(each))}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax
