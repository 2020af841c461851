"""Comparing pipelines on the same rows, or on the same splits: which is better, and for sure?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.scan import collect
from headrace.data.source import read
from headrace.data.split import split
from headrace.errors import SettingError
from headrace.evaluate.baseline import BASELINES, baselines
from headrace.evaluate.comparison import Comparison, verdict_of
from headrace.evaluate.comparison import compare as compare_outputs
from headrace.evaluate.intervals import Interval, check_confidence
from headrace.evaluate.labelled import labelled_rows
from headrace.evaluate.scores import to_scores
from headrace.metrics.measure import Measure, find, primary
from headrace.progress import bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from headrace.evaluate.comparison import Test
    from headrace.evaluate.labelled import LabelledRows
    from headrace.model.target import TargetSpec
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

__all__ = ["compare", "compare_splits"]

_FEWEST_SPLITS = 3


def compare(
    first: Pipeline,
    second: object,
    data: object,
    *,
    metric: str | Measure | None = None,
    smallest_effect: float = 0.0,
    confidence: float = 0.95,
    groups: str | None = None,
    time: str | None = None,
    test: Test | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two pipelines on the same rows, which neither has learnt from.

    Args:
        first: A trained or loaded pipeline.
        second: Another one with the same target; or what another model says about the rows, one
            answer each: (rows,) probability of the second class, (rows, classes) probabilities, or
            (rows,) values. Or a baseline's name, "dummy" or "gradient_boosting", which learns from
            the training rows of the first.
        data: Rows with the target.
        metric: What decides; None for the target's usual one.
        smallest_effect: The difference that matters, in the units of the metric: below it nobody
            is called better, and "no relevant difference" can be an answer.
        confidence: Of the interval.
        groups: A column whose rows belong together where it is equal, such as a patient.
        time: A column that says when a row was, for rows that are like their neighbours in time.
        test: "bootstrap", "DeLong" (area under the ROC curve) or "McNemar" (accuracy); None for
            the one that suits.
        resamples: How many times the rows are drawn where they are.
        seed: Of the draws.

    Returns:
        The difference with its interval and a verdict about the first; where that is open, also
        about how many rows would settle it.

    Raises:
        DataError: The rows do not fit.
        SettingError: The two do not predict the same, or a setting is out of its range.

    Example:
        >>> import headrace as hr
        >>> import polars as pl
        >>> rows = pl.DataFrame({"x": range(300), "y": [n % 7 + n / 100 for n in range(300)]})
        >>> known, new = hr.split(rows, share=0.3)
        >>> network = hr.Network([4], epochs=2)
        >>> pipe = hr.Pipeline(target="y", network=network)
        >>> _ = pipe.train(known)
        >>> hr.compare(pipe, new["y"].to_numpy() + 0.01, new, metric="mae").verdict
        'worse'
    """
    fitted = first.fitted
    spec = fitted.network.target_spec
    beside = [name for name in (groups, time) if name is not None]
    table = collect(read(data))
    rows = labelled_rows(fitted, _known_to(fitted, second, table, beside), beside=beside)
    measure = _measure(metric, spec)
    outputs = [
        _decided(to_scores(spec, fitted.output(rows.canonical)), measure, spec.threshold),
        _second(second, first, rows, table, measure),
    ]
    return compare_outputs(
        rows.y_true,
        outputs[0],
        outputs[1],
        task=spec.task,
        metric=measure,
        smallest_effect=smallest_effect,
        confidence=confidence,
        groups=rows.beside.get(groups or ""),
        time=rows.beside.get(time or ""),
        test=test,
        resamples=resamples,
        seed=seed,
        engine=first.engine,
    )


