"""Operations on numbers, column by column: fill, flag, clip, scale, squash and power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.plan.operation import FloatArray, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import tensorflow as tf

__all__ = ["Affine", "Clip", "Fill", "Indicate", "Power", "Squash"]


class Fill(Operation):
    """Put a number where the value is missing.

    Attributes:
        value: What is put, (columns,).

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [1.0, float("nan")]})
        >>> frame.select(*Fill([5.0]).polars([pl.col("x")]))["x"].to_list()
        [1.0, 5.0]
    """

    value: FloatArray

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to `fill_nan`."""
        return [x.fill_nan(v) for x, v in zip(columns, self.value.tolist(), strict=True)]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to `where(is_nan)`, (rows, columns) to the same shape."""
        import tensorflow as tf

        return tf.where(tf.math.is_nan(block), tf.constant(self.value, block.dtype), block)
