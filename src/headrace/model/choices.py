"""Activation, loss, optimiser and metrics by name or as Keras objects, checked before training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError, nearest
from headrace.model import likelihoods
from headrace.model.backend import keras
from headrace.model.inference import of_target
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from headrace.model.target import Likelihood, TargetSpec, Task

__all__ = [
    "Loss",
    "check_rate",
    "choose_activation",
    "choose_loss",
    "choose_metrics",
    "choose_optimizer",
    "takes_smoothing",
]

_LOSSES: dict[Likelihood, str] = {
    "bernoulli": "binary_crossentropy",
    "categorical": "sparse_categorical_crossentropy",
    "point": "mean_squared_error",
}
_OWN_LOSSES: dict[Likelihood, str] = {
    "ordinal": "ordinal",
    "poisson": "poisson",
    "normal": "gaussian",
    "quantiles": "pinball",
}
"""The losses of outputs that describe more than Keras's losses know; no other loss fits them."""
_SHORT_LOSSES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}
_OF_NUMBERS = ("poisson", "gaussian", "pinball")
_METRICS: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy",),
    "multiclass": ("accuracy",),
    "regression": ("mae",),
}
_CROSS_ENTROPY = ("cross_entropy", "crossentropy")


@dataclass(frozen=True)
class Loss:
    """A loss and the form in which it reads the target.

    Attributes:
        function: The Keras loss.
        one_hot: Whether it reads one column a class instead of class numbers.
        codes: Whether it reads class numbers as whole numbers.
    """

    function: Any
    one_hot: bool = False
    codes: bool = False

    def target(self, values: NDArray[Any], outputs: int) -> NDArray[Any]:
        """Answer an encoded target, (rows,), as the loss reads it."""
        import numpy as np

        if values.ndim == 2:  # several targets: the loss takes them apart
            return np.asarray(values, dtype=np.float32)
        if self.one_hot:
            columns: NDArray[Any] = np.eye(outputs, dtype=np.float32)[values]
            return columns
        if self.codes:
            return np.asarray(values, dtype=np.int32)
        return np.asarray(values, dtype=np.float32)[:, None]


def choose_activation(name: object) -> str:
    """Answer the name of an activation that exists.

    Raises:
        SettingError: There is none with this name.
    """
    known = _names(keras().activations)
    if isinstance(name, str):
        if name in known:
            return name
        raise SettingError(_unknown("activation", name, known))
    found = getattr(name, "__name__", None)
    if found in known:
        return str(found)
    raise SettingError(
        f"activation must be the name of a Keras activation, received {name!r}: put layers with "
        "an activation of your own into `hidden` instead"
    )


def choose_loss(loss: Any, target: TargetSpec, label_smoothing: float = 0.0) -> Loss:
    """Answer the loss to train with.

    Args:
        loss: A name, a Keras loss, a function of target and output, or None for the task's own.
        target: What is predicted.
        label_smoothing: The share of each row's label that is spread over all classes; for the
            cross-entropy only.

    Raises:
        SettingError: There is no such loss, or it does not suit the task.
    """
    if isinstance(target, Targets):
        return _joint_loss(loss, target, label_smoothing)
    own = _OWN_LOSSES.get(target.likelihood or "point")
    _check_smoothing(label_smoothing, loss, target)
    if own is not None:
        return _own_loss(own, loss, target)
    several = target.task == "multiclass"
    if label_smoothing:
        smoothed = likelihoods.class_likelihood(label_smoothing, binary=not several)
        return Loss(smoothed, codes=several)
    function, name = _keras_loss(loss, target)
    sparse = "sparse" in name
    return Loss(function, one_hot=several and not sparse, codes=several and sparse)


