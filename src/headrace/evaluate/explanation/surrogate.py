"""A surrogate tree: a few rules on raw columns that imitate the model, with their fidelity."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.gaps import gaps
from headrace.errors import DataError, Problem, SettingError
from headrace.evaluate.explanation.question import ask, canonical_rows, check_whole, sampled, shown
from headrace.metrics.counting import drawn_counts
from headrace.result import Result
from headrace.table import figure, html_table, text_table

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.evaluate.explanation.question import Question
    from headrace.evaluate.explanation.scoring import Explained
    from headrace.model.target import Label

__all__ = ["Rule", "Surrogate", "surrogate_of", "surrogate_tree"]

_MOST_LEVELS = 20
_LEAST_ROWS = 50
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Rule:
    """A leaf of the tree.

    Attributes:
        conditions: What the rows of the leaf have in common, in words.
        answer: The mean answer of the model in the leaf.
        share: The share of the rows that are in it.
    """

    conditions: tuple[str, ...]
    answer: float
    share: float


@dataclass(frozen=True)
class Surrogate(Result):
    """A shallow tree that imitates the model.

    Attributes:
        of: What is explained, in words.
        rules: The leaves, by falling answer.
        fidelity: The share of the variance of the model's answers that the tree explains (R²), on
            rows that the tree was not grown on.
        low: The lower end of its 95 % interval.
        high: The upper end.
        rows: How many rows the tree was grown on.
        held_rows: How many rows the fidelity was measured on.
    """

    of: str
    rules: tuple[Rule, ...]
    fidelity: float
    low: float
    high: float
    rows: int
    held_rows: int

    def summary(self) -> str:
        """Answer the rules and how far they are the model's."""
        return f"{self._headline()}\n{text_table(*self._table())}"

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""
        rules = [{**asdict(one), "conditions": list(one.conditions)} for one in self.rules]
        return {**asdict(self), "rules": rules}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the rules with their answers."""
        from headrace.visualization.surrogate import rules

        return rules(self, ax)

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption=self._headline())

    def _headline(self) -> str:
        return (
            f"{self.of}: {len(self.rules)} rules explain {self.fidelity:.0%} "
            f"({self.low:.0%} to {self.high:.0%}) of the variance of the model's answers on "
            f"{self.held_rows:,} other rows"
        )

    def _table(self) -> tuple[list[str], list[list[str]]]:
        lines = [
            [" and ".join(one.conditions) or "all rows", figure(one.answer), f"{one.share:.1%}"]
            for one in self.rules
        ]
        return ["rule", "answer", "rows"], lines


def surrogate_tree(
    pipe: Explained,
    data: object,
    *,
    depth: int = 3,
    target: str | None = None,
    label: Label | None = None,
    most_rows: int = 10_000,
    seed: int = 0,
) -> Surrogate:
    """Grow a shallow tree on raw columns that imitates the model (Craven and Shavlik, 1996).

    Args:
        pipe: A trained pipeline with a network, or an `hr.Runtime` of one.
        data: The rows, at least 50; a third of them is held for the fidelity.
        depth: How many conditions a rule has at most, from 1 to 6.
        target: Which of several targets.
        label: Which class; of two the last one.
        most_rows: A random sample of so many rows is used when there are more.
        seed: The same seed gives the same answer.

    Raises:
        DataError: There are too few rows, or the model answers the same in all of them.
        SettingError: A setting is out of its range.
    """
    check_whole("depth", depth, 1)
    if depth > 6:
        raise SettingError(f"depth must be 6 or less for rules to be read, received {depth}")
    check_whole("most_rows", most_rows, _LEAST_ROWS)
    question = ask(pipe, target=target, label=label)
    rows = sampled(canonical_rows(question.model, data), most_rows, seed)
    return surrogate_of(question, rows, depth, seed)


def surrogate_of(question: Question, rows: pl.DataFrame, depth: int, seed: int) -> Surrogate:
    """Answer the surrogate of canonical rows; see `surrogate_tree`."""
    from sklearn.tree import DecisionTreeRegressor

    if rows.height < _LEAST_ROWS:
        raise DataError([Problem(f"a surrogate needs {_LEAST_ROWS} rows, received {rows.height}")])
    answers = question.score(rows)
    order = np.random.default_rng(seed).permutation(rows.height)
    held, used = order[: rows.height // 3], order[rows.height // 3 :]
    if np.ptp(answers[held]) < 1e-9 * max(1.0, float(np.abs(answers).max())):
        raise DataError([Problem("the model answers the same in all rows: nothing to imitate")])
    matrix, tests = _matrix(question, rows, used)
    tree = DecisionTreeRegressor(
        max_depth=depth, min_samples_leaf=max(5, len(used) // 100), random_state=seed
    ).fit(matrix[used], answers[used])
    fidelity, low, high = _fidelity(answers[held], tree.predict(matrix[held]), seed)
    found = sorted(_rules(tree.tree_, tests, 0, ()), key=lambda rule: -rule.answer)
    return Surrogate(question.name, tuple(found), fidelity, low, high, len(used), len(held))


def _fidelity(
    truth: NDArray[np.float64], answer: NDArray[np.float64], seed: int
) -> tuple[float, float, float]:
    """Answer R² and its 95 % interval over resampled rows."""
    count = len(truth)
    weights = drawn_counts(count, _RESAMPLES, seed) / count
    weights = np.vstack([np.full(count, 1 / count), weights])
    error = weights @ (truth - answer) ** 2
    variance = weights @ truth**2 - (weights @ truth) ** 2
    scores = 1 - error / np.maximum(variance, 1e-300)
    low, high = np.quantile(scores[1:], [0.025, 0.975])
    return float(scores[0]), float(low), float(high)


_Test = tuple[str, str, str]
"""The column, what is compared ("value", "missing" or a word), and the column's kind."""


