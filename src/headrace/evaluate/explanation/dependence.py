"""Dependence: how the answer goes with the values of a column, on average and row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from headrace.data.gaps import gaps
from headrace.errors import DataError, Problem, SettingError
from headrace.evaluate.explanation.question import (
    Question,
    ask,
    canonical_rows,
    check_column,
    check_whole,
    sampled,
    shown,
)
from headrace.evaluate.explanation.scoring import scoring
from headrace.evaluate.intervals import check_confidence
from headrace.metrics.counting import drawn_counts
from headrace.result import Result
from headrace.table import figure, html_table, text_table

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.evaluate.explanation.scoring import Explained
    from headrace.model.target import Label

__all__ = [
    "Dependence",
    "DependencePair",
    "accumulated_effects",
    "dependence_of",
    "partial_dependence",
    "partial_dependence_pair",
]

DependenceKind: TypeAlias = Literal["partial dependence", "accumulated local effects"]

_CHUNK = 50_000
_MOST_LEVELS = 12
_ICE_ROWS = 50


@dataclass(frozen=True, eq=False)
class Dependence(Result):
    """How the answer goes with one raw column.

    Attributes:
        column: The column.
        kind: Its kind.
        of: What is explained, in words.
        method: "partial dependence" or "accumulated local effects".
        grid: (points,), the values of the column: numbers, microseconds or words.
        mean: (points,), the mean answer with this value in every row; for accumulated effects the
            effect of the value, 0 on average over the rows.
        low: (points,), the lower ends of the intervals over other rows.
        high: (points,), the upper ends.
        curves: (curves, points), single rows (ICE); none for accumulated effects.
        rows: How many rows were used.
        confidence: The confidence of each interval.
    """

    column: str
    kind: str
    of: str
    method: DependenceKind
    grid: NDArray[Any]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    curves: NDArray[np.float64]
    rows: int
    confidence: float

    @property
    def texts(self) -> list[str]:
        """The values of the column as text."""
        return [shown(value, self.kind) for value in self.grid]

    def summary(self) -> str:
        """Answer a table of the values, the answers and their intervals."""
        return f"{self._headline()}\n{text_table(*self._table())}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""
        return {
            "column": self.column,
            "kind": self.kind,
            "of": self.of,
            "method": self.method,
            "values": self.texts,
            "mean": self.mean.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "rows": self.rows,
            "confidence": self.confidence,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the mean with its band, and the single rows behind it."""
        from headrace.visualization.dependencies import dependence

        return dependence(self, ax)

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption=self._headline())

    def _headline(self) -> str:
        return f"{self.of} by {self.column}: {self.method}, {self.rows:,} rows"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        figures = zip(self.texts, self.mean, self.low, self.high, strict=True)
        lines = [[text, *map(figure, numbers)] for text, *numbers in figures]
        return [self.column, "mean", "low", "high"], lines


