"""Pictures of a classifier: what it confuses, how it ranks, whether its probabilities are true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from headrace.visualization.answers import class_scores, predicted_classes
from headrace.visualization.style import (
    FAINT,
    INK,
    MUTED,
    PALETTE,
    axes,
    colour,
    drawn,
    thin,
)
from headrace.visualization.text import count, label

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.visualization.answers import Answered

    Curve = tuple[NDArray[np.float64], NDArray[np.float64], float]

__all__ = ["calibration", "confusion", "precision_recall", "roc"]

_MOST_NUMBERED = 12  # classes whose cells still have room for figures
_MOST_CURVES = 6
_CURVE_POINTS = 400
_BINS = 10


@drawn
def confusion(result: Answered, ax: Axes | None = None) -> Axes:
    """Draw how often each true class was taken for each class.

    A cell shows the rows and, as its strength, their share of the true class; the diagonal is
    right, the rest is wrong.

    Args:
        result: An evaluation of a classification, or `Answers`.
        ax: The axes to draw on.
    """
    y_true, scores = class_scores(result)
    number = len(result.classes)
    cells = np.zeros((number, number), dtype=np.int64)
    threshold = getattr(result, "threshold", 0.5)
    np.add.at(cells, (y_true, predicted_classes(scores, threshold)), 1)
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(1.6 + 0.75 * number, 3.6, 7.5))
    ax = thin(axes(ax, width=side + 0.6, height=side), grid=None)
    for row, column in np.ndindex(number, number):
        _cell(ax, row, column, int(cells[row, column]), shares[row, column], numbered=number)
    names = [label(name, longest=14) for name in result.classes]
    turned = number > _MOST_NUMBERED or max(map(len, names)) * number > 40
    ax.set_xticks(range(number), names, rotation=90 if turned else 0)
    ax.set_yticks(range(number), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-0.5, number - 0.5), ylim=(number - 0.5, -0.5), aspect="equal")
    ax.set(title="Confusion", xlabel="predicted class", ylabel="true class")
    return ax


def _cell(ax: Axes, row: int, column: int, rows: int, share: float, *, numbered: int) -> None:
    face = PALETTE[0] if row == column else PALETTE[1]
    box = Rectangle(
        (column - 0.48, row - 0.48), 0.96, 0.96, facecolor=face, alpha=0.06 + 0.7 * share
    )
    ax.add_patch(box)
    if numbered > _MOST_NUMBERED:
        return
    size = 10 if numbered <= 6 else 7
    ax.text(column, row - 0.06, f"{rows:,}", ha="center", va="bottom", color=INK, size=size)
    ax.text(column, row + 0.06, f"{share:.0%}", ha="center", va="top", color=INK, size=size - 1.5)


@drawn
def roc(result: Answered, ax: Axes | None = None) -> Axes:
    """Draw the share of positive rows found against the share of false alarms.

    With more than two classes there is one curve for each class against the rest, for the most
    frequent ones.

    Args:
        result: An evaluation of a classification, or `Answers`.
        ax: The axes to draw on.
    """
    ax = axes(ax, width=4.8, height=4.4)
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    _curves(ax, result, _roc_curve, "area")
    ax.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.legend(loc="lower right")
    return ax


@drawn
def precision_recall(result: Answered, ax: Axes | None = None) -> Axes:
    """Draw how pure the found rows are against the share of positive rows that is found.

    Args:
        result: An evaluation of a classification, or `Answers`.
        ax: The axes to draw on.
    """
    ax = axes(ax, width=4.8, height=4.4)
    _curves(ax, result, _precision_recall_curve, "average precision")
    ax.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.legend(loc="lower left")
    return ax


def _curves(
    ax: Axes,
    result: Answered,
    curve: Callable[[NDArray[np.bool_], NDArray[np.float64]], Curve],
    what: str,
) -> None:
    y_true, scores = class_scores(result)
    for index, chosen in enumerate(_shown_classes(y_true, len(result.classes))):
        x, y, area = curve(y_true == chosen, scores[:, chosen])
        text = f"{label(result.classes[chosen], longest=18)} · {what} {area:.3f}"
        ax.plot(*_fewer(x, y), color=colour(index), label=text)


def _shown_classes(y_true: NDArray[np.intp], number: int) -> list[int]:
    """The last class of two; else the most frequent classes, in their own order."""
    if number == 2:
        return [1]
    frequent = np.argsort(-np.bincount(y_true, minlength=number), kind="stable")[:_MOST_CURVES]
    return sorted(int(index) for index in frequent)


def _steps(
    positive: NDArray[np.bool_], score: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True and false positives as rows are taken from the highest score down, ties at once."""
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, [True])
    true = np.cumsum(positive[order])[last_of_tie]
    false = np.cumsum(~positive[order])[last_of_tie]
    return true.astype(np.float64), false.astype(np.float64)


