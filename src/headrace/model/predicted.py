"""Predictions with intervals and sets, for one target or several, as named columns.

The serving runtime reads this file, so it needs only the standard library and NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headrace.conformal.fitted import FittedConformal
from headrace.errors import SettingError
from headrace.model.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.data.rows import Blocks
    from headrace.data.schema import Schema
    from headrace.model.target import TargetSpec

    Conformals = Mapping[str, FittedConformal]

__all__ = [
    "conformals_of",
    "interval_notes",
    "predicted_columns",
    "reaches",
    "reads_rows",
    "to_document",
]


_COMPARED = 0.9


class _Release(Protocol):
    """What a release folder, or parts that have travelled, can answer."""

    def __contains__(self, name: object) -> bool: ...

    def document(self, name: str) -> Any: ...


def predicted_columns(
    conformals: Conformals,
    spec: TargetSpec | None,
    answers: Mapping[str, NDArray[Any]],
    level: float,
    *,
    schema: Schema | None = None,
    blocks: Blocks | None = None,
) -> dict[str, Any]:
    """Answer predictions with their intervals and sets as columns, (rows,) each.

    Args:
        conformals: What was learnt from calibration rows, by target.
        spec: What is predicted; None for clusters.
        answers: What the network or the deployed graph answers.
        level: How often the truth shall be inside.
        schema: The columns of the rows.
        blocks: The rows, canonical; None where `reads_rows` says that they are not needed.

    Returns:
        `prediction`, `low` and `high` of a number, `prediction` and `set` (a list of lists of
        labels) of a class; of several targets `price`, `price_low`, …, `sold`, `sold_set`.

    Raises:
        SettingError: Nothing was calibrated, or the level is none.
    """
    wanted = _checked(conformals, spec)
    if not isinstance(spec, Targets):
        [(part, conformal)] = wanted
        found = conformal.predicted(part, answers, level, schema=schema, blocks=blocks)
        return found.columns()
    columns: dict[str, Any] = {}
    for (part, conformal), own in zip(wanted, spec.split(answers), strict=True):
        found = conformal.predicted(part, own, level, schema=schema, blocks=blocks)
        named = {
            part.name if name == "prediction" else f"{part.name}_{name}": column
            for name, column in found.columns().items()
        }
        for name in named.keys() & columns.keys():
            raise SettingError(
                f"two columns of the answer would both be called {name!r}: rename the target "
                f"{part.name!r}"
            )
        columns |= named
    return columns


def interval_notes(conformals: Conformals, spec: TargetSpec | None, level: float) -> list[str]:
    """Answer for which targets too few rows calibrate, so that nothing is ruled out."""
    notes = (conformal.note(part, level) for part, conformal in _checked(conformals, spec))
    return [note for note in notes if note is not None]


def reads_rows(conformals: Conformals) -> bool:
    """Answer whether intervals depend on a row's own columns, besides the network's answer."""
    return any(conformal.reads_rows() for conformal in conformals.values())


def reaches(
    conformals: Conformals, spec: TargetSpec | None, schema: Schema, blocks: Blocks
) -> NDArray[np.float64]:
    """Answer how far the intervals of rows reach, and their lots: what paths are compared by.

    Returns:
        (rows, columns): for each target and class the reach at the level 0.9, and the lot where
        sets depend on one; no columns where nothing was calibrated.
    """
    rows = len(blocks.numbers)
    found = [np.zeros((rows, 0))]
    for part, conformal in _checked(conformals, spec) if conformals else ():
        found.append(conformal.reach(part, _COMPARED)[conformal.codes(rows, schema, blocks)])
        lot = conformal.lot(schema, blocks)
        if lot is not None:
            found.append(lot[:, np.newaxis])
    return np.concatenate(found, axis=1)


def to_document(conformals: Conformals) -> dict[str, Any]:
    """Answer what was learnt as `conformal.json` of a release holds it."""
    return {"targets": [[name, one.to_dict()] for name, one in conformals.items()]}


def conformals_of(release: _Release) -> dict[str, FittedConformal]:
    """Answer what calibration rows taught, by target; nothing for a release without any."""
    if "conformal.json" not in release:
        return {}
    stored = release.document("conformal.json")
    return {str(name): FittedConformal.from_dict(one) for name, one in stored["targets"]}


def _checked(
    conformals: Conformals, spec: TargetSpec | None
) -> list[tuple[TargetSpec, FittedConformal]]:
    if spec is None:
        raise SettingError("clusters have no intervals: use predict without interval")
    parts = spec.parts if isinstance(spec, Targets) else (spec,)
    if not conformals:
        raise SettingError(
            "no rows have calibrated intervals yet: call pipe.calibrate(data) with labelled rows "
            "that the network has not learnt from, or hold some out with hr.Network(conformal=0.2)"
        )
    return [(part, conformals[part.name]) for part in parts]
