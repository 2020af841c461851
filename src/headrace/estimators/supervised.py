"""Networks as scikit-learn's classifiers and regressors."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from headrace.data.objects import column_of
from headrace.data.split import split
from headrace.errors import DataError, Problem, SettingError
from headrace.estimators.base import PipelineEstimator
from headrace.estimators.network import chosen_network, steps_for
from headrace.estimators.target import check_classes, free_name, has_order, labels, numbers
from headrace.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.data.schema import Kind
    from headrace.model.network import Network
    from headrace.model.target import StatedTask
    from headrace.preprocessing.step import Step

__all__ = ["Classifier", "Regressor"]

_GROUP = "__headrace_group__"
_WEIGHT = "__headrace_sample_weight__"
_GROUP_SPLITS = 20
"""Splits by group that are tried, until one leaves every class to learn from."""
_STATED = ("hidden", "preset", "time", "epochs", "batch_size", "learning_rate")
"""Settings of the network that the estimators take themselves."""


class _Supervised(PipelineEstimator):
    """A network behind its steps, trained by `fit(X, y)`."""

    n_iter_: int

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        return tags

    def __init__(
        self,
        hidden: Any = None,
        *,
        preset: str | None = None,
        time: float | str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: Any = None,
        network: Network | None = None,
        steps: Sequence[Step] | None = None,
        kinds: Mapping[str, Kind] | None = None,
        validation_fraction: float | None = 0.2,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.hidden = hidden
        self.preset = preset
        self.time = time
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.network = network
        self.steps = steps
        self.kinds = kinds
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(
        self,
        X: Any,  # noqa: N803 - scikit-learn's name
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fit the steps and train the network.

        Args:
            X: (rows, columns): a pandas, Polars or Arrow table, an array or nested lists.
            y: (rows,) the labels or values, none missing.
            sample_weight: (rows,) weight of each row in the loss; rows of weight 0 are left out.
            groups: (rows,) rows of one group stay together when validation rows are chosen.

        Returns:
            Itself.

        Raises:
            ValueError: If X and y do not fit each other, or cannot be learnt from.
            SettingError: If a setting cannot be used.
        """
        if y is None:
            raise DataError([Problem(_without_target(type(self).__name__))])
        table = self._rows_to_learn(X, least=2)
        target = self._values(y)
        check_consistent_length(table, target, sample_weight, groups)
        name = free_name(y, table.columns)
        beside = {name: y if has_order(y) else target}
        if sample_weight is not None:
            beside[_WEIGHT] = _check_sample_weight(sample_weight, target, ensure_non_negative=True)
            kept = beside[_WEIGHT] > 0
        if groups is not None:
            beside[_GROUP] = np.asarray(groups)
        rows = table.with_columns(column_of(name, values) for name, values in beside.items())
        if sample_weight is not None:
            rows, target = rows.filter(pl.Series(kept)), target[kept]
        self._learn_target(target)
        self._train(rows, name)
        return self

    @abstractmethod
    def _values(self, y: Any) -> NDArray[Any]:
        """Answer the target, checked, (rows,)."""

    @abstractmethod
    def _learn_target(self, target: NDArray[Any]) -> None:
        """Remember what `predict` needs of the target's values."""

    @abstractmethod
    def _task(self, network: Network) -> StatedTask:
        """Answer the network's task."""

    def _train(self, rows: pl.DataFrame, target: str) -> None:
        seed = self._seed(self.random_state)
        table = rows.drop(target, _WEIGHT, _GROUP, strict=False)
        steps = [*steps_for(table, self.steps, self.kinds), self._network()]
        pipeline = Pipeline(steps, target=target, kinds=self.kinds, seed=seed)
        rows, validation = self._split(rows, target, seed)
        weight = _WEIGHT if _WEIGHT in rows.columns else None
        result = pipeline.train(rows, validation, weight=weight)
        self.pipeline_, self.n_iter_ = pipeline, result.epochs

    def _network(self) -> Network:
        stated = {name: getattr(self, name) for name in _STATED}
        network = chosen_network(self.steps, self.network, stated)
        if self.validation_fraction is None:
            network.patience = None
        network.task = self._task(network)
        return network

    def _split(self, rows: pl.DataFrame, target: str, seed: int) -> tuple[pl.DataFrame, object]:
        """Answer the rows, and what the pipeline takes as validation."""
        share = self.validation_fraction
        if share is not None and not 0 < share < 1:
            raise SettingError(
                f"validation_fraction must be above 0 and below 1, or None, received {share!r}"
            )
        if _GROUP not in rows.columns:
            return rows, share
        if share is None:
            return rows.drop(_GROUP), None
        train, held = _split_by_group(rows, target, share, seed, classes=hasattr(self, "classes_"))
        return train.drop(_GROUP), held.drop(_GROUP, _WEIGHT, strict=False)