@dataclass(frozen=True, eq=False)
class DependencePair(Result):
    """How the mean answer goes with two raw columns together.

    Attributes:
        columns: The two columns.
        of: What is explained, in words.
        texts: The values of each, as text.
        mean: (values of the first, values of the second), the mean answer.
        rows: How many rows were used.
    """

    columns: tuple[str, str]
    of: str
    texts: tuple[tuple[str, ...], tuple[str, ...]]
    mean: NDArray[np.float64]
    rows: int

    def summary(self) -> str:
        """Answer a table: the first column downwards, the second to the right."""
        return f"{self._headline()}\n{text_table(*self._table())}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""
        return {
            "columns": list(self.columns),
            "of": self.of,
            "values": [list(one) for one in self.texts],
            "mean": self.mean.tolist(),
            "rows": self.rows,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a heat map."""
        from headrace.visualization.dependencies import dependence_pair

        return dependence_pair(self, ax)

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption=self._headline())

    def _headline(self) -> str:
        return f"{self.of} by {self.columns[0]} and {self.columns[1]}: {self.rows:,} rows"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        first, second = self.texts
        lines = [[text, *map(figure, row)] for text, row in zip(first, self.mean, strict=True)]
        return [" \\ ".join(self.columns), *second], lines


def partial_dependence(
    pipe: Explained,
    data: object,
    column: str,
    *,
    target: str | None = None,
    label: Label | None = None,
    points: int = 20,
    most_rows: int = 1000,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> Dependence:
    """Put each value of a column into all rows, and answer the mean answer (Friedman, 2001).

    The single rows are the ICE curves of Goldstein et al. (2015). Where columns go together, the
    rows that are made may never occur: see `accumulated_effects`.

    Args:
        pipe: A trained pipeline with a network, or an `hr.Runtime` of one.
        data: The rows.
        column: A raw column.
        target: Which of several targets.
        label: Which class; of two the last one.
        points: How many values of a number or date, at its quantiles; of words the 12 most
            frequent.
        most_rows: A random sample of so many rows is used when there are more.
        confidence: The confidence of the intervals, which come from resampled rows.
        resamples: How many times the rows are drawn.
        seed: The same seed gives the same answer.

    Raises:
        DataError: There is no row, or the column is missing everywhere.
        SettingError: The column is unknown, or a setting is out of its range.
    """
    question, rows = _asked(
        pipe,
        data,
        [column],
        target=target,
        label=label,
        points=points,
        most_rows=most_rows,
        seed=seed,
    )
    check_confidence(confidence)
    check_whole("resamples", resamples, 1)
    return dependence_of(
        question,
        rows,
        column,
        points=points,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )


def dependence_of(
    question: Question,
    rows: pl.DataFrame,
    column: str,
    *,
    points: int,
    confidence: float,
    resamples: int,
    seed: int,
) -> Dependence:
    """Answer the partial dependence of canonical rows; see `partial_dependence`."""
    kind = _kind(question, column)
    grid = _grid(rows[column], points)
    curves = _replaced(question, rows, {column: grid})
    weights = drawn_counts(rows.height, resamples, seed)
    low, high = _band(weights @ curves / rows.height, confidence)
    some = np.random.default_rng(seed).permutation(rows.height)[:_ICE_ROWS]
    return Dependence(
        *(column, kind, question.name, "partial dependence", grid, curves.mean(axis=0)),
        *(low, high, curves[np.sort(some)], rows.height, confidence),
    )


def partial_dependence_pair(
    pipe: Explained,
    data: object,
    columns: tuple[str, str],
    *,
    target: str | None = None,
    label: Label | None = None,
    points: int = 10,
    most_rows: int = 300,
    seed: int = 0,
) -> DependencePair:
    """Put each pair of values of two columns into all rows, and answer the mean answer.

    Args:
        pipe: A trained pipeline with a network, or an `hr.Runtime` of one.
        data: The rows.
        columns: Two different raw columns.
        target: Which of several targets.
        label: Which class; of two the last one.
        points: How many values of each.
        most_rows: A random sample of so many rows is used when there are more.
        seed: The same seed gives the same answer.

    Raises:
        DataError: There is no row, or a column is missing everywhere.
        SettingError: A column is unknown, or a setting is out of its range.
    """
    if len(columns) != 2 or columns[0] == columns[1]:
        raise SettingError(f"columns must be two different ones, received {tuple(columns)}")
    question, rows = _asked(
        pipe,
        data,
        list(columns),
        target=target,
        label=label,
        points=points,
        most_rows=most_rows,
        seed=seed,
    )
    grids = [_grid(rows[name], points) for name in columns]
    left = np.repeat(grids[0], len(grids[1]))
    right = np.tile(grids[1], len(grids[0]))
    made = _replaced(question, rows, {columns[0]: left, columns[1]: right}).mean(axis=0)
    texts = [
        tuple(shown(value, _kind(question, name)) for value in grid)
        for name, grid in zip(columns, grids, strict=True)
    ]
    mean = made.reshape(len(grids[0]), len(grids[1]))
    names = (columns[0], columns[1])
    return DependencePair(names, question.name, (texts[0], texts[1]), mean, rows.height)


def accumulated_effects(
    pipe: Explained,
    data: object,
    column: str,
    *,
    target: str | None = None,
    label: Label | None = None,
    points: int = 20,
    most_rows: int = 5000,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> Dependence:
    """Add up the local effects of a number or date (Apley and Zhu, 2020).

    Each row's value is moved to the two edges of the interval between quantiles that it lies in;
    the mean differences are added up. No row is moved far, so the effect is that of the column
    alone also where columns go together. Rows without a value are left out.

    Args:
        pipe: A trained pipeline with a network, or an `hr.Runtime` of one.
        data: The rows.
        column: A raw column of numbers, booleans or dates.
        target: Which of several targets.
        label: Which class; of two the last one.
        points: How many quantiles.
        most_rows: A random sample of so many rows is used when there are more.
        confidence: The confidence of the intervals, which come from resampled rows.
        resamples: How many times the rows are drawn.
        seed: The same seed gives the same answer.

    Raises:
        DataError: There is no row, or the column has fewer than two values.
        SettingError: The column is unknown or holds words, or a setting is out of its range.
    """
    import polars as pl

    question, rows = _asked(
        pipe,
        data,
        [column],
        target=target,
        label=label,
        points=points,
        most_rows=most_rows,
        seed=seed,
    )
    check_confidence(confidence)
    check_whole("resamples", resamples, 1)
    if rows[column].dtype == pl.String:
        raise SettingError(
            f"the column {column!r} holds words, which have no order to add effects up along: use "
            "partial_dependence"
        )
    rows = rows.filter(~gaps(rows[column]))
    edges = _grid(rows[column], points)
    if len(edges) < 2:
        raise DataError([Problem("effects need two different values or more", column=column)])
    places = np.clip(np.searchsorted(edges, rows[column].to_numpy(), side="left") - 1, 0, None)
    lower, upper = (
        question.score(rows.with_columns(pl.Series(column, edges[places + n], rows[column].dtype)))
        for n in (0, 1)
    )
    inside = np.eye(len(edges) - 1)[places]
    weights = np.vstack([np.ones(rows.height), drawn_counts(rows.height, resamples, seed)])
    effects = _accumulate(weights, inside, upper - lower)
    low, high = _band(effects[1:], confidence)
    return Dependence(
        column=column,
        kind=_kind(question, column),
        of=question.name,
        method="accumulated local effects",
        grid=edges,
        mean=effects[0],
        low=low,
        high=high,
        curves=np.zeros((0, len(edges))),
        rows=rows.height,
        confidence=confidence,
    )


def _accumulate(
    weights: NDArray[np.float64], inside: NDArray[np.float64], change: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Answer the centred sums of the mean changes for each draw of the rows, (draws, edges)."""
    count = weights @ inside
    local = (weights @ (inside * change[:, None])) / np.maximum(count, 1)
    summed = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(local, axis=1)], axis=1)
    middle = (summed[:, 1:] + summed[:, :-1]) / 2
    shift = (middle * count).sum(axis=1, keepdims=True) / count.sum(axis=1, keepdims=True)
    centred: NDArray[np.float64] = summed - shift
    return centred


