"""Words to the mean of the target, without letting a training row see its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.plan.category import Map
from headrace.plan.counts import FOLD, TargetMeans, TargetTable
from headrace.plan.operation import Operation
from headrace.plan.plan import Node
from headrace.preprocessing.selector import categories
from headrace.preprocessing.space import Real
from headrace.preprocessing.transformer import Transformer
from headrace.preprocessing.wording import counted, figure, paired

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    import tensorflow as tf
    from numpy.typing import NDArray

    from headrace.plan.plan import ColumnInfo, Columns
    from headrace.plan.statistic import BlockStatistic, Statistic
    from headrace.preprocessing.selector import ColumnChoice

__all__ = ["TargetMean", "folded_from_dict"]


class TargetMean(Transformer):
    """Turn each word into the mean of the target in the training rows that have it.

    The mean of a word with n rows is pulled towards the overall mean as if `smoothing` more rows
    had that one (Micci-Barreca, 2001). A word that training never saw gets the overall mean. A
    training row gets the mean of the other folds, so that it does not see its own target, which
    would make the column look far better than it is. The target is class 1 of two, or the
    standardised number; of more classes there is one column a class. The columns are called
    `<name>_target`, or `<name>_target_0`, `<name>_target_1`, ….

    Args:
        smoothing: Rows' worth of belief in the overall mean.
        folds: Into how many parts the training rows are cut.
        keep: Whether the words stay for another step too.
        columns: The columns to encode.

    Example:
        >>> TargetMean(smoothing=5.0)
        transform.TargetMean(smoothing=5.0)
    """

    home = "transform"

    def __init__(
        self,
        *,
        smoothing: float = 20.0,
        folds: int = 5,
        keep: bool = False,
        columns: ColumnChoice = categories(),
    ) -> None:
        self.smoothing = smoothing
        self.folds = folds
        self.keep = keep
        self.columns = columns

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer the target's sums by word and fold.

        Raises:
            SettingError: If smoothing or folds cannot be used.
        """
        del columns
        if self.folds < 2:
            raise SettingError(f"TargetMean needs at least 2 folds, received {self.folds!r}")
        if self.smoothing < 0:
            raise SettingError(
                f"TargetMean's smoothing must not be negative, received {self.smoothing!r}"
            )
        return (TargetMeans(self.folds),)

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer a table of means for each target, with the out-of-fold one beside it."""
        names = tuple(info.name for info in columns)
        targets = len(learnt[0][0].sums)
        return [
            Node(
                self._map(learnt[0], target),
                names,
                tuple(_target(name, target, targets) for name in names),
                keeps=self.keep or target < targets - 1,
                training=self._folded(learnt[0], target),
            )
            for target in range(targets)
        ]

    def _map(self, tables: Sequence[TargetTable], target: int, without: int | None = None) -> Map:
        words, values, missing, unseen = [], [], [], []
        for table in tables:
            means = table.means(self.smoothing, without=without)[target].tolist()
            prior = float(table.prior(without=without)[target])
            known = dict(zip(table.values, means, strict=True))
            missing.append(known.pop("", prior))
            unseen.append(prior)
            words.append(tuple(known))
            values.append(tuple(known.values()))
        return Map(tuple(words), tuple(values), np.array(missing), np.array(unseen))

    def _folded(self, tables: Sequence[TargetTable], target: int) -> _FoldedMap:
        return _FoldedMap(tuple(self._map(tables, target, fold) for fold in range(self.folds)))

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns | None:
        """Answer None: the target decides how many columns there are."""
        return None if chosen else columns

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the overall mean, and how many words there are."""
        prior = ", ".join(figure(value) for value in learnt[0][0].prior())
        sizes = [counted(len(table.values), "value") for table in learnt[0]]
        return f"overall mean {prior}; " + paired((info.name for info in columns), sizes)

    def search_space(self) -> Mapping[str, Any]:
        """Answer the smoothing."""
        return {"smoothing": Real(1.0, 500.0, log=True)}


class _FoldedMap(Operation):
    """Replace each word by a number that depends on the training row's fold.

    Attributes:
        folds: One table a fold, all with the same words.
    """

    takes = "string"

    folds: tuple[Map, ...]

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to a cast to the column's `Enum` and a place in the table of the row's fold."""
        return [self._looked_up(column, place) for place, column in enumerate(columns)]

    def _looked_up(self, column: pl.Expr, place: int) -> pl.Expr:
        import polars as pl

        words, table = self.folds[0].words[place], self._table(place)
        width = len(words) + 2
        word = column.cast(pl.Enum([*words, ""]), strict=False).to_physical().cast(pl.Int64)
        cell = pl.col(FOLD).cast(pl.Int64) % len(self.folds) * width + word.fill_null(width - 1)
        return cell.map_batches(
            lambda cells: pl.Series(table[cells.to_numpy()]),
            return_dtype=pl.Float64,
            is_elementwise=True,
        )

    def _table(self, place: int) -> NDArray[np.float64]:
        """Answer the numbers of a column: those of a fold's words, of missing, of unseen; next."""
        return np.array(
            [
                number
                for fold in self.folds
                for number in (*fold.values[place], fold.missing[place], fold.unseen[place])
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Answer the tables as plain values and arrays."""
        return {"operation": type(self).__name__, "folds": [one.to_dict() for one in self.folds]}

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Refuse: a graph has no training rows."""
        del block
        raise SettingError("the out-of-fold means exist on training rows only")


def folded_from_dict(data: Mapping[str, Any]) -> Operation | None:
    """Answer the operation of training rows from its `to_dict`; None if that is of another one."""
    if data["operation"] != _FoldedMap.__name__:
        return None
    return _FoldedMap(tuple(Map.from_dict(one) for one in data["folds"]))  # type: ignore[misc]


def _target(name: str, place: int, targets: int) -> str:
    return f"{name}_target" + (f"_{place}" if targets > 1 else "")
