"""What a target column is: its task, its labels and their order, its scale, its likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headrace.errors import SettingError, nearest
from headrace.model.target import TargetSpec, check_task, plain_labels
from headrace.model.target_checks import (
    check_counts,
    check_quantiles,
    check_values,
    target_numbers,
    target_problem,
)
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from headrace.model.target import Likelihood, StatedTask, Task

__all__ = ["LOSSES_OF_NUMBERS", "MOST_INTEGER_CLASSES", "infer_target", "of_target"]

MOST_INTEGER_CLASSES = 20
"""Integer targets with more distinct values than this are taken as regression."""

LOSSES_OF_NUMBERS: dict[str, Likelihood] = {
    "poisson": "poisson",
    "gaussian": "normal",
    "pinball": "quantiles",
}
"""The losses that say what the output of a regression describes."""


def of_target(setting: Any, name: str) -> Any:
    """Answer what a setting says of one of several targets; None where a dict leaves it out.

    Example:
        >>> of_target({"price": "mse"}, "sold"), of_target("mse", "price")
        (None, 'mse')
    """
    return setting.get(name) if isinstance(setting, Mapping) else setting


def infer_target(
    values: pl.Series,
    *,
    task: StatedTask | Mapping[str, StatedTask] | None = None,
    loss: object = None,
    quantiles: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
) -> TargetSpec:
    """Learn what is predicted from the training values; see `TargetSpec.infer`.

    A struct holds several targets, which the settings may speak of one by one: a dict says what
    holds for which target, anything else holds for all of them.
    """
    if values.dtype.base_type().__name__ == "Struct":
        return _several(values, task, loss, quantiles)
    if isinstance(task, Mapping) or isinstance(quantiles, Mapping):
        raise SettingError(
            f"task and quantiles by target are for several targets; {values.name!r} is the only one"
        )
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


def _several(values: pl.Series, task: Any, loss: Any, quantiles: Any) -> Targets:
    fields = values.struct.fields
    for name, setting in (("task", task), ("loss", loss), ("quantiles", quantiles)):
        for target in setting if isinstance(setting, Mapping) else ():
            if target not in fields:
                close = nearest(str(target), fields)
                meant = f"; perhaps {close!r} is meant" if close else ""
                raise SettingError(
                    f"{name} speaks of {target!r}, which is not among the targets "
                    f"{', '.join(map(repr, fields))}{meant}"
                )
    return Targets.of(
        [
            infer_target(
                values.struct.field(name).drop_nulls(),
                task=of_target(task, name),
                loss=of_target(loss, name),
                quantiles=of_target(quantiles, name),
            )
            for name in fields
        ]
    )


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
