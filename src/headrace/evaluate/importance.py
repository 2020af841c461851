"""Permutation importance: how much worse the model gets when a raw column is shuffled."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.engine import HERE, Engine
from headrace.errors import SettingError, nearest
from headrace.evaluate.intervals import Resampled, check_confidence
from headrace.evaluate.resampling import resample
from headrace.evaluate.scores import check_scores
from headrace.metrics.measure import PRIMARY, Measure, find
from headrace.progress import bar
from headrace.result import Result, finite
from headrace.table import figure, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.model.target import Task

__all__ = ["ColumnImportance", "GroupImportance", "Importance", "permutation_importance"]


@dataclass(frozen=True, slots=True)
class ColumnImportance:
    """What the model loses without the information in one column.

    Attributes:
        column: The name of the column.
        drop: How much worse the metric gets when the column is shuffled, in units of the metric;
            above 0 when the column helps, whatever the direction of the metric.
        low: The lower end of the interval of the drop.
        high: The upper end of the interval of the drop.
    """

    column: str
    drop: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GroupImportance:
    """What the model loses without the information that some columns have in common.

    Attributes:
        columns: The columns, shuffled in the same order together.
        drop: How much worse the metric gets, as in `ColumnImportance`.
        low: The lower end of the interval of the drop.
        high: The upper end of the interval of the drop.
    """

    columns: tuple[str, ...]
    drop: float
    low: float
    high: float


@dataclass(frozen=True)
class Importance(Result):
    """How much each raw column matters to a model, the most important one first.

    Columns that carry the same information share it: each may look unimportant alone, as the model
    still has the others. So those that are related are shuffled together, too.

    Attributes:
        metric: The metric that is watched.
        value: Its value with all columns in place.
        columns: The columns, by falling drop.
        confidence: The confidence of the intervals.
        rows: How many rows were used.
        repeats: How many times each column was shuffled.
        groups: Related columns, by falling drop; empty where none are related.
    """

    metric: str
    value: float
    columns: tuple[ColumnImportance, ...]
    confidence: float
    rows: int
    repeats: int
    groups: tuple[GroupImportance, ...] = ()

    @property
    def header(self) -> list[str]:
        """The headings of `table`."""
        return ["column", f"drop of {self.metric}", "low", "high", ""]

    def summary(self) -> str:
        """Answer a table: a column that does not matter has an interval that reaches 0."""
        return text_table(self.header, self.table())

    def table(self) -> list[list[str]]:
        """Answer one line of text cells for each column, then for each group of columns."""
        helpful = [set(group.columns) for group in self.groups if group.low > 0]
        lines = [_line(one.column, one, _remark(one, helpful)) for one in self.columns]
        return lines + [
            _line(" + ".join(group.columns), group, "together" if group.low > 0 else _state(group))
            for group in self.groups
        ]

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold; None where there is none."""

        def plain(one: ColumnImportance | GroupImportance) -> dict[str, Any]:
            return {name: finite(value) for name, value in asdict(one).items()}

        return {
            **{name: finite(value) for name, value in asdict(self).items()},
            "columns": [plain(one) for one in self.columns],
            "groups": [plain(one) | {"columns": list(one.columns)} for one in self.groups],
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the drop of each column with its interval."""
        from headrace import visualization

        axes: Axes = visualization.importance(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        return html_table(self.header, self.table(), caption="importance")


def permutation_importance(
    predict: Callable[[pl.DataFrame], NDArray[Any]],
    frame: pl.DataFrame,
    y_true: NDArray[Any],
    *,
    task: Task,
    metric: str | Measure | None = None,
    columns: Sequence[str] | None = None,
    groups: Sequence[Sequence[str]] = (),
    repeats: int = 5,
    most_rows: int = 5000,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
    engine: Engine = HERE,
) -> Importance:
    """Shuffle each column in turn and see how much worse the predictions get.

    The interval says how much the drop would differ on other rows of the same kind: each shuffled
    prediction is resampled together with the unshuffled one (Breiman, 2001; Fisher, Rudin and
    Dominici, 2019).

    Args:
        predict: Takes a frame like `frame` and answers for each row, on its own, the probability
            of the second class (rows,), probabilities (rows, classes), or values (rows,) in the
            units of the target.
        frame: The rows, best ones that were not trained on.
        y_true: (rows,) class index, or the target in its own units.
        task: "binary", "multiclass" or "regression".
        metric: What is watched; the primary metric of the task when none is given.
        columns: Which columns to shuffle; all of them when none are given.
        groups: Columns to shuffle together besides, such as those that
            `headrace.evaluate.related.related_columns` finds.
        repeats: How many times each column is shuffled.
        most_rows: A random sample of so many rows is used when there are more.
        confidence: The confidence of the intervals.
        resamples: How many times the rows are drawn for the intervals.
        seed: The same seed gives the same answer.
        engine: Who resamples.

    Raises:
        DataError: The rows do not fit each other.
        SettingError: A column is unknown, or a setting is out of its range.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"used": range(100), "idle": range(100)})
        >>> def predict(rows):
        ...     return rows["used"].to_numpy() + 0.5
        >>> answer = permutation_importance(
        ...     predict, frame, np.arange(100.0), task="regression", resamples=50)
        >>> [one.column for one in answer.columns if one.low > 0]
        ['used']
    """
    check_confidence(confidence)
    (measure,) = find([metric or PRIMARY[task]], task)
    chosen = _check_columns(frame, columns, repeats)
    random = np.random.default_rng(seed)
    rows = _sample(len(frame), most_rows, random)
    frame = frame[rows]
    truth, scores = check_scores(task, np.asarray(y_true)[rows], predict(frame))
    orders = np.stack([random.permutation(len(frame)) for _ in range(repeats)])

    def without(names: Sequence[str]) -> tuple[float, float, float]:
        if len(frame) == 1:  # there is nothing to shuffle it with
            return math.nan, -math.inf, math.inf
        shuffled = _predict_shuffled(predict, frame, names, orders)
        outputs = [check_scores(task, truth, output)[1] for output in shuffled]
        if all((output == scores).all() for output in outputs):
            return 0.0, 0.0, 0.0
        drop = _drop(
            measure,
            truth,
            [scores, *outputs],
            resamples=resamples,
            seed=seed,
            engine=engine,
        )
        low, high, _ = drop.interval(confidence)
        return drop.value, low, high

    together = [_check_columns(frame, group, repeats) for group in groups]
    found, shared = [], []
    with bar("importance", len(chosen) + len(together)) as progress:
        for name in chosen:
            found.append(ColumnImportance(name, *without([name])))
            progress.advance(note=name)
        for group in together:
            shared.append(GroupImportance(group, *without(group)))
            progress.advance(note=" + ".join(group))
    return Importance(
        metric=measure.name,
        value=measure(truth, scores),
        columns=tuple(sorted(found, key=lambda one: -one.drop)),
        confidence=confidence,
        rows=len(frame),
        repeats=repeats,
        groups=tuple(sorted(shared, key=lambda one: -one.drop)),
    )


def _check_columns(
    frame: pl.DataFrame, columns: Sequence[str] | None, repeats: int
) -> tuple[str, ...]:
    if repeats < 1:
        raise SettingError(f"repeats must be 1 or more, received {repeats}")
    for name in columns or ():
        if name not in frame.columns:
            close = nearest(name, frame.columns)
            hint = f"; perhaps {close!r} is meant" if close else ""
            raise SettingError(f"there is no column {name!r} to shuffle{hint}")
    return tuple(frame.columns if columns is None else columns)


def _sample(rows: int, most: int, random: np.random.Generator) -> NDArray[np.intp]:
    if rows <= most:
        return np.arange(rows)
    return np.sort(random.choice(rows, most, replace=False))


def _predict_shuffled(
    predict: Callable[[pl.DataFrame], NDArray[Any]],
    frame: pl.DataFrame,
    names: Sequence[str],
    orders: NDArray[np.intp],
) -> NDArray[Any]:
    """Answer (repeats, rows, …): all shuffles of some columns in one call of the model."""
    import polars as pl

    shuffled = pl.concat([frame.with_columns(frame.select(names)[order]) for order in orders])
    output = np.asarray(predict(shuffled))
    return output.reshape(len(orders), len(frame), *output.shape[1:])


def _drop(
    measure: Measure,
    truth: NDArray[Any],
    outputs: Sequence[NDArray[Any]],
    *,
    resamples: int,
    seed: int,
    engine: Engine,
) -> Resampled:
    """Answer how much worse the later outputs are than the first one, on average."""
    kernels = [measure.prepare(truth, output) for output in outputs]
    whole, *worse = resample(kernels, len(truth), resamples=resamples, seed=seed, engine=engine)
    shuffled = Resampled.mean(worse)
    return whole - shuffled if measure.higher_is_better else shuffled - whole


def _line(name: str, one: ColumnImportance | GroupImportance, remark: str) -> list[str]:
    return [name, figure(one.drop), figure(one.low), figure(one.high), remark]


def _remark(one: ColumnImportance, helpful: Sequence[set[str]]) -> str:
    """Say what an interval means, and whether related columns take the column's place."""
    state = _state(one)
    for group in helpful:
        if state == "may not matter" and one.column in group:
            return f"matters with {', '.join(sorted(group - {one.column}))}"
    return state


def _state(one: ColumnImportance | GroupImportance) -> str:
    if one.low > 0:
        return ""
    if not math.isfinite(one.drop):
        return "cannot be told from these rows"
    return "harms" if one.high < 0 else "may not matter"
