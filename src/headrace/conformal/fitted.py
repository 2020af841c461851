"""What was learnt from calibration rows: how far intervals of any level must reach, as data.

The serving runtime reads this file, so it needs only the standard library and NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from headrace.conformal.groups import Groups, lots
from headrace.conformal.methods import answered, class_scores, number_measure
from headrace.conformal.ranks import Ranks, packed, rows_needed, unpacked
from headrace.conformal.settings import Conformal, check_level
from headrace.errors import ReleaseError, SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from headrace.data.rows import Blocks
    from headrace.data.schema import Schema
    from headrace.model.target import TargetSpec

__all__ = ["FittedConformal", "Predicted", "Table"]

_MOST_LEVELS = 64

Table: TypeAlias = tuple[tuple[Ranks, ...], ...]
"""Ranks by group (all rows at the end) and by class (one column where classes are not apart)."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions with an interval or a set for each row.

    Attributes:
        prediction: (rows,) labels or values.
        low: (rows,) lower ends; None for classes.
        high: (rows,) upper ends; None for classes.
        member: (rows, classes) whether a class is in the set; None for numbers.
        classes: The labels.
    """

    prediction: NDArray[Any]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    member: NDArray[np.bool_] | None = None
    classes: tuple[Any, ...] = ()

    def columns(self) -> dict[str, Any]:
        """Answer `prediction`, `low` and `high`, or `prediction` and `set`, (rows,) each."""
        if self.member is not None:
            return {"prediction": self.prediction, "set": self.sets()}
        return {"prediction": self.prediction, "low": self.low, "high": self.high}

    def sets(self) -> list[list[Any]]:
        """Answer the labels in the set of each row, in the order of the classes."""
        labels = np.empty(len(self.classes), dtype=object)
        labels[:] = self.classes
        member = np.zeros((0, len(labels)), bool) if self.member is None else self.member
        return [labels[row].tolist() for row in member]


@dataclass(frozen=True, eq=False, repr=False)
class FittedConformal:
    """Calibration scores by group, and the way from answers to intervals and sets.

    Attributes:
        settings: How it was asked for; its `method` is the one that was chosen.
        groups: How rows are divided by their columns; without columns they are not.
        by_class: Whether each class has scores of its own.
        tables: The ranks; several where a row has several scores, of which a level reads one.
        rows: How many rows calibrated.
        ungrouped: How many of them are in groups that are too small.
    """

    settings: Conformal
    groups: Groups
    by_class: bool
    tables: tuple[Table, ...]
    rows: int
    ungrouped: int = 0
    _reaches: dict[float, NDArray[np.float64]] = field(default_factory=dict)

    def reads_rows(self) -> bool:
        """Answer whether a row's own columns decide, besides what the network answers for it."""
        return bool(self.groups.columns) or self.settings.draws

    def predicted(
        self,
        spec: TargetSpec,
        answers: Mapping[str, NDArray[Any]],
        level: float,
        *,
        schema: Schema | None = None,
        blocks: Blocks | None = None,
    ) -> Predicted:
        """Answer predictions with an interval or a set for each row.

        Args:
            spec: What is predicted.
            answers: What the network or the deployed graph answers, see `TargetSpec.answers`.
            level: How often the truth shall be inside, for example 0.9.
            schema: The columns of the rows; needed where `reads_rows` says so.
            blocks: The rows, canonical; needed where `reads_rows` says so.

        Raises:
            SettingError: The level is none.
        """
        codes = self.codes(len(answers[spec.answer_names[0]]), schema, blocks)
        lot = self.lot(schema, blocks)
        return self.within(spec, answers, level, self.reach(spec, level)[codes], lot)

    def within(
        self,
        spec: TargetSpec,
        answers: Mapping[str, NDArray[Any]],
        level: float,
        reach: NDArray[np.float64],
        lot: NDArray[np.float64] | None = None,
    ) -> Predicted:
        """Answer the same for a reach of each row, wherever that comes from.

        Args:
            spec: What is predicted.
            answers: What the network or the deployed graph answers.
            level: The level, where quantiles are chosen by it.
            reach: (rows, classes or 1).
            lot: (rows,) from `lot`.
        """
        main = answers[spec.answer_names[0]]
        if spec.task == "regression":
            measure = number_measure(self.settings, spec)
            low, high = measure.interval(answers, reach[:, 0], measure.variant(level))
            return Predicted(np.asarray(main, dtype=np.float64), low, high)
        member = class_scores(self.settings, spec, main, lot) <= reach
        labels = spec.labels[answered(spec, main)]
        return Predicted(labels, member=member, classes=spec.classes)

    def codes(self, rows: int, schema: Schema | None, blocks: Blocks | None) -> NDArray[np.intp]:
        """Answer the number of each row's group, (rows,); -1, the last, for all that have none.

        Raises:
            SettingError: The groups need rows, and none were given.
        """
        if not self.groups.columns:
            return np.full(rows, -1, dtype=np.intp)
        if schema is None or blocks is None:
            raise SettingError("intervals by group need the rows, not only what was answered")
        return self.groups.codes(schema, blocks)

    def lot(self, schema: Schema | None, blocks: Blocks | None) -> NDArray[np.float64] | None:
        """Answer the lot of each row, (rows,); None where none decides.

        Raises:
            SettingError: Lots follow from rows, and none were given.
        """
        if not self.settings.draws:
            return None
        if schema is None or blocks is None:
            raise SettingError("sets by lot need the rows, not only what was answered")
        return lots(schema, blocks)

    def reach(self, spec: TargetSpec, level: float) -> NDArray[np.float64]:
        """Answer the reach of each group and class at a level.

        Returns:
            (groups + 1, classes or 1): the last row is for rows whose group is unknown or small.

        Raises:
            SettingError: The level is none.
        """
        level = check_level(level)
        if level not in self._reaches:
            if len(self._reaches) >= _MOST_LEVELS:  # whoever asks a server chooses the level
                self._reaches.clear()
            self._reaches[level] = self._reach(self.table(spec, level), level)
        return self._reaches[level]

    def variant(self, spec: TargetSpec, level: float) -> int:
        """Answer which of the scores of a row a level reads."""
        if spec.task != "regression":
            return 0
        return number_measure(self.settings, spec).variant(level)

    def table(self, spec: TargetSpec, level: float) -> Table:
        """Answer the ranks that a level reads."""
        return self.tables[self.variant(spec, level)]

    def _reach(self, table: Table, level: float) -> NDArray[np.float64]:
        own = np.array([[ranks.reach(level) for ranks in row] for row in table])
        enough = self._enough(table, level)
        widest = np.where(enough, own, -math.inf).max(axis=0)
        if self.by_class:
            own[-1] = self._of_classes(table, own[-1], enough[-1], level)
        others = own[-1]
        if self.groups.columns and self.settings.fallback == "widest":
            others = np.maximum(others, widest)
        return np.vstack([np.where(enough[:-1], own[:-1], others), others])

    def _of_classes(
        self,
        table: Table,
        own: NDArray[np.float64],
        enough: NDArray[np.bool_],
        level: float,
    ) -> NDArray[np.float64]:
        """Answer the reach of each class over all groups; of small ones as the fallback says."""
        pooled = Ranks.merged(table[-1]).reach(level)
        if self.settings.fallback == "widest":
            pooled = max([pooled, *own[enough].tolist()])
        return np.where(enough, own, pooled)

    def _enough(self, table: Table, level: float) -> NDArray[np.bool_]:
        least = max(rows_needed(level), self.settings.least)
        return np.array(
            [
                [ranks.rows >= least and math.isfinite(ranks.reach(level)) for ranks in row]
                for row in table
            ]
        )

    def names(self, spec: TargetSpec) -> list[str]:
        """Answer the names of the groups, in the order of the reach; empty where there are none."""
        if not self.groups.columns and not self.by_class:
            return []
        groups = self.groups.labels
        if not self.by_class:
            return [*groups]
        classes = [f"{spec.name} {label}" for label in spec.classes]
        if not self.groups.columns:
            return classes
        return [f"{group}, {label}" for group in groups for label in classes]

    def too_few(self, spec: TargetSpec, level: float) -> list[str]:
        """Answer the names of groups whose own rows are too few for a level: they fall back."""
        enough = self._enough(self.table(spec, level), level)
        own = enough[:-1] if self.groups.columns else enough
        pairs = zip(self.names(spec), own.ravel().tolist(), strict=False)
        return [name for name, good in pairs if not good]

    def note(self, spec: TargetSpec, level: float) -> str | None:
        """Answer that nothing is ruled out, where too few rows calibrate for a level; else None."""
        if np.isfinite(self.reach(spec, level)).any():
            return None
        weighed = ", the older ones counting less," if self.settings.half_life is not None else ""
        ends = "intervals have no ends" if spec.task == "regression" else "sets hold every class"
        return (
            f"the {self.rows:,} calibration rows of {spec.name!r}{weighed} are too few for the "
            f"level {level:g}, which needs {rows_needed(level):,} at least: its {ends}"
        )

    def __repr__(self) -> str:
        return f"FittedConformal({self.settings!r}, {self.rows:,} rows)"

    def to_dict(self) -> dict[str, Any]:
        """Answer all of it as plain values and arrays."""
        first = self.tables[0]
        flat = [ranks for table in self.tables for row in table for ranks in row]
        return {
            "settings": self.settings.to_dict(),
            "groups": self.groups.to_dict(),
            "by_class": self.by_class,
            "rows": self.rows,
            "ungrouped": self.ungrouped,
            "shape": [len(self.tables), len(first), len(first[0])],
            "ranks": packed(flat),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FittedConformal:
        """Read what `to_dict` wrote.

        Raises:
            ReleaseError: It is none, or its parts do not fit each other.
        """
        try:
            variants, rows, classes = (int(size) for size in stored["shape"])
            ranks = iter(unpacked(stored["ranks"]))
            groups = Groups.from_dict(stored["groups"])
            if rows != len(groups.places) + 1:
                raise ReleaseError(
                    f"the prediction intervals should have scores for {len(groups.places)} groups "
                    f"and for all rows, received {rows} tables"
                )
            tables = tuple(
                tuple(tuple(next(ranks) for _ in range(classes)) for _ in range(rows))
                for _ in range(variants)
            )
            return cls(
                Conformal.from_dict(stored["settings"]),
                groups,
                bool(stored["by_class"]),
                tables,
                int(stored["rows"]),
                int(stored["ungrouped"]),
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, ReleaseError):
                raise
            raise ReleaseError(f"the prediction intervals cannot be read: {error!r}") from error
