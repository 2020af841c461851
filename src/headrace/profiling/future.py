"""Future information: columns that follow the target's later values, which nobody has yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.data.schema import MISSING_TIME
from headrace.profiling.alerts import Alert

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["LatestRows", "future_leaks"]

_ROWS = 20_000
_LAGS = 3
_FEWEST = 60
_EXPLAINED = 0.95
_LESS = 0.2


class LatestRows:
    """A reader that holds the latest 20,000 rows.

    Args:
        time: The column of instants.
        columns: Numbers and truth values.
    """

    def __init__(self, time: str, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self._time = time
        self._held: pl.DataFrame | None = None

    def take(self, part: pl.DataFrame) -> None:
        """Look at the next rows."""
        known = part.select(self._time, *self.columns).filter(pl.col(self._time) != MISSING_TIME)
        both = known if self._held is None else pl.concat([self._held, known])
        self._held = both.top_k(_ROWS, by=self._time)

    def table(self) -> pl.DataFrame:
        """Answer the mean of each column at each of these instants, in order."""
        held = pl.DataFrame() if self._held is None else self._held
        means = pl.col(self.columns).fill_nan(None).mean()
        return held.group_by(self._time).agg(means).sort(self._time)


def future_leaks(rows: pl.DataFrame, target: str, columns: Sequence[str]) -> Iterator[Alert]:
    """Answer the columns that the target's next values explain and its past ones do not.

    Columns are explained by least squares, once by the target now and at the three instants
    before, once by the three to come as well. It knows the future if these explain 95 % of it and
    leave at most a fifth of what the past leaves unexplained. A smooth target tells its own future,
    so what counts is the share of the unexplained.

    Args:
        rows: What `LatestRows.table` answered.
        target: The target, a number or a truth value.
        columns: All others.
    """
    goal = rows[target].cast(pl.Float64).fill_null(np.nan).to_numpy()
    count = len(goal) - 2 * _LAGS
    if count < _FEWEST:
        return
    shifted = [goal[lag : lag + count] for lag in range(2 * _LAGS + 1)]
    for name in columns:
        values = rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()[_LAGS : _LAGS + count]
        known = np.isfinite(values) & np.all(np.isfinite(shifted), axis=0)
        spread = float(np.var(values[known])) if known.sum() >= _FEWEST else 0.0
        if spread == 0:
            continue
        before = _left(values[known], [one[known] for one in shifted[: _LAGS + 1]]) / spread
        after = _left(values[known], [one[known] for one in shifted]) / spread
        if before > 1e-6 and 1 - after >= _EXPLAINED and after <= _LESS * before:
            text = (
                f"{name!r} follows values that {target!r} takes later: they explain "
                f"{1 - after:.1%} of it, past values {1 - before:.1%}; nobody has it in time"
            )
            yield Alert("future", (name,), text, value=1 - after)


def _left(values: NDArray[np.float64], by: Sequence[NDArray[np.float64]]) -> float:
    """Answer the mean square that least squares leaves."""
    table = np.column_stack([np.ones(len(values)), *by])
    table[:, 1:] -= table[:, 1:].mean(axis=0)
    scale = np.maximum(np.abs(table).max(axis=0), np.finfo(float).tiny)
    weights, *_ = np.linalg.lstsq(table / scale, values, rcond=None)
    return float(np.mean((values - table / scale @ weights) ** 2))
