"""Pictures of the trials of a search: which settings mattered, and what several goals cost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from headrace.errors import SettingError
from headrace.visualization.style import (
    FAINT,
    INK,
    MUTED,
    PALETTE,
    PAPER,
    axes,
    by_row,
    drawn,
    panels,
    thin,
)
from headrace.visualization.text import label, number, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["pareto", "tuning_importance", "tuning_parallel", "tuning_slices"]

_MOST_SLICES = 6
_MOST_LINES = 8
_WIDE_RATIO = 20.0  # a setting that spans more than this is drawn on a logarithmic axis
_LONGEST = 22
_ABSENT = object()


@drawn
def tuning_importance(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how much each setting matters, the most important one on top.

    Args:
        result: A tuning result with `setting_importance`, a mapping of names to shares.
        ax: The axes to draw on.

    Raises:
        SettingError: Nothing is known of it.

    Example:
        >>> from types import SimpleNamespace
        >>> result = SimpleNamespace(setting_importance={"net_1__rate": 0.8, "net_1__width": 0.2})
        >>> [tick.get_text() for tick in tuning_importance(result).get_yticklabels()]
        ['net: rate', 'net: width']
    """
    shares = dict(result.setting_importance)
    if not shares:
        raise SettingError(
            "the importance of the settings needs at least 4 complete trials that differ"
        )
    names = sorted(shares, key=lambda name: -shares[name])
    ax = axes(ax, height=0.27 * len(names) + 1.3)
    places = np.arange(len(names))
    values = [shares[name] for name in names]
    ax.barh(places, values, height=0.66, color=PALETTE[0])
    for place, value in enumerate(values):
        ax.text(value, place, f" {value:.0%}", va="center", size=8, color=MUTED)
    by_row(ax, places, [_name(name) for name in names])
    ax.set_xlim(right=max(1.12 * max(values), 1e-9))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.set(title="Importance of settings", xlabel="share in what sets the best trials apart")
    return ax


