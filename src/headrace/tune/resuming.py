"""Trials that were cut off: ended for good, and their settings put in line again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.tune.space import active

if TYPE_CHECKING:
    from collections.abc import Mapping

    import optuna

    from headrace.tune.space import Space

__all__ = ["ERROR", "give_up", "is_finished", "is_known", "recover", "was_given_up"]

ERROR = "error"
"""Where a trial keeps what it died of."""

_AGAIN = "again"
_FIXED = "fixed_params"
_MOST_DEATHS = 5
"""Machines are taken away now and then; settings for which there is too little memory end every
process that tries them."""


def recover(study: optuna.Study, space: Space) -> None:
    """End the trials of a process that is gone, and put their settings in line again."""
    import optuna

    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        give_up(study, trial, space, deaths=trial.user_attrs.get(_AGAIN, 0) + 1)


def give_up(
    study: optuna.Study,
    trial: optuna.trial.FrozenTrial,
    space: Space,
    *,
    deaths: int = 0,
) -> None:
    """End a trial that was cut off; its settings come again, unless they ended many processes."""
    import optuna

    # Settings that were not all drawn yet are drawn again, and come out the same.
    parameters = trial.params if _is_whole(trial, space) else trial.system_attrs.get(_FIXED)
    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    if parameters and deaths < _MOST_DEATHS:
        study.enqueue_trial(parameters, user_attrs={_AGAIN: deaths})


def _is_whole(trial: optuna.trial.FrozenTrial, space: Space) -> bool:
    wanted = {name for name in space if active(name, trial.params, space)}
    return trial.params.keys() == wanted


def was_given_up(trial: optuna.trial.FrozenTrial) -> bool:
    """Answer whether a trial's settings ended so many processes that they do not come again."""
    cut_off = trial.state.name == "FAIL" and ERROR not in trial.user_attrs
    return cut_off and trial.user_attrs.get(_AGAIN, 0) + 1 >= _MOST_DEATHS


def is_known(study: optuna.Study, parameters: Mapping[str, Any]) -> bool:
    """Answer whether settings were tried, or are in line; ones that were cut off are neither."""
    return any(
        trial.system_attrs.get(_FIXED) == parameters
        and (trial.state.name != "FAIL" or ERROR in trial.user_attrs or was_given_up(trial))
        for trial in study.trials
    )


def is_finished(trial: optuna.trial.FrozenTrial) -> bool:
    """Answer whether a trial came to an end of its own: with a value, stopped, or with an error."""
    if trial.state.name == "FAIL":
        return ERROR in trial.user_attrs
    return trial.state.is_finished()
