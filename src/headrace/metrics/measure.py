"""The measure: one metric as a function of weighted rows, and the registry of all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.model.target import Likelihood, TargetSpec, Task

__all__ = [
    "PRIMARY",
    "Formula",
    "Kernel",
    "Measure",
    "Prepare",
    "Score",
    "find",
    "known_by_name",
    "measures",
    "of_values",
    "primary",
    "register",
    "unregister",
]

Score: TypeAlias = Callable[[NDArray[Any], NDArray[Any], NDArray[np.float64]], float]
"""A metric as a user writes it: (y_true, output, weight) -> one number."""

Kernel: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A metric of known rows: weights (resamples, rows) -> values (resamples,)."""

Prepare: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], Kernel]
"""What sorts and counts once, so that thousands of weightings of the same rows are cheap."""

Formula: TypeAlias = Callable[[NDArray[Any], NDArray[Any], float], tuple[float, float]]
"""A known formula: (y_true, output, confidence) -> (low, high)."""

PRIMARY: dict[Task, str] = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}
"""The metric that decides, for each task, unless another one is asked for."""

_PRIMARY_OF_LIKELIHOOD: dict[Likelihood, str] = {
    "ordinal": "quadratic_kappa",
    "poisson": "poisson_deviance",
    "quantiles": "mae",
}
"""The same for likelihoods whose prediction is made for another one; a median for the error."""

