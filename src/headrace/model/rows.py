"""Rows in the form in which Keras reads them: checked, weighted, with the target of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import DataError, Problem, SettingError, nearest
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.model.target import TargetSpec
    from headrace.plan.features import Features, FeatureSpec

_CHUNK = 1 << 20
"""Rows that are looked at together, where there may be more than memory holds."""

__all__ = ["Rows", "check_rows", "class_weights", "mean_weight"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Inputs, target and weights of rows.

    Attributes:
        inputs: The model's inputs by name, (rows, …) each.
        target: (rows, …).
        weight: (rows,) weight of each row in the loss; None for equal weights.
    """

    inputs: Mapping[str, NDArray[Any]]
    target: NDArray[Any]
    weight: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def nbytes(self) -> int:
        """How many bytes of memory the rows take."""
        weight = 0 if self.weight is None else self.weight.nbytes
        return sum(block.nbytes for block in self.inputs.values()) + self.target.nbytes + weight

    def keras(self, chosen: slice = slice(None)) -> tuple[Any, ...]:
        """Answer inputs, target and, if there is one, weight: what Keras calls a batch."""
        inputs = {name: block[chosen] for name, block in self.inputs.items()}
        if self.weight is None:
            return inputs, self.target[chosen]
        return inputs, self.target[chosen], self.weight[chosen]


def check_rows(
    features: Features,
    target: NDArray[Any],
    feature_spec: FeatureSpec,
    target_spec: TargetSpec,
    *,
    what: str = "training",
) -> None:
    """Check that features and target can be trained on.

    Args:
        features: The feature blocks.
        target: The encoded target, (rows,).
        feature_spec: What the features should be.
        target_spec: What the target should be.
        what: Which rows they are, for the message.

    Raises:
        DataError: There are no rows, blocks and target do not fit, or numbers are not finite.
    """
    problems = [
        *_shape_problems(features, target, feature_spec, what),
        *_number_problems(features.numbers, feature_spec),
        *_code_problems(features.categories, feature_spec),
    ]
    if not problems:
        problems = _target_problems(target, target_spec)
    if problems:
        raise DataError(problems)


def class_weights(
    class_weight: str | Mapping[Any, float] | None, target: NDArray[Any], spec: TargetSpec
) -> NDArray[np.float32] | None:
    """Answer the weight of each class, (classes,), with mean 1 over the rows; None for equal ones.

    Args:
        class_weight: "balanced" for weights that give each class the same sum, a dict of label and
            weight (1 for labels that it leaves out), or None.
        target: The encoded training target.
        spec: What is predicted.

    Raises:
        SettingError: The target has no classes, a label is not known, or a weight is no number
            above 0.

    Example:
        >>> from headrace.model.target import TargetSpec
        >>> spec = TargetSpec("bought", "binary", classes=("no", "yes"))
        >>> class_weights("balanced", np.array([0, 0, 0, 1]), spec).tolist()
        [0.6666666865348816, 2.0]
    """
    if class_weight is None:
        return None
    if isinstance(spec, Targets):
        raise SettingError("class_weight is for one target; weigh the rows of several instead")
    if spec.task == "regression":
        raise SettingError(f"class_weight needs classes, and {spec.name!r} is a regression target")
    counts = np.zeros(len(spec.classes), dtype=np.int64)
    for first in range(0, len(target), _CHUNK):
        counts += np.bincount(target[first : first + _CHUNK], minlength=len(spec.classes))
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise SettingError(
                f"class_weight must be 'balanced', a dict or None, received {class_weight!r}"
            )
        weights = 1 / np.maximum(counts, 1)
    else:
        weights = _stated_weights(class_weight, spec)
    return np.asarray(weights * counts.sum() / (weights @ counts), dtype=np.float32)


