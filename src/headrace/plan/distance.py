"""Operations on points: distances to centres, and the nearest centre."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.errors import SettingError
from headrace.plan.operation import FloatArray, IntArray, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["Distance", "Nearest"]

# Sums in another order differ in their last bits: what is closer together than this is a tie.
_TIE = 1e-12
_PIECE = 4096  # rows


class Distance(Operation):
    """Answer the Euclidean distance of each row to each centre; a missing value gives missing.

    It is summed over squared differences, which is exact near a centre, where the shorter formula
    with products loses half of the digits. Rows farther than 1e154 away are infinitely far.

    Attributes:
        centres: (k, columns).
        name: What the distances are called: `<name>_0`, `<name>_1`, …

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [3.0], "y": [4.0]})
        >>> distance = Distance([[0.0, 0.0], [3.0, 0.0]])
        >>> [frame.select(d).item() for d in distance.polars([pl.col("x"), pl.col("y")])]
        [5.0, 4.0]
    """

    centres: FloatArray
    name: str = "distance"

    def check(self) -> None:
        """Raise `SettingError` unless the centres are finite and at least one."""
        _check_centres("Distance", self.centres)

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to the root of a sum of squares for each centre."""
        return [square.sqrt() for square in _squares(columns, self.centres)]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to (rows, k) float64."""
        import tensorflow as tf

        return tf.sqrt(_tensor_squares(block, self.centres))

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Answer `<name>_<centre>` for each centre."""
        del columns
        return tuple(f"{self.name}_{centre}" for centre in range(len(self.centres)))


class Nearest(Operation):
    """Answer the code of each row's nearest centre, the first one of a tie.

    Attributes:
        centres: (k, columns).
        codes: The code of each centre, (k,); 0, 1, 2, … where this is left out.
        missing: The code of rows with a missing value.
        name: What the column of codes is called.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [0.9, 2.0, 3.5]})
        >>> nearest = Nearest([[1.0], [3.0]])
        >>> frame.select(*nearest.polars([pl.col("x")])).to_series().to_list()
        [0, 0, 1]
    """

    centres: FloatArray
    codes: IntArray = ()  # type: ignore[assignment]
    missing: int = 0
    name: str = "cluster"

    gives = "code"

    def check(self) -> None:
        """Raise `SettingError` unless the centres are finite and each has a code."""
        _check_centres("Nearest", self.centres)
        if not self.codes.size:
            object.__setattr__(self, "codes", np.arange(len(self.centres)))
        if self.codes.shape != (len(self.centres),) or min(self.missing, *self.codes) < 0:
            raise SettingError(
                f"Nearest: expected a code, not negative, for each of {len(self.centres)} "
                f"centres; received {self.codes.tolist()}"
            )

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to NumPy, in pieces that stay in the processor's cache."""
        import polars as pl

        named = [column.alias(str(index)) for index, column in enumerate(columns)]
        return [
            pl.struct(named).map_batches(self._nearest, return_dtype=pl.Int32, is_elementwise=True)
        ]

    def _nearest(self, rows: pl.Series) -> pl.Series:
        import polars as pl

        values = [column.to_numpy() for column in rows.struct.unnest()]
        codes = np.empty(len(rows), np.int32)
        for start in range(0, len(rows), _PIECE):
            piece = slice(start, start + _PIECE)
            codes[piece] = self._nearest_of([column[piece] for column in values])
        return pl.Series(codes)

    def _nearest_of(self, values: list[FloatArray]) -> NDArray[np.int64]:
        squares = np.zeros((len(self.centres), len(values[0])))
        with np.errstate(over="ignore", invalid="ignore"):
            for column, centres in zip(values, self.centres.T, strict=True):
                gaps = column - centres[:, np.newaxis]
                squares += gaps * gaps
            least = squares.min(axis=0)
            places = (squares <= least + least * _TIE).argmax(axis=0)
        return np.where(np.isnan(squares[0]), self.missing, self.codes[places])

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to (rows, 1) int64."""
        import tensorflow as tf

        squares = _tensor_squares(block, self.centres)
        least = tf.reduce_min(squares, axis=1, keepdims=True)
        # The first of a tie is found as the smallest place: ONNX Runtime's argmax takes any.
        places = tf.constant(np.arange(len(self.codes)))
        tied = tf.where(
            squares <= least + least * _TIE, places, tf.constant(len(self.codes) - 1, tf.int64)
        )
        place = tf.reduce_min(tied, axis=1, keepdims=True)
        code = place if _counts_up(self.codes) else tf.gather(tf.constant(self.codes), place)
        # A missing value makes every distance missing.
        gap = tf.math.is_nan(squares[:, :1])
        return tf.where(gap, tf.constant(self.missing, tf.int64), code)

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Answer the one name."""
        del columns
        return (self.name,)

    def cardinalities(self) -> tuple[int, ...]:
        """Answer the largest code, plus 1."""
        return (1 + max(self.missing, *self.codes.tolist()),)


def _squares(columns: list[pl.Expr], centres: FloatArray) -> list[pl.Expr]:
    import polars as pl

    return [
        pl.sum_horizontal((x - c).pow(2) for x, c in zip(columns, centre, strict=True))
        for centre in centres.tolist()
    ]


def _tensor_squares(block: tf.Tensor, centres: FloatArray) -> tf.Tensor:
    import tensorflow as tf

    gaps = tf.expand_dims(block, 1) - tf.constant(centres)
    return tf.reduce_sum(gaps * gaps, axis=-1)


def _counts_up(codes: IntArray) -> bool:
    return bool(np.array_equal(codes, np.arange(len(codes))))


def _check_centres(name: str, centres: FloatArray) -> None:
    if centres.ndim != 2 or not centres.size or not np.isfinite(centres).all():
        raise SettingError(
            f"{name}: expected finite centres (k, columns), at least one; "
            f"received an array of shape {centres.shape}"
        )
