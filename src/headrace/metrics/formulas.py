"""The metrics people expect for each task, as functions of weighted rows.

Each agrees with the function of the same name in scikit-learn where that one is defined. Where it
is not (precision without a predicted positive, the area under the curve of a single class), the
value here is NaN, and an evaluation says why.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.metrics.counting import ratio, sum_by_class, weighted_mean
from headrace.metrics.distributions import MAE_OF_CLASS, POISSON_DEVIANCE, QUADRATIC_KAPPA
from headrace.metrics.measure import Measure
from headrace.metrics.proportions import mean_of_shares, wilson
from headrace.metrics.ranking import area_under_roc, average_precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from headrace.metrics.measure import Formula, Kernel, Prepare, Reads
    from headrace.model.target import Task

__all__ = ["BUILT_IN", "predicted_class"]

ONE_CLASS = "the rows hold one class only"
_NO_POSITIVE = "no row is of the positive class"
_NOTHING_POSITIVE = "no row is of the positive class, and none is predicted to be"
_NONE_FOUND = "no row is predicted to be of the positive class"


def predicted_class(output: NDArray[Any]) -> NDArray[np.intp]:
    """Answer the most probable class of each row, (rows,).

    Args:
        output: (rows,) probability of the second of two classes, or (rows, classes).

    Example:
        >>> predicted_class(np.array([0.2, 0.5, 0.7])).tolist()
        [0, 0, 1]
    """
    if output.ndim == 1:
        return (output > 0.5).astype(np.intp)
    return np.asarray(np.argmax(output, axis=1), dtype=np.intp)


def _mean_of(loss: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]) -> Prepare:
    def prepare(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
        losses = loss(y_true, output)
        return lambda weights: weighted_mean(losses, weights)

    return prepare


# Counts of rows -----------------------------------------------------------------------------


def _hits(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(predicted_class(output) == y_true, dtype=np.float64)


def _accuracy_interval(
    y_true: NDArray[Any], output: NDArray[Any], confidence: float
) -> tuple[float, float]:
    return wilson(float(_hits(y_true, output).sum()), len(y_true), confidence)


def _outcomes(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    """Answer (rows, 3): true positive, predicted positive, positive."""
    predicted, positive = output > 0.5, y_true == 1
    return np.column_stack([predicted & positive, predicted, positive]).astype(np.float64)


def _share_of_outcomes(whole: Callable[[NDArray[Any]], NDArray[Any]]) -> tuple[Prepare, Formula]:
    """Answer the share of true positives in some of the outcomes, and its interval."""

    def prepare(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
        outcomes = _outcomes(y_true, output)

        def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            counts = weights @ outcomes
            return ratio(counts[:, 0], whole(counts))

        return kernel

    def interval(
        y_true: NDArray[Any], output: NDArray[Any], confidence: float
    ) -> tuple[float, float]:
        counts = _outcomes(y_true, output).sum(axis=0, keepdims=True)
        return wilson(float(counts[0, 0]), float(whole(counts)[0]), confidence)

    return prepare, interval


_precision, _precision_interval = _share_of_outcomes(lambda counts: counts[:, 1])
_recall, _recall_interval = _share_of_outcomes(lambda counts: counts[:, 2])
_overlap, _overlap_interval = _share_of_outcomes(
    lambda counts: counts[:, 1] + counts[:, 2] - counts[:, 0]
)


def _f1(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    overlap = _overlap(y_true, output)

    def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        share = overlap(weights)
        return 2 * share / (1 + share)

    return kernel


def _f1_interval(
    y_true: NDArray[Any], output: NDArray[Any], confidence: float
) -> tuple[float, float]:
    # F1 = 2 J / (1 + J), where J is the share of true positives among all rows that are positive
    # or predicted so. J is a plain proportion, so its interval carries over.
    low, high = _overlap_interval(y_true, output, confidence)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def _recalls(y_true: NDArray[Any], output: NDArray[Any]) -> tuple[Any, Any]:
    """Answer the sums of right rows and of all rows by class."""
    classes = 2 if output.ndim == 1 else output.shape[1]
    codes = y_true.astype(np.intp)
    right = np.where(predicted_class(output) == codes, codes, -1)
    return sum_by_class(right, classes), sum_by_class(codes, classes)


def _balanced_accuracy(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    right, total = _recalls(y_true, output)
    return lambda weights: _mean_of_defined(ratio(right(weights), total(weights)))


def _balanced_accuracy_interval(
    y_true: NDArray[Any], output: NDArray[Any], confidence: float
) -> tuple[float, float]:
    right, total = _recalls(y_true, output)
    once = np.ones((1, len(y_true)))
    return mean_of_shares(right(once)[0], total(once)[0], confidence)


def _f1_macro(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    right, total = _recalls(y_true, output)
    found = sum_by_class(predicted_class(output), output.shape[1])

    def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean_of_defined(ratio(2 * right(weights), total(weights) + found(weights)))

    return kernel


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Answer the mean over the columns that are not NaN."""
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1).astype(float))


# Probabilities ------------------------------------------------------------------------------


