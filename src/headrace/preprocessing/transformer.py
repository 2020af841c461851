"""The transformer: an unfitted step that learns statistics and answers operations."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headrace.plan.plan import ColumnInfo, Node
from headrace.preprocessing.selector import ColumnChoice, numbers, select
from headrace.preprocessing.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from headrace.plan.operation import Operation
    from headrace.plan.plan import Columns
    from headrace.plan.statistic import BlockStatistic, Statistic

__all__ = ["PythonTransformer", "RowStep", "Transformer"]


class Transformer(Step):
    """The base of transformers that become operations: fast, streaming, deployable.

    A simple one names its columns and statistics and answers one operation; it gets what each
    statistic learnt, as an array with one entry a column. One that needs more overrides `nodes`.

    Attributes:
        columns: The columns it acts on.
        learns: What it learns from each of them.
        replaces: Whether it may put a new column in the place of one that it was not given.
        only_drops: Whether it leaves values as they are and only ends columns; the next steps
            then learn in the same scan.

    Example:
        >>> from headrace.plan.arithmetic import Affine
        >>> from headrace.plan.statistic import Mean
        >>> class Centre(Transformer):
        ...     '''Subtract the mean.'''
        ...     columns = numbers()
        ...     learns = (Mean(),)
        ...     def operation(self, mean):
        ...         return Affine(np.ones_like(mean), -mean)
        >>> Centre()
        Centre()
    """

    columns: ColumnChoice = numbers()
    learns: ClassVar[Sequence[Statistic | BlockStatistic]] = ()
    replaces: ClassVar[bool] = False
    only_drops: ClassVar[bool] = False

    def select(self, available: Columns) -> tuple[str, ...]:
        """Answer the names of the columns that this step acts on."""
        return select(self.columns).names(available)

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer what is learnt from the columns; `learns` by default."""
        del columns
        return self.learns

    def operation(self, *learnt: Any) -> Operation:
        """Answer the operation, from what each statistic learnt, (columns,) each."""
        raise NotImplementedError(
            f"{type(self).__name__} must define operation(self, *learnt) or nodes(...)"
        )

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the nodes of the plan; one, made of `operation`, by default.

        Args:
            columns: The columns that the step acts on, at least one.
            learnt: For each statistic what it learnt, one entry a column.
        """
        return [Node.of(self.operation(*learnt), [info.name for info in columns])]

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns | None:
        """Answer the columns that may be behind this step, before it is fitted.

        Steps that do not disturb each other's columns learn in one scan; this says what the next
        step may find. A column that turns out not to be there is left out of the next step. Where
        the names are not known beforehand the answer is None, and the next steps wait.
        """
        del chosen
        return columns

    def dropped(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> tuple[str, ...]:
        """Answer the columns that end here."""
        del columns, learnt
        return ()

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Answer in a line what was learnt."""
        shown = [
            f"{type(statistic).__name__.lower()} {_first(values)}"
            for statistic, values in zip(self.statistics(columns), learnt, strict=True)
        ]
        return f"{len(columns)} columns" + (f": {'; '.join(shown)}" if shown else "")


class RowStep(Step):
    """The base of steps that remove rows, before training only.

    New rows are answered one for one, so such a step is no part of the plan.
    """

    training_only: ClassVar[bool] = True

    @abstractmethod
    def rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Answer the rows to train on."""


class PythonTransformer(Step):
    """The base of free Python steps on a Polars frame.

    Such a step may do anything to the columns, but it is no part of the ONNX graph: a pipeline
    with it is deployed and served in Python, and `deploy` says so. For loading, `state` answers
    what was learnt as plain values and `restore` takes it back; the class itself must be imported
    by the program that loads.

    Example:
        >>> import polars as pl
        >>> class Initial(PythonTransformer):
        ...     '''Keep the first letter of a name.'''
        ...     def transform(self, frame):
        ...         return frame.with_columns(pl.col("name").str.head(1))
        >>> Initial().transform(pl.DataFrame({"name": ["Ada"]}))["name"].to_list()
        ['A']
    """

    def fit(self, frame: pl.DataFrame) -> None:
        """Learn from the training rows; nothing by default."""
        del frame

    @abstractmethod
    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Answer the frame with changed columns; rows must stay in number and order.

        Columns are canonical: numbers Float64 with NaN for missing, words String with "" for
        missing, times Int64 microseconds.
        """

    def state(self) -> Mapping[str, Any]:
        """Answer what was learnt, as values that JSON can hold; empty by default."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` answered; nothing by default."""
        del state


def _first(values: Any, shown: int = 4) -> str:
    array = np.asarray(values, dtype=object).ravel()
    text = ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in array[:shown])
    return text + (", …" if len(array) > shown else "")
