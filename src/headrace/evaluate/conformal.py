"""Calibrating a pipeline's intervals, and what came of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from headrace.conformal.settings import Conformal
from headrace.model.targets import Targets
from headrace.result import Result
from headrace.table import figure, html_list, html_table, text_table
from headrace.train.calibrating import calibrated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headrace.conformal.fitted import FittedConformal
    from headrace.model.target import TargetSpec
    from headrace.train.fitted import Fitted

__all__ = ["CalibrateResult", "Reach", "calibrate"]

LEVELS = (0.8, 0.9, 0.95, 0.99)
"""The levels that a result shows; any other can be asked for."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far intervals of one group reach.

    Attributes:
        target: The column that is predicted.
        group: The group, or "all rows".
        rows: How many rows calibrated it.
        reach: For each of the shown levels the score that is not exceeded; infinite for too few
            rows.
        own: For each level whether the group's own rows decided; else the fallback did.
    """

    target: str
    group: str
    rows: int
    reach: tuple[float, ...]
    own: tuple[bool, ...]


@dataclass(frozen=True)
class CalibrateResult(Result):
    """How intervals and sets were calibrated.

    Attributes:
        rows: How many rows calibrated, of the target with the most.
        methods: How errors are measured, by target.
        units: What a reach is measured in, by target.
        levels: The levels that are shown.
        reaches: How far they reach, group by group.
        notes: What the user should know.

    Example:
        >>> reach = Reach("price", "all rows", 500, (1.5, 2.0), (True, True))
        >>> print(CalibrateResult(500, {"price": "absolute"}, {"price": "price"}, (0.8, 0.9),
        ...     (reach,)))
        500 calibration rows; price: absolute, reach in price
        <BLANKLINE>
        group     rows  0.8  0.9
        all rows   500  1.5    2
    """

    rows: int
    methods: dict[str, str]
    units: dict[str, str]
    levels: tuple[float, ...]
    reaches: tuple[Reach, ...]
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Answer the reach of each group and level as a table."""
        notes = ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join([self._title(), text_table(*self.table()), *notes])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Answer the header and the cells of the table, one row for each group."""
        header = ["group", "rows", *(f"{level:g}" for level in self.levels)]
        return header, [
            [self._name(one), f"{one.rows:,}", *map(_marked, one.reach, one.own)]
            for one in self.reaches
        ]

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values; an infinite reach is None."""
        found = asdict(self)
        for one in found["reaches"]:
            one["reach"] = [value if math.isfinite(value) else None for value in one["reach"]]
            one["own"] = list(one["own"])
        lists = {name: list(found[name]) for name in ("levels", "reaches", "notes")}
        return {**found, **lists}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the reach over the levels, a line for each group."""
        from headrace.visualization import reaches

        return reaches(self, ax)

    def _repr_html_(self) -> str:
        table = html_table(*self.table(), caption=self._title())
        return table + html_list(self.notes)

    def _title(self) -> str:
        parts = [
            f"{name}: {method}, reach in {self.units[name]}"
            for name, method in self.methods.items()
        ]
        return f"{self.rows:,} calibration rows; {'; '.join(parts)}"

    def _name(self, one: Reach) -> str:
        return one.group if len(self.methods) == 1 else f"{one.target}: {one.group}"


def calibrate(
    fitted: Fitted, data: object, settings: Conformal | None = None, **given: Any
) -> tuple[Fitted, CalibrateResult]:
    """Calibrate a pipeline's intervals with labelled rows that it has not learnt from.

    Args:
        fitted: The pipeline.
        data: The rows.
        settings: How intervals are to be made; None to say it by `given`.
        **given: The settings by name, as of `headrace.Conformal`.

    Returns:
        The pipeline with intervals, and how far they reach.

    Raises:
        DataError: The rows do not fit, or none has a label.
        SettingError: The settings cannot be used.
    """
    after = calibrated(fitted, data, settings or Conformal(**given))
    spec = after.network.target_spec
    parts = spec.parts if isinstance(spec, Targets) else (spec,)
    pairs = [(part, after.conformal[part.name]) for part in parts]
    return after, CalibrateResult(
        rows=max(conformal.rows for _, conformal in pairs),
        methods={part.name: str(conformal.settings.method) for part, conformal in pairs},
        units={part.name: _unit(part, conformal) for part, conformal in pairs},
        levels=LEVELS,
        reaches=tuple(one for part, conformal in pairs for one in _reaches(part, conformal)),
        notes=tuple(note for part, conformal in pairs for note in _notes(part, conformal)),
    )


def _reaches(spec: TargetSpec, conformal: FittedConformal) -> list[Reach]:
    names = conformal.names(spec) or ["all rows"]
    by_level = [conformal.reach(spec, level) for level in LEVELS]
    small = [set(conformal.too_few(spec, level)) for level in LEVELS]
    table = conformal.tables[0]
    groups = table[:-1] if conformal.groups.columns else table
    cells = [(row, column) for row in range(len(groups)) for column in range(len(table[0]))]
    found = []
    for name, (row, column) in zip(names, cells, strict=True):
        own = tuple(name not in few for few in small)
        reach = tuple(float(one[row, column]) for one in by_level)
        found.append(Reach(spec.name, name, groups[row][column].rows, reach, own))
    return found


def _unit(spec: TargetSpec, conformal: FittedConformal) -> str:
    units = {
        "absolute": spec.name,
        "normalized": "predicted deviations",
        "cqr": f"{spec.name} beyond the predicted quantiles",
        "count": "deviations of a count",
        "lac": "probability that is missing to 1",
    }
    return units.get(str(conformal.settings.method), "gathered probability")


def _notes(spec: TargetSpec, conformal: FittedConformal) -> list[str]:
    notes = [conformal.note(spec, level) for level in LEVELS]
    found = [note for note in notes if note is not None]
    fallback = conformal.settings.fallback
    given = {"widest": "the widest of all", "pooled": "those of all rows together"}[fallback]
    if conformal.ungrouped:
        found.append(
            f"{conformal.ungrouped:,} of {conformal.rows:,} rows are in groups of fewer than "
            f"{conformal.settings.least}; such groups, and unknown ones, get {given}"
        )
    for level in LEVELS:
        few = conformal.too_few(spec, level)
        if few and conformal.note(spec, level) is None and conformal.names(spec):
            found.append(
                f"at the level {level:g} {len(few)} of {len(conformal.names(spec))} groups, marked "
                f"*, are too small to be judged by their own rows alone and get {given}"
            )
    return found


def _marked(reach: float, own: bool) -> str:
    return f"{figure(reach) if math.isfinite(reach) else 'no end'}{'' if own else ' *'}"
