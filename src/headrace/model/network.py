"""The network step: settings of a network and of its training."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.conformal.settings import Conformal, conformal_settings
from headrace.duration import seconds
from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.model.assembly import are_widths
from headrace.model.calibration import check_calibration
from headrace.model.ensemble import fit_ensemble
from headrace.model.fitted import FittedNetwork
from headrace.model.labelled import Labelled
from headrace.model.monitor import Monitor
from headrace.model.presets import preset
from headrace.model.rows import check_rows
from headrace.model.search_space import (
    architecture_of,
    ranges_of,
    strong_settings,
    values_in_use,
)
from headrace.model.several import check_shared
from headrace.model.single import Fitting, decided, fit_single
from headrace.model.target import check_task
from headrace.model.threshold import check_threshold
from headrace.preprocessing.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from headrace.model.labelled import Window
    from headrace.model.loop import Resuming
    from headrace.model.target import StatedTask, TargetSpec
    from headrace.model.threshold import ThresholdRule
    from headrace.plan.features import Features, FeatureSpec

__all__ = ["FittedNetwork", "Network"]


class Network(Step):
    """A Keras network with its training, the last step of a pipeline.

    Args:
        hidden: What lies between the features and the output layer: None for the preset's
            architecture; widths of dense layers, `[64, 64]`; Keras layers, with or without the
            output layer; a whole `keras.Model`; a function `build(features, target) ->
            keras.Model`; or the name of an architecture, "mlp", "tabm", "realmlp", "linear" or one
            of your own. Layers and models are copied: the given ones are not changed, and a
            model's weights are where training starts.
        preset: "fast" (seconds), "balanced" (one small TabM) or "best" (several networks of two
            kinds, trained on different parts of the rows, that answer together). With `hidden`,
            "best" trains several of that kind.
        time: The most time that the training may take, in seconds or as "2min"; None for any. The
            best weights until then are kept.
        activation: Of the hidden layers: the name of a Keras activation; None for the
            architecture's own.
        loss: A name ("mse", "mae", "huber", "binary_crossentropy", …), a Keras loss, a function,
            or None for the task's own: cross-entropy or mean squared error. "poisson" is for
            counts; with "gaussian" the network answers a mean and a standard deviation.
        quantiles: Which quantiles of a number to predict, `(0.05, 0.5, 0.95)`; None for its mean.
        optimizer: A name ("adam", "sgd", …), a Keras optimizer, or None for AdamW after the
            architecture's recipe.
        learning_rate: A number or a Keras schedule; None for the recipe's, 0.004 by default.
        weight_decay: How much of each weight an optimiser step takes off, times the learning rate
            (decoupled, as in AdamW); None for the recipe's, 0.0003 by default.
        schedule: How the learning rate goes on: "cosine", "coslog4", "warmup", "one_cycle",
            "flat_cos" or "plateau" (halved when the validation loss stands still); None for the
            recipe's.
        learning_rate_factors: Factors of the learning rate by the name of a layer,
            `{"embedding": 0.1}`; 0 keeps a layer as it is.
        epochs: The most epochs; None for the recipe's: 200, or 40 without validation rows.
        batch_size: Rows an optimiser step; None chooses 32 to 1024 by the number of rows.
        patience: After how many epochs without a better validation figure training stops and the
            best weights come back; "auto" for the recipe's, 8 by default; None for no early
            stopping, and no validation rows.
        monitor: The figure of the validation rows that decides: "loss", or a metric of the task
            ("roc_auc", "f1", "mae", …; see `headrace.metrics`).
        embedding: How numbers come in: "piecewise" (linear between the edges of learnt bins), or
            None for the numbers as they are.
        dropout: The share of each hidden layer dropped in training; None for the architecture's.
        label_smoothing: The share of each label that is spread over all classes; None for none,
            or the recipe's when `monitor` is "accuracy".
        class_weight: Weights of the classes in the loss: "balanced", or a dict of label and
            weight; None for equal ones.
        calibrate: How probabilities are corrected by the validation rows: "temperature",
            "isotonic" or None; see `headrace.model.calibration`.
        threshold: With two classes: the probability above which the second one is answered, as a
            number; the name of a metric that it shall be best for; costs of the two errors,
            `{"false_positive": 1, "false_negative": 5}`; None for one half. It is chosen by the
            validation rows.
        conformal: The share of the rows that is held out to calibrate prediction intervals and
            sets, or `hr.Conformal(...)` for more; None for none. See `Pipeline.calibrate`.
        refit: Whether to train a second time on all rows, validation rows included, for as many
            epochs as were best; None for yes when the validation rows are the newest ones
            (`hr.Split(time=...)`).
        metrics: Further figures in the history, by name or as Keras metrics; None for accuracy, or
            the mean absolute error of the standardised target.
        callbacks: Keras callbacks.
        task: "binary", "multiclass", "ordinal", "regression" or "count"; None to see it from the
            target. For several targets `task`, `loss` and `quantiles` may be dicts by target,
            `task={"visits": "count"}`.
        settings: Further settings of the architecture, such as `{"members": 16}` of "tabm".
        workers: How many workers train together, each on its part of the rows and of every batch;
            None for this process alone. They are processes on this machine, or one on each worker
            of the Dask cluster that the pipeline has as `executor`. Without dropout the weights are
            those of one process, to float precision; see docs/scale.md.

    Example:
        >>> Network([64, 64], activation="gelu", patience=None)
        Network([64, 64], activation='gelu', patience=None)
    """

    def __init__(
        self,
        hidden: Any = None,
        *,
        preset: str = "balanced",
        time: float | str | None = None,
        activation: Any = None,
        loss: Any = None,
        quantiles: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
        optimizer: Any = None,
        learning_rate: Any = None,
        weight_decay: float | None = None,
        schedule: str | None = None,
        learning_rate_factors: Mapping[str, float] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        patience: int | str | None = "auto",
        monitor: Any = "loss",
        embedding: str | None = "piecewise",
        dropout: float | None = None,
        label_smoothing: float | None = None,
        class_weight: Any = None,
        calibrate: str | None = None,
        threshold: ThresholdRule = None,
        conformal: Conformal | float | None = None,
        refit: bool | None = None,
        metrics: Sequence[Any] | None = None,
        callbacks: Sequence[Any] = (),
        task: StatedTask | Mapping[str, StatedTask] | None = None,
        settings: Mapping[str, Any] | None = None,
        workers: int | None = None,
    ) -> None:
        self.hidden = hidden
        self.preset = preset
        self.time = time
        self.activation = activation
        self.loss = loss
        self.quantiles = quantiles
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.learning_rate_factors = learning_rate_factors
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.monitor = monitor
        self.embedding = embedding
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.calibrate = calibrate
        self.threshold = threshold
        self.conformal = conformal
        self.refit = refit
        self.metrics = metrics
        self.callbacks = callbacks
        self.task: Any = task
        self.settings = settings
        self.workers = workers

    def target_spec(self, values: pl.Series) -> TargetSpec:
        """Learn what is predicted from the training values, with what the settings say of it.

        Raises:
            DataError: The values cannot be predicted, or do not suit the settings.
        """
        from headrace.model.inference import infer_target

        return infer_target(values, task=self.task, loss=self.loss, quantiles=self.quantiles)

    def fit(
        self,
        features: Features,
        target: NDArray[Any],
        *,
        feature_spec: FeatureSpec,
        target_spec: TargetSpec,
        validation: tuple[Features, NDArray[Any]] | None = None,
        pooled: bool = False,
        sample_weight: NDArray[Any] | None = None,
        validation_weight: NDArray[Any] | None = None,
        start: Sequence[NDArray[Any]] | None = None,
        seed: int = 0,
        window: Window | None = None,
        resuming: Resuming | None = None,
        engine: Engine = HERE,
    ) -> FittedNetwork:
        """Build the network and train it; the same seed gives the same weights.

        With a time limit the weights depend on how fast the machine is, too.

        Args:
            features: The training rows.
            target: Their target, (rows,), from `TargetSpec.encode`.
            feature_spec: The columns of the features.
            target_spec: What is predicted.
            validation: Features and target of the rows that early stopping looks at.
            pooled: Whether the validation rows were drawn at random, so that an ensemble may learn
                from them too and hold others out instead.
            sample_weight: (rows,) weight of each row in the loss; only their ratios matter.
            validation_weight: The same of the validation rows, in their loss.
            start: Weights to begin with, from `FittedNetwork.weights` of the same architecture.
            seed: Of first weights, order of rows and dropout.
            window: How the rows are read where features and targets are maps of files; None for
                rows in memory.
            resuming: Where the training is saved and gone on from; None to save nothing.
            engine: What the workers run on, if there are any.

        Raises:
            SettingError: A setting cannot be used, or the loss became NaN or infinite.
            DataError: The rows cannot be trained on.
            WorkerError: Workers were lost again and again.
        """
        self._check()
        check_shared(self, target_spec)
        Monitor.of(self.monitor, target_spec)
        rows = Labelled(features, target, sample_weight, window)
        held = None
        _check_labelled(rows, feature_spec, target_spec, "training")
        if validation is not None:
            held = Labelled(*validation, validation_weight, window)
            _check_labelled(held, feature_spec, target_spec, "validation")
        fitting = Fitting(
            feature_spec,
            target_spec,
            rows,
            held,
            seed=seed,
            deadline=self._deadline(resuming),
            start=start,
            resuming=resuming,
            engine=engine,
        )
        chosen = preset(self.preset)
        if chosen.is_ensemble and start is None:
            if self.hidden is not None:
                chosen = replace(chosen, members=chosen.members[:1])
            return fit_ensemble(self, chosen, fitting, pooled=pooled)
        return decided(self, fit_single(self, chosen.members[0], fitting), fitting.held, None)

    def _deadline(self, resuming: Resuming | None) -> float | None:
        """Answer the moment to stop; what was used up before a kill counts."""
        if self.time is None:
            return None
        from headrace.model.saving import seconds_spent

        spent = 0.0 if resuming is None else seconds_spent(resuming.kept)
        return time.perf_counter() + max(0.0, seconds(self.time) - spent)

    def search_space(self) -> Mapping[str, Any]:
        """Answer the ranges that tuning may try: those of the training, and the architecture's.

        Settings of the architecture have names such as `settings__bins`.
        """
        return ranges_of(self)

    def in_use(self, target: TargetSpec | None = None) -> Mapping[str, Any]:
        """Answer the values in use of what `search_space` names, with those of recipe and preset.

        Args:
            target: What is predicted, as far as it decides the recipe.
        """
        return values_in_use(self, target)

    def strong_settings(self) -> Sequence[Mapping[str, Any]]:
        """Answer settings that were strong on many tables, for tuning to try first."""
        return strong_settings(self)

    def variant(self) -> str:
        """Answer the name of the architecture.

        Example:
            >>> Network("realmlp").variant(), Network([64, 64]).variant()
            ('realmlp', 'mlp')
        """
        return architecture_of(self)

    def _check(self) -> None:
        """Check the settings that need no data.

        Raises:
            SettingError: One of them cannot be used.
        """
        preset(self.preset)
        for name in ("epochs", "batch_size", "workers"):
            _check_whole(name, getattr(self, name))
        if self.patience != "auto":
            _check_whole("patience", self.patience)
        for name in ("dropout", "label_smoothing"):
            share = getattr(self, name)
            if share is not None and not 0 <= share < 1:
                raise SettingError(f"{name} must be a number from 0 to below 1, received {share!r}")
        if self.weight_decay is not None and not 0 <= self.weight_decay < 1:
            raise SettingError(
                f"weight_decay must be a number from 0 to below 1, received {self.weight_decay!r}"
            )
        check_calibration(self.calibrate)
        check_threshold(self.threshold)
        conformal_settings(self.conformal)
        if self.task is not None:
            check_task(self.task)
        if are_widths(self.hidden):
            for width in self.hidden:
                _check_whole("a hidden width", width)


def _check_whole(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise SettingError(f"{name} must be a whole number, 1 or more, received {value!r}")


def _check_labelled(rows: Labelled, features: FeatureSpec, target: TargetSpec, what: str) -> None:
    """Check rows in memory; those on disk were checked when they were written."""
    if rows.window is not None:
        rows = rows.take(slice(0, rows.window.block))
    check_rows(rows.features, rows.target, features, target, what=what)
