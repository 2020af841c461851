"""Operations on numbers, column by column: fill, flag, clip, scale, squash and power."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.errors import SettingError
from headrace.plan.operation import FloatArray, Operation, PlanType

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import tensorflow as tf
    from numpy.typing import NDArray

__all__ = ["Affine", "Clip", "Fill", "Indicate", "Power", "Squash"]

_MISSING_TIME = -(2**63)
_HUGE = 1e100  # squared it is still finite, and one more or less no longer matters
_NEAR_ZERO = 1e-9  # below it the logarithm is closer to the power than the power itself


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

    columnwise = True

    value: FloatArray

    def check(self) -> None:
        """Raise `SettingError` unless there is one number a column, none of them missing."""
        _check_column_values("Fill", value=self.value)

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to `fill_nan`."""
        return [x.fill_nan(v) for x, v in zip(columns, self.value.tolist(), strict=True)]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to `where(is_nan)`, (rows, columns) to the same shape."""
        import tensorflow as tf

        return tf.where(tf.math.is_nan(block), tf.constant(self.value), block)


class Indicate(Operation):
    """Flag missing values: 1.0 where the value is missing, 0.0 elsewhere.

    Attributes:
        of: The type of the columns that come in: "number" (missing is NaN), "string" (missing is
            the empty string), "time" (missing is the smallest Int64) or "code" (missing is 0).

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"job": ["nurse", ""]})
        >>> flag = Indicate("string")
        >>> flag.names(["job"]), frame.select(*flag.polars([pl.col("job")]))["job"].to_list()
        (('job_missing',), [0.0, 1.0])
    """

    columnwise = True

    of: PlanType = "number"

    @property
    def takes(self) -> PlanType:  # type: ignore[override]
        """The type of the columns that come in."""
        return self.of

    def check(self) -> None:
        """Raise `SettingError` for an unknown type."""
        if self.of not in {"number", "string", "time", "code"}:
            raise SettingError(
                f"Indicate: of must be 'number', 'string', 'time' or 'code', received {self.of!r}"
            )

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to a comparison with the type's missing value."""
        import polars as pl

        if self.of == "number":
            return [x.is_nan().cast(pl.Float64) for x in columns]
        missing = {"string": "", "time": _MISSING_TIME, "code": 0}[self.of]
        return [(x == pl.lit(missing)).cast(pl.Float64) for x in columns]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to a comparison with the type's missing value, (rows, columns) float64."""
        import tensorflow as tf

        from headrace.plan.tables import lookup

        if self.of == "string":
            # ONNX compares text only by looking it up in a table.
            return tf.cast(lookup(block, {"": 1}, unseen=0), tf.float64)
        if self.of == "number":
            return tf.cast(tf.math.is_nan(block), tf.float64)
        missing = _MISSING_TIME if self.of == "time" else 0
        return tf.cast(tf.equal(block, tf.constant(missing, block.dtype)), tf.float64)

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Answer `<column>_missing` for each column."""
        return tuple(f"{column}_missing" for column in columns)


class Clip(Operation):
    """Move values outside of a range to its nearer end; missing stays missing.

    Attributes:
        low: Smallest value left, (columns,); -inf for none.
        high: Largest value left, (columns,); inf for none.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [-5.0, 0.5, float("inf")]})
        >>> frame.select(*Clip([0.0], [1.0]).polars([pl.col("x")]))["x"].to_list()
        [0.0, 0.5, 1.0]
    """

    columnwise = True

    low: FloatArray
    high: FloatArray

    def check(self) -> None:
        """Raise `SettingError` unless low <= high in every column."""
        _check_column_values("Clip", low=self.low, high=self.high)
        wrong = np.flatnonzero(self.low > self.high)
        if len(wrong):
            column = int(wrong[0])
            raise SettingError(
                f"Clip: low must not be above high; column {column} has "
                f"low {self.low[column]:g} and high {self.high[column]:g}"
            )

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to `clip`, which leaves NaN alone."""
        bounds = zip(columns, self.low.tolist(), self.high.tolist(), strict=True)
        return [x.clip(low, high) for x, low, high in bounds]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to minimum and maximum, which hand NaN on."""
        import tensorflow as tf

        return tf.minimum(tf.maximum(block, tf.constant(self.low)), tf.constant(self.high))


class Affine(Operation):
    """y = x * scale + shift, column by column; missing stays missing.

    Infinity times a scale of 0 is NaN, as everywhere in IEEE arithmetic.

    Attributes:
        scale: Factor, (columns,).
        shift: What is added, (columns,).

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [1.0, 2.0]})
        >>> frame.select(*Affine([10.0], [-1.0]).polars([pl.col("x")]))["x"].to_list()
        [9.0, 19.0]
    """

    columnwise = True

    scale: FloatArray
    shift: FloatArray

    def check(self) -> None:
        """Raise `SettingError` unless there is one finite pair a column."""
        _check_column_values("Affine", scale=self.scale, shift=self.shift, finite=True)

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to a product and a sum."""
        settings = zip(columns, self.scale.tolist(), self.shift.tolist(), strict=True)
        return [x * scale + shift for x, scale, shift in settings]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to a product and a sum of the whole block."""
        import tensorflow as tf

        return block * tf.constant(self.scale) + tf.constant(self.shift)


class Squash(Operation):
    """y = x / sqrt(1 + (x / limit)^2): almost x near 0, and never beyond ±limit.

    Infinite values become ±limit. Source: the smooth clipping of D. Holzmüller, L. Grinsztajn and
    I. Steinwart, "Better by Default" (2024).

    Attributes:
        limit: What the answer approaches, (columns,); above 0.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [0.0, 3.0, float("inf")]})
        >>> frame.select(*Squash([3.0]).polars([pl.col("x")]))["x"].round(3).to_list()
        [0.0, 2.121, 3.0]
    """

    columnwise = True

    limit: FloatArray

    def check(self) -> None:
        """Raise `SettingError` unless every limit is finite and above 0."""
        _check_column_values("Squash", limit=self.limit, finite=True)
        if (self.limit <= 0).any():
            raise SettingError(f"Squash: limit must be above 0, received {self.limit.min():g}")

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to arithmetic on a value clipped so that its square stays finite."""
        shares = [
            (x / limit).clip(-_HUGE, _HUGE)
            for x, limit in zip(columns, self.limit.tolist(), strict=True)
        ]
        return [
            t / (t * t + 1.0).sqrt() * limit
            for t, limit in zip(shares, self.limit.tolist(), strict=True)
        ]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to the same arithmetic on the whole block."""
        import tensorflow as tf

        limit, huge = tf.constant(self.limit), tf.constant(_HUGE, tf.float64)
        t = tf.minimum(tf.maximum(block / limit, -huge), huge)
        return t / tf.sqrt(t * t + 1.0) * limit


class Power(Operation):
    """Yeo and Johnson's power, which makes skewed columns more symmetric; missing stays missing.

    y = ((x + 1)^p - 1) / p for x >= 0 and y = -((1 - x)^(2 - p) - 1) / (2 - p) below, with the
    logarithm as the limit where the power is 0: scikit-learn's `PowerTransformer` without its
    scaling. Source: I.-K. Yeo and R. A. Johnson, Biometrika 87 (2000).

    Attributes:
        exponent: p, (columns,).

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"x": [-1.0, 0.0, 3.0]})
        >>> frame.select(*Power([0.5]).polars([pl.col("x")]))["x"].round(4).to_list()
        [-1.219, 0.0, 2.0]
    """

    columnwise = True

    exponent: FloatArray

    def check(self) -> None:
        """Raise `SettingError` unless there is one finite exponent a column."""
        _check_column_values("Power", exponent=self.exponent, finite=True)

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        """Lower to one power a column, whose exponent depends on the sign."""
        return [_power(x, p) for x, p in zip(columns, self.exponent.tolist(), strict=True)]

    def tensorflow(self, block: tf.Tensor) -> tf.Tensor:
        """Lower to one power of the whole block; the logarithm joins in where it is needed."""
        import tensorflow as tf

        above, below = _without_zero(self.exponent), _without_zero(2 - self.exponent)
        rises = block >= tf.constant(0.0, tf.float64)
        size = tf.abs(block)
        power = tf.where(rises, tf.constant(above), tf.constant(below))
        grown = ((size + 1.0) ** power - 1.0) / power
        if (logarithmic := _logarithmic(self.exponent)).any():
            log = tf.where(rises, tf.constant(logarithmic[0]), tf.constant(logarithmic[1]))
            grown = tf.where(log, tf.math.log1p(size), grown)
        return tf.where(rises, grown, -grown)


def _power(x: pl.Expr, exponent: float) -> pl.Expr:
    import polars as pl

    above, below = exponent, 2 - exponent
    size = x.abs()
    if abs(above) < _NEAR_ZERO:
        return pl.when(x >= 0).then(size.log1p()).otherwise(-_grown(size, below))
    if abs(below) < _NEAR_ZERO:
        return pl.when(x >= 0).then(_grown(size, above)).otherwise(-size.log1p())
    grown = _grown(size, pl.when(x >= 0).then(above).otherwise(below))
    return pl.when(x >= 0).then(grown).otherwise(-grown)


def _grown(size: pl.Expr, power: float | pl.Expr) -> pl.Expr:
    return ((size + 1.0).pow(power) - 1.0) / power


def _without_zero(exponent: FloatArray) -> FloatArray:
    return np.where(np.abs(exponent) < _NEAR_ZERO, 1.0, exponent)


def _logarithmic(exponent: FloatArray) -> NDArray[np.bool_]:
    return np.abs(np.stack([exponent, 2 - exponent])) < _NEAR_ZERO


def _check_column_values(name: str, *, finite: bool = False, **values: FloatArray) -> None:
    """Refuse parameters that are not one number a column each, as many in each."""
    sizes = {setting: value.shape for setting, value in values.items()}
    if any(value.ndim != 1 for value in values.values()) or len(set(sizes.values())) > 1:
        raise SettingError(
            f"{name}: expected one number a column, as many in each; received shapes {sizes}"
        )
    for setting, value in values.items():
        bad = ~np.isfinite(value) if finite else np.isnan(value)
        if bad.any():
            column = int(bad.argmax())
            raise SettingError(
                f"{name}: {setting} must be {'finite' if finite else 'a number'}, "
                f"received {value[column]} for column {column}"
            )
