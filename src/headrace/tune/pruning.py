"""Which trials are stopped early: those whose losses are behind at the rungs of a ladder.

ASHA (Li and others, "A system for massively parallel hyperparameter tuning", 2020) looks at each
trial after 4, 12, 36, … epochs and goes on with those in the best third of all that came so far.
Hyperband (Li and others, 2018) runs several such ladders that begin later. Both are Optuna's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    import optuna

__all__ = [
    "FIRST_RUNG",
    "REDUCTION",
    "STARTUP_TRIALS",
    "Pruning",
    "check_pruning",
    "limits",
    "pruner",
]

Pruning: TypeAlias = Literal["asha", "hyperband", "median"]
"""How trials are stopped early."""

STARTUP_TRIALS = 3
"""Trials that must be complete before others are stopped for doing worse."""

FIRST_RUNG = 4
"""Epochs before any trial is stopped."""

REDUCTION = 3
"""One of so many trials goes on at each rung, and the next rung is so many times as far."""

_MOST_EPOCHS = 200
_NAMES = ("asha", "hyperband", "median")


def check_pruning(pruning: Pruning | None, *, goals: int = 1, parallel: bool = False) -> None:
    """Refuse a way to stop trials that is not there.

    Raises:
        SettingError: The name is unknown, or the way cannot be gone on workers.
    """
    if pruning is not None and pruning not in _NAMES:
        close = nearest(str(pruning), _NAMES)
        hint = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(
            f"pruning must be one of {', '.join(_NAMES)} or None, received {pruning!r}{hint}"
        )
    if parallel and goals == 1 and pruning == "hyperband":
        raise SettingError(
            "workers are told beforehand when to stop a trial, and Hyperband decides it by the "
            "trials that run beside: use pruning='asha' with an executor"
        )


def pruner(pruning: Pruning | None) -> optuna.pruners.BasePruner:
    """Answer what stops trials."""
    import optuna

    if pruning is None:
        return optuna.pruners.NopPruner()
    # Optuna counts epochs from 0.
    if pruning == "median":
        return optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP_TRIALS, n_warmup_steps=FIRST_RUNG - 1
        )
    if pruning == "hyperband":
        return optuna.pruners.HyperbandPruner(
            min_resource=FIRST_RUNG, max_resource=_MOST_EPOCHS, reduction_factor=REDUCTION
        )
    return _after_startup(
        optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST_RUNG, reduction_factor=REDUCTION)
    )


def _after_startup(inner: optuna.pruners.BasePruner) -> optuna.pruners.BasePruner:
    """Let a pruner take note of all trials, but stop none before some are complete.

    Without it the second trial would be judged by the first one alone.
    """
    import optuna

    class AfterStartup(optuna.pruners.BasePruner):
        def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
            behind = inner.prune(study, trial)
            return behind and len(_complete(study)) >= STARTUP_TRIALS

    return AfterStartup()


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    import optuna

    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def limits(study: optuna.Study, pruning: Pruning | None) -> list[float]:
    """Answer for each epoch the loss that a trial must not be above, for workers to know it.

    Args:
        study: With the trials so far.
        pruning: "asha": the loss of the last that goes on at each rung; "median": the median of
            the complete trials.

    Returns:
        A loss an epoch, inf where all go on; empty while none is stopped.
    """
    import optuna

    if pruning is None or len(study.directions) > 1 or len(_complete(study)) < STARTUP_TRIALS:
        return []
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    told = [
        {epoch: sign * loss for epoch, loss in one.intermediate_values.items()}
        for one in (_complete(study) if pruning == "median" else study.get_trials(deepcopy=False))
    ]
    epochs = max((max(one, default=-1) for one in told), default=-1) + 1
    found = [math.inf] * epochs
    for epoch in _judged(pruning, epochs):
        losses = sorted(one[epoch] for one in told if epoch in one)
        if losses:
            found[epoch] = losses[_last_place(pruning, len(losses))]
    return found


def _judged(pruning: Any, epochs: int) -> list[int]:
    if pruning == "median":
        return list(range(FIRST_RUNG - 1, epochs))
    found, rung = [], FIRST_RUNG
    while rung < epochs:
        found.append(rung)
        rung *= REDUCTION
    return found


def _last_place(pruning: Any, losses: int) -> int:
    if pruning == "median":
        return (losses - 1) // 2
    # The trial itself is one of those that came to the rung.
    return max((losses + 1) // REDUCTION - 1, 0)
