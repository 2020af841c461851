"""A statistic that is the rows themselves, or a sample of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from headrace.plan.statistic import BlockStatistic, State, block_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["RowSample", "SampledRows"]

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class SampledRows:
    """What `RowSample` answers.

    Attributes:
        rows: (sampled rows, columns).
        count: How many rows there were.
        missing: (columns,) how many of them have no value.
    """

    rows: NDArray[np.float64]
    count: int
    missing: NDArray[np.int64]


@dataclass(frozen=True)
class RowSample(BlockStatistic):
    """The rows of some number columns, for methods that need to see them.

    A table that is one chunk is answered whole, in its order. Of chunks the rows with the `cap`
    smallest hashes are kept, a random sample that is the same however different rows are split;
    equal rows are told apart by counting them within their chunk.

    Attributes:
        cap: Largest number of rows kept of a table in chunks.
        seed: Of the hash.

    Example:
        >>> from headrace.plan.statistic import learn
        >>> frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]})
        >>> learn(frame, ["x", "y"], RowSample()).rows.tolist()
        [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]
        >>> learn([frame, frame.head(0)], ["x", "y"], RowSample(cap=2)).rows.shape
        (2, 2)
    """

    cap: int = 1_000_000
    seed: int = 0

    def start(self, values: Mapping[str, Any]) -> State:
        """Keep the rows with the smallest keys."""
        table = pl.DataFrame(values)
        row = pl.struct(table.columns)
        keys = table.select(
            hash=row.hash(self.seed), repeat=pl.int_range(pl.len(), dtype=pl.UInt64).over(row)
        )
        # A copy of a row gets a key of its own; the arithmetic goes round at 2^64.
        mixed = keys["hash"].to_numpy() + keys["repeat"].to_numpy() * _MIX
        rows = block_rows(values)
        return self._smallest(rows, mixed, len(rows), np.isnan(rows).sum(axis=0))

    def merge(self, left: State, right: State) -> State:
        """Keep the smallest keys of both."""
        return self._smallest(
            np.concatenate([left["rows"], right["rows"]]),
            np.concatenate([left["keys"], right["keys"]]),
            left["count"] + right["count"],
            left["missing"] + right["missing"],
        )

    def _smallest(
        self,
        rows: NDArray[np.float64],
        keys: NDArray[np.uint64],
        count: int,
        missing: NDArray[np.int64],
    ) -> State:
        if len(rows) > self.cap:
            kept = np.sort(np.argpartition(keys, self.cap - 1)[: self.cap])
            rows, keys = rows[kept], keys[kept]
        return {"rows": rows, "keys": keys, "count": count, "missing": missing}

    def finish(self, state: State) -> SampledRows:
        """Answer the sample, in the order of its keys."""
        order = np.argsort(state["keys"], kind="stable")
        return SampledRows(state["rows"][order], state["count"], state["missing"])

    def finish_whole(self, values: Mapping[str, Any]) -> SampledRows:
        """Answer all rows."""
        rows = block_rows(values)
        return SampledRows(rows, len(rows), np.isnan(rows).sum(axis=0))
