"""Counterfactuals: the fewest and smallest changes of a row that turn the prediction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
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
    reference_rows,
    shown,
)
from headrace.evaluate.explanation.scoring import labels, scoring
from headrace.result import Result
from headrace.table import figure, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.evaluate.explanation.scoring import Explained
    from headrace.model.target import Label

__all__ = ["Change", "Counterfactual", "counterfactual"]

Direction: TypeAlias = Literal["up", "down"]

_VALUES = 16
_BEAM = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One changed column.

    Attributes:
        column: The column.
        before: The row's value, as text.
        after: The value that it would need, as text.
    """

    column: str
    before: str
    after: str


@dataclass(frozen=True)
class Counterfactual(Result):
    """What would have to be different for another prediction.

    Attributes:
        of: What is explained, in words.
        wanted: The prediction that was asked for, in words.
        found: Whether changes were found; if not, `changes` is empty.
        changes: The changed columns.
        before: The answer of the row as it is.
        after: The answer with the changes, from the pipeline itself; `before` if none was found.
        tried: How many rows the pipeline was asked.
    """

    of: str
    wanted: str
    found: bool
    changes: tuple[Change, ...]
    before: float
    after: float
    tried: int

    def summary(self) -> str:
        """Answer the changes, or that none was found."""
        if not self.changes:
            return self._headline()
        return f"{self._headline()}\n{text_table(*self._table())}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""
        return {**asdict(self), "changes": [asdict(one) for one in self.changes]}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the answer before and after."""
        from headrace.visualization.contributions import turned

        return turned(self, ax)

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption=self._headline())

    def _headline(self) -> str:
        if not self.found:
            return f"no change within the data was found for {self.wanted} ({self.tried:,} tried)"
        if not self.changes:
            return f"the prediction is {self.wanted} as it is"
        return f"for {self.wanted}: {self.of} from {figure(self.before)} to {figure(self.after)}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        lines = [[one.column, one.before, one.after] for one in self.changes]
        return ["column", "now", "needed"], lines


def counterfactual(
    pipe: Explained,
    row: object,
    *,
    wanted: Label | None = None,
    above: float | None = None,
    below: float | None = None,
    target: str | None = None,
    columns: Sequence[str] | None = None,
    frozen: Sequence[str] = (),
    directions: Mapping[str, Direction] | None = None,
    most_changes: int = 3,
    reference: object = None,
) -> Counterfactual:
    """Search for the fewest, then smallest changes that turn the prediction of one row.

    Only values that were seen in the reference rows are tried: of numbers and dates 16 quantiles,
    of words the 16 most frequent. Single changes are tried all; two and more build on the 20 that
    led farthest, so of those a smaller one may exist. A change of a number counts as the share of
    the reference rows between both values, one of a word as 1. Whether the prediction has turned
    is read from the pipeline itself.

    Args:
        pipe: A trained pipeline with a network, or an `hr.Runtime` of one.
        row: One row, as a dict of values or a table of one row.
        wanted: The class that is wanted; of two classes the other one.
        above: The value that a number must reach.
        below: The value that a number must not exceed.
        target: Which of several targets.
        columns: Which columns may change; None for all.
        frozen: Columns that may not.
        directions: For columns of numbers or dates whether they may only go "up" or "down".
        most_changes: How many columns are changed at most.
        reference: Rows whose values are tried; None for those that the training kept.

    Raises:
        DataError: There is more than one row, or no reference.
        SettingError: What is wanted does not fit the target, or a setting is out of its range.
    """
    check_whole("most_changes", most_changes, 1)
    one = canonical_rows(scoring(pipe), row)
    if one.height != 1:
        raise DataError([Problem(f"a counterfactual is for one row, received {one.height}")])
    question, goal, words = _goal(pipe, one, target=target, wanted=wanted, above=above, below=below)
    others = reference_rows(question, reference, one)
    free = _free(one.columns, columns, frozen, directions or {})
    options = {name: _options(one, others, name, (directions or {}).get(name)) for name in free}
    search = _Search(question, one, goal, options)
    return search.result(words, most_changes)


@dataclass(frozen=True, eq=False)
class _Goal:
    """When a prediction has turned, and how near an answer is to it."""

    place: int | None
    above: float | None
    below: float | None

    def reached(self, question: Question, output: NDArray[Any]) -> NDArray[np.bool_]:
        if self.place is not None:
            wanted = question.spec.classes[self.place]
            return np.array([one == wanted for one in labels(question.spec, output)], dtype=bool)
        scores = question.of_output(output)
        low = -np.inf if self.above is None else self.above
        high = np.inf if self.below is None else self.below
        return np.asarray((scores >= low) & (scores <= high))

    def distance(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.place is not None:
            return -scores
        low = 0.0 if self.above is None else np.maximum(self.above - scores, 0)
        high = 0.0 if self.below is None else np.maximum(scores - self.below, 0)
        return np.asarray(low + high)


def _goal(
    pipe: Explained,
    one: pl.DataFrame,
    *,
    target: str | None,
    wanted: Label | None,
    above: float | None,
    below: float | None,
) -> tuple[Question, _Goal, str]:
    model = ask(pipe, target=target, label=wanted, row=one).model
    spec = model.spec
    if spec.task == "regression":
        if above is None and below is None:
            raise SettingError(f"the target {spec.name!r} is a number: say above= or below=")
        question = ask(pipe, target=target)
        parts = [f"at least {figure(above)}"] if above is not None else []
        parts += [f"at most {figure(below)}"] if below is not None else []
        return question, _Goal(None, above, below), f"{spec.name} of {' and '.join(parts)}"
    if above is not None or below is not None:
        raise SettingError(f"the target {spec.name!r} has classes: say wanted=, not above or below")
    if wanted is None:
        if spec.task != "binary":
            raise SettingError(f"the target {spec.name!r} has several classes: say wanted=")
        now = labels(spec, model.output(one))[0]
        wanted = next(label for label in spec.classes if label != now)
    question = ask(pipe, target=target, label=wanted)
    label = question.spec.classes[question.place or 0]
    return question, _Goal(question.place, None, None), f"{spec.name} = {label}"


def _free(
    names: Sequence[str],
    columns: Sequence[str] | None,
    frozen: Sequence[str],
    directions: Mapping[str, str],
) -> list[str]:
    for name in (*(columns or ()), *frozen, *directions):
        check_column(name, names)
    for name, way in directions.items():
        if way not in {"up", "down"}:
            raise SettingError(f"the direction of {name!r} must be up or down, received {way!r}")
    free = [name for name in (columns or names) if name not in set(frozen)]
    if not free:
        raise SettingError("no column may change: all are frozen")
    return free


def _options(
    one: pl.DataFrame, others: pl.DataFrame, name: str, way: str | None
) -> list[tuple[Any, float]]:
    """Answer the values that a column may take instead, each with the size of the change."""
    import polars as pl

    now, values = one[name][0], others[name]
    if values.dtype == pl.String:
        if way is not None:
            raise SettingError(f"the column {name!r} holds words, which go neither up nor down")
        counts = values.value_counts().sort(["count", name], descending=[True, False])
        words = [word for word in counts[name][: _VALUES + 1] if word not in {now, ""}]
        return [(word, 1.0) for word in words[:_VALUES]]
    known = np.sort(values.to_numpy()[~gaps(values)])
    missing = bool(gaps(one[name])[0])
    if not len(known) or (missing and way is not None):
        return []
    tried = np.unique(np.quantile(known, np.linspace(0, 1, _VALUES), method="nearest"))
    tried = tried[tried > now] if way == "up" else tried[tried < now] if way == "down" else tried
    place = np.searchsorted(known, now)
    sizes = np.abs(np.searchsorted(known, tried) - place) / len(known)
    pairs = zip(tried.tolist(), sizes.tolist(), strict=True)
    return [(value, 1.0 if missing else max(size, 1e-6)) for value, size in pairs if value != now]


_Edit: TypeAlias = "dict[str, tuple[Any, float]]"


class _Search:
    """Tries changes, more and more of them at once."""

    def __init__(
        self, question: Question, one: pl.DataFrame, goal: _Goal, options: dict[str, Any]
    ) -> None:
        self.question = question
        self.one = one
        self.goal = goal
        self.options = options
        self.tried = 0

    def result(self, words: str, most: int) -> Counterfactual:
        """Answer the cheapest edit with the fewest columns."""
        before, reached = self._ask([{}])
        best: _Edit | None = {} if reached[0] else None
        beam: list[_Edit] = [{}]
        for _ in range(most):
            if best is not None:
                break
            beam, best = self._step(beam)
        after = before if best is None else self._ask([best])[0]
        kinds = {column.name: column.kind for column in self.question.schema.columns}
        changes = tuple(
            Change(name, shown(self.one[name][0], kinds[name]), shown(value, kinds[name]))
            for name, (value, _) in (best or {}).items()
        )
        return Counterfactual(
            *(self.question.name, words, best is not None, changes),
            *(float(before[0]), float(after[0]), self.tried),
        )

    def _step(self, beam: list[_Edit]) -> tuple[list[_Edit], _Edit | None]:
        edits: dict[tuple[Any, ...], _Edit] = {}
        for edit, name in product(beam, self.options):
            if name not in edit:
                for option in self.options[name]:
                    made = {**edit, name: option}
                    edits[tuple(sorted((key, value[0]) for key, value in made.items()))] = made
        every = list(edits.values())
        if not every:
            return [], None
        scores, reached = self._ask(every)
        cheap = sorted((_cost(every[n]), n) for n in np.flatnonzero(reached))
        if cheap:
            return [], every[cheap[0][1]]
        nearest = np.argsort(self.goal.distance(scores), kind="stable")[:_BEAM]
        return [every[n] for n in nearest], None

    def _ask(self, edits: list[_Edit]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        import polars as pl

        self.tried += len(edits)
        changed = {
            name: pl.Series(
                name,
                [edit[name][0] if name in edit else self.one[name][0] for edit in edits],
                self.one[name].dtype,
            )
            for name in self.options
        }
        made = pl.concat([self.one] * len(edits)).with_columns(changed.values())
        output = self.question.model.output(made)
        return self.question.of_output(output), self.goal.reached(self.question, output)


def _cost(edit: _Edit) -> float:
    return sum(size for _, size in edit.values())
