"""Pictures of what clusters are like: traits and means as heat maps, centres as a tree, shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.visualization.cells import cells
from headrace.visualization.style import (
    INK,
    MUTED,
    PALETTE,
    axes,
    by_row,
    colour,
    drawn,
    thin,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["cluster_profile", "cluster_shares", "cluster_traits", "cluster_tree"]

_MOST_COLUMNS = 24
_MOST_EFFECT = 3.0
"""Larger ones have the strongest colour too: one of 30 must not pale all others."""


@drawn
def cluster_profile(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the mean of each cluster in each column, in standard deviations from that of all rows.

    Args:
        result: A judgement of clusters: `matrix`, `labels`, `centres`, and names as `columns`.
        ax: The axes to draw on.
    """
    matrix, labels = np.asarray(result.matrix), np.asarray(result.labels)
    middle, spread = matrix.mean(axis=0), matrix.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    clusters = [int(number) for number in np.unique(labels) if number >= 0]
    means = [(matrix[labels == number].mean(axis=0) - middle) / scale for number in clusters]
    names = list(result.columns) or [f"column {n}" for n in range(matrix.shape[1])]
    return _heat(
        np.array(means),
        [f"cluster {number}" for number in clusters],
        names,
        title="Profile of the clusters",
        legend="standard deviations",
        ax=ax,
    )


@drawn
def cluster_traits(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how each cluster differs from the other rows, trait by trait.

    Args:
        result: Cards of clusters: `cards`, each with `cluster` and `traits`.
        ax: The axes to draw on.
    """
    strongest: dict[tuple[str, str | None], float] = {}
    for card in result.cards:
        for trait in card.traits:
            key = (trait.column, trait.value)
            strongest[key] = max(strongest.get(key, 0.0), abs(trait.effect))
    chosen = sorted(strongest, key=lambda key: -strongest[key])[:_MOST_COLUMNS]
    values = np.full((len(result.cards), len(chosen)), np.nan)
    for row, card in enumerate(result.cards):
        for trait in card.traits:
            if (trait.column, trait.value) in chosen:
                values[row, chosen.index((trait.column, trait.value))] = trait.effect
    return _heat(
        values,
        [f"cluster {card.cluster}" for card in result.cards],
        [name if value is None else f"{name} = {value}" for name, value in chosen],
        title="What distinguishes the clusters",
        legend="standard deviations",
        ax=ax,
    )


def _heat(
    values: NDArray[np.float64],
    rows: Sequence[str],
    names: Sequence[str],
    *,
    title: str,
    legend: str,
    ax: Axes | None,
) -> Axes:
    """Draw columns from the top down, clusters side by side."""
    order = np.argsort(-np.nan_to_num(np.abs(values)).max(axis=0, initial=0), kind="stable")
    order = np.sort(order[:_MOST_COLUMNS])
    shown, names = values[:, order].T, [names[place] for place in order]
    width = min(11.0, 3.4 + 0.85 * len(rows))
    ax = axes(ax, width=width, height=min(9.0, 1.5 + 0.32 * len(names)))
    ax.set_title(title)
    if not shown.size:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "nothing to compare", ha="center", color=MUTED, transform=ax.transAxes)
        return ax
    largest = float(np.nanmax(np.abs(shown))) if np.isfinite(shown).any() else 1.0
    most = min(_MOST_EFFECT, max(1.0, largest))
    cells(ax, shown, rows=names, columns=rows, most=most)
    ax.set_title(legend, loc="right", size=9, color=MUTED, weight="normal")
    return ax


@drawn
def cluster_tree(centres: Any, sizes: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Draw which clusters are near to each other, as a tree of their centres (Ward, 1963).

    Args:
        centres: (clusters, columns), two or more. Or a result that carries `centres` and `sizes`.
        sizes: (clusters,) rows of each, which weigh nothing but stand beside the number.
        ax: The axes to draw on.

    Raises:
        SettingError: There are fewer than two clusters.
    """
    from scipy.cluster.hierarchy import dendrogram, linkage

    if sizes is None and hasattr(centres, "centres"):
        centres, sizes = centres.centres, centres.sizes
    points = np.asarray(centres, dtype=np.float64)
    if len(points) < 2:
        raise SettingError(f"a tree of clusters needs two or more, received {len(points)}")
    counts = [""] * len(points) if sizes is None else [f" · {int(n):,}" for n in np.asarray(sizes)]
    ax = thin(axes(ax, height=min(9.0, 1.6 + 0.3 * len(points))), grid="x")
    tree = dendrogram(
        linkage(points, "ward"),
        orientation="right",
        labels=[f"{number}{count}" for number, count in enumerate(counts)],
        color_threshold=0,
        above_threshold_color=MUTED,
        ax=ax,
    )
    for text, leaf in zip(ax.get_yticklabels(), tree["leaves"], strict=True):
        text.set(color=colour(leaf), weight="bold", size=9)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set(title="Which clusters are near", xlabel="distance at which they become one (Ward)")
    return ax


@drawn
def cluster_shares(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share of rows of each cluster before and now, with its interval.

    Args:
        result: A drift of clusters: `shares`, each with `cluster`, `share_before`, `share`, `low`
            and `high`; `alarm`.
        ax: The axes to draw on.
    """
    shares = result.shares
    ax = axes(ax, height=min(9.0, 1.6 + 0.34 * len(shares)))
    places = np.arange(len(shares))
    now = np.array([one.share for one in shares])
    ends = np.array([[one.share - one.low, one.high - one.share] for one in shares]).T
    ax.errorbar(
        now, places, xerr=np.maximum(ends, 0), fmt="o", color=PALETTE[0], markersize=6,
        elinewidth=1.4, label="new rows",
    )  # fmt: skip
    before = [one.share_before for one in shares]
    ax.scatter(before, places, marker="|", s=180, color=INK, linewidth=1.8, label="training rows")
    by_row(ax, places, [f"cluster {one.cluster}" for one in shares])
    title = "Clusters drifted" if result.alarm else "Clusters as in training"
    ax.set(title=title, xlabel="share of the rows")
    ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