def _matrix(
    question: Question, rows: pl.DataFrame, used: NDArray[np.intp]
) -> tuple[NDArray[np.float64], list[_Test]]:
    """Answer what the tree is grown on: values, flags of frequent words, flags of gaps."""
    import polars as pl

    kinds = {column.name: column.kind for column in question.schema.columns}
    parts: list[NDArray[Any]] = []
    tests: list[_Test] = []
    for column in rows.iter_columns():
        name, kind = column.name, kinds[column.name]
        if column.dtype == pl.String:
            counts = column[used].value_counts().sort(["count", name], descending=[True, False])
            for word in counts[name][:_MOST_LEVELS]:
                parts.append((column == word).to_numpy())
                tests.append((name, f"={word}", kind))
            continue
        values = column.to_numpy().astype(np.float64)
        missing = gaps(column)
        known = values[used][~missing[used]]
        middle = float(np.median(known)) if len(known) else 0.0
        parts.append(np.where(missing, middle, values))
        tests.append((name, "value", kind))
        if missing.any():
            parts.append(missing)
            tests.append((name, "missing", kind))
    return np.stack(parts, axis=1).astype(np.float64), tests


def _rules(tree: Any, tests: list[_Test], node: int, said: tuple[str, ...]) -> list[Rule]:
    left, right = tree.children_left[node], tree.children_right[node]
    if left < 0:
        share = tree.n_node_samples[node] / tree.n_node_samples[0]
        return [Rule(said, float(tree.value[node, 0, 0]), float(share))]
    below, above = _words(tests[tree.feature[node]], float(tree.threshold[node]))
    return [
        *_rules(tree, tests, left, (*said, below)),
        *_rules(tree, tests, right, (*said, above)),
    ]


def _words(test: _Test, threshold: float) -> tuple[str, str]:
    """Answer the condition below and above the threshold, in words."""
    name, what, kind = test
    if what.startswith("="):
        word = shown(what[1:], kind)
        return f"{name} is not {word}", f"{name} is {word}"
    if what == "missing":
        return f"{name} is known", f"{name} is missing"
    if kind == "boolean":
        return f"{name} is no", f"{name} is yes"
    text = shown(threshold, kind)
    return f"{name} ≤ {text}", f"{name} > {text}"
