"""What is explained: one number for each row, from the model as it predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.schema import MISSING_TIME
from headrace.errors import DataError, Problem, SettingError, nearest
from headrace.evaluate.explanation.scoring import PipelineScoring, labels, scoring
from headrace.model.targets import Targets
from headrace.table import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from headrace.data.schema import Schema
    from headrace.evaluate.explanation.scoring import Explained, Scoring
    from headrace.model.target import Label, TargetSpec
    from headrace.train.fitted import Fitted

__all__ = [
    "Question",
    "ask",
    "canonical_rows",
    "check_column",
    "check_whole",
    "reference_rows",
    "sampled",
    "shown",
]


@dataclass(frozen=True, eq=False)
class Question:
    """One number for each row: a class's probability, or a value in the target's own units.

    Attributes:
        model: What answers, reduced to one target.
        place: The number of the class; None for a number.
        name: What the number is, in words.
    """

    model: Scoring
    place: int | None
    name: str

    @property
    def spec(self) -> TargetSpec:
        """The target."""
        return self.model.spec

    @property
    def schema(self) -> Schema:
        """The raw columns."""
        return self.model.schema

    @property
    def fitted(self) -> Fitted:
        """The trained pipeline, for what needs its plan and its Keras model.

        Raises:
            SettingError: A release answers from its ONNX graph.
        """
        if isinstance(self.model, PipelineScoring):
            return self.model.fitted
        raise SettingError(
            "integrated gradients need the Keras model, and a Runtime answers from its ONNX graph: "
            'use method="shapley" with reference=rows; partial_dependence, accumulated_effects, '
            "surrogate_tree and counterfactual work too. hr.load(path) of the release has "
            "gradients, with TensorFlow installed"
        )

    def score(self, canonical: pl.DataFrame) -> NDArray[np.float64]:
        """Answer the number of each canonical row, (rows,)."""
        return self.of_output(self.model.output(canonical))

    def of_output(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """Answer the number of each row of what the model answers, (rows,)."""
        numbers = output if self.place is None else output[:, self.place]
        return np.asarray(numbers, dtype=np.float64)

    def tensorflow(self, output: Any) -> Any:
        """Answer the same of the network's output inside of a TensorFlow graph, (rows,)."""
        if self.place is None:
            low, high = self.spec.middle
            return (output[:, low] + output[:, high]) / 2 * self.spec.scale + self.spec.mean
        if self.spec.task == "multiclass":
            return output[:, self.place]
        return output[:, 0] if self.place else 1 - output[:, 0]


def ask(
    pipe: Explained,
    *,
    target: str | None = None,
    label: Label | None = None,
    row: pl.DataFrame | None = None,
) -> Question:
    """Answer what is explained.

    Args:
        pipe: A trained pipeline with a network, or a release of one.
        target: Which of several targets.
        label: Which class; of two classes the last one when none is given.
        row: One canonical row, whose predicted class is meant where none is given.

    Raises:
        NotTrainedError: The pipeline has no network.
        SettingError: The target or the class is missing or unknown.
    """
    model = scoring(pipe)
    spec = model.spec
    if isinstance(spec, Targets):
        if target is None:
            raise SettingError(
                f"the pipeline predicts {', '.join(map(repr, spec.columns))}: say which one is "
                f"explained, target={spec.columns[0]!r}"
            )
        model = model.for_target(target)
        spec = model.spec
    elif target not in {None, spec.name}:
        raise SettingError(f"the pipeline predicts {spec.name!r}, received target={target!r}")
    if spec.task == "regression":
        if label is not None:
            raise SettingError(
                f"the target {spec.name!r} is a number and has no classes, received label={label!r}"
            )
        return Question(model, None, spec.name)
    if label is None and spec.task == "multiclass" and row is not None:
        label = labels(spec, model.output(row))[0]
    place = _place(spec, label)
    return Question(model, place, f"probability of {spec.name} = {spec.classes[place]}")


def _place(spec: TargetSpec, label: Label | None) -> int:
    if label is None:
        if spec.task == "binary":
            return 1
        raise SettingError(
            f"the target {spec.name!r} has {len(spec.classes)} classes: say which one is "
            f"explained, label={spec.classes[0]!r}"
        )
    for place, one in enumerate(spec.classes):
        if str(one) == str(label):
            return place
    known = ", ".join(repr(one) for one in spec.classes[:10])
    raise SettingError(f"the target {spec.name!r} has no class {label!r}; the classes are {known}")


def canonical_rows(model: Scoring, data: object) -> pl.DataFrame:
    """Bring rows, or one row as a dict of values, through the door.

    Raises:
        DataError: There is no row, or the rows do not fit.
    """
    if isinstance(data, dict) and not any(_many(value) for value in data.values()):
        data = [data]
    frame = model.conform(data)
    if not frame.height:
        raise DataError([Problem("the table is empty: there is no row to explain")])
    return frame


def _many(value: object) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes)


def reference_rows(question: Question, data: object, rows: pl.DataFrame) -> pl.DataFrame:
    """Answer canonical rows like those of the training, to compare with.

    Args:
        question: What is explained.
        data: Raw rows; None for the rows that the training kept, or else the explained ones.
        rows: The explained rows, canonical.

    Raises:
        DataError: A single row has nothing to be compared with.
    """
    if data is not None:
        return canonical_rows(question.model, data)
    if question.model.sample is not None:
        return question.model.sample.select(rows.columns)
    if rows.height == 1:
        hint = "give some, reference=rows"
        what = "a loaded pipeline or release keeps no rows to compare with"
        raise DataError([Problem(what, hint=hint)])
    return rows


def check_column(name: str, columns: Sequence[str]) -> None:
    """Refuse a column that is not there.

    Raises:
        SettingError: There is no such column.
    """
    if name not in columns:
        close = nearest(name, columns)
        hint = f"; perhaps {close!r} is meant" if close else ""
        raise SettingError(f"there is no column {name!r}{hint}")


def check_whole(name: str, value: int, least: int) -> None:
    """Refuse a setting that is no whole number, or too small.

    Raises:
        SettingError: It is.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingError(f"{name} must be a whole number of {least} or more, received {value!r}")


def sampled(frame: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """Answer a random sample of the rows, in their order, where there are more."""
    if frame.height <= most:
        return frame
    chosen = np.random.default_rng(seed).choice(frame.height, most, replace=False)
    return frame[np.sort(chosen)]


def shown(value: object, kind: str) -> str:
    """Answer a canonical value as text.

    Example:
        >>> shown(12.5, "number"), shown(0, "datetime"), shown("", "category")
        ('12.5', '1970-01-01', 'missing')
    """
    if isinstance(value, str):
        return value or "missing"
    if kind == "datetime":
        time = int(value)  # type: ignore[call-overload]
        if time == MISSING_TIME:
            return "missing"
        return str(np.datetime64(time, "us").astype("datetime64[D]"))
    number = float(value)  # type: ignore[arg-type]
    if np.isnan(number):
        return "missing"
    if kind == "boolean":
        return "yes" if number else "no"
    return f"{number:,.0f}" if number == round(number) and abs(number) < 1e6 else figure(number)
