"""Cleaning: duplicated rows, constant columns, gaps, outliers, wrong and rare values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.data.schema import MISSING_TIME
from headrace.errors import DataError, Problem, SettingError, nearest
from headrace.plan.arithmetic import Clip as ClipOperation
from headrace.plan.counts import ValueCounts
from headrace.plan.plan import Node
from headrace.plan.recode import Recode, Substitute
from headrace.plan.statistic import Quantiles
from headrace.plan.values import Varies
from headrace.preprocessing.impute import Impute
from headrace.preprocessing.selector import booleans, categories, everything, kinds, numbers, select
from headrace.preprocessing.space import Choice, Integer, Real
from headrace.preprocessing.transformer import RowStep, Transformer
from headrace.preprocessing.wording import counted, listed, paired

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from headrace.plan.plan import ColumnInfo, Columns
    from headrace.plan.statistic import BlockStatistic, Statistic
    from headrace.preprocessing.selector import ColumnChoice
    from headrace.preprocessing.step import Step

__all__ = ["Clip", "DropConstant", "DropDuplicates", "GroupRare", "Impute", "Replace"]

_HIDDEN, _LABEL = "__headrace_", "__headrace_label__"
_USUAL_LEVELS = (0.005, 0.995)
_USUAL_COUNT = 10


class DropDuplicates(RowStep):
    """Remove rows that were there before, from the training rows only.

    Two rows are the same when all their features and their label are; the first one stays. New
    rows are never removed: each gets its answer.

    Args:
        columns: Names of the columns to compare; None for all of them.

    Example:
        >>> import polars as pl
        >>> DropDuplicates().rows(pl.DataFrame({"x": [1.0, 1.0, 2.0]}))["x"].to_list()
        [1.0, 2.0]
    """

    def __init__(self, columns: str | Iterable[str] | None = None) -> None:
        self.columns = columns

    def rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Answer the rows without repetitions, in their order.

        Raises:
            DataError: If a named column is not there.
        """
        return frame.unique(self._compared(frame.columns), keep="first", maintain_order=True)

    def _compared(self, there: Sequence[str]) -> list[str]:
        if self.columns is None:
            # Columns that training itself adds, such as the row's number, tell all rows apart.
            return [name for name in there if not name.startswith(_HIDDEN) or name == _LABEL]
        wanted = [self.columns] if isinstance(self.columns, str) else list(self.columns)
        missing = [name for name in wanted if name not in there]
        if missing:
            raise DataError(_no_column(name, there) for name in missing)
        return wanted


class DropConstant(Transformer):
    """End columns that say nothing: every value is the same, or every value is missing.

    A missing value counts as a value of its own: a column with one value and some gaps stays.

    Args:
        columns: The columns to look at.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> frame = pl.DataFrame({"x": [1.0, 1.0], "y": [1.0, 2.0]})
        >>> columns = {name: ColumnInfo(name, "number", "number") for name in "xy"}
        >>> fitted = fit_steps(frame, columns, [DropConstant()])
        >>> [info.name for info in fitted.plan.outputs], fitted.learnt[0][1]
        (['y'], 'dropped 1 column: x (always 1.0)')
    """

    learns = (Varies(),)
    only_drops = True

    def __init__(self, *, columns: ColumnChoice = everything()) -> None:
        self.columns = columns

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer nothing: the other columns stay as they are."""
        del columns, learnt
        return []

    def dropped(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> tuple[str, ...]:
        """Answer the columns that do not vary."""
        found = zip(columns, learnt[0], strict=True)
        return tuple(info.name for info, variety in found if not variety.varies)

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the columns that end here, and their one value."""
        constant = [
            f"{info.name} ({_constant(variety.value)})"
            for info, variety in zip(columns, learnt[0], strict=True)
            if not variety.varies
        ]
        if not constant:
            return f"none of {counted(len(columns), 'column')} is constant"
        return f"dropped {counted(len(constant), 'column')}: {listed(constant)}"