def _log_loss(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    # A probability of 0 for what happened would cost without end; like scikit-learn, the smallest
    # step of the output's own precision is the limit.
    smallest = float(np.finfo(output.dtype).eps) if output.dtype.kind == "f" else 1e-15
    if output.ndim == 1:
        likelihood = np.where(y_true == 1, output, 1 - output)
    else:
        likelihood = output[np.arange(len(output)), y_true.astype(np.intp)]
    possible = np.clip(np.asarray(likelihood, dtype=np.float64), smallest, 1 - smallest)
    return np.asarray(-np.log(possible), dtype=np.float64)


def _roc_auc(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    if output.ndim == 1:
        return area_under_roc(y_true == 1, output)
    return _roc_auc_of_classes(y_true, output)


def _average_precision(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    return average_precision(y_true == 1, output)


def _roc_auc_of_classes(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    # Each class against all others; classes that these rows do not hold are left out.
    kernels = [area_under_roc(y_true == code, score) for code, score in enumerate(output.T)]

    def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean_of_defined(np.stack([area(weights) for area in kernels], axis=1))

    return kernel


# Errors in the units of the target ----------------------------------------------------------


def _squares(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(_distances(y_true, output) ** 2, dtype=np.float64)


def _distances(y_true: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    return np.abs(np.asarray(y_true, dtype=np.float64) - np.asarray(output, dtype=np.float64))


def _rmse(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    squares = _squares(y_true, output)
    return lambda weights: np.sqrt(weighted_mean(squares, weights))


def _r2(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    centred = y_true.astype(np.float64) - y_true.mean()
    columns = np.column_stack([_squares(y_true, output), centred, centred**2])

    def kernel(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        error, first, second = (weights @ columns).T
        total = second - ratio(first**2, weights.sum(axis=1))
        # What is left of rounding when all values are equal must not count as spread.
        return 1 - ratio(error, np.where(total > 1e-12 * second, total, 0.0))

    return kernel


def _median_absolute_error(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    distances = _distances(y_true, output)
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]

    def median(weight: NDArray[np.float64]) -> float:
        used = np.flatnonzero(weight)
        if not len(used):
            return float("nan")
        so_far = np.cumsum(weight[used])
        lower = np.searchsorted(so_far, so_far[-1] / 2, side="left")
        upper = np.searchsorted(so_far, so_far[-1] / 2, side="right")
        return float(ordered[used[lower]] + ordered[used[upper]]) / 2

    return lambda weights: np.array([median(row) for row in weights.take(order, axis=1)])


def _mape(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
    sizes = np.abs(y_true.astype(np.float64))
    if (sizes == 0).any():
        return lambda weights: np.full(len(weights), np.nan)
    shares = _distances(y_true, output) / sizes
    return lambda weights: weighted_mean(shares, weights)


def _share(
    name: str,
    tasks: tuple[Task, ...],
    prepare: Prepare,
    *,
    undefined: str = ONE_CLASS,
    formula: Formula | None = None,
    ranks: bool = False,
) -> Measure:
    """Answer a measure between 0 and 1 where more is better; one that ranks reads probabilities."""
    method = "Wilson" if formula else "bootstrap"
    reads: Reads = "answer" if ranks else "decision"
    return Measure(name, tasks, True, prepare, 0.0, 1.0, undefined, formula, method, ranks, reads)


_BINARY: tuple[Task, ...] = ("binary",)
_MULTICLASS: tuple[Task, ...] = ("multiclass",)
_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_REGRESSION: tuple[Task, ...] = ("regression",)

BUILT_IN: tuple[Measure, ...] = (
    _share("roc_auc", _CLASSES, _roc_auc, ranks=True),
    _share("average_precision", _BINARY, _average_precision, undefined=_NO_POSITIVE, ranks=True),
    Measure("log_loss", _CLASSES, False, _mean_of(_log_loss), 0.0),
    Measure("brier", _BINARY, False, _mean_of(_squares), 0.0, 1.0),
    _share("accuracy", _CLASSES, _mean_of(_hits), formula=_accuracy_interval),
    _share("balanced_accuracy", _CLASSES, _balanced_accuracy, formula=_balanced_accuracy_interval),
    _share("f1", _BINARY, _f1, undefined=_NOTHING_POSITIVE, formula=_f1_interval),
    _share("f1_macro", _MULTICLASS, _f1_macro),
    _share("precision", _BINARY, _precision, undefined=_NONE_FOUND, formula=_precision_interval),
    _share("recall", _BINARY, _recall, undefined=_NO_POSITIVE, formula=_recall_interval),
    Measure("rmse", _REGRESSION, False, _rmse, 0.0),
    Measure("mae", _REGRESSION, False, _mean_of(_distances), 0.0),
    Measure("r2", _REGRESSION, True, _r2, -math.inf, 1.0, "all true values are equal"),
    Measure("median_absolute_error", _REGRESSION, False, _median_absolute_error, 0.0),
    Measure("mape", _REGRESSION, False, _mape, 0.0, undefined="a true value is 0"),
    POISSON_DEVIANCE,
    QUADRATIC_KAPPA,
    MAE_OF_CLASS,
)
"""The measures that every evaluation of their tasks reports."""
