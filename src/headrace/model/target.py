"""What a network predicts: the task, the labels, and the way from network output to answers.

The serving runtime reads this file, so it needs only the standard library and NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

import numpy as np

from headrace.errors import DataError, Problem, SettingError, nearest
from headrace.model.target_checks import (
    check_counts,
    check_name,
    check_quantiles,
    check_values,
    target_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["Label", "Likelihood", "StatedTask", "TargetSpec", "Task"]

Task = Literal["binary", "multiclass", "regression", "joint"]
"""What evaluation, decisions and metrics tell apart; "joint" stands for several targets."""

StatedTask = Literal["binary", "multiclass", "ordinal", "regression", "count"]
"""What a user may ask for: "ordinal" is a multiclass task, "count" a regression."""

Likelihood = Literal[
    "bernoulli", "categorical", "ordinal", "point", "poisson", "normal", "quantiles"
]
"""What the output of a network describes: the distribution of the target given the features."""

Label: TypeAlias = str | int | float | bool

_LIKELIHOODS: dict[Task, tuple[Likelihood, ...]] = {
    "binary": ("bernoulli",),
    "multiclass": ("categorical", "ordinal"),
    "regression": ("point", "poisson", "normal", "quantiles"),
}
"""The likelihoods of each task, the usual one first."""

_SHOWN_LABELS = 5


@dataclass(frozen=True)
class TargetSpec:
    """The task of a network and how its output becomes answers.

    The output of a network has, by the likelihood, the shape

    - bernoulli: (rows, 1), the probability of the last class;
    - categorical and ordinal: (rows, classes), probabilities;
    - point: (rows, 1), the standardised value;
    - poisson: (rows, 1), the rate in units of the scale;
    - normal: (rows, 2), mean and standard deviation, standardised;
    - quantiles: (rows, quantiles), standardised, in increasing order.

    Attributes:
        name: The name of the target column.
        task: "binary", "multiclass" or "regression".
        classes: The labels in their own type, sorted; empty for regression. For the ordinal
            likelihood in their order, the least first.
        mean: Regression: the mean of the training values; 0 for counts.
        scale: Regression: the standard deviation of the training values; for counts their mean.
        likelihood: What the output describes; None for the usual one of the task.
        quantiles: The levels of the quantiles, increasing; empty for other likelihoods.
        threshold: Binary: the last class is decided for when its probability is above this.

    Raises:
        SettingError: The classes, the likelihood or the quantiles do not fit the task, or a
            number is out of its range.

    Example:
        >>> spec = TargetSpec("income", "binary", classes=("low", "high"))
        >>> spec.decode(np.array([[0.2], [0.9]])).tolist()
        ['low', 'high']
    """

    name: str
    task: Task
    classes: tuple[Label, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    likelihood: Likelihood | None = None
    quantiles: tuple[float, ...] = ()
    threshold: float = 0.5

    def __post_init__(self) -> None:
        _check_own_task(self.task)
        expected = {"binary": "two", "multiclass": "two or more", "regression": "no"}[self.task]
        if not _right_number(self.task, len(self.classes)):
            raise SettingError(
                f"the target {self.name!r} with the task {self.task!r} needs {expected} classes, "
                f"received {len(self.classes)}"
            )
        if not (math.isfinite(self.mean) and math.isfinite(self.scale) and self.scale > 0):
            raise SettingError(
                f"the target {self.name!r} needs a finite mean and a finite scale above 0, "
                f"received {self.mean} and {self.scale}"
            )
        known = _LIKELIHOODS[self.task]
        if self.likelihood is None:
            object.__setattr__(self, "likelihood", known[0])
        elif self.likelihood not in known:
            raise SettingError(
                f"the target {self.name!r} with the task {self.task!r} can have the likelihood "
                f"{', '.join(known)}, received {self.likelihood!r}"
            )
        check_quantiles(self.quantiles, needed=self.likelihood == "quantiles")
        if not 0 < self.threshold < 1:
            raise SettingError(
                f"the threshold of the target {self.name!r} must be between 0 and 1, "
                f"received {self.threshold!r}"
            )

    @classmethod
    def infer(
        cls,
        values: pl.Series,
        *,
        task: StatedTask | None = None,
        loss: object = None,
        quantiles: Sequence[float] | None = None,
    ) -> TargetSpec:
        """Learn the task, the labels and the scale from the training values.

        Text, categorical and boolean values are classes. Numbers with two distinct values are
        the binary task. Integers with 3 to 20 distinct values, each seen twice on average, are
        classes. All other numbers are regression. A stated task, a loss that only counts or
        numbers have, and quantiles go before these rules.

        Args:
            values: The target column, without missing values; its name is kept. The labels of
                an Enum are in the order of its categories.
            task: "binary", "multiclass", "ordinal", "regression" or "count", if it is known.
            loss: The loss to train with; "poisson" makes the numbers counts, "gaussian" lets the
                network say how sure it is, "pinball" needs quantiles; others change nothing.
            quantiles: The levels of the quantiles to predict, such as `(0.05, 0.5, 0.95)`.

        Raises:
            DataError: Missing or infinite values, one value only, or values that do not suit the
                stated task.
            SettingError: An unknown task, or a task, loss and quantiles that do not go together.

        Example:
            >>> import polars as pl
            >>> TargetSpec.infer(pl.Series("bought", [0, 1, 1, 0])).task
            'binary'
            >>> TargetSpec.infer(pl.Series("visits", [0, 3, 1, 0]), task="count").likelihood
            'poisson'
        """
        from headrace.model.inference import infer_target

        return infer_target(values, task=task, loss=loss, quantiles=quantiles)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the target columns: one, but for `Targets`."""
        return (self.name,)

    @property
    def outputs(self) -> int:
        """The number of output columns of a network for this target."""
        if self.task == "multiclass":
            return len(self.classes)
        return {"normal": 2, "quantiles": len(self.quantiles)}.get(str(self.likelihood), 1)

    @property
    def middle(self) -> tuple[int, int]:
        """The columns of the output whose mean is the prediction of a number.

        The median where it is among the quantiles, else the one or two in the middle.
        """
        if 0.5 in self.quantiles:
            place = self.quantiles.index(0.5)
            return place, place
        count = len(self.quantiles)
        return (count - 1) // 2 if count else 0, count // 2

    @cached_property
    def labels(self) -> NDArray[Any]:
        """The classes as an array, (classes,), in the narrowest type that holds them."""
        array = np.asarray(self.classes)
        # Mixed types would become text, and NumPy's text loses zero characters at its end.
        if len({type(label) for label in self.classes}) > 1 or array.tolist() != [*self.classes]:
            array = np.empty(len(self.classes), dtype=object)
            array[:] = self.classes
        return array

    def encode(self, values: pl.Series) -> NDArray[Any]:
        """Answer the values as a network is trained on them.

        Args:
            values: The target column. `1`, `1.0` and `"1"` are the same label.

        Returns:
            (rows,) int32 class numbers, or float32 `(value - mean) / scale` for regression.

        Raises:
            DataError: Missing values, unknown labels, values that are no finite numbers, or
                counts below 0.

        Example:
            >>> import polars as pl
            >>> spec = TargetSpec("price", "regression", mean=10.0, scale=2.0)
            >>> spec.encode(pl.Series("price", [8.0, 12.0])).tolist()
            [-1.0, 1.0]
        """
        check_values(values)
        if self.task == "regression":
            numbers = target_numbers(values)
            if self.likelihood == "poisson":
                check_counts(values.name, numbers)
            return ((numbers - self.mean) / self.scale).astype(np.float32)
        return self._codes(values)

    def truth(self, values: pl.Series) -> NDArray[Any]:
        """Answer the values as metrics read them: class numbers, or the target's own units.

        Args:
            values: The target column.

        Returns:
            (rows,) int32 class numbers, or float64 values for regression.

        Raises:
            DataError: As `encode`.
        """
        encoded = self.encode(values)
        return target_numbers(values) if self.task == "regression" else encoded

    def decode(self, output: NDArray[Any]) -> NDArray[Any]:
        """Answer the labels or values that the output of a network stands for.

        Args:
            output: (rows, 1), (rows, classes) or, with one output column, (rows,).

        Returns:
            (rows,) labels in their own type, or float64 values in the target's own units.
        """
        if self.task == "regression":
            return self.values(output)
        if self.task == "binary":
            places = (_column(output) > self.threshold).astype(np.intp)
        else:
            places = np.argmax(output, axis=1)
        labels: NDArray[Any] = self.labels[places]
        return labels

    def values(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """Regression: answer the predicted values in the target's own units, (rows,).

        Args:
            output: (rows, outputs); or (rows, 1) or (rows,) of a model that only predicts values.
        """
        numbers = np.asarray(output, dtype=np.float64)
        if numbers.ndim == 2 and numbers.shape[1] > 1:
            low, high = self.middle
            numbers = numbers[:, low] if low == high else (numbers[:, low] + numbers[:, high]) / 2
        values: NDArray[np.float64] = _column(numbers) * self.scale + self.mean
        return values

    @property
    def answer_names(self) -> tuple[str, ...]:
        """The names of what the deployed graph answers, the main one first."""
        if self.task != "regression":
            return ("probabilities",)
        beside = {"normal": ("deviation",), "quantiles": ("quantiles",)}
        return ("prediction", *beside.get(str(self.likelihood), ()))

    def answers(self, output: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Answer what the deployed graph answers for the output of the network.

        Returns:
            `probabilities` (rows, classes) for classes; else `prediction` (rows,) in the target's
            own units, with `deviation` (rows,) or `quantiles` (rows, quantiles) beside it where
            the likelihood has them.

        Example:
            >>> spec = TargetSpec("price", "regression", mean=10.0, scale=2.0, likelihood="normal")
            >>> {name: value.tolist() for name, value in spec.answers(np.array([[1, 0.5]])).items()}
            {'prediction': [12.0], 'deviation': [1.0]}
        """
        if self.task != "regression":
            return {"probabilities": self.probabilities(output)}
        answers = {"prediction": self.values(output)}
        numbers = np.asarray(output, dtype=np.float64)
        if self.likelihood == "normal":
            answers["deviation"] = numbers[:, 1] * self.scale
        if self.likelihood == "quantiles":
            answers["quantiles"] = numbers * self.scale + self.mean
        return answers

    def distribution(self, answers: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer the distribution of each row's target as named columns, (rows,) each.

        Args:
            answers: From `answers`, or from the deployed graph.

        Returns:
            The probability of each class under its label's text; "q0.05", … for quantiles; "mean"
            and "deviation" for the normal likelihood, "rate" for counts.

        Raises:
            SettingError: The network predicts values alone.

        Example:
            >>> spec = TargetSpec("bought", "binary", classes=("no", "yes"))
            >>> columns = spec.distribution(spec.answers(np.array([[0.25], [0.5]])))
            >>> {name: column.tolist() for name, column in columns.items()}
            {'no': [0.75, 0.5], 'yes': [0.25, 0.5]}
        """
        if self.task != "regression":
            columns = answers["probabilities"].T
            return {str(label): column for label, column in zip(self.classes, columns, strict=True)}
        if self.likelihood == "quantiles":
            columns = np.asarray(answers["quantiles"], dtype=np.float64).T
            return dict(zip(self.quantile_names, columns, strict=True))
        values = np.asarray(answers["prediction"], dtype=np.float64)
        if self.likelihood == "poisson":
            return {"rate": values}
        if self.likelihood == "normal":
            deviation = np.asarray(answers["deviation"], dtype=np.float64)
            return {"mean": values, "deviation": deviation}
        raise SettingError(
            f"the network predicts values of {self.name!r} and no distribution: train it with "
            "quantiles=(0.05, 0.5, 0.95), loss='gaussian', or loss='poisson' for counts"
        )

    def scaled(self, answers: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float64]]:
        """Answer what paths are compared by: all answers, in units that one tolerance suits.

        Numbers are standardised and then bent by arcsinh: small ones are compared as they are,
        large ones, of which float32 keeps so many digits only, by their ratio.
        """
        found = {name: np.asarray(answers[name], dtype=np.float64) for name in self.answer_names}
        if self.task != "regression":
            return list(found.values())
        shifts = {"deviation": 0.0}
        return [
            np.arcsinh((value - shifts.get(name, self.mean)) / self.scale)
            for name, value in found.items()
        ]

    @property
    def quantile_names(self) -> tuple[str, ...]:
        """The names of the quantiles' columns.

        Example:
            >>> TargetSpec("price", "regression", likelihood="quantiles",
            ...     quantiles=(0.05, 0.5)).quantile_names
            ('q0.05', 'q0.5')
        """
        return tuple(f"q{level}" for level in self.quantiles)

    def probabilities(self, output: NDArray[Any]) -> NDArray[Any]:
        """Answer the probability of each class, (rows, classes), in the order of `classes`.

        Raises:
            SettingError: The task is regression.

        Example:
            >>> spec = TargetSpec("bought", "binary", classes=(0, 1))
            >>> spec.probabilities(np.array([[0.25]])).tolist()
            [[0.75, 0.25]]
        """
        if self.task == "regression":
            raise SettingError(
                f"the target {self.name!r} is a regression target and has no classes: "
                "use predict instead of predict_proba"
            )
        if self.task == "multiclass":
            return output
        positive = _column(output)
        return np.stack([1 - positive, positive], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Answer the spec as plain values that JSON can hold."""
        return {
            "name": self.name,
            "task": self.task,
            "classes": list(self.classes),
            "mean": self.mean,
            "scale": self.scale,
            "likelihood": self.likelihood,
            "quantiles": list(self.quantiles),
            "threshold": self.threshold,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TargetSpec:
        """Read what `to_dict` wrote, one target or several; the labels keep their types.

        What older specs do not say is as it was then: the task's usual likelihood.
        """
        if "parts" in values:
            from headrace.model.targets import Targets

            return Targets.from_dict(values)
        return cls(
            name=str(values["name"]),
            task=_check_own_task(values["task"]),
            classes=tuple(values["classes"]),
            mean=float(values["mean"]),
            scale=float(values["scale"]),
            likelihood=values.get("likelihood"),
            quantiles=tuple(float(level) for level in values.get("quantiles", ())),
            threshold=float(values.get("threshold", 0.5)),
        )

    def _codes(self, values: pl.Series) -> NDArray[np.int32]:
        numbers = {_key(label): number for number, label in enumerate(self.classes)}
        seen = values.unique()
        keys = [_key(label) for label in plain_labels(seen.to_list())]
        unknown = [
            label for label, key in zip(seen.to_list(), keys, strict=True) if key not in numbers
        ]
        if unknown:
            raise self._unknown(unknown)
        codes = values.replace_strict(
            old=seen, new=[numbers[key] for key in keys], return_dtype=_int32()
        )
        return codes.to_numpy()

    def _unknown(self, labels: list[Any]) -> DataError:
        known = ", ".join(repr(label) for label in self.classes[:_SHOWN_LABELS])
        known += ", …" if len(self.classes) > _SHOWN_LABELS else ""
        problems = []
        for label in labels:
            close = nearest(str(label), [str(known) for known in self.classes])
            problems.append(
                Problem(
                    f"expected one of the {len(self.classes)} labels seen in training ({known})",
                    column=self.name,
                    value=label,
                    hint=f"Perhaps {close!r} is meant" if close else None,
                )
            )
        return DataError(problems)


def check_task(task: StatedTask | Mapping[str, StatedTask]) -> None:
    """Check that a task exists, or the task of each of several targets.

    Raises:
        SettingError: It does not.

    Example:
        >>> check_task("ordinal")
        >>> check_task({"price": "regression", "sold": "binary"})
    """
    for one in [task] if isinstance(task, str) else task.values():
        check_name(one, get_args(StatedTask))


def _check_own_task(task: object) -> Task:
    return cast("Task", check_name(task, tuple(_LIKELIHOODS)))


def _right_number(task: Task, classes: int) -> bool:
    return {"binary": classes == 2, "multiclass": classes >= 2, "regression": classes == 0}[task]


def plain_labels(labels: list[Any]) -> list[Label]:
    """Answer the labels as the types that JSON keeps."""
    return [label if isinstance(label, str | int | float) else str(label) for label in labels]


def _key(label: Label) -> str:
    """Answer the text under which a label is looked up: 1, 1.0 and "1" are one label."""
    if isinstance(label, bool):
        return str(label).lower()
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def _column(output: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(output)
    return values[:, 0] if values.ndim == 2 else values


def _int32() -> pl.DataType:
    import polars as pl

    return pl.Int32()