def mean_weight(weights: NDArray[Any], rows: int) -> float:
    """Answer the mean of the weights of rows, (rows,), by which they are divided.

    Raises:
        DataError: There are more or fewer weights than rows, one is negative or no number, or
            all are 0.

    Example:
        >>> mean_weight(np.array([1, 3]), 2)
        2.0
    """
    if np.shape(weights) != (rows,):
        text = f"expected one weight for each of the {rows} rows, received {np.shape(weights)}"
        raise DataError([Problem(text)])
    total = 0.0
    for first in range(0, rows, _CHUNK):
        values = np.asarray(weights[first : first + _CHUNK], dtype=np.float64)
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            row = int(bad[0])
            text = "a row's weight must be a number, 0 or more"
            raise DataError([Problem(text, row=first + row, value=float(values[row]))])
        total += float(values.sum())
    if total == 0:
        raise DataError([Problem("the weights of all rows are 0, so there is nothing to learn")])
    return total / rows


def _stated_weights(stated: Mapping[Any, float], spec: TargetSpec) -> NDArray[np.float64]:
    places = {label: place for place, label in enumerate(spec.classes)}
    weights = np.ones(len(places))
    for label, weight in stated.items():
        if label not in places:
            close = nearest(str(label), [str(known) for known in places])
            meant = f"; perhaps {close!r} is meant" if close else ""
            raise SettingError(
                f"class_weight has the label {label!r}, which {spec.name!r} does not have{meant}"
            )
        if not 0 < weight < float("inf"):
            raise SettingError(
                f"the class_weight of {label!r} must be a number above 0, received {weight!r}"
            )
        weights[places[label]] = weight
    return weights


def _shape_problems(
    features: Features, target: NDArray[Any], spec: FeatureSpec, what: str
) -> list[Problem]:
    if len(target) == 0:
        return [Problem(f"there are no {what} rows")]
    problems = []
    for name, block, columns in (
        ("numbers", features.numbers, spec.numbers),
        ("categories", features.categories, spec.categories),
    ):
        expected = (len(target), len(columns))
        if block.shape != expected:
            problems.append(
                Problem(
                    f"expected {name} of the shape {expected} in the {what} rows, one row a target "
                    f"value and one column a name, received the shape {block.shape}"
                )
            )
    return problems


def _number_problems(numbers: NDArray[np.float32], spec: FeatureSpec) -> list[Problem]:
    if numbers.ndim != 2 or numbers.shape[1] != len(spec.numbers) or np.isfinite(numbers).all():
        return []
    problems = []
    for name, column in zip(spec.numbers, numbers.T, strict=True):
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            text = f"the network needs finite numbers, {len(bad)} of {len(column)} rows have none"
            hint = "Fill missing values before the network: hr.clean.Impute()"
            problems.append(Problem(text, name, int(bad[0]), float(column[bad[0]]), hint))
    return problems


def _code_problems(codes: NDArray[np.int32], spec: FeatureSpec) -> list[Problem]:
    if codes.ndim != 2 or codes.shape[1] != len(spec.categories):
        return []
    problems = []
    for name, size, column in zip(spec.categories, spec.cardinalities, codes.T, strict=True):
        bad = np.flatnonzero((column < 0) | (column >= size))
        if len(bad):
            text = f"expected category codes from 0 to {size - 1}"
            problems.append(Problem(text, name, int(bad[0]), int(column[bad[0]])))
    return problems


def _target_problems(target: NDArray[Any], spec: TargetSpec) -> list[Problem]:
    if isinstance(spec, Targets):
        known = [column[~np.isnan(column)] for column in target.T]
        found = [_target_problems(*one) for one in zip(known, spec.parts, strict=True)]
        return [problem for problems in found for problem in problems]
    if spec.task == "regression":
        bad = np.flatnonzero(~np.isfinite(target))
        text = "the target must be finite"
    else:
        bad = np.flatnonzero((target < 0) | (target >= len(spec.classes)))
        text = f"expected encoded classes from 0 to {len(spec.classes) - 1}"
    return [Problem(text, spec.name, int(bad[0]), target[bad[0]].item())] if len(bad) else []
