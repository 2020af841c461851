"""Making columns into others: dates, categories, formulas, and the choice of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from headrace.errors import SettingError
from headrace.plan.evaluate import Evaluate
from headrace.plan.expression import Expression
from headrace.plan.grammar import type_of
from headrace.plan.plan import ColumnInfo, Node
from headrace.plan.recode import Substitute
from headrace.preprocessing.dates import Dates
from headrace.preprocessing.encode import Encode, Frequency, Hash, OneHot
from headrace.preprocessing.selector import columns as named
from headrace.preprocessing.selector import select
from headrace.preprocessing.target_mean import TargetMean
from headrace.preprocessing.transformer import Transformer
from headrace.preprocessing.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.data.schema import Kind
    from headrace.plan.plan import Columns
    from headrace.preprocessing.selector import ColumnChoice

__all__ = [
    "Dates",
    "Derive",
    "Drop",
    "Encode",
    "Frequency",
    "Hash",
    "OneHot",
    "Select",
    "TargetMean",
]


class Derive(Transformer):
    """Compute new columns from formulas of others.

    A formula is written with `hr.col` and Python's operators (see `headrace.plan.expression`). A
    result that is not finite, such as 1 / 0, is missing. All formulas see the columns as they
    were before this step; one that has the name of a column takes its place.

    Args:
        **expressions: The formulas, by the name of the column that each gives.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.expression import col
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {n: ColumnInfo(n, "number", "number") for n in ("debt", "income")}
        >>> frame = pl.DataFrame({"debt": [1.0, 2.0], "income": [2.0, 0.0]})
        >>> step = Derive(ratio=col("debt") / col("income"))
        >>> fit_steps(frame, columns, [step]).rows["ratio"].to_list()
        [0.5, nan]
    """

    replaces = True

    def __init__(self, **expressions: Expression) -> None:
        self.expressions = expressions

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Answer the formulas by name."""
        del deep
        return dict(self.expressions)

    def set_params(self, **parameters: Any) -> Self:
        """Change formulas, or add some."""
        self.expressions = {**self.expressions, **parameters}
        return self

    def select(self, available: Columns) -> tuple[str, ...]:
        """Answer the columns that the formulas use, and those whose place they take."""
        used = {name for formula in self._formulas().values() for name in formula.columns()}
        replaced = [name for name in self.expressions if name in available]
        return (named(*sorted(used)) | named(*replaced)).names(available)

    def _formulas(self) -> dict[str, Expression]:
        given: list[object] = list(self.expressions.values())
        if not given or not all(isinstance(formula, Expression) for formula in given):
            raise SettingError(
                "Derive takes formulas by name, such as Derive(ratio=hr.col('debt') / "
                f"hr.col('income')), received {self.expressions!r}"
            )
        return self.expressions

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the formulas, numbers and booleans apart.

        Raises:
            SettingError: If a formula does not fit the columns.
        """
        del learnt
        formulas = Evaluate.of(self._formulas(), {info.name: info.type for info in columns})
        types = dict(zip(formulas.inputs, formulas.types, strict=True))
        kinds: list[Kind] = [
            "boolean" if type_of(formula, types) == "boolean" else "number"
            for formula in formulas.expressions
        ]
        made = Node(formulas, formulas.inputs, formulas.outputs, keeps=True, kind=tuple(kinds))
        infinite = np.array([np.inf, -np.inf])
        return [made, Node.of(Substitute(infinite, np.full(2, np.nan)), formulas.outputs)]

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns:
        """Answer the columns with the new ones."""
        del chosen
        made = {name: ColumnInfo(name, "number", "number") for name in self.expressions}
        return {**columns, **made}

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the formulas."""
        del columns, learnt
        return listed([f"{name} = {formula!r}" for name, formula in self.expressions.items()])

    def changed(self) -> tuple[str, ...]:
        """Answer all formulas' names: none is there by default."""
        return tuple(self.expressions)

    def __repr__(self) -> str:
        """Answer the code that would write this step."""
        given = ", ".join(f"{name}={formula!r}" for name, formula in self.expressions.items())
        return f"transform.Derive({given})"


class Select(Transformer):
    """Keep some columns; all others end here.

    Args:
        columns: The columns to keep.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {name: ColumnInfo(name, "number", "number") for name in "xyz"}
        >>> frame = pl.DataFrame({"x": [1.0], "y": [2.0], "z": [3.0]})
        >>> fitted = fit_steps(frame, columns, [Select(["x", "y"])])
        >>> [info.name for info in fitted.plan.outputs]
        ['x', 'y']
    """

    only_drops = True

    def __init__(self, columns: ColumnChoice) -> None:
        self.columns = columns

    def select(self, available: Columns) -> tuple[str, ...]:
        """Answer the columns that end here."""
        kept = set(super().select(available))
        return tuple(name for name in available if name not in kept)

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer nothing: the other columns stay as they are."""
        del columns, learnt
        return []

    def after(self, columns: Columns, chosen: Sequence[str]) -> Columns:
        """Answer the columns that stay."""
        return {name: info for name, info in columns.items() if name not in chosen}

    def dropped(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> tuple[str, ...]:
        """Answer all columns that the step was given."""
        del learnt
        return tuple(info.name for info in columns)

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the columns that end here."""
        del learnt
        return f"dropped {counted(len(columns), 'column')}: {listed([i.name for i in columns])}"


class Drop(Select):
    """End some columns; all others stay.

    Args:
        columns: The columns to leave out.
        reason: Why, for people to read.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {name: ColumnInfo(name, "number", "number") for name in "xyz"}
        >>> frame = pl.DataFrame({"x": [1.0], "y": [2.0], "z": [3.0]})
        >>> fitted = fit_steps(frame, columns, [Drop("z", reason="known only later")])
        >>> [info.name for info in fitted.plan.outputs], fitted.learnt[0][1]
        (['x', 'y'], 'dropped 1 column: z (known only later)')
    """

    def __init__(self, columns: ColumnChoice, *, reason: str = "") -> None:
        self.columns = columns
        self.reason = reason

    def select(self, available: Columns) -> tuple[str, ...]:
        """Answer the columns that end here."""
        return select(self.columns).names(available)

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the columns that end here, and why."""
        return super().describe(columns, learnt) + (f" ({self.reason})" if self.reason else "")
