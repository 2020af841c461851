"""Attribution: what each raw column adds to the answer of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.result import Result
from headrace.table import figure, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["Attribution", "ColumnEffect"]

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class ColumnEffect:
    """The mean size of what a column adds, over the rows.

    Attributes:
        column: The name of the column.
        size: The mean absolute contribution, in the units of the answer.
        low: The lower end of its 95 % interval over rows; NaN for one row.
        high: The upper end.
    """

    column: str
    size: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Attribution(Result):
    """What each raw column adds to the answer of each row.

    For each row, `base` plus its contributions is `answer`, up to `gap`.

    Attributes:
        of: What is explained, in words.
        method: "integrated gradients" or "shapley".
        columns: The raw columns.
        values: (rows, columns), the contributions in the units of the answer.
        base: (rows,), the mean answer of what the rows are compared with.
        answer: (rows,), the answers of the model.
        texts: (rows, columns), the raw values as text.
        errors: (rows, columns), standard errors of sampling; None for integrated gradients, which
            sums over the same baselines for all rows.
        steps: The most steps of a path, or how many orders of the columns were drawn.
        shared: For each feature that several raw columns feed these columns: its contribution is
            divided among them in equal parts.
    """

    of: str
    method: str
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    base: NDArray[np.float64]
    answer: NDArray[np.float64]
    texts: tuple[tuple[str, ...], ...]
    errors: NDArray[np.float64] | None
    steps: int
    shared: Mapping[str, tuple[str, ...]]

    @property
    def gap(self) -> NDArray[np.float64]:
        """(rows,), what the contributions miss of `answer - base`: the completeness gap."""
        missed: NDArray[np.float64] = self.answer - self.base - self.values.sum(axis=1)
        return missed

    @property
    def effects(self) -> tuple[ColumnEffect, ...]:
        """The columns by falling mean size of their contributions."""
        sizes = np.abs(self.values)
        mean = sizes.mean(axis=0)
        rows = len(sizes)
        spread = _Z * sizes.std(axis=0, ddof=1) / np.sqrt(rows) if rows > 1 else mean * np.nan
        found = [
            ColumnEffect(
                name, float(m), max(0.0, float(m - s)) if rows > 1 else np.nan, float(m + s)
            )
            for name, m, s in zip(self.columns, mean, spread, strict=True)
        ]
        return tuple(sorted(found, key=lambda one: -one.size))

    def row(self, place: int) -> Attribution:
        """Answer the attribution of one row.

        Args:
            place: Its number, counted from 0.

        Raises:
            IndexError: There is no such row.
        """
        if not 0 <= place < len(self.values):
            raise IndexError(f"there are {len(self.values)} rows, received the row {place}")
        part = slice(place, place + 1)
        errors = None if self.errors is None else self.errors[part]
        return Attribution(
            *(self.of, self.method, self.columns, self.values[part], self.base[part]),
            *(self.answer[part], self.texts[part], errors, self.steps, self.shared),
        )

    def summary(self) -> str:
        """Answer, for one row, its contributions; for more, their mean size by column."""
        header, rows = self._table()
        lines = [self._headline(), text_table(header, rows), self._gap_note()]
        lines += [
            f"{name} is fed by {', '.join(columns)}: each has an equal part of its contribution"
            for name, columns in self.shared.items()
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""
        return {
            "of": self.of,
            "method": self.method,
            "columns": list(self.columns),
            "values": self.values.tolist(),
            "base": self.base.tolist(),
            "answer": self.answer.tolist(),
            "texts": [list(row) for row in self.texts],
            "errors": None if self.errors is None else self.errors.tolist(),
            "gap": self.gap.tolist(),
            "steps": self.steps,
            "shared": {name: list(columns) for name, columns in self.shared.items()},
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw one row as a waterfall, more rows as the mean size by column."""
        from headrace.visualization.contributions import effects, waterfall

        return waterfall(self, ax) if len(self.values) == 1 else effects(self, ax)

    def _repr_html_(self) -> str:
        header, rows = self._table()
        return html_table(header, rows, caption=f"{self._headline()} · {self._gap_note()}")

    def _headline(self) -> str:
        if len(self.values) > 1:
            return f"{self.of}: mean size of the contributions over {len(self.values):,} rows"
        return f"{self.of}: {figure(self.answer[0])}, compared with {figure(self.base[0])}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        if len(self.values) > 1:
            rows = [[e.column, figure(e.size), figure(e.low), figure(e.high)] for e in self.effects]
            return ["column", "mean size", "low", "high"], rows
        order = np.argsort(-np.abs(self.values[0]), kind="stable")
        return ["column", "value", "adds", "±"], [
            [
                *(self.columns[n], self.texts[0][n], figure(self.values[0, n])),
                "–" if self.errors is None else figure(_Z * self.errors[0, n]),
            ]
            for n in order
        ]

    def _gap_note(self) -> str:
        gap = float(np.abs(self.gap).max())
        kind = "steps" if self.method.startswith("integrated") else "orders"
        return f"{self.method}, {self.steps} {kind}; largest completeness gap {figure(gap)}"
