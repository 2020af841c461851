"""Contributions of raw columns to the answers of rows, by gradients or by sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from headrace.data.schema import MISSING_TIME
from headrace.errors import SettingError
from headrace.evaluate.explanation.attribution import Attribution
from headrace.evaluate.explanation.gradients import integrate, sources
from headrace.evaluate.explanation.question import (
    Question,
    ask,
    canonical_rows,
    check_whole,
    reference_rows,
    sampled,
    shown,
)
from headrace.evaluate.explanation.scoring import scoring
from headrace.evaluate.explanation.shapley import shapley_values

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from headrace.evaluate.explanation.scoring import Explained
    from headrace.model.target import Label

__all__ = ["Baseline", "Method", "attribute", "attribute_rows", "typical_row"]

Method: TypeAlias = Literal["gradients", "shapley"]
Baseline: TypeAlias = Literal["sample", "typical"]

_METHODS = ("gradients", "shapley")
_BASELINES = ("sample", "typical")


def attribute(
    pipe: Explained,
    data: object,
    *,
    method: Method = "gradients",
    target: str | None = None,
    label: Label | None = None,
    reference: object = None,
    baseline: Baseline = "sample",
    baselines: int = 20,
    steps: int = 8,
    most_steps: int = 512,
    tolerance: float = 0.01,
    orders: int = 100,
    most_rows: int = 1000,
    seed: int = 0,
) -> Attribution:
    """Answer what each raw column adds to the answer of each row.

    Args:
        pipe: A trained pipeline with a network, or an `hr.Runtime` of one.
        data: The rows, or one row as a dict of values.
        method: "gradients" for integrated gradients through the Keras model; "shapley" for sampled
            Shapley values, slower, for any pipeline, with standard errors.
        target: Which of several targets.
        label: Which class; of two the last one. One row's predicted class where none is given.
        reference: Rows to compare with; None for those that the training kept.
        baseline: "sample" compares with the mean over rows drawn from the reference; "typical"
            with one row of medians and most frequent values.
        baselines: How many rows are drawn, with gradients.
        steps: Points of a path at first, with gradients.
        most_steps: Points of a path at most.
        tolerance: The completeness gap that calls for more points, as a share of the spread of
            the answers.
        orders: How many orders of the columns are drawn for each row, with shapley.
        most_rows: A random sample of so many rows is explained when there are more.
        seed: The same seed gives the same answer.

    Raises:
        DataError: There is no row, or nothing to compare with.
        SettingError: A setting is out of its range, or the network has no gradients to follow.

    Example:
        >>> import headrace as hr
        >>> rows = {"a": [0.0, 1.0, 2.0, 3.0] * 20, "b": [1.0, 2.0] * 40}
        >>> rows["y"] = [0.5, 2.0, 4.0, 6.0] * 20
        >>> pipe = hr.Pipeline([hr.normalize.Standardize(), hr.Network([8], epochs=2)], target="y")
        >>> _ = pipe.train(rows)
        >>> found = attribute(pipe, {"a": 3.0, "b": 2.0})
        >>> found.columns, bool(abs(found.gap[0]) < 0.1)
        (('a', 'b'), True)
    """
    _check(method, baseline, tolerance)
    for name, value in (("baselines", baselines), ("steps", steps), ("most_rows", most_rows)):
        check_whole(name, value, 1)
    rows = sampled(canonical_rows(scoring(pipe), data), most_rows, seed)
    one = rows if rows.height == 1 else None
    question = ask(pipe, target=target, label=label, row=one)
    others = reference_rows(question, reference, rows)
    if baseline == "typical":
        others = typical_row(others)
    if method == "shapley":
        values, errors, base = shapley_values(
            question.score, rows, others, orders=orders, seed=seed
        )
        parts: dict[str, Any] = {"values": values, "errors": errors, "base": base, "steps": orders}
        return attribute_rows(question, rows, "shapley", parts, {})
    others = sampled(others, baselines, seed)
    known = sources(question.fitted.plan)
    path = integrate(
        question, rows, others, steps=steps, most_steps=most_steps, tolerance=tolerance
    )
    spec = question.fitted.plan.spec
    shares = [known[name] for name in (*spec.numbers, *spec.categories)]
    values = path.values @ _division(shares, rows.columns)
    shared = {name: columns for name, columns in known.items() if len(columns) > 1}
    parts = {"values": values, "errors": None, "base": path.base, "steps": path.steps}
    return attribute_rows(question, rows, "integrated gradients", parts, shared)


def attribute_rows(
    question: Question,
    rows: pl.DataFrame,
    method: str,
    parts: dict[str, Any],
    shared: dict[str, tuple[str, ...]],
) -> Attribution:
    """Answer the result for contributions that were found."""
    kinds = {column.name: column.kind for column in question.schema.columns}
    texts = [[shown(value, kinds[name]) for value in rows[name]] for name in rows.columns]
    return Attribution(
        of=question.name,
        method=method,
        columns=tuple(rows.columns),
        answer=question.score(rows),
        texts=tuple(zip(*texts, strict=True)),
        shared=shared,
        **parts,
    )


def typical_row(rows: pl.DataFrame) -> pl.DataFrame:
    """Answer one row of the medians of numbers and times and the most frequent words.

    Example:
        >>> import polars as pl
        >>> rows = pl.DataFrame({"x": [1.0, 2.0, float("nan")], "job": ["b", "a", "b"]})
        >>> typical_row(rows).row(0)
        (1.5, 'b')
    """
    import polars as pl

    found: dict[str, Any] = {}
    for column in rows.iter_columns():
        if column.dtype == pl.String:
            found[column.name] = column.mode().sort()[0]
            continue
        if column.dtype == pl.Int64:
            known = column.filter(column != MISSING_TIME)
            median = known.quantile(0.5, "nearest")
            found[column.name] = MISSING_TIME if median is None else int(median)
            continue
        middle = column.fill_nan(None).median()
        found[column.name] = float("nan") if middle is None else middle
    return pl.DataFrame({name: [value] for name, value in found.items()}, schema=rows.schema)


def _division(shares: list[tuple[str, ...]], columns: list[str]) -> NDArray[np.float64]:
    """Answer (features, columns), which part of a feature's contribution a raw column has."""
    found = np.zeros((len(shares), len(columns)))
    for place, names in enumerate(shares):
        for name in names:
            found[place, columns.index(name)] = 1 / len(names)
    return found


def _check(method: str, baseline: str, tolerance: float) -> None:
    if method not in _METHODS:
        raise SettingError(f"method must be one of {', '.join(_METHODS)}, received {method!r}")
    if baseline not in _BASELINES:
        raise SettingError(
            f"baseline must be one of {', '.join(_BASELINES)}, received {baseline!r}"
        )
    if not tolerance > 0:
        raise SettingError(f"tolerance must be above 0, received {tolerance!r}")
