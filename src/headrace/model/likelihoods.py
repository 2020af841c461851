"""Losses: the negative log-likelihoods of what a network's output describes, and the pinball loss.

Each takes the encoded target, (rows, 1), and the output of the network, and answers the loss of
each row, (rows,).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.model.backend import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "class_likelihood",
    "gaussian",
    "joint",
    "ordinal",
    "pinball",
    "point_error",
    "poisson",
]

_SMALLEST = 1e-30
"""Of a probability inside a logarithm."""

_HALF_LOG_TWO_PI = 0.9189385332046727


def ordinal(y_true: Any, y_pred: Any) -> Any:
    """Answer `-log(p[y])` of ordered classes; y (rows,) or (rows, 1), p (rows, classes).

    Probabilities are not cut off at 1e-7 as in Keras's cross-entropy: a row far on the wrong
    side of a threshold goes on being learnt from.
    """
    ops = keras().ops
    codes = ops.reshape(ops.cast(y_true, "int32"), (-1,))
    hit = ops.one_hot(codes, y_pred.shape[-1], dtype=y_pred.dtype)
    return -ops.log(ops.maximum(ops.sum(hit * y_pred, axis=-1), _SMALLEST))


def poisson(y_true: Any, y_pred: Any) -> Any:
    """Answer `rate - y log(rate)`, the Poisson negative log-likelihood less what y alone gives.

    Target and rate may both be divided by the same number: this divides the loss by it too.
    """
    ops = keras().ops
    loss = y_pred - y_true * ops.log(ops.maximum(y_pred, _SMALLEST))
    return ops.mean(loss, axis=-1)


def gaussian(y_true: Any, y_pred: Any) -> Any:
    """Answer `((y - m) / d)^2 / 2 + log(d) + log(2 pi) / 2` for the output (m, d).

    Nix and Weigend, "Estimating the mean and variance of the target probability distribution"
    (1994).
    """
    ops = keras().ops
    mean, deviation = y_pred[..., 0], y_pred[..., 1]
    error = (ops.reshape(y_true, (-1,)) - mean) / deviation
    return ops.square(error) / 2 + ops.log(deviation) + _HALF_LOG_TWO_PI


def pinball(levels: Sequence[float]) -> Callable[[Any, Any], Any]:
    """Answer the loss of quantiles: the mean over levels t of `max(t e, (t - 1) e)`, `e = y - q_t`.

    Koenker and Bassett, "Regression quantiles" (1978).
    """

    def loss(y_true: Any, y_pred: Any) -> Any:
        ops = keras().ops
        level = ops.convert_to_tensor(list(levels), dtype=y_pred.dtype)
        error = y_true - y_pred
        return ops.mean(ops.maximum(level * error, (level - 1) * error), axis=-1)

    loss.__name__ = "pinball"
    return loss


def class_likelihood(smoothing: float, *, binary: bool) -> Callable[[Any, Any], Any]:
    """Answer the cross-entropy with smoothed labels.

    A share of each row's label is spread over all C classes: `-(1 - s) log(p[y]) - s mean(log p)`.
    Szegedy et al., "Rethinking the Inception architecture for computer vision" (2016).

    Args:
        smoothing: The share s, from 0 to below 1.
        binary: Whether the output is one probability, of the last of two classes, (rows, 1).
    """

    def loss(y_true: Any, y_pred: Any) -> Any:
        ops = keras().ops
        if binary:
            y_pred = ops.concatenate([1 - y_pred, y_pred], axis=-1)
        log = ops.log(ops.clip(y_pred, 1e-7, 1.0))
        codes = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        hit = ops.one_hot(codes, y_pred.shape[-1], dtype=y_pred.dtype)
        return -(1 - smoothing) * ops.sum(hit * log, axis=-1) - smoothing * ops.mean(log, axis=-1)

    loss.__name__ = "smoothed_cross_entropy"
    return loss


def joint(parts: Sequence[tuple[Any, bool, slice]]) -> Callable[[Any, Any], Any]:
    """Answer the mean of several targets' losses; a target that is not known (NaN) adds nothing.

    Args:
        parts: For each target its loss, whether that reads whole class numbers, and the target's
            columns of the output.
    """

    def loss(y_true: Any, y_pred: Any) -> Any:
        ops = keras().ops
        total = 0.0
        for place, (function, codes, columns) in enumerate(parts):
            truth = y_true[:, place : place + 1]
            known = ops.logical_not(ops.isnan(truth))
            # Taken out before the loss: a gradient through NaN would be NaN even where unused.
            filled = ops.where(known, truth, ops.zeros_like(truth))
            if codes:
                filled = ops.cast(filled[:, 0], "int32")
            by_row = getattr(function, "call", function)(filled, y_pred[:, columns])
            total = total + ops.where(known[:, 0], by_row, ops.zeros_like(by_row))
        return total / len(parts)

    loss.__name__ = "joint"
    return loss


def point_error(low: int, high: int) -> Callable[[Any, Any], Any]:
    """Answer the absolute error of the mean of two columns of the output, (rows,)."""

    def mae(y_true: Any, y_pred: Any) -> Any:
        ops = keras().ops
        point = (y_pred[..., low] + y_pred[..., high]) / 2
        return ops.abs(ops.reshape(y_true, (-1,)) - point)

    return mae
