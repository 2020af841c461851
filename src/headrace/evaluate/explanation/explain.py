"""The front door: explain a pipeline on many rows, or its answer for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.evaluate.explanation.contributions import attribute
from headrace.evaluate.explanation.dependence import Dependence, dependence_of
from headrace.evaluate.explanation.question import (
    ask,
    canonical_rows,
    check_whole,
    sampled,
)
from headrace.evaluate.explanation.surrogate import Surrogate, surrogate_of
from headrace.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headrace.evaluate.explanation.attribution import Attribution
    from headrace.evaluate.explanation.scoring import Explained
    from headrace.model.target import Label

__all__ = ["Explanation", "explain"]

_DEPENDENCE_ROWS = 500
_SURROGATE_ROWS = 5000
_LEAST_ROWS = 50


@dataclass(frozen=True, eq=False)
class Explanation(Result):
    """Why a pipeline answers as it does.

    Attributes:
        attribution: What each raw column adds to the answers.
        dependence: How the answer goes with the columns that add most.
        surrogate: Rules that imitate the model; None with fewer than 50 rows.
    """

    attribution: Attribution
    dependence: tuple[Dependence, ...]
    surrogate: Surrogate | None

    def summary(self) -> str:
        """Answer all parts as text."""
        return "\n\n".join(part.summary() for part in self._parts())

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""
        return {
            "attribution": self.attribution.to_dict(),
            "dependence": [one.to_dict() for one in self.dependence],
            "surrogate": None if self.surrogate is None else self.surrogate.to_dict(),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what the columns add."""
        return self.attribution.plot(ax)

    def _repr_html_(self) -> str:
        return "".join(part._repr_html_() for part in self._parts())

    def _parts(self) -> list[Result]:
        return [
            self.attribution,
            *self.dependence,
            *([] if self.surrogate is None else [self.surrogate]),
        ]


def explain(
    pipe: Explained,
    data: object,
    *,
    target: str | None = None,
    label: Label | None = None,
    top: int = 3,
    depth: int = 3,
    seed: int = 0,
    **settings: Any,
) -> Attribution | Explanation:
    """Explain the answers of a pipeline in terms of its raw columns.

    Args:
        pipe: A trained pipeline with a network, or an `hr.Runtime` of one.
        data: Rows; or one row, as a dict of values or a table of one row.
        target: Which of several targets.
        label: Which class; of two the last one. One row's predicted class where none is given.
        top: How many columns have their dependence shown.
        depth: How many conditions a rule of the surrogate has at most.
        seed: The same seed gives the same answer.
        **settings: See `headrace.evaluate.attribute`.

    Returns:
        For one row its `Attribution`; for more an `Explanation`.

    Raises:
        DataError: There is no row.
        SettingError: A setting cannot be used.
    """
    check_whole("top", top, 0)
    check_whole("depth", depth, 1)
    found = attribute(pipe, data, target=target, label=label, seed=seed, **settings)
    if len(found.values) == 1:
        return found
    question = ask(pipe, target=target, label=label)
    rows = canonical_rows(question.model, data)
    some = sampled(rows, _DEPENDENCE_ROWS, seed)
    names = [one.column for one in found.effects[:top] if one.size > 0]
    shown = tuple(
        dependence_of(question, some, name, points=20, confidence=0.95, resamples=500, seed=seed)
        for name in names
    )
    tree = None
    if rows.height >= _LEAST_ROWS:
        tree = surrogate_of(question, sampled(rows, _SURROGATE_ROWS, seed), depth, seed)
    return Explanation(found, shown, tree)
