"""How much each setting matters: the share of the good trials that it explains."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

__all__ = ["importance_of"]

_FEWEST_TRIALS = 4


def importance_of(study: optuna.Study) -> tuple[dict[str, float], str]:
    """Answer how much each setting matters, and why nothing can be said where it cannot.

    PED-ANOVA (Watanabe, Bansal and Hutter, "PED-ANOVA: efficiently quantifying hyperparameter
    importance in arbitrary subspaces", 2023), as Optuna computes it: how far the settings of the
    best tenth of the complete trials differ from those of all.

    Args:
        study: Of several goals the first one counts.

    Returns:
        The share of each setting, the greatest first, 1 together; empty, with a reason, where the
        complete trials are too few or all have the same value.
    """
    import optuna

    complete = [
        one
        for one in study.get_trials(deepcopy=False)
        if one.state == optuna.trial.TrialState.COMPLETE
    ]
    values = {one.values[0] for one in complete}
    if len(complete) < _FEWEST_TRIALS:
        return {}, ""
    if len(values) == 1:
        return {}, (
            f"all {len(complete)} complete trials have the same value: no setting that was tried "
            "makes a difference"
        )
    # Optuna takes smaller values of a target for better ones.
    sign = -1 if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(
                study, target=lambda trial: sign * float(trial.values[0])
            )
        except (RuntimeError, ValueError) as error:
            return {}, f"the importance of the settings is not known: {error}"
    return {name: float(share) for name, share in found.items()}, ""
