"""Baselines: what a model has to beat on the same rows before it is worth its trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features, FeatureSpec

__all__ = ["BASELINES", "baselines", "dummy", "gradient_boosting"]

BASELINES: tuple[str, ...] = ("dummy", "gradient_boosting")
"""The baselines of an evaluation, by name."""

_MOST_CATEGORIES = 255
"""scikit-learn's boosting takes no more categories than this in a column."""


_BOOSTED_LOSSES = {"poisson": "poisson", "quantiles": "absolute_error"}
"""The losses of scikit-learn's boosting for likelihoods whose prediction is not the mean."""


def baselines(
    target: TargetSpec,
    features: FeatureSpec,
    train: Features,
    y_train: NDArray[Any],
    test: Features,
    *,
    names: Sequence[str] = BASELINES,
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Fit baselines on the training rows and answer what they say about the test rows.

    Args:
        target: The task.
        features: The names and sizes of the feature columns.
        train: The training rows.
        y_train: (rows,) as `target.encode` answers it: class index, or standardised value.
        test: The test rows.
        names: Which baselines to fit.
        seed: The seed of the boosting's own validation split.

    Returns:
        For each name an output with the shape and units of a network's output: (rows, 1)
        probability of the second class, (rows, classes), or (rows, 1) standardised.

    Raises:
        SettingError: A name is unknown.

    Example:
        >>> from headrace.plan.features import Features, FeatureSpec
        >>> from headrace.model.target import TargetSpec
        >>> rows = Features(np.zeros((4, 1)), np.zeros((4, 0)))
        >>> target = TargetSpec("bought", "binary", classes=("no", "yes"))
        >>> labels = np.array([0, 1, 1, 1])
        >>> answers = baselines(
        ...     target, FeatureSpec(("age",)), rows, labels, rows, names=["dummy"])
        >>> answers["dummy"].tolist()
        [[0.75], [0.75], [0.75], [0.75]]
    """
    for name in names:
        if name not in BASELINES:
            close = nearest(name, BASELINES)
            hint = f"; perhaps {close!r} is meant" if close else ""
            raise SettingError(f"the baselines are {', '.join(BASELINES)}, received {name!r}{hint}")
    outputs = {}
    if "dummy" in names:
        outputs["dummy"] = dummy(target, y_train, rows=len(test))
    if "gradient_boosting" in names:
        outputs["gradient_boosting"] = gradient_boosting(
            target, features, train, y_train, test, seed=seed
        )
    return {name: outputs[name] for name in names}


def dummy(target: TargetSpec, y_train: NDArray[Any], *, rows: int) -> NDArray[np.float64]:
    """Answer the same for every row: the class shares, the mean or (quantiles) the median.

    Args:
        target: The task.
        y_train: (training rows,) class index, or standardised value.
        rows: How many rows to answer for.

    Returns:
        (rows, 1), or (rows, classes) for multiclass.
    """
    if target.task == "multiclass":
        shares = np.bincount(y_train, minlength=len(target.classes)) / len(y_train)
        return np.tile(shares, (rows, 1))
    middle = np.median if target.likelihood == "quantiles" else np.mean
    return np.full((rows, 1), float(middle(np.asarray(y_train, dtype=np.float64))))


def gradient_boosting(
    target: TargetSpec,
    features: FeatureSpec,
    train: Features,
    y_train: NDArray[Any],
    test: Features,
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Answer what scikit-learn's histogram gradient boosting with its defaults says.

    It reads the same features as the network and has the network's aim: for counts the Poisson
    loss, for quantiles the absolute error. Category columns with up to 255 codes are told to it as
    categories; those with more are read as ordered numbers, which is all it can do.

    Args:
        target: The task.
        features: The names and sizes of the feature columns.
        train: The training rows.
        y_train: (training rows,) class index, or standardised value.
        test: The test rows.
        seed: The seed of the validation split for early stopping.

    Returns:
        (rows, 1), or (rows, classes) for multiclass.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    narrow = [size <= _MOST_CATEGORIES for size in features.cardinalities]
    settings: dict[str, Any] = {
        "categorical_features": np.array([False] * len(features.numbers) + narrow),
        "random_state": seed,
    }
    if target.task == "regression":
        settings["loss"] = _BOOSTED_LOSSES.get(str(target.likelihood), "squared_error")
        regressor = HistGradientBoostingRegressor(**settings).fit(_matrix(train), y_train)
        return np.asarray(regressor.predict(_matrix(test)), dtype=np.float64).reshape(-1, 1)
    classifier = HistGradientBoostingClassifier(**settings).fit(_matrix(train), y_train)
    known = classifier.predict_proba(_matrix(test))
    # A class without a training row has no column in scikit-learn's answer.
    probabilities = np.zeros((len(test), len(target.classes)))
    probabilities[:, classifier.classes_.astype(np.intp)] = known
    return probabilities if target.task == "multiclass" else probabilities[:, 1:]


def _matrix(rows: Features) -> NDArray[np.float32]:
    return np.concatenate([rows.numbers, rows.categories.astype(np.float32)], axis=1)
