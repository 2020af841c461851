"""What tuning answers: every trial, the best settings, and whether they were worth keeping."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from headrace.evaluate.table import figure, html_list, html_table, text_table
from headrace.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from headrace.evaluate.comparison import Comparison

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
    """

    number: int
    state: State
    value: float | None
    parameters: Mapping[str, Any]
    seconds: float
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Answer the trial as plain values that JSON can hold."""
        return {
            "number": self.number,
            "state": self.state,
            "value": self.value,
            "parameters": {name: _plain(value) for name, value in self.parameters.items()},
            "seconds": self.seconds,
            "note": self.note,
        }


@dataclass(frozen=True, eq=False)
class TuneResult(Result):
    """What a search for better settings found.

    Attributes:
        metric: What was searched by.
        higher_is_better: Whether a larger value is a better one.
        trials: Every finished trial of the study, in order; earlier sessions included.
        seconds: How long this session took, in seconds.
        storage: The file that holds the study, if any.
        comparison: How the best settings do against the ones before, on rows that the search has
            not seen.
        kept: Whether the best settings took the place of the ones before; None if that was not
            asked.
        notes: What else should be known.
    """

    metric: str
    higher_is_better: bool
    trials: tuple[Trial, ...]
    seconds: float
    storage: str | None = None
    comparison: Comparison | None = None
    kept: bool | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def best(self) -> Trial | None:
        """The trial with the best value; None when no trial is complete."""
        complete = [one for one in self.trials if one.value is not None]
        if not complete:
            return None
        sign = -1 if self.higher_is_better else 1
        return min(complete, key=lambda one: (sign * (one.value or 0.0), one.number))

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings of the best trial; empty when no trial is complete."""
        return dict(self.best.parameters) if self.best else {}

    @property
    def direction(self) -> str:
        """Which way is better, "maximize" or "minimize", in Optuna's words."""
        return "maximize" if self.higher_is_better else "minimize"

    def summary(self) -> str:
        """Answer the best trials, the best settings and the verdict."""
        parts = [self._title(), text_table(*self._best_trials())]
        if self.best:
            rows = [[name, _shown(value)] for name, value in self.parameters.items()]
            parts += [text_table(["best settings", "value"], rows)]
        return "\n\n".join([*parts, "\n".join(self._sentences())]).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""
        return {
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "trials": [one.to_dict() for one in self.trials],
            "best": self.best.to_dict() if self.best else None,
            "seconds": self.seconds,
            "storage": self.storage,
            "comparison": self.comparison.to_dict() if self.comparison else None,
            "kept": self.kept,
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the value of each trial and the best one so far."""
        from headrace import visualization

        return visualization.tuning(self, ax=ax)

    def _repr_html_(self) -> str:
        header, rows = self._best_trials()
        parts = [html_table(header, rows, caption=self._title())]
        if self.best:
            settings = [[name, _shown(value)] for name, value in self.parameters.items()]
            parts += [html_table(["best settings", "value"], settings)]
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
        header = ["trial", self.metric, "seconds", "state", ""]
        rows = [
            [
                str(one.number),
                figure(math.nan if one.value is None else one.value),
                f"{one.seconds:,.1f}",
                one.state,
                one.note,
            ]
            for one in ordered[:_SHOWN]
        ]
        return header, rows

    def _sentences(self) -> list[str]:
        lines = []
        hidden = len(self.trials) - _SHOWN
        lines += [f"{hidden} more trials are not shown."] if hidden > 0 else []
        lines += [] if self.best else ["No trial is complete: there are no best settings."]
        if self.comparison:
            lines.append(self.comparison.summary("the settings before"))
        if self.kept is not None:
            lines.append("The new settings are kept." if self.kept else "The old settings stay.")
        lines += [f"The study is in {self.storage}."] if self.storage else []
        return [*lines, *self.notes]


def _shown(value: Any) -> str:
    return figure(value) if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)
