"""Pictures of a regression: where its errors are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.visualization.answers import regression_values
from headrace.visualization.style import INK, MUTED, PALETTE, axes, drawn
from headrace.visualization.text import count, number, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.visualization.answers import Answered

__all__ = ["residuals"]

_MOST_POINTS = 4_000
_BINS = 12


@drawn
def residuals(result: Answered, ax: Axes | None = None) -> Axes:
    """Draw the errors (true minus predicted) against the predictions.

    The line is the median error of rows with similar predictions, the band holds the middle 80 %
    of them: a line off zero is bias, a widening band is an error that grows with the value.

    Args:
        result: An evaluation of a regression, or `Answers` without classes.
        ax: The axes to draw on.
    """
    y_true, predicted = regression_values(result)
    error = y_true - predicted
    ax = axes(ax)
    shown = _some(len(error))
    ax.scatter(
        predicted[shown],
        error[shown],
        s=9,
        color=PALETTE[0],
        alpha=0.25,
        linewidth=0,
        rasterized=True,
    )
    ax.axhline(0, color=INK, linewidth=1)
    x, low, middle, high = _running(predicted, error)
    ax.fill_between(x, low, high, color=PALETTE[1], alpha=0.18, linewidth=0, label="middle 80 %")
    ax.plot(x, middle, color=PALETTE[1], label="median")
    ax.xaxis.set_major_formatter(short)
    ax.yaxis.set_major_formatter(short)
    # The outermost 0.2 % of the errors would press the rest together.
    reach = float(np.quantile(np.abs(error), 0.998)) or 1.0
    ax.set_ylim(-1.15 * reach, 1.15 * reach)
    ax.set(title="Residuals", xlabel="predicted", ylabel="true minus predicted")
    ax.legend(loc="lower left", ncols=2)
    rmse = float(np.sqrt(np.mean(error**2)))
    hidden = f", {count(len(shown))} drawn" if len(shown) < len(error) else ""
    note = f"RMSE {number(rmse)} · {count(len(error))}{hidden}"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


def _some(rows: int) -> NDArray[np.intp]:
    """Rows to draw: all of them, or as many as the eye can tell apart, always the same ones."""
    if rows <= _MOST_POINTS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, _MOST_POINTS, replace=False))


def _running(
    predicted: NDArray[np.float64], error: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Quantiles of the error in bins with equally many rows along the prediction."""
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, int(np.clip(len(order) // 20, 1, _BINS)))
    x = np.array([np.median(predicted[part]) for part in parts])
    low, middle, high = np.array([np.quantile(error[part], [0.1, 0.5, 0.9]) for part in parts]).T
    return x, low, middle, high
