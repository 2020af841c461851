"""Learning intervals: the scores of calibration rows, put in order group by group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.conformal.fitted import FittedConformal, Table
from headrace.conformal.groups import Groups
from headrace.conformal.methods import class_scores, method_of, number_measure
from headrace.conformal.ranks import Ranks
from headrace.duration import seconds
from headrace.errors import DataError, Problem, SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.conformal.settings import Conformal
    from headrace.data.rows import Blocks
    from headrace.data.schema import Schema
    from headrace.model.target import TargetSpec

__all__ = ["Scored", "chosen", "learn", "score_rows"]

_MICROSECONDS = 1e6


@dataclass(frozen=True, eq=False)
class Scored:
    """Calibration rows, reduced to what intervals are learnt from.

    Attributes:
        scores: (variants, rows) how far off the answers are.
        truth: (rows,) class numbers, or values.
        beside: The columns that divide the rows, canonical.
        time: (rows,) how the rows are ordered, rising; None for the order in which they come.
    """

    scores: NDArray[np.float64]
    truth: NDArray[Any]
    beside: Blocks
    time: NDArray[Any] | None = None

    @classmethod
    def joined(cls, parts: Sequence[Scored]) -> Scored:
        """Answer the rows of several parts, one after the other."""
        blocks = zip(*(part.beside for part in parts), strict=True)
        times = [part.time for part in parts if part.time is not None]
        return cls(
            np.concatenate([part.scores for part in parts], axis=1),
            np.concatenate([part.truth for part in parts]),
            type(parts[0].beside)(*(np.concatenate(block) for block in blocks)),
            np.concatenate(times) if times else None,
        )


def chosen(settings: Conformal, spec: TargetSpec) -> Conformal:
    """Answer the settings with the method that suits the target.

    Raises:
        SettingError: The stated method does not suit it, or a number is divided by its classes.
    """
    if spec.name in settings.columns and spec.task == "regression":
        raise SettingError(
            f"by={spec.name!r} asks for the same level within each class, and {spec.name!r} is a "
            "number: divide by another column"
        )
    return replace(settings, method=method_of(settings, spec))


def score_rows(
    settings: Conformal,
    spec: TargetSpec,
    answers: Mapping[str, NDArray[Any]],
    truth: NDArray[Any],
    lot: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Answer how far off answers are, (variants, rows).

    Args:
        settings: From `chosen`.
        spec: What is predicted.
        answers: What the network answers, see `TargetSpec.answers`.
        truth: (rows,) class numbers, or values in the target's own units.
        lot: (rows,) from `headrace.conformal.groups.lots`, where a lot decides.

    Raises:
        DataError: The network answers no finite number.
    """
    if spec.task == "regression":
        scores = number_measure(settings, spec).scores(answers, truth)
    else:
        every = class_scores(settings, spec, answers["probabilities"], lot)
        scores = every[np.arange(len(every)), truth.astype(np.intp)][np.newaxis]
    bad = ~np.isfinite(scores).all(axis=0)
    if bad.any():
        text = f"the network answers no finite number for {int(bad.sum()):,} calibration rows"
        hint = "Look at the training: its loss may have become NaN"
        raise DataError([Problem(text, spec.name, int(bad.argmax()), hint=hint)])
    return scores


def learn(settings: Conformal, spec: TargetSpec, rows: Scored, schema: Schema) -> FittedConformal:
    """Answer what intervals and sets need, from scored rows.

    Args:
        settings: From `chosen`.
        spec: What is predicted.
        rows: The calibration rows.
        schema: The columns of `rows.beside`.

    Raises:
        SettingError: No group has enough rows, or a column cannot divide rows.
    """
    count = rows.scores.shape[1]
    names = [name for name in settings.columns if name != spec.name]
    groups, codes = Groups(), np.full(count, -1)
    if names:
        groups = Groups.of(names, schema, rows.beside, settings.least)
        if not groups.places:
            raise SettingError(
                f"no group by {', '.join(map(repr, names))} has {settings.least} of the {count:,} "
                "calibration rows: divide by a column with fewer values, calibrate with more rows, "
                "or lower least"
            )
        codes = groups.codes(schema, rows.beside)
    by_class = spec.name in settings.columns
    classes = rows.truth.astype(np.intp) if by_class else np.zeros(count, dtype=np.intp)
    number = len(spec.classes) if by_class else 1
    weights = _weights(settings, rows.time, count)
    tables = tuple(
        _table(scores, weights, codes, classes, (len(groups.places), number))
        for scores in rows.scores
    )
    ungrouped = int((codes < 0).sum()) if names else 0
    return FittedConformal(settings, groups, by_class, tables, count, ungrouped)


def _table(
    scores: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    codes: NDArray[np.intp],
    classes: NDArray[np.intp],
    shape: tuple[int, int],
) -> Table:
    """Answer the ranks of each group, then of all rows, by class."""

    def ranks(wanted: NDArray[np.bool_]) -> Ranks:
        return Ranks.of(scores[wanted], None if weights is None else weights[wanted])

    every = np.ones(len(scores), dtype=bool)
    groups = [*(codes == group for group in range(shape[0])), every]
    return tuple(
        tuple(ranks(inside & (classes == one)) for one in range(shape[1])) for inside in groups
    )


def _weights(
    settings: Conformal, time: NDArray[Any] | None, count: int
) -> NDArray[np.float64] | None:
    """Answer how much each row counts: half as much for each half-life that it is older."""
    if settings.half_life is None:
        return None
    if time is None:
        age = np.arange(count, 0, -1, dtype=np.float64)
    else:
        age = (time.max() - time).astype(np.float64)
    half = settings.half_life
    if isinstance(half, str):
        half = seconds(half) * _MICROSECONDS
    return np.asarray(0.5 ** (age / half))
