"""Dates to numbers that a model can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.plan.arithmetic import Affine, Fill, Indicate
from headrace.plan.plan import ColumnInfo, Node
from headrace.plan.statistic import Extremes, Mean
from headrace.plan.time import Cyclic, DateParts
from headrace.plan.values import Made
from headrace.preprocessing.selector import datetimes
from headrace.preprocessing.space import Choice
from headrace.preprocessing.transformer import Transformer
from headrace.preprocessing.wording import paired

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.plan.plan import Columns
    from headrace.plan.statistic import BlockStatistic, Statistic
    from headrace.preprocessing.selector import ColumnChoice

__all__ = ["Dates"]

_USUAL = ("month", "day", "weekday", "hour", "minute")
_PERIODS = {
    "quarter": 4.0,
    "month": 12.0,
    "week": 52.1775,
    "day_of_year": 365.2425,
    "weekday": 7.0,
    "hour": 24.0,
    "minute": 60.0,
    "second": 60.0,
}


class Dates(Transformer):
    """Take dates apart: month, day, weekday, hour and minute as numbers, the date itself ends.

    Parts that go in a circle also come as sine and cosine, so that December is near January. The
    year, and time as such, are left out unless they are asked for: a model that learns from them
    meets only new values later, and must extrapolate. A part of a missing date gets the part's
    mean, sine and cosine get 0, and a column that had gaps in training gets a flag
    `<name>_missing`.

    Args:
        parts: Which ones: "year", "quarter", "month", "week", "day", "day_of_year", "weekday" (1
            is Monday), "is_weekend", "hour", "minute", "second", "days" (since 1970). None for
            month, day, weekday, hour and minute, those of them that vary in training.
        cyclic: Whether to add sine and cosine of the parts that go in a circle.
        elapsed: Whether to add the days since the first training row's date.
        columns: The columns to take apart.

    Example:
        >>> import polars as pl
        >>> from datetime import datetime
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"day": ColumnInfo("day", "time", "datetime")}
        >>> days = [datetime(2024, 1, 31), datetime(2024, 3, 31)]
        >>> frame = pl.DataFrame({"day": days}).cast(pl.Int64)
        >>> fitted = fit_steps(frame, columns, [Dates(cyclic=False)])
        >>> fitted.plan.polars(frame.lazy()).collect().rows(named=True)
        [{'day_month': 1.0, 'day_weekday': 3.0}, {'day_month': 3.0, 'day_weekday': 7.0}]
    """

    home = "transform"

    def __init__(
        self,
        parts: Sequence[str] | None = None,
        *,
        cyclic: bool = True,
        elapsed: bool = False,
        columns: ColumnChoice = datetimes(),
    ) -> None:
        self.parts = parts
        self.cyclic = cyclic
        self.elapsed = elapsed
        self.columns = columns

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer the range and the mean of each part, the first day, and the share of gaps."""
        del columns
        parts = [DateParts((part,)) for part in self._candidates()]
        return (
            Made(Indicate("time"), Mean()),
            Made(DateParts(("days",)), Extremes()),
            *(Made(part, statistic) for part in parts for statistic in (Extremes(), Mean())),
        )

    def _candidates(self) -> tuple[str, ...]:
        return _USUAL if self.parts is None else tuple(self.parts)

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the flags, then the parts of columns that have the same ones."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for place, parts in enumerate(self._parts(learnt)):
            groups.setdefault(parts, []).append(place)
        names = [info.name for info in columns]
        gaps = tuple(n for n, share in zip(names, learnt[0], strict=True) if 0 < share < 1)
        flags = tuple(f"{name}_missing" for name in gaps)
        nodes = [Node(Indicate("time"), gaps, flags, keeps=True, kind="boolean")] if gaps else []
        for parts, places in groups.items():
            nodes += self._group(parts, [names[p] for p in places], [v[places] for v in learnt])
        return nodes

    def _parts(self, learnt: Sequence[NDArray[np.float64]]) -> list[tuple[str, ...]]:
        """Answer the parts that each column gets."""
        if self.parts is not None:
            return [self._candidates()] * len(learnt[0])
        low, high = np.moveaxis(np.stack(learnt[2::2]), 2, 0)  # (parts, columns) each
        varies = (high > low).T
        return [tuple(p for p, v in zip(_USUAL, column, strict=True) if v) for column in varies]

    def _group(
        self, parts: tuple[str, ...], names: list[str], learnt: Sequence[NDArray[np.float64]]
    ) -> list[Node]:
        wanted = parts + (("days",) if self.elapsed else ())
        if not wanted or not names:
            return []
        means = dict(zip(self._candidates(), learnt[3::2], strict=True))
        plain = [_name(name, part) for part in parts for name in names]
        since = [_name(name, "elapsed") for name in names] if self.elapsed else []
        fill = [means[part] for part in parts] + ([np.zeros(len(names))] if self.elapsed else [])
        nodes = [Node(DateParts(wanted), tuple(names), (*plain, *since))]
        if self.elapsed:
            first = np.nan_to_num(learnt[1][:, 0])
            nodes.append(Node.of(Affine(np.ones(len(names)), -first), since))
        waves, periods = self._circles(parts, names)
        circular = tuple(f"{name}_{wave}" for wave in ("sin", "cos") for name in waves)
        if waves:
            nodes.append(Node(Cyclic(np.array(periods)), tuple(waves), circular, keeps=True))
            fill.append(np.zeros(len(circular)))
        values = np.nan_to_num(np.concatenate(fill))
        return [*nodes, Node.of(Fill(values), (*plain, *since, *circular))]

    def _circles(self, parts: Sequence[str], names: Sequence[str]) -> tuple[list[str], list[float]]:
        turning = [part for part in parts if self.cyclic and part in _PERIODS]
        made = [(_name(name, part), _PERIODS[part]) for part in turning for name in names]
        return [name for name, _ in made], [period for _, period in made]

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns:
        """Answer the columns with all parts that there may be in the place of the dates."""
        kept = {name: info for name, info in columns.items() if name not in chosen}
        parts = self._candidates()
        plain = [_name(name, part) for part in parts for name in chosen]
        plain += [_name(name, "elapsed") for name in chosen if self.elapsed]
        waves, _ = self._circles(parts, chosen)
        circular = [f"{name}_{wave}" for name in waves for wave in ("sin", "cos")]
        flags = {name: ColumnInfo(name, "number", "boolean") for name in _flags(chosen)}
        made = {name: ColumnInfo(name, "number", "number") for name in (*plain, *circular)}
        return {**kept, **flags, **made}

    def dropped(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> tuple[str, ...]:
        """Answer the dates of which nothing varies."""
        if self.elapsed:
            return ()
        found = zip(columns, self._parts(learnt), strict=True)
        return tuple(info.name for info, parts in found if not parts)

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the parts of each column."""
        parts = [" ".join(found) or "nothing varies" for found in self._parts(learnt)]
        return paired((info.name for info in columns), parts)

    def search_space(self) -> Mapping[str, Any]:
        """Answer whether circles help."""
        return {"cyclic": Choice((True, False))}


def _name(column: str, part: str) -> str:
    return f"{column}_{part}"


def _flags(columns: Sequence[str]) -> list[str]:
    return [f"{column}_missing" for column in columns]