class Clip(Transformer):
    """Move outliers to the edge of what is usual; missing stays missing.

    The edges are two quantiles of the training rows; or the quartiles widened by `iqr` times
    the distance between them, Tukey's fences ("Exploratory Data Analysis", 1977), where a column
    whose quartiles are equal is left alone; or given numbers.

    Args:
        quantiles: The levels of the two quantiles; (0.005, 0.995) when nothing is given.
        iqr: Width of the fences; 1.5 is usual, 3 is careful.
        low: The lower edge itself, for all columns.
        high: The upper edge itself.
        columns: The columns to clip.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> frame = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 99.0]})
        >>> columns = {"x": ColumnInfo("x", "number", "number")}
        >>> fit_steps(frame, columns, [Clip(iqr=1.5)]).rows["x"].to_list()
        [1.0, 2.0, 3.0, 4.0, 7.0]
    """

    def __init__(
        self,
        quantiles: tuple[float, float] | None = None,
        *,
        iqr: float | None = None,
        low: float | None = None,
        high: float | None = None,
        columns: ColumnChoice = numbers(),
    ) -> None:
        self.quantiles = quantiles
        self.iqr = iqr
        self.low = low
        self.high = high
        self.columns = columns

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer the quantiles that the edges are made of.

        Raises:
            SettingError: If the edges are given in two ways, or the wrong way round.
        """
        del columns
        given = self.low is not None or self.high is not None
        if (self.quantiles is not None) + (self.iqr is not None) + given > 1:
            raise SettingError("Clip takes quantiles, or iqr, or low and high: one of the three")
        if given:
            return ()
        if self.iqr is not None:
            if not self.iqr > 0:
                raise SettingError(f"Clip's iqr must be above 0, received {self.iqr!r}")
            return (Quantiles((0.25, 0.75)),)
        levels = tuple(self.quantiles or _USUAL_LEVELS)
        if len(levels) != 2 or not 0 <= levels[0] < levels[1] <= 1:
            raise SettingError(
                "Clip's quantiles must be two levels between 0 and 1, the lower one first, "
                f"received {self.quantiles!r}"
            )
        return (Quantiles(levels),)

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the clipping."""
        low, high = self._edges(columns, learnt)
        return [Node.of(ClipOperation(low, high), [info.name for info in columns])]

    def _edges(
        self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        count = len(columns)
        if not learnt:
            return _repeated(self.low, -math.inf, count), _repeated(self.high, math.inf, count)
        low, high = learnt[0].T
        if self.iqr is not None:
            width = self.iqr * (high - low)
            flat = ~(width > 0)
            low, high = np.where(flat, -np.inf, low - width), np.where(flat, np.inf, high + width)
        unknown = np.isnan(low)  # nothing but gaps
        return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the edges."""
        edges = zip(*self._edges(columns, learnt), strict=True)
        return paired((info.name for info in columns), (f"{a:.4g} to {b:.4g}" for a, b in edges))

    def search_space(self) -> Mapping[str, Any]:
        """Answer how much is clipped; nothing where the edges are given."""
        if self.low is not None or self.high is not None:
            return {}
        if self.iqr is not None:
            return {"iqr": Real(1.0, 5.0)}
        return {"quantiles": Choice(((0.001, 0.999), _USUAL_LEVELS, (0.02, 0.98)))}

    def in_use(self) -> Mapping[str, Any]:
        """Answer the levels, those that are meant by None too."""
        return {name: value or _USUAL_LEVELS for name, value in super().in_use().items()}

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer that outliers may stay where they are."""
        return (None,)


class Replace(Transformer):
    """Put a value in the place of another one: -999 means missing, "N.Y." means "New York".

    Args:
        mapping: Old value to new value, numbers or words, not both. None as a value makes it
            missing; None as a key is the missing value.
        columns: The columns to look in; None for all numbers and booleans, or for all categories
            and texts.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"x": ColumnInfo("x", "number", "number")}
        >>> frame = pl.DataFrame({"x": [-999.0, 1.0]})
        >>> fit_steps(frame, columns, [Replace({-999: None})]).rows["x"].to_list()
        [nan, 1.0]
    """

    def __init__(
        self,
        mapping: Mapping[Any, Any],
        *,
        columns: ColumnChoice | None = None,
    ) -> None:
        self.mapping = mapping
        self.columns = columns  # type: ignore[assignment]

    def select(self, available: Columns) -> tuple[str, ...]:
        """Answer the columns that hold values of the mapping's type."""
        chosen: ColumnChoice | None = self.columns
        if chosen is None:
            chosen = categories() | kinds("text") if self._words() else numbers() | booleans()
        return select(chosen).names(available)

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the replacement."""
        del learnt
        names = [info.name for info in columns]
        if self._words():
            old, new = (tuple("" if v is None else v for v in side) for side in self._sides())
            return [Node.of(Recode((old,) * len(names), (new,) * len(names)), names)]
        old_new = [[math.nan if v is None else float(v) for v in side] for side in self._sides()]
        return [Node.of(Substitute(*map(np.array, old_new)), names)]

    def _sides(self) -> tuple[list[Any], list[Any]]:
        return list(self.mapping), list(self.mapping.values())

    def _words(self) -> bool:
        values = [value for side in self._sides() for value in side if value is not None]
        if values and all(isinstance(value, str) for value in values):
            return True
        if values and all(isinstance(value, int | float | np.number) for value in values):
            return False
        raise SettingError(
            "Replace takes a mapping of numbers to numbers or of words to words (None is missing), "
            f"received {self.mapping!r}"
        )

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the values and how many columns are looked at."""
        del learnt
        pairs = [f"{old!r} → {new!r}" for old, new in self.mapping.items()]
        return f"{listed(pairs)} in {counted(len(columns), 'column')}"


class GroupRare(Transformer):
    """Put one word in the place of all rare ones, so that it has rows to learn from.

    The frequent words stay; every other one, unseen ones too, becomes the common word. Missing
    stays missing.

    Args:
        min_count: A word must come in so many training rows to stay.
        min_share: Or in such a share of them.
        top: Or be among the so many most frequent ones. With nothing given, `min_count=10`.
        other: The word that the rest becomes.
        columns: The columns to look at.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"x": ColumnInfo("x", "string", "category")}
        >>> frame = pl.DataFrame({"x": ["a", "a", "b", ""]})
        >>> fit_steps(frame, columns, [GroupRare(min_count=2)]).rows["x"].to_list()
        ['a', 'a', '(rare)', '']
    """

    learns = (ValueCounts(),)

    def __init__(
        self,
        min_count: int | None = None,
        *,
        min_share: float | None = None,
        top: int | None = None,
        other: str = "(rare)",
        columns: ColumnChoice = categories(),
    ) -> None:
        self.min_count = min_count
        self.min_share = min_share
        self.top = top
        self.other = other
        self.columns = columns

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the replacement."""
        words = tuple(map(self._frequent, learnt[0]))
        return [Node.of(Recode(words, words, self.other), [info.name for info in columns])]

    def _frequent(self, counts: Any) -> tuple[str, ...]:
        if (self.min_count, self.min_share, self.top) == (None, None, None):
            least, top = float(_USUAL_COUNT), None
        else:
            rows = counts.counts.sum() + counts.other
            least, top = max(self.min_count or 0, (self.min_share or 0) * rows), self.top
        kept = int((counts.counts >= least).sum())
        return tuple(counts.values[: kept if top is None else min(kept, top)])

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name how many words stay in each column."""
        kept = [f"{len(self._frequent(c)):,} of {len(c.values):,} words" for c in learnt[0]]
        return paired((info.name for info in columns), kept)

    def search_space(self) -> Mapping[str, Any]:
        """Answer how often a word must come; nothing where that is said in another way."""
        if self.min_share is not None or self.top is not None:
            return {}
        return {"min_count": Integer(2, 200, log=True)}

    def in_use(self) -> Mapping[str, Any]:
        """Answer the count, that which is meant by None too."""
        return {name: value or _USUAL_COUNT for name, value in super().in_use().items()}

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer that rare words may stay."""
        return (None,)


def _repeated(edge: float | None, otherwise: float, count: int) -> NDArray[np.float64]:
    return np.full(count, otherwise if edge is None else edge, dtype=np.float64)


def _constant(value: Any) -> str:
    missing = value is None or value in ("", MISSING_TIME) or value != value  # noqa: PLR0124 - NaN
    return "all missing" if missing else f"always {value!r}"


def _no_column(name: str, there: Iterable[str]) -> Problem:
    close = nearest(name, there)
    hint = f"Did you mean {close!r}?" if close else None
    return Problem("DropDuplicates names this column, but it is not there", column=name, hint=hint)