def compare_splits(
    first: Pipeline,
    second: Pipeline,
    data: object,
    *,
    metric: str | Measure | None = None,
    splits: int = 10,
    share: float = 0.2,
    stratify: str | None = None,
    group: str | None = None,
    smallest_effect: float = 0.0,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare what two pipelines learn: both are trained on the same random splits, many times.

    `compare` judges two trained networks; this judges two ways to train, over training rows and
    seeds. The splits share most of their rows, so their differences are no independent figures: the
    variance is corrected for that (Nadeau and Bengio, 2003), without which false verdicts come
    several times as often as stated.

    Args:
        first: A pipeline; it is copied, and its own training stays as it is.
        second: Another one with the same target.
        data: Rows with the target.
        metric: What decides; None for the target's usual one.
        splits: How many times rows are split and both are trained, at least 3.
        share: Of the rows that are tested on.
        stratify: A column whose shares every split keeps.
        group: A column whose values no split divides.
        smallest_effect: The difference that matters, in the units of the metric.
        confidence: Of the interval.
        seed: Of the splits.

    Raises:
        DataError: The rows cannot be trained on.
        SettingError: The two do not predict the same, or a setting is out of its range.
    """
    check_confidence(confidence)
    if splits < _FEWEST_SPLITS:
        raise SettingError(f"splits must be {_FEWEST_SPLITS} or more, received {splits}")
    rows = collect(read(data))
    figures = np.empty((splits, 2))
    with bar("training on splits", 2 * splits) as progress:
        for number in range(splits):
            known, held = split(
                rows, share=share, stratify=stratify, group=group, seed=seed + number
            )
            for place, pipeline in enumerate((first, second)):
                again = pipeline.copy()
                again.seed = seed + number
                again.train(known)
                figures[number, place], measure = _figure(again.fitted, held, metric)
                progress.advance(note=f"split {number + 1}")
    interval, p_value = _corrected(figures[:, 0] - figures[:, 1], share, confidence)
    return Comparison(
        metric=measure.name,
        value=float(figures[:, 0].mean()),
        reference=float(figures[:, 1].mean()),
        difference=float((figures[:, 0] - figures[:, 1]).mean()),
        low=interval.low,
        high=interval.high,
        verdict=verdict_of(interval, measure, smallest_effect),
        higher_is_better=measure.higher_is_better,
        confidence=confidence,
        smallest_effect=smallest_effect,
        rows=rows.height,
        note=f"{splits} splits; {interval.note}".removesuffix("; "),
        test="Nadeau-Bengio",
        p_value=p_value,
    )


def _corrected(
    differences: NDArray[np.float64], share: float, confidence: float
) -> tuple[Interval, float | None]:
    """Answer the interval and the p-value of the mean of differences over overlapping splits."""
    from scipy.special import stdtr, stdtrit

    splits, mean = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1)) * (1 / splits + share / (1 - share)) ** 0.5
    if error == 0:
        return Interval(mean, mean, "the same difference on every split"), None
    reach = float(stdtrit(splits - 1, (1 + confidence) / 2)) * error
    return Interval(mean - reach, mean + reach), 2 * float(stdtr(splits - 1, -abs(mean) / error))


def _figure(
    fitted: Fitted, held: pl.DataFrame, metric: str | Measure | None
) -> tuple[float, Measure]:
    spec = fitted.network.target_spec
    measure = _measure(metric, spec)
    rows = labelled_rows(fitted, held)
    output = _decided(to_scores(spec, fitted.output(rows.canonical)), measure, spec.threshold)
    return measure(rows.y_true, output), measure


def _measure(metric: str | Measure | None, spec: TargetSpec) -> Measure:
    (measure,) = find([metric or primary(spec)], spec)
    if measure.reads == "distribution":
        raise SettingError(
            f"{measure.name!r} reads a whole distribution, and models are compared by the values "
            "that they predict: choose another metric"
        )
    return measure.undecided or measure


def _decided(output: NDArray[Any], measure: Measure, threshold: float) -> NDArray[Any]:
    """Answer the decisions of a model, which has a threshold of its own, where these count."""
    if measure.reads != "decision" or output.ndim > 1:
        return output
    return np.asarray(output > threshold, dtype=np.float64)


def _known_to(
    fitted: Fitted, other: object, table: pl.DataFrame, beside: Sequence[str]
) -> pl.DataFrame:
    """Leave out columns that the other pipeline alone reads: they are no surprise here."""
    if not hasattr(other, "fitted"):
        return table
    own = {*fitted.schema.names, *fitted.beside, *beside}
    return table.drop(
        name for name in other.fitted.schema.names if name in table.columns and name not in own
    )


def _second(
    second: object, first: Pipeline, rows: LabelledRows, table: pl.DataFrame, measure: Measure
) -> NDArray[Any]:
    """Answer what the second model says about the labelled rows."""
    fitted = first.fitted
    spec = fitted.network.target_spec
    if isinstance(second, str):
        return _decided(_baseline(second, fitted, rows), measure, 0.5)
    if hasattr(second, "fitted"):
        other = second.fitted
        _check_same(spec, other.network.target_spec)
        # Its own schema: the two may read other columns.
        beside = list(rows.beside)
        own = labelled_rows(other, _known_to(other, first, table, beside), beside=beside)
        return _decided(
            to_scores(spec, other.output(own.canonical)),
            measure,
            other.network.target_spec.threshold,
        )
    said = np.asarray(second)
    if len(said) == table.height and len(said) != len(rows.y_true):
        said = said[table[spec.name].is_not_null().to_numpy()]
    return _decided(said, measure, 0.5)


def _baseline(name: str, fitted: Fitted, rows: LabelledRows) -> NDArray[Any]:
    if name not in BASELINES:
        raise SettingError(
            f"the second must be a pipeline, what a model says, or a baseline ({BASELINES}), "
            f"received {name!r}"
        )
    kept, spec = fitted.kept, fitted.network.target_spec
    if kept is None or kept.features is None or kept.target is None:
        raise SettingError(
            f"the baseline {name!r} learns from the training rows, which a loaded pipeline does "
            "not have: train it, or compare with another pipeline"
        )
    test = fitted.features(rows.canonical)
    found = baselines(spec, fitted.plan.spec, kept.features, kept.target, test, names=[name])
    return to_scores(spec, found[name])


def _check_same(first: TargetSpec, second: TargetSpec) -> None:
    same = first.name == second.name and first.task == second.task
    if not same or first.classes != second.classes:
        raise SettingError(
            f"both must predict the same: the first predicts {first.name!r} ({first.task}, classes "
            f"{list(first.classes)}), the second {second.name!r} ({second.task}, classes "
            f"{list(second.classes)})"
        )
