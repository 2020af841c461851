"""Evaluating a model: every metric of its task with an interval, and verdicts on baselines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.evaluate.comparison import judge, losses
from headrace.evaluate.drawing import Singly, drawing_of
from headrace.evaluate.intervals import check_confidence
from headrace.evaluate.resampling import Scored, resample
from headrace.evaluate.result import Evaluation, Metric
from headrace.evaluate.scores import check_scores, to_distribution, to_scores
from headrace.metrics.measure import Measure, find, measures
from headrace.metrics.measure import primary as usual_primary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from headrace.evaluate.drawing import Drawing
    from headrace.evaluate.intervals import Resampled
    from headrace.model.target import TargetSpec

__all__ = ["evaluate"]

_SHOWN = 5

FEW_ROWS = 10
"""With fewer rows than this of some class (or in all) an interval is only rough."""


def evaluate(
    target: TargetSpec,
    y_true: NDArray[Any],
    output: NDArray[Any],
    *,
    baselines: Mapping[str, NDArray[Any]] | None = None,
    metrics: Sequence[str | Measure] | None = None,
    primary: str | None = None,
    smallest_effect: float = 0.0,
    groups: NDArray[Any] | None = None,
    time: NDArray[Any] | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    notes: Sequence[str] = (),
    engine: Engine = HERE,
    checkpoint: Path | None = None,
) -> Evaluation:
    """Answer how good a model is on rows that it has not seen.

    Args:
        target: The task, the classes and, for regression, the scale of the network's output.
        y_true: (rows,) class index, as `target.encode` answers it, or for regression the target
            in its own units (not standardised).
        output: What the network says: (rows, 1) or (rows,) probability of the second class,
            (rows, classes) probabilities, or (rows, 1) or (rows,) standardised values, which are
            turned into the units of the target here; (rows, outputs) for distributions.
        baselines: Outputs of other models for the same rows, in the same form. They are compared
            by the predicted values, so for a distribution (rows, 1) is enough.
        metrics: Which metrics to report; all of the task when none are given.
        primary: The metric that decides comparisons, one of the reported ones; when none is given
            roc_auc (binary), accuracy (multiclass), rmse (regression), quadratic_kappa (ordered
            classes), poisson_deviance (counts) or mae (quantiles).
        smallest_effect: The difference to a baseline that matters, in the primary metric's units.
        groups: (rows,) equal for rows that belong together, such as those of a patient: intervals
            draw them together.
        time: (rows,) when each row was, for rows that are like their neighbours in time: intervals
            draw blocks of them.
        resamples: How many times the rows are drawn for the bootstrap.
        confidence: How often the intervals hold the value of all rows of the same kind.
        seed: The same seed gives the same intervals.
        notes: What else the result should say.
        engine: Who resamples.
        checkpoint: A folder that keeps what is resampled so far; after a kill the same call goes
            on from there, to the same intervals.

    Raises:
        DataError: The rows do not fit, or hold values that are no numbers or no probabilities.
        SettingError: A metric is unknown, or a setting is out of its range.

    Example:
        >>> from headrace.model.target import TargetSpec
        >>> target = TargetSpec("bought", "binary", classes=("no", "yes"))
        >>> random = np.random.default_rng(0)
        >>> truth = random.integers(0, 2, 500)
        >>> says = np.clip(0.25 + 0.5 * truth + random.normal(0, 0.3, 500), 0, 1)
        >>> answer = evaluate(target, truth, says, metrics=["roc_auc", "accuracy"])
        >>> auc = answer.metrics["roc_auc"]
        >>> bool(auc.low < auc.value < auc.high)
        True
    """
    check_confidence(confidence)
    chosen = measures(target) if metrics is None else find(metrics, target)
    decisive = _decisive(chosen, primary or usual_primary(target), rivals=bool(baselines))
    truth, scores = check_scores(target.task, y_true, to_scores(target, output))
    distribution = to_distribution(target, output)

    def seen(measure: Measure) -> NDArray[Any]:
        reads = distribution if measure.reads == "distribution" else None
        return scores if reads is None else reads

    others = {
        name: check_scores(target.task, truth, to_scores(target, one), name=f"baseline {name!r}")[1]
        for name, one in (baselines or {}).items()
    }
    kernels = [Scored(one, target, truth, seen(one)) for one in chosen]
    kernels += [Scored(decisive, target, truth, other) for other in others.values()]
    series = losses(target.task, truth, scores)
    drawing = drawing_of(len(truth), groups=groups, time=time, series=series)
    judged = [*chosen, *([decisive] * len(others))]
    deciding = [one.deciding_rows(truth, scores, drawing.units_of) for one in judged]
    resampled = resample(
        kernels,
        len(truth),
        resamples=resamples,
        seed=seed,
        deciding=deciding,
        drawing=drawing,
        engine=engine,
        checkpoint=checkpoint,
    )
    own = dict(zip(chosen, resampled, strict=False))
    rivals = dict(zip(others, resampled[len(chosen) :], strict=True))
    return Evaluation(
        target=target.name,
        task=target.task,
        rows=len(truth),
        metrics={
            one.name: _metric(one, own[one], truth, seen(one), confidence, drawing=drawing)
            for one in chosen
        },
        primary=decisive.name,
        comparisons={
            name: judge(
                own[decisive],
                rival,
                measure=decisive,
                rows=len(truth),
                smallest_effect=smallest_effect,
                confidence=confidence,
            )
            for name, rival in rivals.items()
        },
        classes=target.classes,
        threshold=target.threshold,
        notes=(*notes, *filter(None, [drawing.sentence]), *_few_rows(target, truth)),
        y_true=truth,
        output=scores,
    )


def _decisive(chosen: Sequence[Measure], name: str, *, rivals: bool) -> Measure:
    for measure in chosen:
        if measure.name == name and not (rivals and measure.reads == "distribution"):
            return measure
        if measure.name == name:
            raise SettingError(
                f"{name!r} reads a whole distribution, and baselines predict values alone: compare "
                "with none (compare=()), or choose a primary metric of the values"
            )
    reported = ", ".join(measure.name for measure in chosen)
    raise SettingError(
        f"the primary metric must be one of the reported ones ({reported}), received {name!r}"
    )


def _metric(
    measure: Measure,
    resampled: Resampled,
    truth: NDArray[Any],
    scores: NDArray[Any],
    confidence: float,
    *,
    drawing: Drawing,
) -> Metric:
    interval = resampled.interval(confidence, lowest=measure.lowest, highest=measure.highest)
    low, high, note = interval
    method = "bootstrap"
    if not math.isfinite(resampled.value):
        note = f"undefined: {measure.undefined}"
    elif measure.formula and isinstance(drawing, Singly):  # a formula takes rows for independent
        low, high = measure.formula(truth, scores, confidence)
        note, method = "", measure.method
    return Metric(
        name=measure.name,
        value=resampled.value,
        low=low,
        high=high,
        higher_is_better=measure.higher_is_better,
        confidence=confidence,
        note=note,
        method=method,
    )


def _few_rows(target: TargetSpec, truth: NDArray[Any]) -> list[str]:
    """Answer what the number of rows forbids to conclude."""
    if target.task == "regression":
        rough = len(truth) < FEW_ROWS
        return [f"with {len(truth)} rows the intervals are rough"] if rough else []
    counts = np.bincount(truth, minlength=len(target.classes))
    absent = [label for label, count in zip(target.classes, counts, strict=True) if not count]
    few = {
        label: int(count)
        for label, count in zip(target.classes, counts, strict=True)
        if 0 < count < FEW_ROWS
    }
    notes = []
    if absent:
        notes += [f"no test row is of class {_names(absent)}: averages over classes leave it out"]
    if few:
        rows = ", ".join(f"{label!r} ({count})" for label, count in list(few.items())[:_SHOWN])
        notes += [f"few test rows of class {rows}: intervals that depend on it are rough"]
    return notes


def _names(labels: Sequence[object]) -> str:
    shown = ", ".join(repr(label) for label in labels[:_SHOWN])
    return f"{shown} and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else shown