def _joint_loss(loss: Any, targets: Targets, label_smoothing: float) -> Loss:
    """Answer the mean of the losses of several targets, each on its own columns."""
    parts = []
    for part, columns in zip(targets.parts, targets.slices, strict=True):
        smoothing = label_smoothing if part.likelihood in ("bernoulli", "categorical") else 0.0
        own = choose_loss(of_target(loss, part.name), part, smoothing)
        if own.one_hot:
            raise SettingError(
                f"the loss of {part.name!r} among several targets must read class numbers, such "
                f"as 'sparse_categorical_crossentropy', received {loss!r}"
            )
        parts.append((own.function, own.codes, columns))
    return Loss(likelihoods.joint(parts))


def _own_loss(own: str, loss: Any, target: TargetSpec) -> Loss:
    if loss not in (None, own):
        raise SettingError(
            f"the network answers the likelihood {target.likelihood!r} of {target.name!r}, which "
            f"is trained with the loss {own!r}, received {loss!r}"
        )
    if own == "pinball":
        return Loss(likelihoods.pinball(target.quantiles))
    return Loss(getattr(likelihoods, own), codes=own == "ordinal")


def _keras_loss(loss: Any, target: TargetSpec) -> tuple[Any, str]:
    """Answer a loss of Keras's kind and its name."""
    losses = keras().losses
    if loss is None or loss in _CROSS_ENTROPY:
        _check_cross_entropy(loss, target)
        loss = _LOSSES[target.likelihood or "point"]
    if isinstance(loss, str):
        known = _names(losses)
        if loss not in known and loss not in _SHORT_LOSSES:
            raise SettingError(_unknown("loss", loss, [*known, *_SHORT_LOSSES, *_OF_NUMBERS]))
        name = _SHORT_LOSSES.get(loss, loss)
        function = losses.get(name)
    elif callable(loss):
        function, name = loss, _loss_name(loss)
    else:
        raise SettingError(
            f"loss must be a name, a Keras loss, a function or None, received {loss!r}"
        )
    _check_loss(name, target)
    return function, name


def takes_smoothing(loss: Any, target: TargetSpec) -> bool:
    """Answer whether a loss is the cross-entropy of classes, whose labels can be smoothed."""
    if isinstance(target, Targets):
        return any(takes_smoothing(of_target(loss, part.name), part) for part in target.parts)
    if target.likelihood not in ("bernoulli", "categorical"):
        return False
    names = (*_CROSS_ENTROPY, _LOSSES[target.likelihood])
    return loss is None or (isinstance(loss, str) and loss in names)


def _check_smoothing(label_smoothing: float, loss: Any, target: TargetSpec) -> None:
    if not 0 <= label_smoothing < 1:
        raise SettingError(
            f"label_smoothing must be a number from 0 to below 1, received {label_smoothing!r}"
        )
    if not label_smoothing or takes_smoothing(loss, target):
        return
    what = f"the loss {loss!r}" if loss is not None else f"the likelihood {target.likelihood!r}"
    raise SettingError(
        f"label_smoothing belongs to the cross-entropy of classes, and {target.name!r} is trained "
        f"with {what}: leave it out"
    )


def choose_optimizer(optimizer: Any, learning_rate: float | None) -> Any:
    """Answer a new optimiser.

    Args:
        optimizer: A name, or a Keras optimiser (its settings are copied).
        learning_rate: Replaces the optimiser's own; a number or a Keras schedule.

    Raises:
        SettingError: There is no such optimiser, or the learning rate is not above 0.
    """
    optimizers = keras().optimizers
    check_rate(learning_rate)
    if isinstance(optimizer, str):
        known = _optimizer_names(optimizers)
        if optimizer.lower() not in known:
            raise SettingError(_unknown("optimizer", optimizer, known))
        chosen = optimizers.get(optimizer)
    elif isinstance(optimizer, optimizers.Optimizer):
        chosen = type(optimizer).from_config(optimizer.get_config())
    else:
        raise SettingError(
            f"optimizer must be a name, a Keras optimizer or None, received {optimizer!r}"
        )
    if learning_rate is not None:
        chosen.learning_rate = learning_rate
    return chosen