@drawn
def tuning_slices(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the value of the complete trials over each setting, the most important settings first.

    Args:
        result: A tuning result with `trials`, each with `value` and `parameters`.
        ax: The axes to draw on.

    Raises:
        SettingError: No trial has a value.

    Example:
        >>> from types import SimpleNamespace
        >>> trials = [SimpleNamespace(value=v, parameters={"rate": v}) for v in (0.1, 0.2, 0.3)]
        >>> tuning_slices(SimpleNamespace(trials=trials, metric="loss")).get_title(loc="left")
        'Trials by setting'
    """
    trials = _complete(result)
    names = _ordered(result, trials)[:_MOST_SLICES]
    rows = -(-len(names) // 3)
    ax = axes(ax, width=8.4, height=2.5 * rows + 0.5)
    ax.set_title("Trials by setting")
    values = np.array([one.value for one in trials])
    low, high = _in_sight(values, result)
    best = _best_place(values, result)
    for place, (name, panel) in enumerate(zip(names, panels(ax, len(names)), strict=True)):
        scale = _Scale.of(trials, name)
        there = [n for n, one in enumerate(trials) if name in one.parameters]
        at = scale.places(spread=True)
        panel.scatter(at[there], values[there], s=20, color=PALETTE[0], alpha=0.6, linewidth=0)
        if best in there:
            panel.plot(at[best], values[best], **_RING)
        scale.mark(panel)
        panel.set_ylim(low, high)
        panel.set_xlabel(_name(name), size=9)
        if place % 3 == 0:
            panel.set_ylabel(label(result.metric), size=9)
        else:
            panel.tick_params(labelleft=False)
        panel.tick_params(labelsize=8)
    return ax


@drawn
def tuning_parallel(result: Any, ax: Axes | None = None) -> Axes:
    """Draw each complete trial as a line through its settings, coloured by its value.

    Args:
        result: A tuning result with `trials`, each with `value` and `parameters`.
        ax: The axes to draw on.

    Raises:
        SettingError: No trial has a value.

    Example:
        >>> from types import SimpleNamespace
        >>> trials = [SimpleNamespace(value=v, parameters={"rate": v, "deep": v > 0.1})
        ...     for v in (0.1, 0.2, 0.3)]
        >>> len(tuning_parallel(SimpleNamespace(trials=trials, metric="loss")).get_lines())
        5
    """
    from matplotlib import colormaps

    trials = _complete(result)
    names = _ordered(result, trials)[:_MOST_LINES]
    scales = [_Scale.of(trials, name) for name in names]
    heights = np.array([scale.shares() for scale in scales]).reshape(len(names), len(trials))
    values = np.array([one.value for one in trials])
    rank = _ranks(values, result)
    ax = axes(ax, width=8.4, height=4.2)
    for place in range(len(names)):
        ax.axvline(place, color=FAINT, linewidth=1, zorder=0)
    shades = colormaps["viridis_r"]
    for place in np.argsort(-rank):
        wins = rank[place] == 0
        ax.plot(
            range(len(names)),
            heights[:, place],
            color=PALETTE[1]
            if wins
            else shades(0.15 + 0.8 * rank[place] / max(len(trials) - 1, 1)),
            linewidth=2.4 if wins else 1,
            alpha=1 if wins else 0.5,
            zorder=3 if wins else 2,
        )
    for place, scale in enumerate(scales):
        for height, text in scale.labels():
            ax.annotate(
                text, (place, height), xytext=(4, 0), textcoords="offset points",
                size=7.5, color=INK, va="center", zorder=4,
                bbox={"facecolor": PAPER, "alpha": 0.7, "linewidth": 0, "pad": 0.6},
            )  # fmt: skip
    ax.set_xticks(range(len(names)), [_name(name).replace(": ", ":\n") for name in names], size=8)
    ax.set(xlim=(-0.15, max(len(names) - 0.3, 0.5)), ylim=(-0.06, 1.06), yticks=[])
    thin(ax, grid=None).spines["left"].set_visible(False)
    ax.set_title("Trials through their settings")
    said = f"{label(result.metric)} {number(float(values[rank == 0][0]))}"
    note = f"orange: the best, {said} · yellow to violet: best to worst"
    ax.set_title(note, loc="right", size=8, color=MUTED, weight="normal")
    return ax


@drawn
def pareto(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the trials by two goals, the front of those that no other one beats, and the choice.

    Args:
        result: A tuning result with `goals`, `trials` and `front`, each trial with `values` and
            its `number`, and `best`, the chosen one.
        ax: The axes to draw on.

    Raises:
        SettingError: There is one goal only, or no trial has values.

    Example:
        >>> from headrace.tune.front import Goal
        >>> from headrace.tune.result import Trial, TuneResult
        >>> trials = tuple(Trial(n, "complete", v, {}, 1.0, further=(w,))
        ...     for n, (v, w) in enumerate([(0.90, 1.0), (0.95, 3.0)]))
        >>> result = TuneResult("roc_auc", True, trials, 2.0, further=(Goal("latency", unit="ms"),))
        >>> ax = pareto(result)
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('latency in ms', 'roc auc')
    """
    if len(result.goals) < 2:
        raise SettingError("a front needs two objectives, such as objectives=('loss', 'latency')")
    front = result.front
    if not front:
        raise SettingError("a picture of the front needs a finished trial, there is none yet")
    score, cost = result.goals[:2]
    ax = axes(ax)
    all_values = np.array([one.values[:2] for one in result.trials if one.values])
    line = np.array([one.values[:2] for one in front])
    ax.scatter(
        all_values[:, 1], all_values[:, 0], s=22, color=FAINT, linewidth=0, label="other trials"
    )
    for one in front:
        if one.score is not None and len(one.score) == 3 and _same(one.score[0], one.values[0]):
            ax.plot([one.values[1]] * 2, one.score[1:], color=PALETTE[0], alpha=0.35, linewidth=1)
    ax.step(line[:, 1], line[:, 0], where="pre", color=PALETTE[0], linewidth=1, alpha=0.6, zorder=1)
    ax.scatter(line[:, 1], line[:, 0], s=34, color=PALETTE[0], label="front", zorder=3)
    for one in _apart(front, all_values):
        ax.annotate(
            str(one.number), (one.values[1], one.values[0]), xytext=(5, 4),
            textcoords="offset points", size=8, color=MUTED,
        )  # fmt: skip
    chosen = result.best
    if chosen is not None:
        text = f"chosen: trial {chosen.number}"
        ax.plot(chosen.values[1], chosen.values[0], **_RING, label=text, zorder=4)
    if line[:, 1].min() > 0 and line[:, 1].max() > _WIDE_RATIO * line[:, 1].min():
        _logarithmic(ax)
    low, high = _in_sight(all_values[:, 0], result)
    ax.set_ylim(low, high)
    unit = f" in {cost.unit}" if cost.unit else ""
    ax.set(
        title="Front of two goals", xlabel=f"{_words(cost.name)}{unit}", ylabel=_words(score.name)
    )
    ax.legend(loc="best")
    return ax


_RING: dict[str, Any] = {
    "marker": "o",
    "markersize": 9,
    "color": INK,
    "markerfacecolor": "none",
    "markeredgewidth": 1.6,
    "linestyle": "",
}


class _Scale(NamedTuple):
    """Where the values of one setting are drawn: numbers by size, others side by side."""

    values: list[Any]  # _ABSENT where a trial has not the setting
    options: list[str]  # empty for numbers
    logarithmic: bool

    @classmethod
    def of(cls, trials: Sequence[Any], name: str) -> _Scale:
        values = [one.parameters.get(name, _ABSENT) for one in trials]
        known = [value for value in values if value is not _ABSENT]
        numbers = [one for one in known if isinstance(one, int | float)]
        if len(numbers) < len(known) or any(isinstance(one, bool) for one in known):
            return cls(values, sorted({_option(one) for one in known}), logarithmic=False)
        low, high = min(numbers), max(numbers)
        return cls(values, [], logarithmic=low > 0 and high > _WIDE_RATIO * low)

    def places(self, *, spread: bool = False) -> NDArray[np.float64]:
        """Answer where each value lies; NaN where a trial has none."""
        at = np.array([np.nan if one is _ABSENT else self._place(one) for one in self.values])
        if not (self.options and spread):
            return at
        # Golden-ratio steps keep points with the same option apart, the same way each time.
        return np.asarray(at + (np.arange(len(at)) * 0.618 % 1 - 0.5) * 0.4)

    def _place(self, value: Any) -> float:
        return float(self.options.index(_option(value)) if self.options else value)

    def shares(self) -> NDArray[np.float64]:
        """Answer the places from 0 to 1."""
        at = np.log(self.places()) if self.logarithmic else self.places()
        low, high = np.nanmin(at), np.nanmax(at)
        return np.asarray((at - low) / (high - low) if high > low else at * 0 + 0.5)

    def mark(self, ax: Axes) -> None:
        """Name what is along the axis."""
        if self.options:
            shown = [label(one, longest=18) for one in self.options]
            turned = 25 if len(shown) > 2 else 0
            ax.set_xticks(
                range(len(shown)), shown, rotation=turned, ha="right" if turned else "center"
            )
            ax.set_xlim(-0.6, len(shown) - 0.4)
        elif self.logarithmic:
            _logarithmic(ax)
        else:
            ax.xaxis.set_major_locator(MaxNLocator(5))
            ax.xaxis.set_major_formatter(short)

    def labels(self) -> list[tuple[float, str]]:
        """Answer what stands where on a line from 0 to 1."""
        known = [one for one in self.values if one is not _ABSENT]
        if self.options:
            last = max(len(self.options) - 1, 1)
            return [(n / last, label(one, longest=18)) for n, one in enumerate(self.options)]
        if min(known) == max(known):
            return [(0.5, number(float(known[0])))]
        return [(0.0, number(float(min(known)))), (1.0, number(float(max(known))))]


def _complete(result: Any) -> list[Any]:
    found = [one for one in result.trials if one.value is not None and np.isfinite(one.value)]
    if not found:
        raise SettingError("a picture of the tuning needs a finished trial, there is none yet")
    return found


def _ordered(result: Any, trials: Sequence[Any]) -> list[str]:
    """The settings that vary, the most important first."""
    shares = dict(getattr(result, "setting_importance", None) or {})
    names = dict.fromkeys(name for one in trials for name in one.parameters)
    varied = [
        name for name in names if len({_option(one.parameters.get(name)) for one in trials}) > 1
    ]
    return sorted(varied or list(names), key=lambda name: -shares.get(name, 0.0))


def _ranks(values: NDArray[np.float64], result: Any) -> NDArray[np.intp]:
    """0 for the best."""
    worse = values if _smaller(result) else -values
    return np.argsort(np.argsort(worse, kind="stable"), kind="stable")


def _best_place(values: NDArray[np.float64], result: Any) -> int:
    return int(np.argmin(_ranks(values, result)))


def _smaller(result: Any) -> bool:
    return "max" not in str(getattr(result, "direction", "minimize")).lower()


def _in_sight(values: NDArray[np.float64], result: Any) -> tuple[float, float]:
    """The range that is drawn: a few disastrous trials must not press all others into a line."""
    low, middle, high = (float(one) for one in np.quantile(values, [0, 0.5, 1]))
    smaller = _smaller(result)
    reach = 4 * abs(middle - (low if smaller else high))
    if reach and smaller:
        high = min(high, middle + reach)
    elif reach:
        low = max(low, middle - reach)
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def _logarithmic(ax: Axes) -> None:
    """A logarithmic axis with few, plain numbers."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=6))
    ax.xaxis.set_major_formatter(short)
    ax.xaxis.set_minor_formatter(NullFormatter())


def _apart(front: Sequence[Any], values: NDArray[np.float64]) -> list[Any]:
    """The trials of the front whose numbers do not lie over each other."""
    width = np.ptp(values, axis=0) + 1e-12
    shown: list[Any] = []
    for one in front:
        place = np.array(one.values[:2]) / width
        if all(np.abs(place - np.array(other.values[:2]) / width).max() > 0.05 for other in shown):
            shown.append(one)
    return shown


def _same(first: float, second: float) -> bool:
    return bool(np.isclose(first, second, rtol=1e-3))


def _name(setting: str) -> str:
    """Answer a setting as a reader names it: `network_4__settings__bins` is "network: bins"."""
    step, *rest = setting.split("__")
    step = re.sub(r"_\d+$", "", step)
    return label(f"{step}: {rest[-1]}" if rest else step, longest=_LONGEST)


def _option(value: Any) -> str:
    """Answer an option as a reader names it: steps by the names of their classes."""
    text = str(value)
    steps = re.findall(r"\b([A-Z]\w*)\(", text)
    return " + ".join(steps) if steps else text


def _words(name: str) -> str:
    return label(name.replace("_", " "))
