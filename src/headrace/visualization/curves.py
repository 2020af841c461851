"""Pictures of training and tuning: how the loss fell by epoch, learning rate and trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from headrace.errors import SettingError
from headrace.visualization.style import FAINT, INK, MUTED, PALETTE, PAPER, axes, colour, drawn
from headrace.visualization.text import label, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

__all__ = ["learning_rates", "training_curves", "tuning"]

_WIDEST_RATIO = 30.0  # a loss that falls further than this is drawn on a logarithmic axis


@drawn
def training_curves(result: Any, ax: Axes | None = None, *, metric: str = "loss") -> Axes:
    """Draw a metric of the training and the validation rows over the epochs.

    Args:
        result: A training result with `history` and `best_epoch`, or a Keras history: a mapping
            of names to one value an epoch.
        ax: The axes to draw on.
        metric: The name of the metric in the history; its validation twin is `val_` and the name.

    Raises:
        SettingError: The history does not hold the metric.

    Example:
        >>> ax = training_curves({"loss": [0.9, 0.5, 0.4], "val_loss": [0.8, 0.6, 0.7]})
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('epoch', 'loss')
    """
    history: Mapping[str, Sequence[float]] = getattr(result, "history", result)
    if metric not in history:
        raise SettingError(f"the history holds {', '.join(history) or 'nothing'}, not {metric!r}")
    ax = axes(ax)
    lines = {"training": history[metric], "validation": history.get(f"val_{metric}", ())}
    for index, (name, values) in enumerate(lines.items()):
        if len(values):
            epochs = range(1, len(values) + 1)
            dot = "o" if len(values) == 1 else ""
            ax.plot(epochs, values, color=colour(index), marker=dot, label=name)
    judged = lines["validation"] if len(lines["validation"]) else lines["training"]
    best = getattr(result, "best_epoch", None)
    _mark_best(ax, judged, int(np.nanargmin(judged)) if best is None else best - 1)
    _logarithmic_if_steep(ax, [value for values in lines.values() for value in values])
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set(title="Training", xlabel="epoch", ylabel=label(metric))
    ax.legend(loc="upper right")
    return ax


def _mark_best(ax: Axes, values: Sequence[float], index: int) -> None:
    """A ring at the epoch whose weights were kept."""
    if not 0 <= index < len(values):
        return
    ax.plot(
        index + 1,
        values[index],
        marker="o",
        markersize=8,
        color=INK,
        markerfacecolor=PAPER,
        markeredgewidth=1.6,
        linestyle="",
        label=f"best: {number(values[index])} in epoch {index + 1}",
    )


def _logarithmic_if_steep(ax: Axes, values: list[float]) -> None:
    finite = [value for value in values if np.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) > _WIDEST_RATIO * min(finite):
        ax.set_yscale("log")


@drawn
def learning_rates(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the loss over the learning rate of a search, and mark the suggestion.

    Args:
        result: With `rates`, `losses` and `smoothed`, one each a step, and `suggestion`, a rate
            or None.
        ax: The axes to draw on.

    Example:
        >>> from types import SimpleNamespace
        >>> search = SimpleNamespace(rates=(0.01, 0.1, 1.0), losses=(0.7, 0.5, 0.9),
        ...     smoothed=(0.7, 0.5, 0.9), suggestion=0.1)
        >>> learning_rates(search).get_xscale()
        'log'
    """
    ax = axes(ax)
    ax.plot(result.rates, result.losses, color=FAINT, linewidth=1, label="each step")
    ax.plot(result.rates, result.smoothed, color=colour(0), label="smoothed")
    if result.suggestion is not None:
        text = f"suggestion: {number(result.suggestion)}"
        ax.axvline(result.suggestion, color=colour(1), linestyle="--", label=text)
    # A loss that left all bounds must not press the fall before it into a line.
    low, first = float(np.min(result.smoothed)), float(result.smoothed[0])
    if first > low:
        margin = first - low
        ax.set_ylim(low - 0.3 * margin, first + margin)
    ax.set_xscale("log")
    ax.set(title="Learning rates", xlabel="learning rate", ylabel="loss")
    ax.legend()
    return ax


@drawn
def tuning(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the value of each trial and the best one so far.

    Args:
        result: A tuning result with `trials`, each with `number`, `value` (None when it has none)
            and `state`; a result may say `direction` ("minimize" unless given) and `metric`. Or
            plain values, one a trial.
        ax: The axes to draw on.

    Raises:
        SettingError: No trial has a value.

    Example:
        >>> tuning([0.5, 0.3, 0.4]).get_xlabel()
        'trial'
    """
    numbers, values, pruned = _trials(getattr(result, "trials", result))
    if not len(values):
        raise SettingError("a picture of the tuning needs a finished trial, there is none yet")
    smaller = "max" not in str(getattr(result, "direction", "minimize")).lower()
    best = (np.minimum if smaller else np.maximum).accumulate(values)
    ax = axes(ax)
    for trial in pruned:
        ax.axvline(trial, color=FAINT, linewidth=1, ymax=0.03)
    ax.scatter(numbers, values, s=26, color=PALETTE[0], alpha=0.6, linewidth=0, label="trial")
    ax.step(numbers, best, where="post", color=PALETTE[1], label=f"best: {number(best[-1])}")
    _keep_the_best_in_sight(ax, values, smaller=smaller)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    metric = label(getattr(result, "metric", None) or "validation loss")
    ax.set(title="Tuning", xlabel="trial", ylabel=metric)
    ax.legend()
    note = f"{len(values)} finished, {len(pruned)} stopped early"
    ax.set_title(note, loc="right", size=9, color=MUTED, weight="normal")
    return ax


def _trials(trials: Sequence[Any]) -> tuple[list[int], list[float], list[int]]:
    """The numbers and values of finished trials, and the numbers of those stopped early."""
    numbers: list[int] = []
    values: list[float] = []
    pruned: list[int] = []
    for index, trial in enumerate(trials):
        place = int(getattr(trial, "number", index))
        value = getattr(trial, "value", trial if isinstance(trial, int | float) else None)
        state = str(getattr(trial, "state", "complete")).lower()
        if "prune" in state:
            pruned.append(place)
        elif value is not None and np.isfinite(value):
            numbers.append(place)
            values.append(float(value))
    return numbers, values, pruned


def _keep_the_best_in_sight(ax: Axes, values: Sequence[float], *, smaller: bool) -> None:
    """One disastrous trial must not press all others into a line."""
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    reach = 4 * float(abs(middle - (low if smaller else high)))
    if smaller and reach and high > middle + reach:
        ax.set_ylim(top=middle + reach)
    if not smaller and reach and low < middle - reach:
        ax.set_ylim(bottom=middle - reach)
