"""Calibration: corrected probabilities, learnt from validation rows and kept as data.

A network that was trained until it fits best is often too sure of itself. A calibration is a map
of its probabilities that makes "80 %" come true in 80 of 100 cases; the order of the rows stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import ReleaseError, SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec

__all__ = ["METHODS", "Calibration", "calibrate", "check_calibration"]

METHODS = ("temperature", "isotonic")

_SMALLEST = 1e-6  # below it single precision would turn rounding into differences
_LEAST_ROWS = {"temperature": 50, "isotonic": 500}
_CLOSEST_KNOTS = 1e-3
_TEMPERATURES = (0.25, 4.0)


@dataclass(frozen=True, eq=False)
class Calibration:
    """A map from the probabilities of a network to calibrated ones.

    `temperature`: p becomes softmax(log p / T), one number for all classes; Guo et al., "On
    calibration of modern neural networks" (2017). `isotonic`: p of each class goes through a rising
    function, linear between knots, and the classes are brought back to the sum 1; Zadrozny and
    Elkan, "Transforming classifier scores into accurate multiclass probability estimates" (2002).

    Attributes:
        method: "temperature" or "isotonic".
        temperature: T; above 1 the answers become less sure.
        knots: (maps, knots) probabilities in, rising; isotonic only.
        values: (maps, knots) probabilities out; isotonic only.
        rows: How many rows it was learnt from.

    Example:
        >>> sure = np.array([[0.9], [0.5]])
        >>> Calibration("temperature", temperature=2.0)(sure).round(2).tolist()
        [[0.75], [0.5]]
    """

    method: str
    temperature: float = 1.0
    knots: NDArray[np.float64] | None = None
    values: NDArray[np.float64] | None = None
    rows: int = 0

    def __call__(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Answer calibrated probabilities, in the form that came: (rows, 1) or (rows, classes)."""
        whole = _whole(np.asarray(output, dtype=np.float64))
        if self.method == "temperature":
            changed = _softened(whole, self.temperature)
        else:
            changed = self._through_knots(whole)
        return (changed[:, 1:] if output.shape[1] == 1 else changed).astype(np.float32)

    def tensorflow(self, output: Any) -> Any:
        """Answer the same inside of a TensorFlow graph, (rows, 1) or (rows, classes) float32."""
        import tensorflow as tf

        binary = output.shape[-1] == 1
        whole = tf.concat([1.0 - output, output], axis=1) if binary else output
        if self.method == "temperature":
            sharp = tf.math.log(tf.maximum(whole, _SMALLEST)) / np.float32(self.temperature)
            changed = tf.nn.softmax(sharp, axis=1)
        else:
            changed = self._through_knots_tensorflow(whole)
        return changed[:, 1:] if binary else changed

    def to_dict(self) -> dict[str, Any]:
        """Answer the calibration as plain values that JSON can hold."""
        plain: dict[str, Any] = {"method": self.method, "rows": self.rows}
        if self.method == "temperature":
            return {**plain, "temperature": self.temperature}
        knots, values = self._steps()
        return {**plain, "knots": knots.tolist(), "values": values.tolist()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` wrote.

        Raises:
            ReleaseError: It is none.
        """
        if stored.get("method") not in METHODS:
            raise ReleaseError(f"unknown calibration {stored.get('method')!r}")
        parts = {
            name: np.asarray(stored[name], dtype=np.float64)
            for name in ("knots", "values")
            if name in stored
        }
        return cls(
            str(stored["method"]),
            float(stored.get("temperature", 1.0)),
            rows=int(stored["rows"]),
            **parts,
        )

    def text(self) -> str:
        """Answer in a few words what was learnt."""
        what = f"temperature {self.temperature:.3g}" if self.method == "temperature" else "isotonic"
        return f"{what}, learnt from {self.rows:,} validation rows"

    def _steps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.knots is None or self.values is None:
            raise ReleaseError("an isotonic calibration needs knots and values")
        return self.knots, self.values

    def _through_knots(self, whole: NDArray[np.float64]) -> NDArray[np.float64]:
        knots, values = self._steps()
        if len(knots) == 1:
            positive = np.interp(whole[:, 1], knots[0], values[0])
            return np.stack([1 - positive, positive], axis=1)
        changed = np.stack(
            [np.interp(*parts) for parts in zip(whole.T, knots, values, strict=True)], axis=1
        )
        changed = np.maximum(changed, _SMALLEST)
        return np.asarray(changed / changed.sum(axis=1, keepdims=True))

    def _through_knots_tensorflow(self, whole: Any) -> Any:
        import tensorflow as tf

        knots, values = self._steps()
        if len(knots) == 1:
            positive = _bent(whole[:, 1:], knots, values)
            return tf.concat([1.0 - positive, positive], axis=1)
        changed = tf.maximum(_bent(whole, knots, values), _SMALLEST)
        return changed / tf.reduce_sum(changed, axis=1, keepdims=True)


def check_calibration(method: object) -> None:
    """Check the name of a method.

    Raises:
        SettingError: There is none with this name.
    """
    if method is not None and method not in METHODS:
        close = nearest(str(method), METHODS)
        meant = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(
            f"calibrate must be one of {', '.join(METHODS)} or None, received {method!r}{meant}"
        )


def calibrate(
    method: str,
    target: TargetSpec,
    truth: NDArray[Any],
    output: NDArray[Any],
    weight: NDArray[Any] | None = None,
) -> Calibration | None:
    """Learn a calibration from rows that the network has not been trained on.

    Args:
        method: "temperature" or "isotonic".
        target: What is predicted; regression has no probabilities.
        truth: (rows,) class numbers.
        output: (rows, 1) or (rows, classes) probabilities.
        weight: (rows,) or None for equal weights.

    Returns:
        The calibration, or None when there are too few rows to learn one from: below 50 for a
        temperature, below 500 for isotonic, or fewer than 20 of a class.

    Raises:
        SettingError: The target is no class.
    """
    if target.task == "regression":
        raise SettingError(
            f"calibrate needs probabilities, and {target.name!r} is a regression target: "
            "leave calibrate out"
        )
    whole, codes = _whole(np.asarray(output, dtype=np.float64)), truth.astype(np.intp).ravel()
    counts = np.bincount(codes, minlength=whole.shape[1])
    if len(codes) < _LEAST_ROWS[method] or (method == "isotonic" and counts.min() < 20):
        return None
    if method == "temperature":
        return Calibration(method, _best_temperature(whole, codes, weight), rows=len(codes))
    knots, values = _isotonic(whole, codes, weight)
    return Calibration(method, knots=knots, values=values, rows=len(codes))


def _whole(output: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([1 - output, output], axis=1) if output.shape[1] == 1 else output


def _softened(whole: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    sharp = np.log(np.maximum(whole, _SMALLEST)) / temperature
    powers = np.exp(sharp - sharp.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _best_temperature(
    whole: NDArray[np.float64], codes: NDArray[np.intp], weight: NDArray[Any] | None
) -> float:
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(whole, _SMALLEST))
    own = logs[np.arange(len(codes)), codes]

    def loss(scale: float) -> float:
        # -log softmax(log p / T) of the true class; written out to be quick for many classes.
        sharp = logs / np.exp(scale)
        top = sharp.max(axis=1)
        total = np.log(np.exp(sharp - top[:, None]).sum(axis=1)) + top
        return float(np.average(total - own / np.exp(scale), weights=weight))

    found = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def _isotonic(
    whole: NDArray[np.float64], codes: NDArray[np.intp], weight: NDArray[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.isotonic import IsotonicRegression

    classes = [1] if whole.shape[1] == 2 else range(whole.shape[1])
    curves = []
    for place in classes:
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        fitted.fit(whole[:, place], codes == place, sample_weight=weight)
        # A proportion of 0 or 1 among few rows is no certainty.
        level = np.clip(
            fitted.y_thresholds_, 1 / (len(codes) + 2), (len(codes) + 1) / (len(codes) + 2)
        )
        curves.append(_thinned(fitted.X_thresholds_, level))
    most = max(len(knots) for knots, _ in curves)
    knots, values = (
        np.stack([np.pad(curve[part], (0, most - len(curve[0])), mode="edge") for curve in curves])
        for part in (0, 1)
    )
    return knots, values


def _thinned(
    knots: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Answer a curve without knots that lie so close that single precision would see cliffs."""
    kept = [0]
    for place in range(1, len(knots)):
        if knots[place] - knots[kept[-1]] >= _CLOSEST_KNOTS:
            kept.append(place)
    return np.asarray(knots[kept]), np.asarray(values[kept])


def _bent(whole: Any, knots: NDArray[np.float64], values: NDArray[np.float64]) -> Any:
    """Answer functions that are linear between knots, one a column, as a sum of ramps."""
    import tensorflow as tf

    width, rise = np.diff(knots, axis=1), np.diff(values, axis=1)
    steps = np.where(width > 0, width, 1.0)  # where a curve was padded, it does not rise either
    share = (whole[:, :, None] - knots[:, :-1].astype(np.float32)) / steps.astype(np.float32)
    filled = tf.clip_by_value(share, 0.0, 1.0)
    ramps = tf.reduce_sum(filled * rise.astype(np.float32), axis=2)
    return ramps + values[:, 0].astype(np.float32)
