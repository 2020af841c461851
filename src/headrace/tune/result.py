"""What tuning answers: every trial, the best settings, and whether they were worth keeping."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table
from headrace.tune.front import Goal, pareto_front

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from headrace.evaluate.comparison import Comparison
    from headrace.tune.honest import HonestEstimate

__all__ = ["State", "Trial", "TuneResult"]

State: TypeAlias = Literal["complete", "pruned", "failed"]
"""How a trial ended: with a value, stopped early because others do better, or with an error."""

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice of settings that was tried.

    Attributes:
        number: The number of the trial in its study, from 0.
        state: "complete", "pruned" or "failed".
        value: The value that was reached; None unless the trial is complete.
        parameters: The settings that were tried.
        seconds: How long it took, in seconds.
        note: What else happened, or "".
        further: The values of further goals.
        score: The reported metric on the validation rows with the ends of its interval, if known.
        epochs: How many epochs told their loss.
    """

    number: int
    state: State
    value: float | None
    parameters: Mapping[str, Any]
    seconds: float
    note: str = ""
    further: tuple[float, ...] = ()
    score: tuple[float, ...] | None = None
    epochs: int = 0

    @property
    def values(self) -> tuple[float, ...]:
        """The values of all goals; empty unless the trial is complete."""
        return () if self.value is None else (self.value, *self.further)

    def to_dict(self) -> dict[str, Any]:
        """Answer the trial as plain values that JSON can hold."""
        return {
            "number": self.number,
            "state": self.state,
            "value": self.value,
            "parameters": {name: _plain(value) for name, value in self.parameters.items()},
            "seconds": self.seconds,
            "note": self.note,
            "further": list(self.further),
            "score": None if self.score is None else list(self.score),
            "epochs": self.epochs,
        }