def _roc_curve(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> Curve:
    true, false = _steps(positive, score)
    y = np.append(0.0, true / max(true[-1], 1))
    x = np.append(0.0, false / max(false[-1], 1))
    return x, y, float(np.trapezoid(y, x))


def _precision_recall_curve(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> Curve:
    true, false = _steps(positive, score)
    precision = true / (true + false)
    recall = true / max(true[-1], 1)
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return np.append(0.0, recall), np.append(precision[0], precision), area


def _fewer(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points that are evenly spaced along the curve: enough for the eye."""
    if len(x) <= _CURVE_POINTS:
        return x, y
    along = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    chosen = np.unique(np.searchsorted(along, np.linspace(0, along[-1], _CURVE_POINTS)))
    return x[chosen], y[chosen]


@drawn
def calibration(result: Answered, ax: Axes | None = None) -> Axes:
    """Draw how often rows of a stated probability really are of the class.

    The rows are put in bins of equal size; each point has the Wilson interval (1927) of its
    observed share at 95 %. Two classes: the probability of the last class. More: the probability
    of the predicted class.

    Args:
        result: An evaluation of a classification, or `Answers`.
        ax: The axes to draw on.
    """
    y_true, scores = class_scores(result)
    if scores.shape[1] == 2:
        stated, hit, of = scores[:, 1], y_true == 1, label(result.classes[1], longest=18)
    else:
        stated, hit, of = scores.max(axis=1), y_true == predicted_classes(scores), "predicted class"
    x, y, low, high = _reliability(stated, hit)
    ax = axes(ax, width=4.8, height=4.4)
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    ax.vlines(x, low, high, color=PALETTE[0], alpha=0.35, linewidth=4)
    ax.plot(x, y, color=PALETTE[0], marker="o", markersize=5)
    _mass(ax, stated)
    ax.set(title="Calibration", xlabel=f"stated probability of {of}", ylabel="observed share")
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.06, 1.01), aspect="equal")
    error = float(np.mean(np.abs(y - x)))
    note = f"mean gap {error:.3f} · {count(len(y_true))}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


def _reliability(
    stated: NDArray[np.float64], hit: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], ...]:
    """Mean stated probability, observed share and its interval for bins with equally many rows."""
    order = np.argsort(stated, kind="stable")
    parts = [part for part in np.array_split(order, min(_BINS, len(order))) if len(part)]
    rows = np.array([len(part) for part in parts], dtype=np.float64)
    x = np.array([stated[part].mean() for part in parts])
    y = np.array([hit[part].mean() for part in parts])
    z = 1.959964  # the normal quantile of a two-sided 95 %
    middle = (y + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * np.sqrt(y * (1 - y) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    return x, y, middle - half, middle + half


def _mass(ax: Axes, stated: NDArray[np.float64]) -> None:
    """Where the rows are: small bars along the lower edge."""
    heights, edges = np.histogram(stated, bins=40, range=(0, 1))
    tall = 0.12 * heights / max(heights.max(), 1)
    ax.bar(edges[:-1], tall, np.diff(edges), bottom=-0.06, align="edge", color=MUTED, alpha=0.35)