Reads: TypeAlias = Literal["answer", "decision", "distribution"]
"""What of a model's output a measure reads."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric of the rows that were predicted, each with a weight.

    A resample of the rows is the same rows with other weights: how often each was drawn. That is
    why a measure is prepared once and then asked for many weightings at a time.

    Attributes:
        name: How results call it.
        tasks: The tasks that it is for.
        higher_is_better: Whether a larger value is a better one.
        prepare: Takes y_true (rows,) and the output (binary: (rows,) probability of the second
            class; multiclass: (rows, classes); regression: (rows,) in target units) and answers a
            function from weights (resamples, rows) to values (resamples,), NaN where undefined.
        lowest: The smallest value that is possible.
        highest: The largest value that is possible.
        undefined: Why the value can be missing, said to the user when it is.
        formula: A formula for the interval that covers better than the bootstrap, if there is
            one.
        method: The name of that formula.
        ranks: Whether it ranks the rows of one class against those of another. Then it is the rows
            of the rarer class that decide how wide the interval is.
        reads: "answer" for the output as described above; "decision" where only the predicted
            class counts, so that a threshold of its own is respected; "distribution" for the
            whole distribution, (rows, outputs) in target units.
        likelihoods: The likelihoods whose evaluations report it without being asked; empty for
            all of its tasks.
        undecided: The measure that this one was made of by `decided`, if it was.

    Example:
        >>> hits = Measure.from_score(
        ...     "hits",
        ...     lambda y_true, output, weight: float(weight @ (y_true == (output > 0.5))),
        ...     tasks=["binary"],
        ...     higher_is_better=True,
        ... )
        >>> hits(np.array([0, 1]), np.array([0.3, 0.9]))
        2.0
    """

    name: str
    tasks: tuple[Task, ...]
    higher_is_better: bool
    prepare: Prepare
    lowest: float = -math.inf
    highest: float = math.inf
    undefined: str = "the metric gave no number for these rows"
    formula: Formula | None = None
    method: str = "bootstrap"
    ranks: bool = False
    reads: Reads = "answer"
    likelihoods: tuple[Likelihood, ...] = ()
    undecided: Measure | None = None

    @classmethod
    def from_score(
        cls,
        name: str,
        score: Score,
        *,
        tasks: Iterable[Task],
        higher_is_better: bool,
        lowest: float = -math.inf,
        highest: float = math.inf,
        reads: Reads = "answer",
    ) -> Measure:
        """Make a measure of a plain function; each resample costs one call of it.

        Args:
            name: How results call it.
            score: (y_true, output, weight) -> number; the weight (rows,) must be respected.
            tasks: The tasks that it is for.
            higher_is_better: Whether a larger value is a better one.
            lowest: The smallest value that is possible.
            highest: The largest value that is possible.
            reads: What of the output it reads; with "decision" a binary output is 0 or 1.
        """

        def prepare(y_true: NDArray[Any], output: NDArray[Any]) -> Kernel:
            return lambda weights: np.array(
                [score(y_true, output, weight) for weight in weights], dtype=np.float64
            )

        return cls(name, tuple(tasks), higher_is_better, prepare, lowest, highest, reads=reads)

    def decided(self, threshold: float) -> Measure:
        """Answer the same measure for decisions at another threshold than 0.5.

        Example:
            >>> recall = find(["recall"], "binary")[0].decided(0.2)
            >>> recall(np.array([0, 1]), np.array([0.1, 0.3]))
            1.0
        """
        if self.reads != "decision" or threshold == 0.5:
            return self
        prepare, formula = self.prepare, self.formula

        def decisions(output: NDArray[Any]) -> NDArray[np.float64]:
            return np.asarray(output > threshold, dtype=np.float64)

        def interval(
            y_true: NDArray[Any], output: NDArray[Any], confidence: float
        ) -> tuple[float, float]:
            if formula is None:
                return self.lowest, self.highest
            return formula(y_true, decisions(output), confidence)

        return replace(
            self,
            prepare=lambda y_true, output: prepare(y_true, decisions(output)),
            formula=interval if formula else None,
            reads="answer",
            undecided=self,
        )

    def deciding_rows(
        self,
        y_true: NDArray[Any],
        output: NDArray[Any],
        count: Callable[[NDArray[np.bool_]], int] = np.count_nonzero,
    ) -> int:
        """Answer how many rows decide: all, or those of the rarer class for a ranking metric.

        Args:
            y_true: (rows,) as the measure reads it.
            output: (rows,) or (rows, …) as the measure reads it.
            count: Answers how many independent ones chosen rows (rows,) make: rows, or groups.
        """
        if not self.ranks or output.ndim > 1:
            return count(np.ones(len(y_true), dtype=bool))
        positive = y_true == 1
        return min(count(positive), count(~positive))

    def __call__(
        self, y_true: NDArray[Any], output: NDArray[Any], weight: NDArray[Any] | None = None
    ) -> float:
        """Answer the metric of these rows; NaN where it is undefined.

        Args:
            y_true: (rows,) class index, or the target in its own units.
            output: (rows,) or (rows, classes).
            weight: (rows,) at least 0; every row counts once when none is given.

        Raises:
            SettingError: The three differ in rows.
        """
        rows = len(y_true)
        weights = np.ones(rows) if weight is None else np.asarray(weight, dtype=np.float64)
        if len(output) != rows or weights.shape != (rows,):
            raise SettingError(
                f"{self.name} needs as many outputs and weights as true values, received "
                f"{rows} true values, {len(output)} outputs and weights of shape {weights.shape}"
            )
        return float(self.prepare(y_true, output)(weights[np.newaxis])[0])


@cache
def _registry() -> dict[str, Measure]:
    # Looked up on first use, because the built-in measures are themselves made of this class.
    from headrace.metrics.formulas import BUILT_IN

    return {measure.name: measure for measure in BUILT_IN}


def register(measure: Measure) -> Measure:
    """Add a measure, so that every evaluation of its tasks reports it.

    Returns:
        The same measure.

    Raises:
        SettingError: Another measure has that name.
    """
    if _registry().setdefault(measure.name, measure) is not measure:
        raise SettingError(
            f"a metric with the name {measure.name!r} exists already: choose another name"
        )
    return measure


def unregister(name: str) -> None:
    """Take a measure out of the registry again; an unknown name is no error."""
    _registry().pop(name, None)


