"""Operations given by knots: a curve of straight pieces, and bins."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.plan.operation import FloatArray, Numbers, Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["Bin", "Interpolate"]

_FLAT_SEARCH = 32  # up to so many knots are compared all at once, more of them in two rounds


class Interpolate(Operation):
    """Follow a curve of straight pieces between knots, flat beyond the ends; missing stays missing.

    With quantiles as `x` it maps a column to a uniform or a normal distribution.

    Attributes:
        x: Knots, (columns, k) with k >= 2, strictly increasing in each row. A column with fewer
            knots ends in inf.
        y: Heights at the knots, (columns, k), finite; those of knots at inf are not used.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [-1.0, 0.5, 2.0, 9.0]})
        >>> curve = Interpolate([[0.0, 1.0, 3.0]], [[0.0, 0.5, 1.0]])
        >>> frame.select(*curve.polars([pl.col("x")]))["x"].to_list()
        [0.0, 0.25, 0.75, 1.0]
    """

    columnwise = True

    x: FloatArray
    y: FloatArray

    def check(self) -> None:
        """Raise `SettingError` unless the knots increase and every piece has a finite slope."""
        if self.x.ndim != 2 or self.x.shape != self.y.shape or self.x.shape[1] < 2:
            raise SettingError(
                "Interpolate: expected knots (columns, k) with k >= 2 and as many heights, "
                f"received {self.x.shape} and {self.y.shape}"
            )
        for column, (x, y) in enumerate(self._curves()):
            if len(x) < 2 or not np.isfinite(x).all() or (np.diff(x) <= 0).any():
                raise SettingError(
                    f"Interpolate: the knots of column {column} must be at least two, finite and "
                    "strictly increasing (only their rest may be inf)"
                )
            with np.errstate(over="ignore", invalid="ignore"):
                slopes = np.diff(y) / np.diff(x)
            if not (np.isfinite(y).all() and np.isfinite(slopes).all()):
                raise SettingError(
                    f"Interpolate: the heights of column {column} must be finite, and its knots "
                    "so far apart that the slopes between them are finite"
                )

    def _curves(self) -> list[tuple[FloatArray, FloatArray]]:
        """Answer the knots and heights of each column, without the rest at inf."""
        used = (~np.isposinf(self.x)).sum(axis=1).tolist()
        return [(x[:k], y[:k]) for x, y, k in zip(self.x, self.y, used, strict=True)]

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to `numpy.interp`."""
        import polars as pl

        def follow(x: FloatArray, y: FloatArray) -> Callable[[pl.Series], pl.Series]:
            return lambda values: pl.Series(np.interp(values.to_numpy(), x, y))

        return [
            column.map_batches(follow(x, y), return_dtype=pl.Float64, is_elementwise=True)
            for column, (x, y) in zip(columns, self._curves(), strict=True)
        ]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to counting the knots at or below each value, and gathering the piece found."""
        import tensorflow as tf

        curves = self._curves()
        first = np.array([x[0] for x, _ in curves])
        last = np.array([x[-1] for x, _ in curves])
        held = tf.minimum(tf.maximum(block, tf.constant(first)), tf.constant(last))
        # Every column gets k pieces; the one behind the last knot is flat.
        pieces = self.x.shape[1]
        starts, heights, slopes = (np.zeros((len(curves), pieces)) for _ in range(3))
        for column, (x, y) in enumerate(curves):
            starts[column, : len(x)], heights[column, : len(y)] = x, y
            slopes[column, : len(x) - 1] = np.diff(y) / np.diff(x)
        # A missing value is at or above no knot: it is sent to the first piece and stays missing.
        count = tf.maximum(_count(held, self.x), 1)
        place = count + tf.constant(np.arange(len(curves)) * pieces - 1, tf.int32)
        start, height, slope = (
            tf.gather(tf.constant(table.ravel()), place) for table in (starts, heights, slopes)
        )
        return height + slope * (held - start)


class Bin(Operation):
    """Replace each number by the code of its bin; code 0 is missing.

    Code 1 is below the first edge, code n + 1 at or above the last of n; an edge belongs to the
    bin above it.

    Attributes:
        edges: Increasing edges of each column; columns may have unlike many.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [-1.0, 0.0, 5.0, float("nan")]})
        >>> bins = Bin([[0.0, 2.0]])
        >>> frame.select(*bins.polars([pl.col("x")]))["x"].to_list(), bins.cardinalities()
        ([1, 2, 3, 0], (4,))
    """

    columnwise = True

    edges: Numbers

    gives = "code"

    def check(self) -> None:
        """Raise `SettingError` unless the edges of each column are finite and increase."""
        for column, edges in enumerate(self.edges):
            rises = all(low < high for low, high in pairwise(edges))
            if not (rises and np.isfinite(edges).all()):
                raise SettingError(
                    f"Bin: the edges of column {column} must be finite and strictly increasing, "
                    f"received {list(edges)}"
                )

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to `numpy.searchsorted`."""
        import polars as pl

        def place(edges: FloatArray) -> Callable[[pl.Series], pl.Series]:
            def codes(values: pl.Series) -> pl.Series:
                numbers = values.to_numpy()
                found = np.searchsorted(edges, numbers, side="right").astype(np.int32) + 1
                return pl.Series(np.where(np.isnan(numbers), np.int32(0), found))

            return codes

        return [
            column.map_batches(place(np.array(edges)), return_dtype=pl.Int32, is_elementwise=True)
            for column, edges in zip(columns, self.edges, strict=True)
        ]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to counting the edges at or below each value, (rows, columns) int64."""
        import tensorflow as tf

        width = max(1, *(len(edges) for edges in self.edges))
        table = np.full((len(self.edges), width), np.inf)
        for column, edges in enumerate(self.edges):
            table[column, : len(edges)] = edges
        # inf is at or above the table's rest too: the number of true edges is the most there is.
        most = tf.constant([len(edges) for edges in self.edges], tf.int32)
        code = tf.minimum(_count(block, table), most) + 1
        return tf.where(tf.math.is_nan(block), tf.constant(0, tf.int64), tf.cast(code, tf.int64))

    def cardinalities(self) -> tuple[int, ...]:
        """Answer the number of bins of each column, plus 1 for missing."""
        return tuple(len(edges) + 2 for edges in self.edges)


def _count(block: tf.Tensor, knots: FloatArray) -> tf.Tensor:
    """Count the knots at or below each value: (rows, columns) and (columns, k) to int32.

    ONNX has no binary search. Many knots are searched in two rounds, so that a value is compared
    with 2 sqrt(k) of them instead of k: first the group, then the place in it.
    """
    import tensorflow as tf

    columns, k = knots.shape
    if k <= _FLAT_SEARCH:
        return _at_or_below(block, tf.constant(knots))
    size = int(np.ceil(np.sqrt(k)))
    groups = -(-k // size)
    padded = np.full((columns, groups * size), np.inf)
    padded[:, :k] = knots
    folded: NDArray[Any] = padded.reshape(columns, groups, size)
    # How many groups begin at or below the value; the last of them is looked into.
    group = tf.maximum(_at_or_below(block, tf.constant(folded[:, :, 0])), 1) - 1
    offsets = tf.constant(np.arange(columns) * groups, tf.int32)
    near = tf.gather(tf.constant(folded.reshape(-1, size)), group + offsets)
    return group * size + _at_or_below(block, near)


def _at_or_below(block: tf.Tensor, knots: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.reduce_sum(tf.cast(tf.expand_dims(block, -1) >= knots, tf.int32), axis=-1)
