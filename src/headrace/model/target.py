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

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["Label", "TargetSpec", "Task"]

Task = Literal["binary", "multiclass", "regression"]
Label: TypeAlias = str | int | float | bool

MOST_INTEGER_CLASSES = 20
"""Integer targets with more distinct values than this are taken as regression."""

_SHOWN_LABELS = 5


@dataclass(frozen=True)
class TargetSpec:
    """The task of a network and how its output becomes answers.

    The output of a network has the shape (rows, 1) for the binary task (the probability of the
    last class) and for regression (standardised), and (rows, classes) for the multiclass task.

    Attributes:
        name: The name of the target column.
        task: "binary", "multiclass" or "regression".
        classes: The labels in their own type, sorted; empty for regression.
        mean: Regression: the mean of the training values.
        scale: Regression: the standard deviation of the training values.

    Raises:
        SettingError: The classes do not fit the task, or the scale is not positive.

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

    def __post_init__(self) -> None:
        check_task(self.task)
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

    @classmethod
    def infer(cls, values: pl.Series, *, task: Task | None = None) -> TargetSpec:
        """Learn the task, the labels and the scale from the training values.

        Text, categorical and boolean values are classes. Numbers with two distinct values are
        the binary task. Integers with 3 to 20 distinct values, each seen twice on average, are
        classes. All other numbers are regression. A stated task goes before these rules.

        Args:
            values: The target column, without missing values; its name is kept.
            task: The task, if it is known.

        Raises:
            DataError: Missing or infinite values, one value only, or values that do not suit the
                stated task.
            SettingError: An unknown task.

        Example:
            >>> import polars as pl
            >>> TargetSpec.infer(pl.Series("bought", [0, 1, 1, 0])).task
            'binary'
        """
        if task is not None:
            check_task(task)
        _check_values(values)
        distinct = values.n_unique()
        found = task or _infer_task(values, distinct)
        if distinct < 2:
            raise _problem(
                values.name,
                "expected at least two different values in the target, every row has the same",
                value=values[0],
            )
        if found == "regression":
            return _regression(values)
        if found == "binary" and distinct != 2:
            raise _problem(
                values.name,
                f"the binary task needs two different labels, the target has {distinct}",
                hint="Use task='multiclass' or task='regression'",
            )
        return cls(values.name, found, classes=tuple(_plain(values.unique().sort().to_list())))

    @property
    def outputs(self) -> int:
        """The number of output columns of a network for this target."""
        return len(self.classes) if self.task == "multiclass" else 1

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
            DataError: Missing values, unknown labels, or values that are no finite numbers.

        Example:
            >>> import polars as pl
            >>> spec = TargetSpec("price", "regression", mean=10.0, scale=2.0)
            >>> spec.encode(pl.Series("price", [8.0, 12.0])).tolist()
            [-1.0, 1.0]
        """
        _check_values(values)
        if self.task == "regression":
            standardised = (_numbers(values) - self.mean) / self.scale
            return standardised.astype(np.float32)
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
        return _numbers(values) if self.task == "regression" else encoded

    def decode(self, output: NDArray[Any]) -> NDArray[Any]:
        """Answer the labels or values that the output of a network stands for.

        Args:
            output: (rows, 1), (rows, classes) or, with one output column, (rows,).

        Returns:
            (rows,) labels in their own type, or float64 values in the target's own units.
        """
        if self.task == "regression":
            return self.values(output)
        binary = self.task == "binary"
        places = (_column(output) > 0.5).astype(np.intp) if binary else np.argmax(output, axis=1)
        labels: NDArray[Any] = self.labels[places]
        return labels

    def values(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """Regression: answer the output, (rows, 1) or (rows,), in the target's own units."""
        column = _column(output).astype(np.float64)
        return column * self.scale + self.mean

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
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TargetSpec:
        """Read what `to_dict` wrote; the labels keep their types."""
        return cls(
            name=str(values["name"]),
            task=check_task(values["task"]),
            classes=tuple(values["classes"]),
            mean=float(values["mean"]),
            scale=float(values["scale"]),
        )

    def _codes(self, values: pl.Series) -> NDArray[np.int32]:
        numbers = {_key(label): number for number, label in enumerate(self.classes)}
        seen = values.unique()
        keys = [_key(label) for label in _plain(seen.to_list())]
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


def check_task(task: object) -> Task:
    """Answer a task that exists.

    Raises:
        SettingError: It does not.

    Example:
        >>> check_task("binary")
        'binary'
    """
    tasks = get_args(Task)
    if task not in tasks:
        close = nearest(str(task), tasks)
        meant = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(f"task must be one of {', '.join(tasks)}, received {task!r}{meant}")
    return cast("Task", task)


def _right_number(task: Task, classes: int) -> bool:
    return {"binary": classes == 2, "multiclass": classes >= 2, "regression": classes == 0}[task]


def _infer_task(values: pl.Series, distinct: int) -> Task:
    if not values.dtype.is_numeric():
        return "binary" if distinct == 2 else "multiclass"
    if distinct == 2:
        return "binary"
    repeated = len(values) >= 2 * distinct
    if values.dtype.is_integer() and distinct <= MOST_INTEGER_CLASSES and repeated:
        return "multiclass"
    return "regression"


def _regression(values: pl.Series) -> TargetSpec:
    numbers = _numbers(values)
    mean, scale = float(numbers.mean()), float(numbers.std())
    if not (math.isfinite(mean) and math.isfinite(scale) and scale > 0):
        raise _problem(
            values.name,
            f"the target cannot be standardised: mean {mean}, standard deviation {scale}",
            hint="Rescale the target to a usual range",
        )
    return TargetSpec(values.name, "regression", mean=mean, scale=scale)


def _check_values(values: pl.Series) -> None:
    if len(values) == 0:
        raise _problem(values.name, "the target has no rows")
    if values.dtype.is_temporal() or values.dtype.is_nested():
        raise _problem(
            values.name,
            f"expected text, booleans or numbers in the target, its type is {values.dtype}",
        )
    missing = values.null_count()
    if values.dtype.is_float():
        missing += int(values.is_nan().sum() or 0)
    if missing:
        raise _problem(
            values.name,
            f"the target is missing in {missing} of {len(values)} rows",
            hint="Drop these rows",
        )
    if values.dtype.is_float() and bool(values.is_infinite().any()):
        row = int(values.is_infinite().arg_true()[0])
        raise _problem(values.name, "expected a finite number", row=row, value=values[row])


def _numbers(values: pl.Series) -> NDArray[np.float64]:
    import polars as pl

    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count():
        row = int(numbers.is_null().arg_true()[0])
        raise _problem(values.name, "expected a number", row=row, value=values[row])
    return numbers.to_numpy()


def _plain(labels: list[Any]) -> list[Label]:
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


def _problem(name: str, text: str, **more: Any) -> DataError:
    return DataError([Problem(text, column=name or None, **more)])
