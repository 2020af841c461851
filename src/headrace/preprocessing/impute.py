"""Filling gaps: a value where one is missing, and a flag that it was."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headrace.errors import SettingError
from headrace.plan.arithmetic import Fill, Indicate
from headrace.plan.counts import ValueCounts
from headrace.plan.plan import ColumnInfo, Node
from headrace.plan.recode import Recode
from headrace.plan.statistic import Mean, Missing, Quantiles
from headrace.plan.values import Mode
from headrace.preprocessing.selector import booleans, numbers
from headrace.preprocessing.space import Choice
from headrace.preprocessing.transformer import Transformer
from headrace.preprocessing.wording import counted, listed, paired

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.plan.operation import Operation
    from headrace.plan.plan import Columns
    from headrace.plan.statistic import BlockStatistic, Statistic
    from headrace.preprocessing.selector import ColumnChoice

__all__ = ["Impute"]


class Impute(Transformer):
    """Put a value where one is missing, and remember in a flag that it was.

    Numbers get the mean, the median or the most frequent value of the training rows, or a
    constant. A column that had gaps in training also gets a flag, a boolean column
    `<name>_missing`, since a gap often says something (Little and Rubin, "Statistical Analysis
    with Missing Data"). Columns without gaps in training are filled too, should gaps come later.
    A column whose values are all missing has nothing to learn from: it ends here, unless the
    value is a constant. Words get the most frequent or a constant word; categories rarely need
    that, since `transform.Encode` has a code for missing.

    Args:
        strategy: "mean", "median", "most_frequent", or the constant itself.
        flags: Whether to add the flags.
        columns: The columns to fill: numbers, or words, not both at once.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> frame = pl.DataFrame({"age": [20.0, 40.0, float("nan")]})
        >>> columns = {"age": ColumnInfo("age", "number", "number")}
        >>> fitted = fit_steps(frame, columns, [Impute()])
        >>> fitted.rows.rows(named=True)[2], fitted.learnt[0][1]
        ({'age': 30.0, 'age_missing': 1.0}, 'age: 30 (1 column had gaps)')
    """

    _LEARNS: ClassVar[dict[str, Statistic]] = {
        "mean": Mean(),
        "median": Quantiles((0.5,)),
        "most_frequent": Mode(),
    }

    home = "clean"

    def __init__(
        self,
        strategy: str | float = "median",
        *,
        flags: bool = True,
        columns: ColumnChoice = numbers() | booleans(),
    ) -> None:
        self.strategy = strategy
        self.flags = flags
        self.columns = columns

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer the gaps and the value to put there.

        Raises:
            SettingError: If the strategy does not go with the columns.
        """
        if _type_of(self, columns) == "string":
            if self.strategy in {"mean", "median"} or not isinstance(self.strategy, str):
                raise SettingError(
                    f"{self!r} acts on words, which can get the 'most_frequent' word or a word of "
                    f"your choice, not {self.strategy!r}"
                )
            return (ValueCounts(cap=1),)
        if not isinstance(self.strategy, str):
            return (Missing(),)
        if self.strategy not in self._LEARNS:
            raise SettingError(
                f"Impute's strategy must be 'mean', 'median', 'most_frequent' or a number, "
                f"received {self.strategy!r}"
            )
        return (Missing(), self._LEARNS[self.strategy])

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the flags, then the filling."""
        values, gaps = self._values(columns, learnt), self._gaps(columns, learnt)
        kept = [place for place, value in enumerate(values) if not _nothing(value)]
        flagged = [columns[p].name for p in kept if self.flags and gaps[p]]
        nodes = []
        if flagged:
            flag = Indicate(columns[0].type)
            names = tuple(map(_flag, flagged))
            nodes.append(Node(flag, tuple(flagged), names, keeps=True, kind="boolean"))
        if kept:
            filled = [columns[place].name for place in kept]
            nodes.append(Node.of(self._fill(columns, [values[p] for p in kept]), filled))
        return nodes

    def _fill(self, columns: Sequence[ColumnInfo], values: list[Any]) -> Operation:
        if columns[0].type == "string":
            return Recode(tuple(("",) for _ in values), tuple((value,) for value in values))
        return Fill(np.array(values, dtype=np.float64))

    def _values(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Any]:
        if self.strategy != "most_frequent" and self.strategy not in self._LEARNS:
            return [self.strategy] * len(columns)
        if columns[0].type == "string":
            return [next(iter(counts.values), "") for counts in learnt[0]]
        return [float(value) for value in np.ravel(learnt[1])]

    def _gaps(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[int]:
        if columns[0].type == "string":
            return [counts.missing for counts in learnt[0]]
        return [int(count) for count in learnt[0]]

    def dropped(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> tuple[str, ...]:
        """Answer the columns that have no value at all."""
        values = self._values(columns, learnt)
        return tuple(i.name for i, value in zip(columns, values, strict=True) if _nothing(value))

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns:
        """Answer the columns with every flag that there may be."""
        if not self.flags:
            return columns
        flags = {_flag(n): ColumnInfo(_flag(n), "number", "boolean") for n in chosen}
        return {**columns, **flags}

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the values, how many columns had gaps, and the columns that end here."""
        values, gaps = self._values(columns, learnt), self._gaps(columns, learnt)
        names = [info.name for info in columns]
        count = sum(map(bool, gaps))
        had = f" ({counted(count, 'column')} had gaps)" if count else " (no gaps)"
        ended = self.dropped(columns, learnt)
        shown = [(n, v) for n, v in zip(names, values, strict=True) if n not in ended]
        text = paired([n for n, _ in shown], [v for _, v in shown]) + had
        return text + (f"; dropped, no value at all: {listed(ended)}" if ended else "")

    def search_space(self) -> Mapping[str, Any]:
        """Answer whether gaps are flagged, and the two averages where one of them is in use."""
        flags = {"flags": Choice((True, False))}
        averages = ("mean", "median")
        return {"strategy": Choice(averages), **flags} if self.strategy in averages else flags


def _type_of(step: Transformer, columns: Sequence[ColumnInfo]) -> str:
    types = {info.type for info in columns}
    if types <= {"number"} or types <= {"string"}:
        return next(iter(types))
    raise SettingError(
        f"{step!r} was given columns of several types ({', '.join(sorted(types))}); use one step "
        "for numbers and one for words"
    )


def _flag(name: str) -> str:
    return f"{name}_missing"


def _nothing(value: object) -> bool:
    return value == "" or (isinstance(value, float) and math.isnan(value))
