"""The metrics of predicted distributions: quantiles, normal distributions, rates, ordered classes.

A network that answers more than a value has metrics that read all of it. Those of quantiles and
of normal distributions read the distribution in the units of the target, as `of_distribution`
makes it; those of rates and of ordered classes read what every metric of the task reads.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.metrics.counting import ratio, weighted_mean
from headrace.metrics.measure import Measure
from headrace.metrics.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headrace.metrics.measure import Kernel, Prepare
    from headrace.model.target import TargetSpec

    Losses = Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]

__all__ = [
    "MAE_OF_CLASS",
    "POISSON_DEVIANCE",
    "QUADRATIC_KAPPA",
    "as_distribution",
    "normal_crps",
    "normal_nll",
    "of_distribution",
    "pinball",
]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def of_distribution(target: TargetSpec) -> tuple[Measure, ...]:
    """Answer the measures that read the whole distribution, (rows, outputs) in target units.

    Example:
        >>> from headrace.model.target import TargetSpec
        >>> spec = TargetSpec("price", "regression", likelihood="quantiles", quantiles=(0.1, 0.9))
        >>> [measure.name for measure in of_distribution(spec)]
        ['pinball', 'coverage', 'interval_width']
    """
    if target.likelihood == "quantiles":
        levels = np.asarray(target.quantiles)
        return _of_quantiles(levels)
    if target.likelihood == "normal":
        return (
            _distribution("gaussian_nll", _mean_of(normal_nll), lowest=-math.inf),
            _distribution("crps", _mean_of(normal_crps)),
        )
    return ()


def as_distribution(target: TargetSpec, output: NDArray[Any]) -> NDArray[np.float64] | None:
    """Answer the output of a network as the measures of distributions read it.

    Args:
        target: What is predicted.
        output: (rows, outputs) of the network.

    Returns:
        (rows, quantiles), or (rows, 2) means and deviations, in the units of the target; None
        where the output describes no distribution of numbers.
    """
    if target.task != "regression" or target.outputs == 1:
        return None
    answers = target.answers(output)
    if target.likelihood == "quantiles":
        return answers["quantiles"]
    return np.column_stack([answers["prediction"], answers["deviation"]])


def _of_quantiles(levels: NDArray[np.float64]) -> tuple[Measure, ...]:
    def inside(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
        within = (output[:, 0] <= y_true) & (y_true <= output[:, -1])
        return np.asarray(within, dtype=np.float64)

    def interval(
        y_true: NDArray[Any], output: NDArray[Any], confidence: float
    ) -> tuple[float, float]:
        return wilson(float(inside(y_true, output).sum()), len(y_true), confidence)

    def width(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
        del y_true
        return np.asarray(output[:, -1] - output[:, 0], dtype=np.float64)

    losses = _distribution("pinball", _mean_of(lambda y, output: pinball(y, output, levels)))
    if len(levels) == 1:
        return (losses,)
    coverage = Measure(
        "coverage",
        ("regression",),
        True,
        _mean_of(inside),
        0.0,
        1.0,
        formula=interval,
        method="Wilson",
        reads="distribution",
    )
    return losses, coverage, _distribution("interval_width", _mean_of(width))


def _distribution(name: str, prepare: Prepare, *, lowest: float = 0.0) -> Measure:
    return Measure(name, ("regression",), False, prepare, lowest, reads="distribution")


def _mean_of(losses: Losses) -> Prepare:
    def prepare(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
        values = losses(y_true, output)
        return lambda weights: weighted_mean(values, weights)

    return prepare


def pinball(
    y_true: NDArray[Any], quantiles: NDArray[Any], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Answer each row's pinball loss, the mean over the levels, (rows,).

    Args:
        y_true: (rows,).
        quantiles: (rows, levels).
        levels: (levels,) between 0 and 1.

    Example:
        >>> pinball(np.array([1.0]), np.array([[0.0, 3.0]]), np.array([0.5, 0.9])).tolist()
        [0.35]
    """
    error = np.asarray(y_true, dtype=np.float64)[:, np.newaxis] - quantiles
    losses = np.maximum(levels * error, (levels - 1) * error)
    return np.asarray(losses.mean(axis=1), dtype=np.float64)


def normal_nll(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    """Answer each row's negative log-likelihood, (rows,); the output is mean and deviation.

    Example:
        >>> normal_nll(np.array([0.0]), np.array([[0.0, 1.0]])).round(4).tolist()
        [0.9189]
    """
    mean, deviation = output.T
    nll = ((y_true - mean) / deviation) ** 2 / 2 + np.log(deviation) + _HALF_LOG_TWO_PI
    return np.asarray(nll, dtype=np.float64)


def normal_crps(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    """Answer each row's continuous ranked probability score, (rows,), in units of the target.

    It is the absolute error of a distribution: Gneiting and Raftery, "Strictly proper scoring
    rules, prediction, and estimation" (2007), equation 21 with the sign turned.

    Example:
        >>> normal_crps(np.array([0.0]), np.array([[0.0, 1.0]])).round(4).tolist()
        [0.2337]
    """
    from scipy.special import ndtr

    mean, deviation = output.T
    z = (y_true - mean) / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    crps = deviation * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return np.asarray(crps, dtype=np.float64)


def _poisson_deviance(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    counts = np.asarray(y_true, dtype=np.float64)
    rates = np.maximum(np.asarray(output, dtype=np.float64), np.finfo(np.float64).tiny)
    if (counts < 0).any():
        return np.full(len(counts), np.nan)
    logs = np.log(np.where(counts > 0, counts, 1.0) / np.where(counts > 0, rates, 1.0))
    return np.asarray(2 * (counts * logs - counts + rates), dtype=np.float64)


def _mae_of_class(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.abs(np.argmax(output, axis=1) - y_true), dtype=np.float64)


def _quadratic_kappa(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    # With squared weights kappa needs no table of classes: the expected disagreement is that of
    # independent draws, which the first two moments give.
    truth, found = y_true.astype(np.float64), np.argmax(output, axis=1).astype(np.float64)
    columns = np.column_stack([(truth - found) ** 2, truth, truth**2, found, found**2])

    def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights.sum(axis=1)
        apart, first, first2, second, second2 = (weights @ columns).T
        expected = first2 + second2 - 2 * ratio(first * second, total)
        return 1 - ratio(apart, expected)

    return kernel


POISSON_DEVIANCE = Measure(
    "poisson_deviance",
    ("regression",),
    False,
    _mean_of(_poisson_deviance),
    0.0,
    undefined="a true value is below 0",
    likelihoods=("poisson",),
)
"""The mean of `2 (y log(y / rate) - y + rate)`."""

QUADRATIC_KAPPA = Measure(
    "quadratic_kappa",
    ("multiclass",),
    True,
    _quadratic_kappa,
    -1.0,
    1.0,
    "all rows are and are said to be of one class",
    likelihoods=("ordinal",),
)
"""Cohen's kappa of ordered classes, a disagreement counted by its squared distance."""

MAE_OF_CLASS = Measure(
    "mae_of_class", ("multiclass",), False, _mean_of(_mae_of_class), 0.0, likelihoods=("ordinal",)
)
"""How many places the predicted class is away from the true one, on average."""