def _asked(
    pipe: Explained,
    data: object,
    columns: list[str],
    *,
    target: str | None,
    label: Label | None,
    points: int,
    most_rows: int,
    seed: int,
) -> tuple[Question, pl.DataFrame]:
    check_whole("points", points, 2)
    check_whole("most_rows", most_rows, 1)
    for name in columns:
        check_column(name, scoring(pipe).schema.names)
    question = ask(pipe, target=target, label=label)
    return question, sampled(canonical_rows(question.model, data), most_rows, seed)


def _kind(question: Question, column: str) -> str:
    return question.schema[column].kind


def _grid(values: pl.Series, points: int) -> NDArray[Any]:
    """Answer the values of a column that are tried: those at its quantiles, or frequent words."""
    import polars as pl

    known = values.filter(~gaps(values))
    if not len(known):
        raise DataError([Problem("the column has no value in any row", column=values.name)])
    if values.dtype == pl.String:
        counts = known.value_counts().sort(["count", values.name], descending=[True, False])
        return counts[values.name][:_MOST_LEVELS].to_numpy()
    shares = np.linspace(0, 1, points)
    return np.unique(np.quantile(known.to_numpy(), shares, method="nearest"))


def _replaced(
    question: Question, rows: pl.DataFrame, values: dict[str, NDArray[Any]]
) -> NDArray[np.float64]:
    """Answer the scores with each value in each row, (rows, values)."""
    import polars as pl

    count = len(next(iter(values.values())))
    size = max(1, _CHUNK // rows.height)
    found = []
    for first in range(0, count, size):
        used = {name: each[first : first + size] for name, each in values.items()}
        copies = len(next(iter(used.values())))
        made = pl.concat([rows] * copies).with_columns(
            pl.Series(name, np.repeat(each, rows.height), rows[name].dtype)
            for name, each in used.items()
        )
        found.append(question.score(made).reshape(copies, rows.height))
    return np.concatenate(found).T


def _band(
    values: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    return low, high
