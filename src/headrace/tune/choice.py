"""Which trial is taken where there are several goals, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError, nearest
from headrace.evaluate.comparison import compare
from headrace.table import figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.metrics.measure import Measure
    from headrace.model.target import TargetSpec
    from headrace.tune.front import Goal
    from headrace.tune.result import Trial, TuneResult

__all__ = ["BALANCED", "Validation", "check_choice", "chosen_trial"]

BALANCED = "balanced"
"""The quickest of those that the validation rows cannot tell from the best one."""


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation rows as metrics read them, and what trials say of them.

    Attributes:
        y_true: (rows,) class index, or the target in its own units.
        outputs: By the number of the trial, (rows,) or (rows, classes).
        measure: The metric that is nearest to what is searched by.
        spec: What is predicted.
    """

    y_true: NDArray[Any]
    outputs: Mapping[int, NDArray[Any]]
    measure: Measure
    spec: TargetSpec

    def is_worse(self, number: int, best: int, seed: int = 0) -> bool:
        """Answer whether a trial is worse than another one for sure (paired bootstrap)."""
        if number not in self.outputs or best not in self.outputs:
            return True
        found = compare(
            self.y_true,
            self.outputs[number],
            self.outputs[best],
            task=self.spec.task,
            metric=self.measure,
            seed=seed,
        )
        return found.verdict == "worse"


def check_choice(choose: str | int, goals: Sequence[Goal]) -> None:
    """Refuse a choice that means nothing.

    Raises:
        SettingError: It is neither "balanced", an objective nor the number of a trial.
    """
    if isinstance(choose, int) and not isinstance(choose, bool):
        return
    known = [BALANCED, *(goal.name for goal in goals)]
    if choose not in known:
        close = nearest(str(choose), known)
        hint = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(
            f"choose must be {', '.join(map(repr, known))} or the number of a trial, "
            f"received {choose!r}{hint}"
        )


def chosen_trial(
    found: TuneResult, choose: str | int, validation: Validation
) -> tuple[int | None, str]:
    """Answer the number of the trial that is taken, and the reason as a sentence.

    Args:
        found: With complete trials.
        choose: "balanced", the name of an objective, or the number of a trial.
        validation: What the trials say of the validation rows.

    Raises:
        SettingError: The study has no complete trial of this number.
    """
    if isinstance(choose, int):
        return _of_number(found, choose)
    if not found.further:
        return None, ""
    front = found.front
    if choose != BALANCED:
        place = [goal.name for goal in found.goals].index(choose)
        sign = -1 if found.goals[place].higher_is_better else 1
        best = min(front, key=lambda one: sign * one.values[place])
        return best.number, f"Trial {best.number} was chosen: it has the best {choose}."
    return _balanced(found, front, validation)


def _of_number(found: TuneResult, number: int) -> tuple[int, str]:
    complete = [one.number for one in found.trials if one.value is not None]
    if number not in complete:
        raise SettingError(
            f"choose={number}: the study has no complete trial of this number; "
            f"complete are {', '.join(map(str, complete))}"
        )
    return number, f"Trial {number} was asked for."


def _balanced(found: TuneResult, front: Sequence[Trial], validation: Validation) -> tuple[int, str]:
    best = front[0]
    level = [
        one for one in front if one is best or not validation.is_worse(one.number, best.number)
    ]
    goal = found.further[0]
    sign = -1 if goal.higher_is_better else 1
    taken = min(level, key=lambda one: (sign * one.further[0], one.number))
    unit = f" {goal.unit}" if goal.unit else ""
    said = f"{found.metric} {figure(taken.values[0])}, {goal.name} {figure(taken.further[0])}{unit}"
    if len(level) == 1:
        rest = "; all others are worse for sure" if len(front) > 1 else ", which beats all others"
        return (
            taken.number,
            f"Trial {taken.number} was chosen ({said}): it has the best score{rest}.",
        )
    against = f"{figure(best.values[0])} in trial {best.number}"
    return taken.number, (
        f"Trial {taken.number} was chosen ({said}): it has the best {goal.name} of the "
        f"{len(level)} on the front that the validation rows cannot tell from the best score "
        f"({against}). choose=... takes another one."
    )