@dataclass(frozen=True, eq=False)
class TuneResult(Result):
    """What a search for better settings found.

    Attributes:
        metric: What was searched by: the name of the first goal.
        higher_is_better: Whether a larger value is a better one.
        trials: Every finished trial of the study, in order; earlier sessions included.
        seconds: How long this session took, in seconds, training at the end included.
        storage: The file that holds the study, if any.
        comparison: How the best settings do against the ones before, on rows that the search has
            not seen.
        kept: Whether the best settings took the place of the ones before; None if that was not
            asked.
        notes: What else should be known.
        further: The other goals that were searched by.
        setting_importance: The share that each setting has in the good trials, the greatest first.
        estimate: What the chosen settings are worth, without the luck of being chosen.
        chosen: The number of the chosen trial, where another one than the best in the first goal
            may be; None for that.
        reason: Why that one was chosen, or "".
    """

    metric: str
    higher_is_better: bool
    trials: tuple[Trial, ...]
    seconds: float
    storage: str | None = None
    comparison: Comparison | None = None
    kept: bool | None = None
    notes: tuple[str, ...] = field(default=())
    further: tuple[Goal, ...] = ()
    setting_importance: Mapping[str, float] = field(default_factory=dict)
    estimate: HonestEstimate | None = None
    chosen: int | None = None
    reason: str = ""

    @property
    def goals(self) -> tuple[Goal, ...]:
        """All that was searched by."""
        return (Goal(self.metric, self.higher_is_better), *self.further)

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials that no other one beats in all goals, the best in the first goal first."""
        return pareto_front(self.trials, self.goals)

    @property
    def best(self) -> Trial | None:
        """The chosen trial, or that with the best value; None when no trial is complete."""
        complete = [one for one in self.trials if one.value is not None]
        if not complete:
            return None
        if self.chosen is not None:
            return next((one for one in complete if one.number == self.chosen), None)
        sign = -1 if self.higher_is_better else 1
        return min(complete, key=lambda one: (sign * (one.value or 0.0), one.number))

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings of the best trial; empty when no trial is complete.

        A step that was chosen in the place of another one is named by its code.
        """
        return dict(self.best.parameters) if self.best else {}

    @property
    def direction(self) -> str:
        """Which way is better, "maximize" or "minimize", in Optuna's words."""
        return "maximize" if self.higher_is_better else "minimize"

    def summary(self) -> str:
        """Answer the best trials, the best settings with their importance, and the verdict."""
        parts = [self._title(), text_table(*self._best_trials())]
        if self.best:
            parts += [text_table(*self._settings())]
        return "\n\n".join([*parts, "\n".join(self._sentences())]).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""
        return {
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "further": [asdict(goal) for goal in self.further],
            "trials": [one.to_dict() for one in self.trials],
            "best": self.best.to_dict() if self.best else None,
            "front": [one.number for one in self.front] if self.further else [],
            "chosen": self.chosen,
            "reason": self.reason,
            "seconds": self.seconds,
            "storage": self.storage,
            "importance": dict(self.setting_importance),
            "estimate": self.estimate.to_dict() if self.estimate else None,
            "comparison": self.comparison.to_dict() if self.comparison else None,
            "kept": self.kept,
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the value of each trial and the best one so far; of several goals their front."""
        from headrace import visualization

        if self.further:
            return visualization.pareto(self, ax=ax)
        return visualization.tuning(self, ax=ax)

    def plot_history(self, ax: Axes | None = None) -> Axes:
        """Draw the value of each trial, in the first of several goals, and the best one so far."""
        from headrace import visualization

        return visualization.tuning(self, ax=ax)

    def plot_importance(self, ax: Axes | None = None) -> Axes:
        """Draw how much each setting matters."""
        from headrace import visualization

        return visualization.tuning_importance(self, ax=ax)

    def plot_slices(self, ax: Axes | None = None) -> Axes:
        """Draw the value of the trials over each setting, the most important first."""
        from headrace import visualization

        return visualization.tuning_slices(self, ax=ax)

    def plot_parallel(self, ax: Axes | None = None) -> Axes:
        """Draw each trial as a line through its settings."""
        from headrace import visualization

        return visualization.tuning_parallel(self, ax=ax)

    def _repr_html_(self) -> str:
        header, rows = self._best_trials()
        parts = [html_table(header, rows, caption=self._title())]
        if self.best:
            parts += [html_table(*self._settings())]
        return "".join([*parts, html_list(self._sentences())])

    def _title(self) -> str:
        counts = [
            f"{sum(one.state == state for one in self.trials)} {state}"
            for state in ("complete", "pruned", "failed")
        ]
        return f"{len(self.trials)} trials ({', '.join(counts)}) in {self.seconds:,.0f} s"

    def _best_trials(self) -> tuple[list[str], list[list[str]]]:
        sign = -1 if self.higher_is_better else 1
        ordered = sorted(
            self.trials,
            key=lambda one: (sign * one.value if one.value is not None else math.inf, one.number),
        )
        front = {one.number for one in self.front} if self.further else set()
        names = [f"{goal.name}, {goal.unit}" if goal.unit else goal.name for goal in self.goals]
        header = ["trial", *names, "seconds", "epochs", "state", ""]
        return header, [self._row(one, front) for one in ordered[:_SHOWN]]

    def _row(self, trial: Trial, front: set[int]) -> list[str]:
        values = [*trial.values, *[math.nan] * len(self.goals)][: len(self.goals)]
        remarks = ["on the front"] if trial.number in front else []
        remarks += ["chosen"] if self.further and trial is self.best else []
        return [
            str(trial.number),
            *map(figure, values),
            f"{trial.seconds:,.1f}",
            str(trial.epochs) if trial.epochs else "–",
            trial.state,
            "; ".join([*remarks, trial.note] if trial.note else remarks),
        ]

    def _settings(self) -> tuple[list[str], list[list[str]]]:
        if not self.setting_importance:
            rows = [[name, _shown(value)] for name, value in self.parameters.items()]
            return ["best settings", "value"], rows
        shares = {name: self.setting_importance.get(name) for name in self.parameters}
        ordered = sorted(self.parameters, key=lambda name: -(shares[name] or 0.0))
        rows = [[name, _shown(self.parameters[name]), _share(shares[name])] for name in ordered]
        return ["best settings", "value", "importance"], rows

    def _sentences(self) -> list[str]:
        lines = []
        hidden = len(self.trials) - _SHOWN
        lines += [f"{hidden} more trials are not shown."] if hidden > 0 else []
        lines += [] if self.best else ["No trial is complete: there are no best settings."]
        lines += [self.reason] if self.reason else []
        lines += [self.estimate.summary()] if self.estimate else []
        if self.comparison:
            lines.append(self.comparison.summary("the settings before"))
        if self.kept is not None:
            lines.append("The new settings are kept." if self.kept else "The old settings stay.")
        lines += [f"The study is in {self.storage}."] if self.storage else []
        return [*lines, *self.notes]


def _shown(value: Any) -> str:
    return figure(value) if isinstance(value, float) else str(value)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
