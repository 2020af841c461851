"""The whole of stability: over seeds, training rows, noise in the input, and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.data.levels import levels_of
from headrace.data.scan import collect
from headrace.data.source import read
from headrace.errors import SettingError
from headrace.evaluate.evaluation import evaluate
from headrace.evaluate.labelled import labelled_rows
from headrace.evaluate.scores import to_scores
from headrace.evaluate.stability import Stability
from headrace.evaluate.stability import stability as compared
from headrace.metrics.measure import of_values
from headrace.metrics.measure import primary as usual_primary
from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from headrace.evaluate.labelled import LabelledRows
    from headrace.evaluate.result import Metric
    from headrace.pipeline import Pipeline
    from headrace.train.fitted import Fitted

__all__ = ["Period", "Steadiness", "stability"]

_HEADER = ("changed", "predictions that flip", "typical change", "metric", "lowest", "highest")
_TIMES = ("period", "rows", "value", "low", "high")
_LEFT_OUT = 0.2


@dataclass(frozen=True)
class Period:
    """How good a pipeline was in a part of the time.

    Attributes:
        name: When, in words.
        rows: How many rows.
        metric: The figure with its interval.
    """

    name: str
    rows: int
    metric: Metric


@dataclass(frozen=True)
class Steadiness(Result):
    """How steady a pipeline is.

    Attributes:
        metric: The metric that is followed.
        sources: For each thing that changed what it does to figures and predictions: "seeds",
            "training rows", "input noise".
        periods: The metric by time, if a time was given.
        noise: The size of the noise, in standard deviations of each number column.
    """

    metric: str
    sources: Mapping[str, Stability]
    periods: tuple[Period, ...] = ()
    noise: float = 0.0

    def sentences(self) -> list[str]:
        """Answer what was found, in words."""
        found = [f"{name}: {one.sentence()}" for name, one in self.sources.items()]
        if self.periods:
            worst = min(self.periods, key=lambda one: one.metric.value * self._sign(one))
            found.append(
                f"time: {self.metric} is worst in {worst.name}, {figure(worst.metric.value)} "
                f"({figure(worst.metric.low)} to {figure(worst.metric.high)})."
            )
        return found

    def summary(self) -> str:
        """Answer what changes with what, and the figures by time."""
        parts = ["\n".join(self.sentences()), text_table(_HEADER, self._cells())]
        parts += [text_table(_TIMES, self._times())] if self.periods else []
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values."""
        return {
            "metric": self.metric,
            "noise": self.noise,
            "sources": {name: one.to_dict() for name, one in self.sources.items()},
            "periods": [
                {"name": one.name, "rows": one.rows, **one.metric.to_dict()} for one in self.periods
            ],
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how far the metric moves with each source, and by time."""
        from headrace import visualization

        axes: Axes = visualization.stability(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        table = html_table(_HEADER, self._cells(), caption="stability")
        times = html_table(_TIMES, self._times()) if self.periods else ""
        return html_list(self.sentences()) + table + times

    def _cells(self) -> list[list[str]]:
        rows = []
        for name, one in self.sources.items():
            values = one.metrics[self.metric].values
            ends = (float(np.mean(values)), min(values), max(values))
            flips = "–" if np.isnan(one.flips) else f"{one.flips:.2%}"
            rows.append([name, flips, figure(one.wobble), *map(figure, ends)])
        return rows

    def _times(self) -> list[list[str]]:
        return [
            [
                one.name,
                f"{one.rows:,}",
                *map(figure, (one.metric.value, one.metric.low, one.metric.high)),
            ]
            for one in self.periods
        ]

    @staticmethod
    def _sign(one: Period) -> int:
        return 1 if one.metric.higher_is_better else -1


def stability(
    pipeline: Pipeline,
    data: object,
    *,
    train: object = None,
    metric: str | None = None,
    repeats: int = 3,
    noise: float = 0.05,
    time: str | None = None,
    periods: int = 6,
    seed: int = 0,
) -> Steadiness:
    """Answer how steady a pipeline is: what changes when something changes that should not count.

    - *Seeds*: it is trained again with other seeds.
    - *Training rows*: it is trained again, each time without another fifth of the rows.
    - *Input noise*: the numbers of the test rows are moved a little.
    - *Time*: the figure of each part of the time, with its interval.

    Args:
        pipeline: A trained pipeline with a target.
        data: Rows with the target that it has not learnt from.
        train: The rows that it learnt from; None leaves out what needs them.
        metric: The metric that is followed; None for the target's usual one.
        repeats: How many trainings, and how many noisy copies.
        noise: The size of the noise, in standard deviations of each number column.
        time: A column of dates or numbers that says when a row was; None for no time.
        periods: Parts of the time, of about equally many rows.
        seed: Of the seeds, the draws and the noise.

    Raises:
        DataError: The rows do not fit.
        SettingError: A setting is out of its range.

    Example:
        >>> import headrace as hr
        >>> rows = pl.DataFrame({"x": range(200), "y": [n % 2 for n in range(200)]})
        >>> network = hr.Network([4], epochs=1)
        >>> pipe = hr.Pipeline(target="y", kinds={"y": "category"}, network=network)
        >>> _ = pipe.train(rows)
        >>> list(hr.stability(pipe, rows, repeats=2).sources)
        ['input noise']
    """
    if repeats < 2:
        raise SettingError(f"repeats must be 2 or more, received {repeats}")
    if not noise >= 0:
        raise SettingError(f"noise is a size and must be 0 or more, received {noise}")
    fitted = pipeline.fitted
    spec = fitted.network.target_spec
    table = collect(read(data))
    rows = labelled_rows(fitted, table, beside=[] if time is None else [time])
    (measure,) = of_values([metric or usual_primary(spec)], spec)

    def steady(answer: Callable[[int], NDArray[Any]], over: str, *, first: int = 1) -> Stability:
        return compared(
            lambda number: to_scores(spec, answer(number)),
            rows.y_true,
            task=spec.task,
            metrics=[measure],
            seeds=range(first, repeats + 1),
            threshold=spec.threshold,
            over=over,
        )

    sources = {}
    if train is not None:
        known = collect(read(train))
        sources["seeds"] = steady(
            lambda number: _again(pipeline, known, seed + number).output(rows.canonical),
            "trainings",
        )
        sources["training rows"] = steady(
            lambda number: _again(pipeline, _fewer(known, seed + number), pipeline.seed).output(
                rows.canonical
            ),
            "trainings on other rows",
        )
    sources["input noise"] = steady(
        lambda number: fitted.output(
            _noisy(rows.canonical, fitted, noise if number else 0.0, seed + number)
        ),
        "copies with noise",
        first=0,
    )
    found = () if time is None else _by_time(fitted, rows, time, periods, measure.name)
    return Steadiness(measure.name, sources, found, noise)


def _again(pipeline: Pipeline, rows: pl.DataFrame, seed: int) -> Fitted:
    copy = pipeline.copy()
    copy.seed = seed
    copy.train(rows)
    return copy.fitted


def _fewer(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    kept = np.random.default_rng(seed).permutation(rows.height) >= _LEFT_OUT * rows.height
    return rows.filter(pl.Series(kept))


def _noisy(canonical: pl.DataFrame, fitted: Fitted, noise: float, seed: int) -> pl.DataFrame:
    """Move each number by a share of its column's standard deviation; gaps stay gaps."""
    random = np.random.default_rng(seed)
    moved = []
    for column in fitted.schema.columns:
        if column.kind != "number" or column.name not in canonical.columns:
            continue
        values = canonical[column.name].to_numpy()
        spread = float(np.nanstd(values)) if np.isfinite(values).any() else 0.0
        changed = values + noise * spread * random.normal(size=len(values))
        moved.append(pl.Series(column.name, changed))
    return canonical.with_columns(moved)


def _by_time(
    fitted: Fitted, rows: LabelledRows, time: str, periods: int, metric: str
) -> tuple[Period, ...]:
    spec = fitted.network.target_spec
    values = pl.Series(time, rows.beside[time])
    if values.dtype.is_temporal():
        values, kind = values.cast(pl.Datetime("us")).cast(pl.Int64), "datetime"
    elif values.dtype.is_numeric():
        values, kind = values.cast(pl.Float64), "number"
    else:
        raise SettingError(
            f"time must be a column of dates or numbers, and {time!r} holds {values.dtype}: turn "
            "it into dates first"
        )
    levels = levels_of(values, kind, bins=periods)  # type: ignore[arg-type]
    output = fitted.output(rows.canonical)
    found = []
    for code, name in enumerate(levels.names):
        inside = levels.codes == code
        result = evaluate(
            spec, rows.y_true[inside], output[inside], metrics=[metric], primary=metric
        )
        found.append(Period(name, int(inside.sum()), result.metrics[metric]))
    return tuple(found)
