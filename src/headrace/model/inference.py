"""What a target column is: its task, its labels and their order, its scale, its likelihood."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from headrace.errors import SettingError
from headrace.model.target import TargetSpec, check_task, plain_labels
from headrace.model.target_checks import (
    check_counts,
    check_quantiles,
    check_values,
    target_numbers,
    target_problem,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from headrace.model.target import Likelihood, StatedTask, Task

__all__ = ["LOSSES_OF_NUMBERS", "MOST_INTEGER_CLASSES", "infer_target"]

MOST_INTEGER_CLASSES = 20
"""Integer targets with more distinct values than this are taken as regression."""

LOSSES_OF_NUMBERS: dict[str, Likelihood] = {
    "poisson": "poisson",
    "gaussian": "normal",
    "pinball": "quantiles",
}
"""The losses that say what the output of a regression describes."""


def infer_target(
    values: pl.Series,
    *,
    task: StatedTask | None = None,
    loss: object = None,
    quantiles: Sequence[float] | None = None,
) -> TargetSpec:
    """Learn what is predicted from the training values; see `TargetSpec.infer`."""
    if task is not None:
        check_task(task)
    likelihood = _of_numbers(task, loss, quantiles)
    check_values(values)
    distinct = values.n_unique()
    if distinct < 2:
        raise target_problem(
            values.name,
            "expected at least two different values in the target, every row has the same",
            value=values[0],
        )
    if task == "ordinal":
        return _ordinal(values, distinct)
    found = "regression" if likelihood else task or _infer_task(values, distinct)
    if found in ("regression", "count"):
        return _regression(values, likelihood or "point", quantiles or ())
    if found == "binary" and distinct != 2:
        raise target_problem(
            values.name,
            f"the binary task needs two different labels, the target has {distinct}",
            hint="Use task='multiclass' or task='regression'",
        )
    own: Task = "binary" if found == "binary" else "multiclass"
    return TargetSpec(values.name, own, classes=tuple(_sorted(values)))


def _of_numbers(
    task: StatedTask | None, loss: object, quantiles: Sequence[float] | None
) -> Likelihood | None:
    """Answer what task, loss and quantiles say of the likelihood of numbers; None for nothing."""
    stated = LOSSES_OF_NUMBERS.get(loss) if isinstance(loss, str) else None
    if quantiles is not None:
        check_quantiles(quantiles, needed=True)
        if loss is not None and stated != "quantiles":
            raise SettingError(
                f"quantiles are trained with the loss 'pinball', received the loss {loss!r}: "
                "leave out one of the two"
            )
        stated = "quantiles"
    elif stated == "quantiles":
        raise SettingError("the loss 'pinball' needs quantiles, such as (0.05, 0.5, 0.95)")
    if task == "count":
        if stated not in (None, "poisson") or not (loss is None or stated):
            what = "quantiles" if stated == "quantiles" else f"the loss {loss!r}"
            raise SettingError(
                f"counts are trained with the loss 'poisson', received {what}: "
                "state task='regression' for another"
            )
        return "poisson"
    if stated and task not in (None, "regression"):
        what = "quantiles" if stated == "quantiles" else f"the loss {loss!r}"
        raise SettingError(f"{what} and task={task!r} do not go together: numbers are needed")
    return stated


def _infer_task(values: pl.Series, distinct: int) -> Task:
    if not values.dtype.is_numeric():
        return "binary" if distinct == 2 else "multiclass"
    if distinct == 2:
        return "binary"
    repeated = len(values) >= 2 * distinct
    if values.dtype.is_integer() and distinct <= MOST_INTEGER_CLASSES and repeated:
        return "multiclass"
    return "regression"


def _sorted(values: pl.Series) -> list[str | int | float | bool]:
    import polars as pl

    if isinstance(values.dtype, pl.Enum):
        values = values.cast(pl.String)
    return plain_labels(values.unique().sort().to_list())


def _ordinal(values: pl.Series, distinct: int) -> TargetSpec:
    import polars as pl

    if not values.dtype.is_numeric() and not isinstance(values.dtype, pl.Enum):
        raise target_problem(
            values.name,
            "an ordinal target needs an order, and text has none",
            value=values[0],
            hint="Give it one: values.cast(pl.Enum(['low', 'mid', 'high'])) in Polars, "
            "pd.Categorical(values, ['low', 'mid', 'high'], ordered=True) in pandas, or numbers",
        )
    if distinct < 3:
        raise target_problem(
            values.name,
            f"an ordinal target needs three labels or more, it has {distinct}",
            hint="Use task='binary'",
        )
    # An Enum sorts by its categories.
    labels = plain_labels(values.unique().sort().to_list())
    return TargetSpec(values.name, "multiclass", classes=tuple(labels), likelihood="ordinal")


def _regression(
    values: pl.Series, likelihood: Likelihood, quantiles: Sequence[float]
) -> TargetSpec:
    numbers = target_numbers(values)
    mean, scale = float(numbers.mean()), float(numbers.std())
    if likelihood == "poisson":
        check_counts(values.name, numbers)
        mean, scale = 0.0, mean
    if not (math.isfinite(mean) and math.isfinite(scale) and scale > 0):
        raise target_problem(
            values.name,
            f"the target cannot be standardised: mean {mean}, standard deviation {scale}",
            hint="Rescale the target to a usual range",
        )
    levels = tuple(float(level) for level in quantiles)
    return TargetSpec(
        values.name,
        "regression",
        mean=mean,
        scale=scale,
        likelihood=likelihood,
        quantiles=levels,
    )
