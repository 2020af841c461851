"""Free Python steps on lazy tables: they see the rows batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.plan.plan import PythonNode

__all__ = ["by_batch"]

_DTYPES: dict[str, Any] = {
    "number": pl.Float64,
    "string": pl.String,
    "time": pl.Int64,
    "code": pl.Int32,
}


def by_batch(node: PythonNode, frame: pl.LazyFrame, columns: Iterable[str]) -> pl.LazyFrame:
    """Send a frame that is not to be held through a free Python step.

    Args:
        node: The step.
        frame: The columns of the step, and others beside them, which stay.
        columns: The columns that the step sees.
    """
    held, seen = dict(frame.collect_schema()), set(columns)
    own = [name for name in held if name in seen]
    beside = [name for name in held if name not in seen]
    made = {info.name: _DTYPES[info.type] for info in node.outputs}

    def transformed(batch: pl.DataFrame) -> pl.DataFrame:
        behind = node.transform(batch.select(own)).select(*made)
        return behind.hstack(batch.select(beside)) if beside else behind

    schema = pl.Schema({**made, **{name: held[name] for name in beside}})
    return frame.map_batches(transformed, schema=schema, streamable=True)
