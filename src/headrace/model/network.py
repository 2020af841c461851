"""The network step: settings of a network and of its training."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.model import custom
from headrace.model.architectures import architecture
from headrace.model.backend import keras
from headrace.model.choices import (
    choose_activation,
    choose_loss,
    choose_metrics,
    choose_optimizer,
)
from headrace.model.fitted import CUSTOM, FittedNetwork, weights_misfit
from headrace.model.loop import automatic_batch_size, seeded, train
from headrace.model.rows import Rows, check_rows, class_weights, sample_ratios
from headrace.model.target import check_task
from headrace.preprocessing.space import Choice, Real
from headrace.preprocessing.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.model.choices import Loss
    from headrace.model.target import TargetSpec, Task
    from headrace.plan.features import Features, FeatureSpec

__all__ = ["FittedNetwork", "Network"]

_DEFAULT = "tabm"
_WITH_DROPOUT = ("mlp", "tabm")
_EPOCHS = 200
_EPOCHS_WITHOUT_VALIDATION = 40


class Network(Step):
    """A Keras network with its training, the last step of a pipeline.

    Args:
        hidden: What lies between the features and the output layer: None for the default
            architecture (TabM, small); widths of dense layers, `[64, 64]`; Keras layers, with or
            without the output layer; a whole `keras.Model`; a function
            `build(features, target) -> keras.Model`; or the name of an architecture, "mlp",
            "tabm", "linear" or one of your own. Layers and models are copied: the given ones
            are not changed, and a model's weights are where training starts.
        activation: Of the hidden layers: the name of a Keras activation.
        loss: A name ("mse", "mae", "huber", "binary_crossentropy", …), a Keras loss, a function,
            or None for the task's own: cross-entropy or mean squared error.
        optimizer: A name ("adam", "sgd", …), a Keras optimizer, or None for AdamW with weight
            decay 0.0003 and clipped gradients.
        learning_rate: A number or a Keras schedule; None for the optimizer's own, 0.002 by default.
        epochs: The most epochs; None for 200, or 40 without validation rows.
        batch_size: Rows an optimiser step; None chooses 32 to 1024 by the number of rows.
        patience: After how many epochs without a better validation loss training stops and the
            best weights come back; None for no early stopping.
        embedding: How numbers come in: "piecewise" (linear between the edges of learnt bins), or
            None for the numbers as they are.
        dropout: The share of each hidden layer dropped in training; None for the architecture's.
        class_weight: Weights of the classes in the loss: "balanced", or a dict of label and
            weight; None for equal ones.
        metrics: Further figures in the history, by name or as Keras metrics; None for accuracy, or
            the mean absolute error of the standardised target.
        callbacks: Keras callbacks.
        task: "binary", "multiclass" or "regression"; None to see it from the target.
        settings: Further settings of the architecture, such as `{"members": 16}` of "tabm".

    Example:
        >>> Network([64, 64], activation="gelu", patience=None)
        Network([64, 64], activation='gelu', patience=None)
    """

    def __init__(
        self,
        hidden: Any = None,
        *,
        activation: Any = "relu",
        loss: Any = None,
        optimizer: Any = None,
        learning_rate: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        patience: int | None = 16,
        embedding: str | None = "piecewise",
        dropout: float | None = None,
        class_weight: Any = None,
        metrics: Sequence[Any] | None = None,
        callbacks: Sequence[Any] = (),
        task: Task | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.embedding = embedding
        self.dropout = dropout
        self.class_weight = class_weight
        self.metrics = metrics
        self.callbacks = callbacks
        self.task = task
        self.settings = settings

    def fit(
        self,
        features: Features,
        target: NDArray[Any],
        *,
        feature_spec: FeatureSpec,
        target_spec: TargetSpec,
        validation: tuple[Features, NDArray[Any]] | None = None,
        sample_weight: NDArray[Any] | None = None,
        start: Sequence[NDArray[Any]] | None = None,
        seed: int = 0,
    ) -> FittedNetwork:
        """Build the network and train it; the same seed gives the same weights.

        Args:
            features: The training rows.
            target: Their target, (rows,), from `TargetSpec.encode`.
            feature_spec: The columns of the features.
            target_spec: What is predicted.
            validation: Features and target of the rows that early stopping looks at.
            sample_weight: (rows,) weight of each row in the loss; only their ratios matter.
            start: Weights to begin with, from `FittedNetwork.weights` of the same architecture.
            seed: Of first weights, order of rows and dropout.

        Raises:
            SettingError: A setting cannot be used, or the loss became NaN or infinite.
            DataError: The rows cannot be trained on.
        """
        self._check()
        check_rows(features, target, feature_spec, target_spec)
        if validation is not None:
            check_rows(*validation, feature_spec, target_spec, what="validation")
        classes = class_weights(self.class_weight, target, target_spec)
        keras()  # its import takes seconds, which are none of the network's
        began = time.perf_counter()
        with seeded(seed):
            model, name, settings = self._build(feature_spec, target_spec)
            loss = self._compile(model, target_spec)
            if start is None:
                _take_from_rows(model, name, features, target, target_spec)
            else:
                _go_on_from(model, start)
            built = time.perf_counter() - began
            training = train(
                model,
                _rows(model, features, target, loss, classes=classes, rows=sample_weight),
                None if validation is None else _rows(model, *validation, loss, classes=classes),
                epochs=self._epochs(watched=validation is not None),
                batch_size=self.batch_size or automatic_batch_size(len(features)),
                patience=self.patience,
                callbacks=self.callbacks,
                seed=seed,
            )
        return FittedNetwork(
            model,
            architecture=name,
            settings=settings,
            feature_spec=feature_spec,
            target_spec=target_spec,
            training=replace(training, seconds={"build": built, **training.seconds}),
        )

    def search_space(self) -> Mapping[str, Any]:
        """Answer the ranges that tuning may try; the widths only where they are given as such."""
        ranges: dict[str, Any] = {"learning_rate": Real(3e-4, 1e-2, log=True)}
        widths = _are_widths(self.hidden)
        if widths or self.hidden in (None, *_WITH_DROPOUT):
            ranges["dropout"] = Real(0.0, 0.5)
        if widths:
            ranges["hidden"] = Choice([[64], [64, 64], [128, 128], [256, 256], [256, 256, 256]])
        return ranges

    def _check(self) -> None:
        """Check the settings that need no data.

        Raises:
            SettingError: One of them cannot be used.
        """
        for name in ("epochs", "batch_size", "patience"):
            _check_whole(name, getattr(self, name))
        dropout = self.dropout
        if dropout is not None and not 0 <= dropout < 1:
            raise SettingError(f"dropout must be a number from 0 to below 1, received {dropout!r}")
        if self.task is not None:
            check_task(self.task)
        if _are_widths(self.hidden):
            for width in self.hidden:
                _check_whole("a hidden width", width)

    def _check_own(self) -> None:
        """Check that nothing is stated that a user's own layers or model would not hear of."""
        for name in ("dropout", "settings"):
            if getattr(self, name) is not None:
                raise SettingError(
                    f"{name} has no effect on Keras layers or models of your own: set it in them"
                )

    def _build(self, features: FeatureSpec, target: TargetSpec) -> tuple[Any, str, dict[str, Any]]:
        """Answer a new model, the name of its architecture and all settings of that."""
        hidden = self.hidden
        if hidden is None or isinstance(hidden, str):
            return self._build_named(hidden or _DEFAULT, {}, features, target)
        if _are_widths(hidden):
            widths = {"hidden": [int(width) for width in hidden]}
            return self._build_named("mlp", widths, features, target)
        self._check_own()
        if isinstance(hidden, keras().Model):
            model = custom.from_model(hidden, features, target)
        elif isinstance(hidden, Sequence):
            model = custom.from_layers(hidden, features, target, embedding=self.embedding)
        elif callable(hidden):
            model = custom.from_function(hidden, features, target)
        else:
            raise SettingError(
                "hidden must be widths, Keras layers, a keras.Model, a function "
                f"build(features, target), the name of an architecture or None, received {hidden!r}"
            )
        return model, CUSTOM, {}

    def _build_named(
        self, name: str, given: dict[str, Any], features: FeatureSpec, target: TargetSpec
    ) -> tuple[Any, str, dict[str, Any]]:
        found = architecture(name)
        settings = found.settings({**self._stated(found.defaults()), **given})
        return found.build(features, target, **settings), name, settings

    def _stated(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the settings of the architecture that were stated or that it shares with all."""
        stated: dict[str, Any] = {"activation": choose_activation(self.activation)}
        stated["embedding"] = self.embedding
        shared = {name: value for name, value in stated.items() if name in known}
        dropout = {} if self.dropout is None else {"dropout": self.dropout}
        return {**shared, **dropout, **(self.settings or {})}

    def _compile(self, model: Any, target: TargetSpec) -> Loss:
        loss, optimizer = self.loss, self.optimizer
        if isinstance(self.hidden, keras().Model) and self.hidden.compiled:
            loss = self.hidden.loss if loss is None else loss
            optimizer = self.hidden.optimizer if optimizer is None else optimizer
        chosen = choose_loss(loss, target)
        model.compile(
            optimizer=choose_optimizer(optimizer, self.learning_rate),
            loss=chosen.function,
            metrics=choose_metrics(self.metrics, target),
            jit_compile=False,
        )
        return chosen

    def _epochs(self, *, watched: bool) -> int:
        return self.epochs or (_EPOCHS if watched else _EPOCHS_WITHOUT_VALIDATION)


def _take_from_rows(
    model: Any, name: str, features: Features, target: NDArray[Any], spec: TargetSpec
) -> None:
    """Set what a new model takes from the training rows at once, such as edges of bins."""
    if name == CUSTOM:
        from headrace.model.architectures.ends import fix_edges

        fix_edges(model, features, target, spec)
        return
    start = architecture(name).start
    if start is not None:
        start(model, features, target, spec)


def _go_on_from(model: Any, weights: Sequence[NDArray[Any]]) -> None:
    misfit = weights_misfit(model, weights)
    if misfit:
        raise SettingError(f"the weights to start with are of another network: {misfit}")
    model.set_weights(list(weights))


def _are_widths(hidden: Any) -> bool:
    if isinstance(hidden, str) or not isinstance(hidden, Sequence | np.ndarray):
        return False
    return all(isinstance(width, int | float | np.number) for width in hidden)


def _check_whole(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise SettingError(f"{name} must be a whole number, 1 or more, received {value!r}")


def _rows(
    model: Any,
    features: Features,
    target: NDArray[Any],
    loss: Loss,
    *,
    classes: NDArray[np.float32] | None,
    rows: NDArray[Any] | None = None,
) -> Rows:
    """Answer rows as Keras reads them, with the weights of classes and of rows multiplied."""
    blocks = {
        "numbers": np.asarray(features.numbers, dtype=np.float32),
        "categories": np.asarray(features.categories, dtype=np.int32),
    }
    inputs = {tensor.name: blocks[tensor.name] for tensor in model.inputs}
    weight = None if classes is None else classes[target]
    if rows is not None:
        ratios = sample_ratios(rows, len(target))
        weight = ratios if weight is None else weight * ratios
    return Rows(inputs, loss.target(target, model.output.shape[-1]), weight)
