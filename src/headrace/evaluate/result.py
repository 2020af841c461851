"""What an evaluation answers: metrics with intervals, verdicts, and what is needed to draw them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError
from headrace.result import Result, finite
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.evaluate.calibration import Calibration
    from headrace.evaluate.comparison import Comparison
    from headrace.evaluate.importance import Importance
    from headrace.evaluate.interval_coverage import Coverage
    from headrace.evaluate.lift import Lift
    from headrace.evaluate.slices import Slices
    from headrace.evaluate.stability import Stability
    from headrace.evaluate.thresholds import Thresholds
    from headrace.model.target import Label, Task

__all__ = ["ClusterEvaluation", "Evaluation", "Metric"]

_PLOTS = {"binary": "roc", "multiclass": "confusion", "regression": "residuals"}
_SLICES = 5
"""Slices that a summary lists."""

_HEADER = ("metric", "value", "low", "high", "")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure with its interval.

    Attributes:
        name: Which metric.
        value: Its value for the test rows; NaN where it is undefined, and the note says why.
        low: The lower end of the interval.
        high: The upper end of the interval.
        higher_is_better: Whether a larger value is a better one.
        confidence: How often such intervals hold the value of all rows of the same kind.
        note: What should be known about it, or "".
        method: How the interval was found: "bootstrap" or "Wilson".

    Example:
        >>> Metric("accuracy", 0.9, 0.85, 0.93, higher_is_better=True).cells()
        ['accuracy', '0.9000', '0.8500', '0.9300', '']
    """

    name: str
    value: float
    low: float
    high: float
    higher_is_better: bool
    confidence: float = 0.95
    note: str = ""
    method: str = "bootstrap"

    def cells(self, *, primary: bool = False) -> list[str]:
        """Answer a line of a table."""
        remarks = ["primary"] if primary else []
        remarks += [] if self.higher_is_better else ["less is better"]
        remarks += [self.note] if self.note else []
        figures = [figure(number) for number in (self.value, self.low, self.high)]
        return [self.name, *figures, "; ".join(remarks)]

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold; None where there is none."""
        return {key: finite(value) for key, value in asdict(self).items()}


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """How good a model is on rows that it has not seen.

    Attributes:
        target: The name of the target column.
        task: "binary", "multiclass" or "regression".
        rows: How many rows were evaluated.
        metrics: Each metric by its name.
        primary: The name of the metric that decides comparisons.
        comparisons: For each baseline by name how the model does against it.
        classes: The labels in the order of the output's columns; empty for regression.
        threshold: Binary: the second class is predicted when its probability is above this.
        importance: How much each raw column matters, if that was asked for.
        stability: What changes from training to training, if that was asked for.
        slices: Where the model does worse, if there were enough rows to look.
        coverage: How often prediction intervals or sets hold the truth, if there are any.
        notes: What else should be known.
        y_true: (rows,) class index, or the target in its own units.
        output: (rows,) probability of the second class, (rows, classes), or (rows,) values in the
            units of the target.
    """

    target: str
    task: Task
    rows: int
    metrics: Mapping[str, Metric]
    primary: str
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    classes: tuple[Label, ...] = ()
    threshold: float = 0.5
    importance: Importance | None = None
    stability: Stability | None = None
    slices: Slices | None = None
    notes: tuple[str, ...] = ()
    y_true: NDArray[Any] | None = field(default=None, repr=False)
    output: NDArray[Any] | None = field(default=None, repr=False)
    coverage: Coverage | None = None

    def scores(self) -> dict[str, Any]:
        """Answer what a release remembers of an evaluation, for its card and for maintenance."""
        metrics = {name: metric.to_dict() for name, metric in self.metrics.items()}
        judged = self.task != "regression" and self.y_true is not None
        return {
            "primary": self.primary,
            "rows": self.rows,
            "metrics": metrics,
            "calibration": self.calibration().sentence() if judged else "",
            "slices": self.slices.lines() if self.slices else [],
            "verdicts": self._verdicts(),
            "notes": list(self.notes),
        }

    def summary(self) -> str:
        """Answer a table of metrics, then the verdicts, importance, stability and notes."""
        parts = [self._title(), text_table(_HEADER, self._cells())]
        parts += ["\n".join(self._verdicts())] if self.comparisons else []
        parts += [self.importance.summary()] if self.importance else []
        parts += [self.stability.summary()] if self.stability else []
        parts += [self.slices.summary(most=_SLICES)] if self.slices else []
        parts += [self.coverage.summary()] if self.coverage else []
        parts += ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold, without the rows."""
        return {
            "target": self.target,
            "task": self.task,
            "rows": self.rows,
            "primary": self.primary,
            "classes": list(self.classes),
            "threshold": self.threshold,
            "metrics": {name: one.to_dict() for name, one in self.metrics.items()},
            "comparisons": {name: one.to_dict() for name, one in self.comparisons.items()},
            "importance": self.importance.to_dict() if self.importance else None,
            "stability": self.stability.to_dict() if self.stability else None,
            "slices": self.slices.to_dict() if self.slices else None,
            "coverage": self.coverage.to_dict() if self.coverage else None,
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the ROC curve (binary), the confusion matrix (multiclass) or the residuals."""
        from headrace import visualization

        axes: Axes = getattr(visualization, _PLOTS[self.task])(self, ax=ax)
        return axes

    def calibration(self, label: Label | None = None, *, bins: int = 10) -> Calibration:
        """Answer how true the probabilities come, beside what chance alone would show.

        Args:
            label: The class whose probability is looked at; None for the second of two classes,
                and of several for the predicted class.
            bins: Bins of about equally many rows.

        Raises:
            SettingError: There are no probabilities, no rows, or no such class.
        """
        from headrace.evaluate.calibration import calibration

        if label is None and self.task == "multiclass":
            truth, output = self._rows()
            return calibration(
                truth == output.argmax(axis=1),
                output.max(axis=1),
                bins=bins,
                confidence=self.confidence,
                of="the predicted class",
            )
        hit, stated, name = self._of_class(label)
        return calibration(hit, stated, bins=bins, confidence=self.confidence, of=name)

    def thresholds(
        self, costs: Mapping[str, float] | None = None, *, label: Label | None = None
    ) -> Thresholds:
        """Answer what thresholds of the probability find, miss and cost.

        Args:
            costs: What outcomes cost, of "true_positive", "false_positive", "false_negative" and
                "true_negative"; one for each error when none are given.
            label: The class that is looked for; None for the second of two.

        Raises:
            SettingError: There are no probabilities, no rows, no such class or outcome.
        """
        from headrace.evaluate.thresholds import thresholds

        hit, stated, _ = self._of_class(label)
        return thresholds(hit, stated, costs=costs, confidence=self.confidence)

    def lift(self, label: Label | None = None, *, parts: int = 10) -> Lift:
        """Answer what is found by looking at the highest probabilities first.

        Args:
            label: The class that is looked for; None for the second of two.
            parts: Parts of about equally many rows.

        Raises:
            DataError: No row is of the class.
            SettingError: There are no probabilities, no rows, or no such class.
        """
        from headrace.evaluate.lift import lift

        hit, stated, _ = self._of_class(label)
        return lift(hit, stated, parts=parts, confidence=self.confidence)

    @property
    def confidence(self) -> float:
        """Of the intervals."""
        return self.metrics[self.primary].confidence

    def _rows(self) -> tuple[NDArray[Any], NDArray[Any]]:
        if self.task == "regression":
            raise SettingError(
                "this needs probabilities, and a regression states none; predicted distributions "
                "are judged by hr.pit(pipe, data)"
            )
        if self.y_true is None or self.output is None:
            raise SettingError(
                "this evaluation was kept without its rows: evaluate again to look at them"
            )
        return self.y_true, self.output

    def _of_class(self, label: Label | None) -> tuple[NDArray[Any], NDArray[Any], str]:
        truth, output = self._rows()
        if label is None and self.task == "multiclass":
            raise SettingError(f"of several classes name one: label= one of {list(self.classes)}")
        if label is not None and label not in self.classes:
            raise SettingError(f"label must be one of {list(self.classes)}, received {label!r}")
        place = 1 if label is None else self.classes.index(label)
        stated = output[:, place] if output.ndim > 1 else output if place else 1 - output
        return truth == place, stated, str(self.classes[place])

    def _repr_html_(self) -> str:
        parts = [html_table(_HEADER, self._cells(), caption=self._title())]
        parts += [html_list(self._verdicts())]
        if self.importance:
            parts += [self.importance._repr_html_()]
        if self.stability:
            header = ["metric", "mean", "deviation", "lowest", "highest"]
            parts += [html_table(header, self.stability.table(), caption="stability")]
            parts += [html_list([self.stability.sentence()])]
        parts += [self.slices._repr_html_()] if self.slices else []
        parts += [self.coverage._repr_html_()] if self.coverage else []
        parts += [html_list(self.notes)]
        return "".join(parts)

    def _title(self) -> str:
        noun = "row" if self.rows == 1 else "rows"
        size = f"{self.rows:,} {noun}, {100 * self.confidence:.4g} % intervals"
        return f"{self.target}: {self.task}, {size}"

    def _cells(self) -> list[list[str]]:
        return [one.cells(primary=name == self.primary) for name, one in self.metrics.items()]

    def _verdicts(self) -> list[str]:
        return [one.summary(name) for name, one in self.comparisons.items()]


@dataclass(frozen=True, eq=False)
class ClusterEvaluation(Result):
    """How well rows fall into the clusters that were found.

    Attributes:
        rows: How many rows were clustered.
        sizes: For each cluster its number of rows.
        inertia: The sum of squared distances to the own centre, in squared units of the columns.
        metrics: silhouette (-1 to 1), davies_bouldin, calinski_harabasz, and stability: how well
            clusterings of resampled rows agree with this one (adjusted Rand index, 0 by chance).
        recovery: For each cluster how much of it is found again in resampled rows (mean Jaccard
            similarity): above 0.75 stable, below 0.5 dissolved (Hennig, 2007).
        notes: What else should be known.
        matrix: (sampled rows, columns) rows to draw.
        labels: (sampled rows,) their clusters.
        centres: (clusters, columns) the centres.
        silhouettes: (sampled rows,) the silhouette of each.
        columns: The names of the columns.
    """

    rows: int
    sizes: tuple[int, ...]
    inertia: float
    metrics: Mapping[str, Metric]
    recovery: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    matrix: NDArray[Any] | None = field(default=None, repr=False)
    labels: NDArray[Any] | None = field(default=None, repr=False)
    centres: NDArray[Any] | None = field(default=None, repr=False)
    silhouettes: NDArray[Any] | None = field(default=None, repr=False)
    columns: tuple[str, ...] = ()

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return len(self.sizes)

    def summary(self) -> str:
        """Answer a table of metrics and a table of clusters."""
        parts = [self._title(), text_table(_HEADER, self._cells())]
        parts += [text_table(*self._clusters())]
        parts += ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold, without the rows."""
        return {
            "rows": self.rows,
            "sizes": list(self.sizes),
            "inertia": self.inertia,
            "metrics": {name: one.to_dict() for name, one in self.metrics.items()},
            "recovery": list(self.recovery),
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the rows by cluster; rows of one column by their silhouettes.

        Raises:
            SettingError: The result was made without its rows.
        """
        from headrace import visualization

        if self.matrix is None or self.labels is None or self.silhouettes is None:
            raise SettingError("these clusters were judged without keeping rows to draw")
        if self.matrix.shape[1] == 1:
            return visualization.silhouette(self.silhouettes, self.labels, ax=ax)
        return visualization.cluster_scatter(
            self.matrix, self.labels, self.centres, columns=self.columns or None, ax=ax
        )

    def _repr_html_(self) -> str:
        header, rows = self._clusters()
        return "".join(
            [
                html_table(_HEADER, self._cells(), caption=self._title()),
                html_table(header, rows),
                html_list(self.notes),
            ]
        )

    def _title(self) -> str:
        return f"{self.clusters} clusters of {self.rows:,} rows, inertia {figure(self.inertia)}"

    def _cells(self) -> list[list[str]]:
        return [one.cells() for one in self.metrics.values()]

    def _clusters(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [str(number), f"{size:,}", f"{size / self.rows:.1%}"]
            for number, size in enumerate(self.sizes)
        ]
        if not self.recovery:
            return ["cluster", "rows", "share"], rows
        found = [[*row, figure(share)] for row, share in zip(rows, self.recovery, strict=True)]
        return ["cluster", "rows", "share", "found again"], found