class Classifier(ClassifierMixin, _Supervised):  # type: ignore[misc]
    """A network that tells classes, as scikit-learn's classifiers do.

    It wraps `hr.Pipeline`: the steps are chosen from the kinds of the columns, or given. The same
    rows, settings and seed give the same answers as the pipeline.

    Args:
        hidden: The network's layers or architecture; this and the next five are settings of
            `hr.Network`, and go before those of `network`. None leaves them as they are there.
        preset: How much is done for accuracy.
        time: How long a training may take.
        epochs: The most epochs.
        batch_size: Rows an optimiser step.
        learning_rate: A number or a Keras schedule.
        network: All other settings of the network; `network__patience` and the like reach them.
        steps: The steps before the network, or with it as the last; None to choose them.
        kinds: Kinds of columns where the inferred ones are not wanted, `{"zip": "category"}`.
        validation_fraction: The share of the rows that decides when the network stops; None to
            learn from all rows, for as many epochs as the network is set to.
        random_state: Seed of the split, the weights and the order of the rows; None for chance.

    Attributes:
        classes_: The labels, in the order of the columns of `predict_proba`, (classes,).
        n_iter_: How many epochs were trained.
        pipeline_: The trained `hr.Pipeline`: it can be evaluated, saved, deployed and maintained.
        n_features_in_: How many columns `fit` saw.
        feature_names_in_: Their names, (columns,), where they came with names.

    Example:
        >>> rows = [[0.0], [0.1], [0.2], [0.8], [0.9], [1.0]]
        >>> labels = ["low", "low", "low", "high", "high", "high"]
        >>> model = Classifier("linear", epochs=2, validation_fraction=None).fit(rows, labels)
        >>> model.classes_.tolist(), model.predict_proba(rows).shape
        (['high', 'low'], (6, 2))
    """

    classes_: NDArray[Any]

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Answer the label of each row, (rows,).

        Raises:
            NotFittedError: If `fit` was not called before.
            ValueError: If the columns are not those of `fit`.
        """
        table = self._rows_to_answer(X)
        answers = self.pipeline_.predict(table)
        spec = self.pipeline_.fitted.network.target_spec
        chosen: NDArray[Any] = self.classes_[np.argsort(self._places())[spec.encode(answers)]]
        return chosen

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Answer the probability of each class for each row, (rows, classes).

        Raises:
            NotFittedError: If `fit` was not called before.
            ValueError: If the columns are not those of `fit`.
        """
        table = self._rows_to_answer(X)
        shares = self.pipeline_.predict_proba(table)[:, self._places()].astype(np.float64)
        # The network's float32 sums are not 1 to the last digit of float64, which scores expect.
        normalised: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
        return normalised

    def _places(self) -> NDArray[np.int32]:
        """Answer for each class its place among the pipeline's, which sorts numbers in texts."""
        spec = self.pipeline_.fitted.network.target_spec
        places: NDArray[np.int32] = spec.encode(column_of(spec.name, self.classes_))
        return places

    def _values(self, y: Any) -> NDArray[Any]:
        return labels(y)

    def _learn_target(self, target: NDArray[Any]) -> None:
        self.classes_ = np.unique(target)
        check_classes(self.classes_)

    def _task(self, network: Network) -> StatedTask:
        if network.task in ("regression", "count"):
            raise SettingError(f"the task {network.task!r} has no classes: use hr.Regressor")
        return network.task or ("binary" if len(self.classes_) == 2 else "multiclass")


class Regressor(RegressorMixin, _Supervised):  # type: ignore[misc]
    """A network that answers numbers, as scikit-learn's regressors do.

    It wraps `hr.Pipeline`: the steps are chosen from the kinds of the columns, or given. The same
    rows, settings and seed give the same answers as the pipeline.

    Args:
        hidden: The network's layers or architecture; this and the next five are settings of
            `hr.Network`, and go before those of `network`. None leaves them as they are there.
        preset: How much is done for accuracy.
        time: How long a training may take.
        epochs: The most epochs.
        batch_size: Rows an optimiser step.
        learning_rate: A number or a Keras schedule.
        network: All other settings of the network; `network__patience` and the like reach them.
        steps: The steps before the network, or with it as the last; None to choose them.
        kinds: Kinds of columns where the inferred ones are not wanted, `{"zip": "category"}`.
        validation_fraction: The share of the rows that decides when the network stops; None to
            learn from all rows, for as many epochs as the network is set to.
        random_state: Seed of the split, the weights and the order of the rows; None for chance.

    Attributes:
        n_iter_: How many epochs were trained.
        pipeline_: The trained `hr.Pipeline`: it can be evaluated, saved, deployed and maintained.
        n_features_in_: How many columns `fit` saw.
        feature_names_in_: Their names, (columns,), where they came with names.

    Example:
        >>> rows = [[0.0], [1.0], [2.0], [3.0]]
        >>> model = Regressor("linear", epochs=2, validation_fraction=None)
        >>> model.fit(rows, [0.0, 2.0, 4.0, 6.0]).predict([[1.5]]).shape
        (1,)
    """

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Answer the value of each row, (rows,).

        Raises:
            NotFittedError: If `fit` was not called before.
            ValueError: If the columns are not those of `fit`.
        """
        table = self._rows_to_answer(X)
        values: NDArray[np.float64] = self.pipeline_.predict(table).to_numpy()
        return values

    def _values(self, y: Any) -> NDArray[Any]:
        return numbers(y)

    def _learn_target(self, target: NDArray[Any]) -> None:
        """Remember nothing: the pipeline knows the target's mean and scale."""

    def _task(self, network: Network) -> StatedTask:
        if network.task in ("binary", "multiclass", "ordinal"):
            raise SettingError(f"the task {network.task!r} has classes: use hr.Classifier")
        return network.task or "regression"


def _without_target(name: str) -> str:
    # In scikit-learn's words.
    return f"this {name} estimator requires y to be passed, but the target y is None"


def _split_by_group(
    rows: pl.DataFrame, target: str, share: float, seed: int, *, classes: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Answer training and validation rows; all classes are among those to learn from.

    Raises:
        DataError: If there is one group only, or no split was found that leaves all classes.
    """
    for attempt in range(_GROUP_SPLITS):
        train, held = split(rows, share=share, group=_GROUP, seed=seed + attempt)
        if not classes or held[target].is_in(train[target].unique().implode()).all():
            return train, held
    text = "some classes are in so few groups that no rows of theirs are left to learn from"
    hint = "Lower validation_fraction, set it to None, or leave out groups"
    raise DataError([Problem(text, column="groups", hint=hint)])