def measures(target: Task | TargetSpec) -> tuple[Measure, ...]:
    """Answer all measures that are reported for a task or a target, the primary one first.

    Example:
        >>> [measure.name for measure in measures("regression")][:3]
        ['rmse', 'mae', 'r2']
    """
    likelihood = None if isinstance(target, str) else target.likelihood
    threshold = 0.5 if isinstance(target, str) else target.threshold
    chosen = [
        measure.decided(threshold)
        for measure in _known(target).values()
        if not measure.likelihoods or likelihood in measure.likelihoods
    ]
    return tuple(sorted(chosen, key=lambda measure: measure.name != primary(target)))


def primary(target: Task | TargetSpec) -> str:
    """Answer the name of the metric that decides unless another one is asked for.

    Example:
        >>> primary("binary")
        'roc_auc'
    """
    if isinstance(target, str):
        return PRIMARY[target]
    return _PRIMARY_OF_LIKELIHOOD.get(target.likelihood or "point", PRIMARY[target.task])


def find(metrics: Sequence[str | Measure], target: Task | TargetSpec) -> tuple[Measure, ...]:
    """Answer the measures that are meant by names or given as such.

    For a target with a threshold of its own, those that read decisions respect it.

    Raises:
        SettingError: A name is unknown, or a measure is not for this task.

    Example:
        >>> find(["f1"], "binary")[0].highest
        1.0
    """
    known, task = _known(target), target if isinstance(target, str) else target.task
    threshold = 0.5 if isinstance(target, str) else target.threshold
    found = []
    for metric in metrics:
        measure = metric if isinstance(metric, Measure) else known.get(metric)
        if measure is None or task not in measure.tasks:
            name = metric.name if isinstance(metric, Measure) else metric
            close = nearest(name, known)
            hint = f"; perhaps {close!r} is meant" if close else ""
            raise SettingError(
                f"the task {task!r} has the metrics {', '.join(known)}, received {name!r}{hint}"
            )
        found.append(measure.decided(threshold))
    return tuple(found)


def known_by_name(measure: Measure, target: TargetSpec) -> bool:
    """Answer whether a measure is one of headrace's own, so that any process finds it by name.

    Example:
        >>> from headrace.model.target import TargetSpec
        >>> spec = TargetSpec("bought", "binary", classes=("no", "yes"), threshold=0.2)
        >>> recall, = find(["recall"], spec)
        >>> own = Measure.from_score("f1", max, tasks=["binary"], higher_is_better=True)
        >>> known_by_name(recall, spec), known_by_name(own, spec)
        (True, False)
    """
    from headrace.metrics.distributions import of_distribution
    from headrace.metrics.formulas import BUILT_IN

    if (measure.undecided or measure) in BUILT_IN:
        return True
    # Those of distributions are made anew each time.
    own = [one.name for one in of_distribution(target) if one.prepare.__module__ == _home(measure)]
    return measure.name in own


def _home(measure: Measure) -> str:
    return str(getattr(measure.prepare, "__module__", ""))


def of_values(metrics: Sequence[str | Measure] | None, target: TargetSpec) -> tuple[Measure, ...]:
    """Answer those of some measures that read predicted values, not whole distributions.

    Args:
        metrics: Names or measures; None for all of the target.
        target: What is predicted.

    Returns:
        At least one: the usual primary one where all of them read distributions.
    """
    chosen = measures(target) if metrics is None else find(metrics, target)
    kept = tuple(measure for measure in chosen if measure.reads != "distribution")
    return kept or find([primary(target)], target)


def _known(target: Task | TargetSpec) -> dict[str, Measure]:
    """Answer all measures that a task or a target can have, by name."""
    from headrace.metrics.distributions import of_distribution

    task = target if isinstance(target, str) else target.task
    known = {name: one for name, one in _registry().items() if task in one.tasks}
    if isinstance(target, str):
        return known
    return known | {measure.name: measure for measure in of_distribution(target)}
