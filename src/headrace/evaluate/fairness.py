"""Fairness: what a model does to each group of people, with intervals, beside a reference group."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.conform import conform
from headrace.data.infer import infer_schema
from headrace.data.levels import Levels, levels_of
from headrace.data.scan import collect
from headrace.data.source import read
from headrace.errors import SettingError
from headrace.evaluate.intervals import check_confidence
from headrace.evaluate.labelled import labelled_rows
from headrace.evaluate.scores import check_scores, to_scores
from headrace.metrics.formulas import predicted_class
from headrace.metrics.proportions import wilson
from headrace.result import Result, finite
from headrace.table import figure, html_list, html_table, text_table
from headrace.train.labels import require_column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.data.schema import Schema
    from headrace.evaluate.labelled import LabelledRows
    from headrace.model.target import TargetSpec
    from headrace.pipeline import Pipeline

__all__ = ["OVERALL", "Fairness", "GroupFigure", "fairness", "group_figures"]

_ENDS = ("low", "high")
_HEADER = ("measure", "group", "rows", "value", *_ENDS, "difference", *_ENDS, "ratio", *_ENDS)
_FEW = 30

OVERALL = "all rows"
"""The reference that is the whole table."""


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """One figure of one group.

    Attributes:
        measure: "selection rate", "true positive rate", "false positive rate", "precision",
            "accuracy" or "calibration gap" (stated minus observed share); of numbers "mean error"
            (predicted minus true) and "mean absolute error".
        group: The group, in words.
        rows: Rows that the figure is made of.
        value: The figure; NaN where no row makes it.
        low: The lower end of its interval.
        high: The upper end.
        difference: value minus the reference group's.
        difference_low: The lower end of the interval of the difference.
        difference_high: The upper end.
        ratio: value over the reference group's, for shares; NaN elsewhere.
        ratio_low: The lower end of the interval of the ratio.
        ratio_high: The upper end; infinite where the reference group's share may be 0.
    """

    measure: str
    group: str
    rows: int
    value: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    ratio: float
    ratio_low: float
    ratio_high: float

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        return self.difference_low > 0 or self.difference_high < 0


@dataclass(frozen=True)
class Fairness(Result):
    """What a model does to each group.

    Attributes:
        by: The column that makes the groups.
        reference: The group that others are compared with.
        figures: One for each measure and group.
        confidence: Of the intervals.
        notes: What should be known.
    """

    by: str
    reference: str
    figures: tuple[GroupFigure, ...]
    confidence: float = 0.95
    notes: tuple[str, ...] = ()

    @property
    def differences(self) -> tuple[GroupFigure, ...]:
        """The figures that differ from the reference group's for sure, the largest first."""
        found = [one for one in self.figures if one.differs]
        return tuple(sorted(found, key=lambda one: -abs(one.difference)))

    def sentence(self) -> str:
        """Answer the largest difference in words."""
        if not self.differences:
            return f"No figure of a group differs for sure from that of {self.reference}."
        one = self.differences[0]
        return (
            f"The largest difference to {self.reference}: {one.measure} of {one.group} "
            f"{figure(one.value)}, {one.difference:+.3g} ({one.difference_low:+.3g} to "
            f"{one.difference_high:+.3g})."
        )

    def summary(self) -> str:
        """Answer the largest difference, and a line for each figure."""
        parts = [self.sentence(), text_table(_HEADER, self._cells())]
        return "\n\n".join([*parts, *(f"note: {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold; None where there is none."""
        figures = [
            {name: finite(value) for name, value in asdict(one).items()} for one in self.figures
        ]
        return {**asdict(self), "figures": figures, "notes": list(self.notes)}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each figure by group with its interval."""
        from headrace import visualization

        axes: Axes = visualization.fairness(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        title = f"by {self.by}, beside {self.reference}"
        table = html_table(_HEADER, self._cells(), caption=title)
        return html_list([self.sentence()]) + table + html_list(self.notes)

    def _cells(self) -> list[list[str]]:
        return [
            [
                one.measure,
                one.group,
                f"{one.rows:,}",
                *map(figure, (one.value, one.low, one.high)),
                *map(figure, (one.difference, one.difference_low, one.difference_high)),
                *map(figure, (one.ratio, one.ratio_low, one.ratio_high)),
            ]
            for one in self.figures
        ]


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure with its interval; a share has the counts that it is made of."""

    rows: int
    value: float
    low: float
    high: float
    share: bool


def fairness(
    pipeline: Pipeline,
    data: object,
    *,
    by: str,
    reference: str | None = None,
    positive: object = None,
    bins: int = 4,
    confidence: float = 0.95,
) -> Fairness:
    """Answer what a pipeline does to each group of rows.

    Args:
        pipeline: A trained pipeline with a target.
        data: Rows with the target that it has not learnt from.
        by: The column that makes the groups: categories, truth values, or numbers, which are cut at
            quantiles. The pipeline need not read it.
        reference: The group that others are compared with, as its value or as the result names it;
            "all rows" for the whole table, None for the group with the most rows.
        positive: The class that is good to get, or bad; None for the second one. Several classes
            need it.
        bins: Parts that numbers are cut into.
        confidence: Of the intervals.

    Raises:
        DataError: The rows do not fit, or the column is not there.
        SettingError: There is one group only, or the reference or class is unknown.
    """
    fitted = pipeline.fitted
    spec = fitted.network.target_spec
    raw = collect(read(data))
    require_column(by, raw.columns, "column of the groups")
    rows = labelled_rows(fitted, raw, beside=[by])
    truth, scores = check_scores(
        spec.task, rows.y_true, to_scores(spec, fitted.output(rows.canonical))
    )
    groups = _groups(rows, fitted.schema, by, bins)
    if spec.task == "regression":
        makers = _errors(truth, scores)
    else:
        makers = _shares(*_one_class(spec, truth, scores, positive))
    figures = group_figures(makers, groups, reference=reference, confidence=confidence)
    few = [name for name, count in zip(groups.names, groups.rows, strict=True) if count < _FEW]
    notes = [f"few rows: {', '.join(few)}"] if few else []
    beside = OVERALL if reference == OVERALL else groups.names[_reference(groups, reference)]
    return Fairness(by, beside, figures, confidence, (*rows.notes, *notes))


def group_figures(
    makers: Mapping[str, tuple[NDArray[Any], NDArray[np.bool_]]],
    groups: Levels,
    *,
    reference: str | None = None,
    confidence: float = 0.95,
) -> tuple[GroupFigure, ...]:
    """Answer figures by group, each beside that of a reference group.

    Args:
        makers: For each measure (rows,) values and (rows,) which rows count; truth values make
            shares with Wilson's interval and Newcombe's (1998) for differences, numbers make means
            with Student's; ratios of shares have those of Donner and Zou (2012).
        groups: The groups.
        reference: The group that others are compared with; "all rows" for the whole table, None
            for the largest.
        confidence: Of the intervals.

    Raises:
        SettingError: There is one group only, or the reference is unknown.

    Example:
        >>> groups = Levels("sex", np.repeat([0, 1], 50), ("sex = f", "sex = m"))
        >>> chosen = np.arange(100) % 50 < np.repeat([10, 30], 50)
        >>> one, two = group_figures({"selection rate": (chosen, np.ones(100, bool))}, groups)
        >>> one.value, two.value, two.differs
        (0.2, 0.6, True)
    """
    check_confidence(confidence)
    if len(groups.names) < 2:
        raise SettingError(
            f"{groups.column!r} makes one group only ({groups.names[0]}): there is nothing to "
            "compare"
        )
    beside = None if reference == OVERALL else _reference(groups, reference)
    found = []
    for measure, (values, counted) in makers.items():
        places = [(groups.codes == code) & counted for code in range(len(groups.names))]
        figures = [_figure_of(values[place], confidence) for place in places]
        whole = _figure_of(values[counted], confidence)
        base = whole if beside is None else figures[beside]
        for name, one, place in zip(groups.names, figures, places, strict=True):
            if beside is None:
                rest = _figure_of(values[counted & ~place], confidence)
                beyond = _beside_all(one, rest)
            else:
                beyond = _same(one) if one is base else (_difference(one, base), _ratio(one, base))
            found.append(_group_figure(measure, name, one, beyond))
        if beside is None:
            found.append(_group_figure(measure, OVERALL, whole, _same(whole)))
    return tuple(found)


def _group_figure(
    measure: str, name: str, one: _Figure, beyond: tuple[tuple[float, ...], tuple[float, ...]]
) -> GroupFigure:
    return GroupFigure(
        measure, name, one.rows, one.value, one.low, one.high, *beyond[0], *beyond[1]
    )


def _same(one: _Figure) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0) if one.share and one.value else (math.nan,) * 3


def _figure_of(values: NDArray[Any], confidence: float) -> _Figure:
    rows, share = len(values), values.dtype == bool
    if not rows:
        ends = (0.0, 1.0) if share else (-math.inf, math.inf)
        return _Figure(0, math.nan, *ends, share)
    value = float(values.mean())
    if share:
        return _Figure(rows, value, *wilson(float(values.sum()), rows, confidence), share=True)
    if rows == 1:
        return _Figure(1, value, -math.inf, math.inf, share=False)
    from scipy.special import stdtrit

    error = float(values.std(ddof=1)) / math.sqrt(rows)
    reach = float(stdtrit(rows - 1, (1 + confidence) / 2)) * error
    return _Figure(rows, value, value - reach, value + reach, share=False)


def _difference(one: _Figure, base: _Figure) -> tuple[float, float, float]:
    """Answer a difference with its interval: the distances to the ends add up in squares.

    Of shares it is Newcombe's (1998); of means it is a little wider than Welch's.
    """
    if not (one.rows and base.rows):
        return math.nan, -math.inf, math.inf
    difference = one.value - base.value
    down = math.hypot(one.value - one.low, base.high - base.value)
    up = math.hypot(one.high - one.value, base.value - base.low)
    return difference, difference - down, difference + up


def _ratio(one: _Figure, base: _Figure) -> tuple[float, float, float]:
    """Answer a ratio of two shares with its interval, from those of both (Donner and Zou, 2012).

    It is NaN of means, and where the reference's share is 0 or unknown.
    """
    if not (one.share and one.rows and base.rows and base.value):
        return math.nan, math.nan, math.nan
    product = one.value * base.value
    least, most = (end * (2 * one.value - end) for end in (one.low, one.high))
    above, below = (end * (2 * base.value - end) for end in (base.high, base.low))
    low = least / (product + math.sqrt(max(0.0, product**2 - least * above))) if product else 0.0
    high = math.inf
    if below > 0:
        high = (product + math.sqrt(max(0.0, product**2 - most * below))) / below
    return one.value / base.value, max(0.0, low), high


def _beside_all(one: _Figure, rest: _Figure) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Answer difference and ratio to all rows, which are the group itself and the rest."""
    weight = one.rows / max(1, one.rows + rest.rows)
    if not rest.rows and one.rows:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0) if one.share and one.value else (math.nan,) * 3
    difference = tuple((1 - weight) * end for end in _difference(one, rest))
    ratio = tuple(_whole(end, weight) for end in _ratio(one, rest))
    return difference, ratio


def _whole(ratio: float, weight: float) -> float:
    """Turn a ratio to the rest into one to all rows."""
    return 1 / weight if math.isinf(ratio) else ratio / (weight * ratio + 1 - weight)


def _reference(groups: Levels, wanted: str | None) -> int:
    if wanted is None:
        return int(groups.rows.argmax())
    names = (str(wanted), f"{groups.column} = {wanted}")
    found = [code for code, name in enumerate(groups.names) if name in names]
    if not found:
        raise SettingError(
            f"the reference must be one of {', '.join(map(repr, groups.names))}, received "
            f"{wanted!r}"
        )
    return found[0]


def _groups(rows: LabelledRows, schema: Schema, by: str, bins: int) -> Levels:
    """Answer the groups of the labelled rows, by a column that the pipeline may not know."""
    kinds = {column.name: column.kind for column in schema.columns}
    canonical = rows.canonical
    if by not in kinds:
        values = rows.beside[by]
        # Words and truth values with gaps come as objects: Polars reads them from a list.
        read_as = values.tolist() if values.dtype == object else values
        table = pl.LazyFrame({by: read_as})
        own = infer_schema(table)
        kinds, canonical = {by: own.columns[0].kind}, conform(table, own).collect()
    kind = "category" if kinds[by] in {"text", "id"} else kinds[by]
    return levels_of(canonical[by], kind, bins=bins)


def _one_class(
    spec: TargetSpec, truth: NDArray[Any], scores: NDArray[Any], positive: object
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """Answer which rows are of a class, which are said to be, and its stated probability."""
    if positive is None and spec.task == "multiclass":
        raise SettingError(
            f"of several classes one must be named: positive= one of {list(spec.classes)}"
        )
    place = 1 if positive is None else None
    if place is None:
        if positive not in spec.classes:
            raise SettingError(
                f"positive must be one of {list(spec.classes)}, received {positive!r}"
            )
        place = spec.classes.index(positive)
    if spec.task == "multiclass":
        return truth == place, predicted_class(scores) == place, scores[:, place]
    chosen = scores > spec.threshold
    stated = scores.astype(np.float64)
    return (truth == 1, chosen, stated) if place else (truth == 0, ~chosen, 1 - stated)


def _shares(
    positive: NDArray[np.bool_], chosen: NDArray[np.bool_], stated: NDArray[np.float64]
) -> dict[str, tuple[NDArray[Any], NDArray[np.bool_]]]:
    every = np.ones(len(positive), dtype=bool)
    return {
        "selection rate": (chosen, every),
        "true positive rate": (chosen, positive),
        "false positive rate": (chosen, ~positive),
        "precision": (positive, chosen),
        "accuracy": (chosen == positive, every),
        "calibration gap": (stated - positive, every),
    }


def _errors(
    truth: NDArray[Any], values: NDArray[Any]
) -> dict[str, tuple[NDArray[Any], NDArray[np.bool_]]]:
    every, error = np.ones(len(truth), dtype=bool), np.asarray(values - truth, dtype=np.float64)
    return {"mean error": (error, every), "mean absolute error": (np.abs(error), every)}
