"""Categories: as zeros and ones, or as trained vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from headrace.model.layers.register import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["CategoryEmbedding", "OneHot"]


@register
class OneHot(keras.layers.Layer):  # type: ignore[misc]
    """Turn category codes into one block of zeros and ones.

    A code that no training row had would bring in a weight that was never trained: after
    `set_counts` it gives zeros.

    Shapes: (B, C) int32 to (B, sum of the cardinalities) float32.

    Args:
        cardinalities: The number of codes of each column that is used.
        columns: Which columns of the input are used; None for all, in order.
    """

    def __init__(
        self, cardinalities: Sequence[int], columns: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        """Store the sizes."""
        super().__init__(**kwargs)
        self.cardinalities = [int(size) for size in cardinalities]
        self.columns = _columns(columns, self.cardinalities)
        # For each output the column it looks at, and the code it stands for.
        self._column = np.repeat(self.columns, self.cardinalities).astype(np.int32)
        self._code = np.concatenate([np.arange(size, dtype=np.int32) for size in cardinalities])

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the fixed flags of the codes that count; all do before `set_counts`."""
        del input_shape
        self.seen = self.add_weight(
            name="seen", shape=(len(self._code),), initializer="ones", trainable=False
        )

    def set_counts(self, codes: NDArray[np.int32]) -> None:
        """Fix which codes count: those that the training rows have.

        Args:
            codes: (rows, C), the codes of the training rows.
        """
        self.seen.assign((_counts(codes, self.columns, self.cardinalities) > 0).astype(np.float32))

    def call(self, inputs: Any) -> Any:
        """Compare the code of each output's column with the code it stands for."""
        spread = ops.take(inputs, self._column, axis=1)
        return ops.cast(ops.equal(spread, self._code), self.compute_dtype) * self.seen

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Answer (B, sum of the cardinalities)."""
        return (input_shape[0], sum(self.cardinalities))

    def get_config(self) -> dict[str, Any]:
        """Answer the sizes."""
        config = {"cardinalities": self.cardinalities, "columns": self.columns}
        return {**super().get_config(), **config}


@register
class CategoryEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """Look up a trained vector for each category code; all columns share one table.

    What few rows have said is not believed as much: the vector of a code that n training rows had
    is multiplied by n / (n + prior), so a code that none had gives zeros. Before `set_counts` all
    vectors count in full. The factor is the shrinkage of a mean towards that of all rows: Efron
    and Morris, "Stein's paradox in statistics" (1977).

    Shapes: (B, C) int32 to (B, used columns * D).

    Args:
        cardinalities: The number of codes of each column that is used.
        width: D, the length of a vector.
        columns: Which columns of the input are used; None for all, in order.
        stddev: The standard deviation of the numbers at the start; None for 1 / sqrt(D).
        prior: How many rows' worth of belief the zero vector has.
    """

    def __init__(
        self,
        cardinalities: Sequence[int],
        width: int,
        columns: Sequence[int] | None = None,
        stddev: float | None = None,
        prior: float = 0.0,
        **kwargs: Any,
    ) -> None:
        """Store the sizes."""
        super().__init__(**kwargs)
        self.cardinalities = [int(size) for size in cardinalities]
        self.columns = _columns(columns, self.cardinalities)
        self.width = width
        self.stddev = stddev
        self.prior = prior
        # Where the part of each column begins in the table.
        self._first = np.cumsum([0, *self.cardinalities[:-1]]).astype(np.int32)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the table, one part a column."""
        del input_shape
        stddev = 1 / math.sqrt(self.width) if self.stddev is None else self.stddev
        self.table = self.add_weight(
            name="table",
            shape=(sum(self.cardinalities), self.width),
            initializer=keras.initializers.RandomNormal(stddev=stddev),
        )
        self.trust = self.add_weight(
            name="trust", shape=(sum(self.cardinalities),), initializer="ones", trainable=False
        )

    def set_counts(self, codes: NDArray[np.int32]) -> None:
        """Fix how far each vector is believed.

        Args:
            codes: (rows, C), the codes of the training rows.
        """
        counts = _counts(codes, self.columns, self.cardinalities)
        self.trust.assign(counts / np.maximum(counts + np.float32(self.prior), 1))

    def call(self, inputs: Any) -> Any:
        """Look up the vectors."""
        used = ops.take(inputs, np.asarray(self.columns, dtype=np.int32), axis=1) + self._first
        vectors = ops.take(self.table, used, axis=0)
        vectors = vectors * ops.expand_dims(ops.take(self.trust, used), -1)
        return ops.reshape(vectors, (-1, len(self.columns) * self.width))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Answer (B, used columns * D)."""
        return (input_shape[0], len(self.columns) * self.width)

    def get_config(self) -> dict[str, Any]:
        """Answer the sizes."""
        config = {
            "cardinalities": self.cardinalities,
            "width": self.width,
            "columns": self.columns,
            "stddev": self.stddev,
            "prior": self.prior,
        }
        return {**super().get_config(), **config}


def _counts(
    codes: NDArray[np.int32], columns: list[int], cardinalities: list[int]
) -> NDArray[np.float32]:
    """Answer how many rows have each code, the columns one after the other."""
    places = zip(columns, cardinalities, strict=True)
    counted = [np.bincount(codes[:, place], minlength=size) for place, size in places]
    return np.concatenate(counted).astype(np.float32)


def _columns(columns: Sequence[int] | None, cardinalities: list[int]) -> list[int]:
    used = range(len(cardinalities)) if columns is None else columns
    return [int(column) for column in used]
