"""Comparing two models on the same rows: the difference, its interval, and a verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.evaluate.drawing import drawing_of
from headrace.evaluate.intervals import FEWEST_DRAWS, Interval, check_confidence
from headrace.evaluate.resampling import resample
from headrace.evaluate.scores import check_scores
from headrace.metrics.formulas import predicted_class
from headrace.metrics.measure import PRIMARY, Measure, find
from headrace.metrics.paired import PairedTest, delong, mcnemar
from headrace.result import Result, finite
from headrace.table import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.evaluate.intervals import Resampled
    from headrace.model.target import Task

__all__ = [
    "Comparison",
    "Test",
    "Verdict",
    "compare",
    "judge",
    "losses",
    "verdict_of",
]

Test: TypeAlias = Literal["bootstrap", "DeLong", "McNemar"]
"""How a difference is tested: DeLong the area under the ROC curve, McNemar the accuracy."""

_TEST_OF = {"roc_auc": "DeLong", "accuracy": "McNemar"}

_OUT_OF_REACH = 1_000
_POWER = 0.8
"""How often the stated number of rows would settle the question."""

Verdict: TypeAlias = Literal["better", "worse", "not enough data to tell", "no relevant difference"]
"""What a comparison can end in; the last one only where a smallest effect was given."""


@dataclass(frozen=True)
class Comparison(Result):
    """How the first of two models does against the second one, on the same rows.

    Attributes:
        metric: The name of the metric.
        value: The metric of the first model.
        reference: The metric of the second model.
        difference: value - reference, in the units of the metric.
        low: The lower end of the interval of the difference.
        high: The upper end of the interval of the difference.
        verdict: "better", "worse" or "not enough data to tell" about the first model; with a
            smallest effect also "no relevant difference".
        higher_is_better: Whether a larger value of the metric is a better one.
        confidence: The confidence of the interval; a false "better" comes in at most half of the
            remaining cases.
        smallest_effect: The difference that has to be exceeded for sure to be called better.
        rows: How many rows were compared.
        note: What else should be known, or "".
        test: How the interval was found.
        p_value: How often so large a difference would come between equal models; None where the
            test gives none.
        measured: Whether the interval was found from the rows; else it is all that is possible.
    """

    metric: str
    value: float
    reference: float
    difference: float
    low: float
    high: float
    verdict: Verdict
    higher_is_better: bool
    confidence: float
    smallest_effect: float
    rows: int
    note: str = ""
    test: str = "paired bootstrap"
    p_value: float | None = None
    measured: bool = True

    @property
    def rows_to_settle(self) -> int | None:
        """About how many rows like these would settle an open question in 80 of 100 cases.

        It takes the difference to stay as it is, and the interval to shrink with the root of the
        rows. None where the verdict is not open, or no number of rows would do.
        """
        reach = (self.high - self.low) / 2
        room = abs(abs(self.difference) - self.smallest_effect)
        known = math.isfinite(reach) and math.isfinite(room) and room > 0 and self.measured
        if self.verdict != "not enough data to tell" or not known:
            return None
        sure = NormalDist().inv_cdf((1 + self.confidence) / 2)
        wider = (sure + NormalDist().inv_cdf(_POWER)) / sure
        return max(self.rows + 1, math.ceil(self.rows * (wider * reach / room) ** 2))

    def summary(self, name: str = "the other") -> str:
        """Answer the verdict as a sentence.

        Args:
            name: What the second model is called.
        """
        figures = f"{self.metric} {figure(self.value)} against {figure(self.reference)}"
        if math.isfinite(self.difference):
            figures += (
                f", difference {self.difference:+.3g} "
                f"({100 * self.confidence:.4g} % interval {self.low:+.3g} to {self.high:+.3g})"
            )
        p_value = "" if self.p_value is None else f", {self.test} p {_p_text(self.p_value)}"
        more = self.rows_to_settle
        rows = "" if more is None else f"; {_settled(more, self.rows)}"
        note = f"; {self.note}" if self.note else ""
        return f"{_PHRASES[self.verdict].format(name=name)}: {figures}{p_value}{rows}{note}."

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold; None where there is none."""
        values = asdict(self) | {"rows_to_settle": self.rows_to_settle}
        return {key: finite(value) for key, value in values.items()}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the difference with its interval, and where it would not matter."""
        from headrace import visualization

        axes: Axes = visualization.comparison(self, ax=ax)
        return axes


def _settled(wanted: int, rows: int) -> str:
    if wanted > _OUT_OF_REACH * rows:
        return "the difference is so small that no table within reach would settle it"
    return f"about {_rounded(wanted):,} rows like these would settle it"


def _p_text(p_value: float) -> str:
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def _rounded(rows: int) -> int:
    """Answer two significant digits: more would promise too much."""
    unit: int = 10 ** max(0, len(str(rows)) - 2)
    return math.ceil(rows / unit) * unit


_PHRASES: dict[Verdict, str] = {
    "better": "Better than {name}",
    "worse": "Worse than {name}",
    "not enough data to tell": "Against {name}, not enough data to tell",
    "no relevant difference": "No relevant difference to {name}",
}


def compare(
    y_true: NDArray[Any],
    output_a: NDArray[Any],
    output_b: NDArray[Any],
    *,
    task: Task,
    metric: str | Measure | None = None,
    smallest_effect: float = 0.0,
    confidence: float = 0.95,
    groups: NDArray[Any] | None = None,
    time: NDArray[Any] | None = None,
    test: Test | None = None,
    resamples: int = 1000,
    seed: int = 0,
    engine: Engine = HERE,
) -> Comparison:
    """Compare two models by what they say about the same rows.

    Both are judged on the same rows, so what makes a row easy or hard for both drops out.

    Args:
        y_true: (rows,) class index, or the target in its own units.
        output_a: What the first model says: (rows,) probability of the second class, (rows,
            classes) probabilities, or (rows,) values in the units of the target.
        output_b: What the second model says.
        task: "binary", "multiclass" or "regression".
        metric: What decides; the primary metric of the task when none is given.
        smallest_effect: The difference that matters, at least 0, in the units of the metric. The
            first model is better only when it is better by more than this.
        confidence: The confidence of the interval.
        groups: (rows,) equal for rows that belong together, such as those of a patient: they are
            drawn together.
        time: (rows,) when each row was, for rows that are like their neighbours in time: they are
            drawn in blocks.
        test: "bootstrap" (paired), "DeLong" or "McNemar"; None for the one that suits the metric.
            Rows in groups or in time are always drawn.
        resamples: How many times the rows are drawn.
        seed: The same seed gives the same draws.
        engine: Who resamples.

    Raises:
        DataError: The rows do not fit each other, or hold values that are no numbers.
        SettingError: The metric is unknown, or a setting is out of its range.

    Example:
        >>> import numpy as np
        >>> truth = np.arange(50.0)
        >>> near, far = truth + np.sin(truth), truth + 3 * np.cos(truth)
        >>> compare(truth, near, far, task="regression").verdict
        'better'
    """
    check_confidence(confidence)
    (measure,) = find([metric or PRIMARY[task]], task)
    truth, first = check_scores(task, y_true, output_a, name="the first output")
    _, second = check_scores(task, y_true, output_b, name="the second output")
    kernels = [measure.prepare(truth, output) for output in (first, second)]
    apart = losses(task, truth, first) - losses(task, truth, second)
    drawing = drawing_of(len(truth), groups=groups, time=time, series=apart)
    deciding = [measure.deciding_rows(truth, first, drawing.units_of)] * 2
    chosen = _test(test, measure, task, alone=drawing.units == len(truth))
    tested = _tested(chosen, truth, first, second, confidence)
    resampled = resample(
        kernels,
        len(truth),
        resamples=resamples if tested is None else FEWEST_DRAWS,
        seed=seed,
        deciding=deciding,
        drawing=drawing,
        engine=engine,
    )
    return judge(
        resampled[0],
        resampled[1],
        measure=measure,
        rows=len(truth),
        smallest_effect=smallest_effect,
        confidence=confidence,
        tested=tested,
        note=drawing.sentence,
    )


def losses(task: Task, truth: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    """Answer a loss of each row, (rows,): squared errors of values, or of the true class.

    Example:
        >>> losses("binary", np.array([0, 1]), np.array([0.5, 1.0])).tolist()
        [0.25, 0.0]
    """
    if task == "multiclass":
        return np.asarray((1 - output[np.arange(len(truth)), truth]) ** 2, dtype=np.float64)
    return np.asarray((truth - output) ** 2, dtype=np.float64)


def _test(test: Test | None, measure: Measure, task: Task, *, alone: bool) -> str:
    """Answer the test to use."""
    if test is not None and test not in get_args(Test):
        known = ", ".join(map(repr, get_args(Test)))
        raise SettingError(f"test must be one of {known}, or None, received {test!r}")
    name = measure.name if task == "binary" or measure.name == "accuracy" else ""
    fitting = _TEST_OF.get(name, "bootstrap")
    if test not in {None, "bootstrap", fitting}:
        wanted = next(metric for metric, known in _TEST_OF.items() if known == test)
        raise SettingError(
            f"the test {test!r} is one of {wanted!r}, and the metric is {measure.name!r} of a "
            f"{task} task: leave test out, or compare by {wanted!r}"
        )
    if test not in {None, "bootstrap"} and not alone:
        raise SettingError(
            f"the test {test!r} takes rows for independent, which they are not with groups or "
            "time: leave test out"
        )
    return (test or fitting) if alone else "bootstrap"


def _tested(
    test: str,
    truth: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
    confidence: float,
) -> PairedTest | None:
    if test == "DeLong":
        return delong(truth == 1, first, second, confidence)
    if test == "McNemar":
        right = [predicted_class(output) == truth for output in (first, second)]
        return mcnemar(right[0], right[1], confidence)
    return None


def judge(
    first: Resampled,
    second: Resampled,
    *,
    measure: Measure,
    rows: int,
    smallest_effect: float = 0.0,
    confidence: float = 0.95,
    tested: PairedTest | None = None,
    note: str = "",
) -> Comparison:
    """Compare two models whose metric was resampled together.

    Args:
        first: The metric of the first model.
        second: The metric of the second model.
        measure: What the metric is.
        rows: How many rows were compared.
        smallest_effect: The difference that matters, at least 0.
        confidence: The confidence of the interval.
        tested: A test that says more than the resamples.
        note: What else should be known.

    Raises:
        SettingError: The smallest effect is negative.
    """
    if not smallest_effect >= 0:
        raise SettingError(
            f"smallest_effect is a size and must be 0 or more, received {smallest_effect}"
        )
    difference = first - second
    silent = _silent(difference, measure, confidence)
    if silent is not None:
        interval, tested = silent, None
    elif tested is not None:
        interval = Interval(tested.low, tested.high)
    else:
        interval = difference.interval(confidence)
    verdict = verdict_of(interval, measure, smallest_effect)
    if tested is not None and tested.p_value > 1 - confidence and verdict in {"better", "worse"}:
        verdict = "not enough data to tell"
    return Comparison(
        metric=measure.name,
        value=first.value,
        reference=second.value,
        difference=difference.value,
        low=interval.low,
        high=interval.high,
        verdict=verdict,
        higher_is_better=measure.higher_is_better,
        confidence=confidence,
        smallest_effect=smallest_effect,
        rows=rows,
        note="; ".join(filter(None, (interval.note, note))),
        test="paired bootstrap" if tested is None else tested.name,
        p_value=None if tested is None else tested.p_value,
        measured=silent is None or silent.low == silent.high,
    )


def _silent(difference: Resampled, measure: Measure, confidence: float) -> Interval | None:
    """Answer the interval of rows that tell nothing about a difference; None if they do."""
    widest = measure.highest - measure.lowest
    if not math.isfinite(difference.value):
        return Interval(-widest, widest, measure.undefined)
    # The sign test needs so many rows that all speak the same way.
    needed = math.ceil(math.log2(2 / (1 - confidence)))
    if difference.rows < needed:
        noun = "row that decides is" if difference.rows == 1 else "rows that decide are"
        note = f"{difference.rows} {noun} too few for any verdict, at least {needed}"
        return Interval(-widest, widest, note)
    if not difference.draws.any():
        return Interval(0.0, 0.0, "no row tells the two apart")
    return None


def verdict_of(interval: Interval, measure: Measure, smallest_effect: float) -> Verdict:
    """Answer what an interval of a difference says about the first model."""
    ends = (
        (interval.low, interval.high)
        if measure.higher_is_better
        else (
            -interval.high,
            -interval.low,
        )
    )
    if ends[0] > smallest_effect:
        return "better"
    if ends[1] < -smallest_effect:
        return "worse"
    if smallest_effect > 0 and -smallest_effect < ends[0] and ends[1] < smallest_effect:
        return "no relevant difference"
    return "not enough data to tell"
