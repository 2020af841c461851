"""Which way of measuring errors suits what a network answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.conformal.intervals import Absolute, Count, Normalized, NumberMeasure, Quantiles
from headrace.conformal.sets import Adaptive, ClassMeasure, LeastAmbiguous, Ordinal
from headrace.errors import SettingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.conformal.settings import Conformal
    from headrace.model.target import TargetSpec

__all__ = ["answered", "class_scores", "method_of", "number_measure"]

_FITTING: dict[str, tuple[str, ...]] = {
    "point": ("absolute",),
    "normal": ("normalized", "absolute"),
    "quantiles": ("cqr", "absolute"),
    "poisson": ("count", "absolute"),
    "bernoulli": ("lac", "aps", "raps"),
    "categorical": ("lac", "aps", "raps"),
    "ordinal": ("ordinal", "lac", "aps", "raps"),
}
"""By likelihood, the usual one first."""

_ANSWERED = {
    "point": "values alone",
    "normal": "a mean and a deviation",
    "poisson": "a rate",
    "quantiles": "quantiles",
    "ordinal": "probabilities of ordered classes",
}


def method_of(settings: Conformal, spec: TargetSpec) -> str:
    """Answer the method for what a network answers.

    Raises:
        SettingError: The one that is stated does not suit it.

    Example:
        >>> from headrace.conformal.settings import Conformal
        >>> from headrace.model.target import TargetSpec
        >>> method_of(Conformal(), TargetSpec("price", "regression", likelihood="normal"))
        'normalized'
    """
    fitting = _FITTING[str(spec.likelihood)]
    if spec.likelihood == "quantiles" and len(spec.quantiles) < 2:
        fitting = ("absolute",)
    if settings.method is None:
        return fitting[0]
    if settings.method not in fitting:
        answered = _ANSWERED.get(str(spec.likelihood), "probabilities of classes")
        raise SettingError(
            f"method={settings.method!r} does not suit {spec.name!r}, of which the network answers "
            f"{answered}: choose {' or '.join(map(repr, fitting))}"
        )
    return settings.method


def number_measure(settings: Conformal, spec: TargetSpec) -> NumberMeasure:
    """Answer how far off a number is, by settings whose method is chosen."""
    if settings.method == "cqr":
        return Quantiles(spec.quantiles)
    kinds: dict[str, NumberMeasure] = {"normalized": Normalized(), "count": Count()}
    return kinds.get(str(settings.method), Absolute())


def answered(spec: TargetSpec, probabilities: NDArray[Any]) -> NDArray[np.intp]:
    """Answer the number of the class that is the prediction of each row, (rows,)."""
    if spec.task == "binary":
        return (probabilities[:, 1] > spec.threshold).astype(np.intp)
    return np.asarray(np.argmax(probabilities, axis=1))


def class_scores(
    settings: Conformal, spec: TargetSpec, probabilities: NDArray[Any], lot: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Answer how unlikely each class is, (rows, classes), by settings whose method is chosen.

    The prediction itself has the score 0, when calibrating as when answering: no set is empty, and
    the level still holds.

    Args:
        settings: The settings.
        spec: What is predicted.
        probabilities: (rows, classes).
        lot: (rows,) a number between 0 and 1 of each row; None where no lot decides.
    """
    scores = _class_measure(settings).scores(probabilities, lot)
    scores[np.arange(len(scores)), answered(spec, probabilities)] = 0.0
    return scores


def _class_measure(settings: Conformal) -> ClassMeasure:
    if settings.method == "raps":
        return Adaptive(settings.randomized, settings.penalty, settings.free)
    kinds: dict[str, ClassMeasure] = {"aps": Adaptive(settings.randomized), "ordinal": Ordinal()}
    return kinds.get(str(settings.method), LeastAmbiguous())