def choose_metrics(metrics: Sequence[Any] | None, target: TargetSpec) -> list[Any]:
    """Answer the metrics of the history, by name or as Keras objects; copies of these.

    Raises:
        SettingError: There is no such metric.
    """
    module = keras().metrics
    chosen: list[Any] = []
    if isinstance(target, Targets):
        return _metrics_of_several(metrics)
    if target.task == "regression" and target.outputs > 1:
        return _metrics_of_point(metrics, target)
    for metric in _METRICS[target.task] if metrics is None else metrics:
        if isinstance(metric, module.Metric):
            chosen.append(type(metric).from_config(metric.get_config()))
            continue
        if isinstance(metric, str) and metric != "accuracy":
            try:
                module.get(metric)
            except ValueError as error:
                known = ["accuracy", *_names(module)]
                raise SettingError(_unknown("metric", metric, known)) from error
        chosen.append(metric)
    return chosen


def _metrics_of_several(metrics: Sequence[Any] | None) -> list[Any]:
    if metrics:
        raise SettingError(
            f"metrics in the history belong to one target, received {list(metrics)!r} for several: "
            "leave them out; evaluate() has the metrics of each target"
        )
    return []


def _metrics_of_point(metrics: Sequence[Any] | None, target: TargetSpec) -> list[Any]:
    """Answer the metrics of an output that describes a distribution of numbers."""
    named = [metric for metric in metrics or () if isinstance(metric, str) and metric != "mae"]
    if named:
        raise SettingError(
            f"the network answers {target.outputs} columns for {target.name!r}, which the metric "
            f"{named[0]!r} does not know: use 'mae' or a Keras metric of your own"
        )
    error = likelihoods.point_error(*target.middle)
    chosen = ["mae"] if metrics is None else metrics
    return [
        keras().metrics.MeanMetricWrapper(error, name="mae") if isinstance(metric, str) else metric
        for metric in chosen
    ]


def _check_cross_entropy(loss: Any, target: TargetSpec) -> None:
    if loss is not None and target.task == "regression":
        raise SettingError(
            f"the loss {loss!r} needs classes, and the target {target.name!r} is a regression "
            "target: use 'mse', 'mae' or 'huber', or state task='binary' or 'multiclass'"
        )


def _check_loss(name: str, target: TargetSpec) -> None:
    if "crossentropy" not in name:
        return
    _check_cross_entropy(name, target)
    binary = name.startswith("binary")
    if target.task == "binary" and not binary:
        raise SettingError(
            f"the loss {name!r} needs one output a class, and the network has one output for the "
            f"two classes of {target.name!r}: use 'binary_crossentropy'"
        )


def check_rate(learning_rate: Any) -> None:
    """Check a learning rate.

    Raises:
        SettingError: It is no Keras schedule and no number above 0.
    """
    schedule = keras().optimizers.schedules.LearningRateSchedule
    if learning_rate is None or isinstance(learning_rate, schedule):
        return
    if not isinstance(learning_rate, int | float) or not 0 < learning_rate < float("inf"):
        raise SettingError(
            f"learning_rate must be a number above 0 or a Keras schedule, "
            f"received {learning_rate!r}"
        )


def _loss_name(loss: Callable[..., Any]) -> str:
    """Answer the name of a loss object in the manner of functions: `mean_squared_error`."""
    name = getattr(loss, "__name__", type(loss).__name__)
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.lstrip("_")


def _names(module: Any) -> list[str]:
    """Answer the functions of a Keras module, which are the names that its `get` knows."""
    return sorted(
        name
        for name in dir(module)
        if name.islower() and not name.startswith("_") and callable(getattr(module, name))
        if name not in {"get", "serialize", "deserialize"}
    )


def _optimizer_names(optimizers: Any) -> list[str]:
    return sorted(
        name.lower()
        for name, found in vars(optimizers).items()
        if isinstance(found, type)
        and issubclass(found, optimizers.Optimizer)
        and found is not optimizers.Optimizer
        and name != "LossScaleOptimizer"
    )


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = nearest(name.lower(), known)
    meant = f"perhaps {close!r} is meant" if close else f"known are {', '.join(known)}"
    return f"{what} {name!r} is not known; {meant}"
