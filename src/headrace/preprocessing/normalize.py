"""Bringing numbers to a common scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import SettingError
from headrace.plan.arithmetic import Affine, Squash
from headrace.plan.arithmetic import Clip as ClipOperation
from headrace.plan.arithmetic import Power as PowerOperation
from headrace.plan.piecewise import Interpolate
from headrace.plan.plan import Node
from headrace.plan.statistic import Count, Extremes, Moments, Quantiles
from headrace.preprocessing.curves import quantile_curve
from headrace.preprocessing.selector import numbers
from headrace.preprocessing.space import Choice
from headrace.preprocessing.transformer import Transformer
from headrace.preprocessing.wording import paired
from headrace.preprocessing.yeojohnson import best_exponent, transformed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headrace.plan.plan import ColumnInfo
    from headrace.plan.statistic import BlockStatistic, Statistic
    from headrace.preprocessing.selector import ColumnChoice
    from headrace.preprocessing.step import Step

__all__ = ["MinMax", "Power", "Quantile", "Robust", "Standardize"]

_MOST_KNOTS = 1000
_SKETCH = 8000  # so large that the tails come out right too: ranks are off by 0.05 % at most
_EPSILON = float(np.finfo(np.float64).eps)


class Standardize(Transformer):
    """Scale each column to mean 0 and variance 1: y = (x - mean) / standard deviation.

    The numbers are those of scikit-learn's `StandardScaler`. A column that is constant up to
    rounding is only shifted.

    Args:
        columns: The columns to scale.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"x": ColumnInfo("x", "number", "number")}
        >>> frame = pl.DataFrame({"x": [1.0, 3.0, float("nan")]})
        >>> fit_steps(frame, columns, [Standardize()]).rows["x"].to_list()
        [-1.0, 1.0, nan]
    """

    learns = (Moments(),)

    def __init__(self, *, columns: ColumnChoice = numbers()) -> None:
        self.columns = columns

    def operation(self, *learnt: Any) -> Affine:
        """Answer the scaling."""
        count, mean, variance = learnt[0].T
        # The bound of scikit-learn, by the error of the variance's computation (Chan and others).
        with np.errstate(over="ignore", invalid="ignore"):
            rounding = count * _EPSILON * variance + (count * mean * _EPSILON) ** 2
        deviation = np.sqrt(np.where(variance <= rounding, 1.0, variance))
        deviation[np.isinf(deviation)] = np.nan  # squares beyond 64 bits: the column is left alone
        return _affine(1 / deviation, -mean / deviation)

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name mean and standard deviation."""
        shown = [f"{mean:.4g} ± {np.sqrt(variance):.4g}" for _, mean, variance in learnt[0]]
        return paired((info.name for info in columns), shown)

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer the other ways to a common scale."""
        return _other_scales(self)


class MinMax(Transformer):
    """Scale each column so that its smallest value becomes `low` and its largest `high`.

    The numbers are those of scikit-learn's `MinMaxScaler`. A constant column becomes `low`.

    Args:
        low: What the smallest training value becomes.
        high: What the largest becomes.
        clip: Whether later values outside of the range are moved to its edge.
        columns: The columns to scale.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"x": ColumnInfo("x", "number", "number")}
        >>> frame = pl.DataFrame({"x": [1.0, 2.0, 5.0]})
        >>> fit_steps(frame, columns, [MinMax()]).rows["x"].to_list()
        [0.0, 0.25, 1.0]
    """

    learns = (Extremes(),)

    def __init__(
        self,
        low: float = 0.0,
        high: float = 1.0,
        *,
        clip: bool = False,
        columns: ColumnChoice = numbers(),
    ) -> None:
        self.low = low
        self.high = high
        self.clip = clip
        self.columns = columns

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the scaling, and the clipping.

        Raises:
            SettingError: If the range is empty.
        """
        if not self.low < self.high:
            raise SettingError(f"MinMax's low must be below high, received {self!r}")
        names = [info.name for info in columns]
        smallest, largest = learnt[0].T
        with np.errstate(over="ignore", invalid="ignore"):
            width = largest - smallest
            scale = (self.high - self.low) / np.where(width > 0, width, 1.0)
            shift = self.low - smallest * scale
        nodes = [Node.of(_affine(scale, shift), names)]
        if self.clip:
            edges = (np.full(len(names), edge) for edge in (self.low, self.high))
            nodes.append(Node.of(ClipOperation(*edges), names))
        return nodes

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the range of each column."""
        return paired(
            (info.name for info in columns), (f"{a:.4g} to {b:.4g}" for a, b in learnt[0])
        )

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer the other ways to a common scale."""
        return _other_scales(self)


class Robust(Transformer):
    """Scale by median and quartiles, which outliers do not move, and squash what is far away.

    y = (x - median) / (third quartile - first quartile); where the quartiles are equal, half of
    the range takes their place, and a constant column becomes 0. Then y / sqrt(1 + (y / 3)²),
    which stays between -3 and 3. Source: D. Holzmüller, L. Grinsztajn and I. Steinwart, "Better
    by Default" (2024).

    Args:
        squash: What the squashed value approaches; None to leave it as it is.
        columns: The columns to scale.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"x": ColumnInfo("x", "number", "number")}
        >>> frame = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 1e9]})
        >>> fit_steps(frame, columns, [Robust()]).rows["x"].round(3).to_list()
        [-0.949, -0.493, 0.0, 0.493, 3.0]
    """

    learns = (Quantiles((0.25, 0.5, 0.75)), Extremes())

    def __init__(self, *, squash: float | None = 3.0, columns: ColumnChoice = numbers()) -> None:
        self.squash = squash
        self.columns = columns

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the scaling, and the squashing."""
        names = [info.name for info in columns]
        first, median, third = learnt[0].T
        smallest, largest = learnt[1].T
        with np.errstate(over="ignore", invalid="ignore"):
            half = largest / 2 - smallest / 2
            width = np.where(third > first, third - first, half)
            # A width of 0 makes the whole column 0: x * 0 - median * 0.
            scale = np.divide(1.0, width, out=np.zeros_like(width), where=width > 0)
            shift = -median * scale
        nodes = [Node.of(_affine(scale, shift), names)]
        if self.squash is not None:
            nodes.append(Node.of(Squash(np.full(len(names), self.squash)), names))
        return nodes

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the median and the quartiles."""
        shown = (f"{m:.4g} ({a:.4g} to {b:.4g})" for a, m, b in learnt[0])
        return paired((info.name for info in columns), shown)

    def search_space(self) -> Mapping[str, Any]:
        """Answer how strongly to squash."""
        return {"squash": Choice((None, 2.0, 3.0, 5.0))}

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer the other ways to a common scale."""
        return _other_scales(self)


class Quantile(Transformer):
    """Map each column to a normal or uniform distribution by the ranks of its training values.

    A value gets the middle of the ranks that the same value had in training: in a column that is
    92 % zeros, 0 becomes the level 0.46 and the smallest other value 0.92. Between the knots the
    curve is straight, beyond the smallest and the largest training value it is flat. Missing
    stays missing, a constant column becomes the middle. On average the levels are those of
    scikit-learn's `QuantileTransformer`, which differs at the ends.

    Args:
        output: "normal" (mean 0, variance 1) or "uniform" (0 to 1).
        knots: How many quantiles are learnt; None for one for each 30 rows, at least 10 and at
            most 1,000.
        columns: The columns to map.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"x": ColumnInfo("x", "number", "number")}
        >>> frame = pl.DataFrame({"x": [0.0, 0.0, 0.0, 5.0, 900.0]})
        >>> fit_steps(frame, columns, [Quantile("uniform", knots=5)]).rows["x"].to_list()
        [0.25, 0.25, 0.25, 0.75, 0.9]
    """

    def __init__(
        self,
        output: str = "normal",
        *,
        knots: int | None = None,
        columns: ColumnChoice = numbers(),
    ) -> None:
        self.output = output
        self.knots = knots
        self.columns = columns

    def statistics(self, columns: Sequence[ColumnInfo]) -> Sequence[Statistic | BlockStatistic]:
        """Answer the count and the quantiles.

        Raises:
            SettingError: If output or knots cannot be used.
        """
        del columns
        if self.output not in {"normal", "uniform"}:
            raise SettingError(
                f"Quantile's output must be 'normal' or 'uniform', received {self.output!r}"
            )
        if self.knots is not None and self.knots < 2:
            raise SettingError(f"Quantile needs at least 2 knots, received {self.knots!r}")
        levels = np.linspace(0, 1, self.knots or _MOST_KNOTS).tolist()
        return (Count(), Quantiles(tuple(levels), k=_SKETCH))

    def operation(self, *learnt: Any) -> Interpolate:
        """Answer the curve of each column."""
        curves = [self._curve(int(n), quantiles) for n, quantiles in zip(*learnt, strict=True)]
        width = max(len(x) for x, _ in curves)
        padded = [
            (np.pad(x, (0, width - len(x)), constant_values=np.inf), np.pad(y, (0, width - len(y))))
            for x, y in curves
        ]
        return Interpolate(np.stack([x for x, _ in padded]), np.stack([y for _, y in padded]))

    def _curve(
        self, count: int, quantiles: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        levels = np.linspace(0, 1, len(quantiles))
        if self.knots is None and count < 30 * _MOST_KNOTS:
            fewer = np.linspace(0, 1, max(count // 30, 10))
            levels, quantiles = fewer, np.interp(fewer, levels, quantiles)
        return quantile_curve(levels, quantiles, rows=count, normal=self.output == "normal")

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the median of each column."""
        medians = [float(q[len(q) // 2]) for q in learnt[1]]
        return f"to {self.output}; medians " + paired((info.name for info in columns), medians)

    def search_space(self) -> Mapping[str, Any]:
        """Answer the distributions."""
        return {"output": Choice(("normal", "uniform"))}

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer the other ways to a common scale."""
        return _other_scales(self)


class Power(Transformer):
    """Make skewed columns more symmetric by the power of Yeo and Johnson, then standardise them.

    The exponent is the one that makes the values most likely under a normal distribution
    (maximum likelihood), found on 2,000 quantiles of the training rows; it agrees with that of
    scikit-learn's `PowerTransformer` to about 0.01. Source: I.-K. Yeo and R. A. Johnson,
    Biometrika 87 (2000).

    Args:
        columns: The columns to transform.

    Example:
        >>> import polars as pl
        >>> from headrace.plan.plan import ColumnInfo
        >>> from headrace.preprocessing.fit import fit_steps
        >>> columns = {"x": ColumnInfo("x", "number", "number")}
        >>> frame = pl.DataFrame({"x": [float(2**place) for place in range(12)]})
        >>> fitted = fit_steps(frame, columns, [Power()])
        >>> abs(fitted.rows["x"].mean()) < 1e-4, fitted.learnt[0][1]
        (True, 'exponents x: -0.03799')
    """

    learns = (Quantiles(tuple(((np.arange(2000) + 0.5) / 2000).tolist()), k=_SKETCH, linear=False),)

    def __init__(self, *, columns: ColumnChoice = numbers()) -> None:
        self.columns = columns

    def nodes(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> list[Node]:
        """Answer the power, then the scaling."""
        names = [info.name for info in columns]
        exponents = self._exponents(learnt)
        made = [transformed(x, p) for x, p in zip(learnt[0], exponents, strict=True)]
        with np.errstate(over="ignore", invalid="ignore"):
            mean, deviation = np.mean(made, axis=1), np.std(made, axis=1)
        deviation = np.where(deviation > _EPSILON * np.abs(mean), deviation, 1.0)
        deviation[np.isinf(deviation)] = np.nan  # squares beyond 64 bits: the column is left alone
        return [
            Node.of(PowerOperation(exponents), names),
            Node.of(_affine(1 / deviation, -mean / deviation), names),
        ]

    def _exponents(self, learnt: Sequence[Any]) -> NDArray[np.float64]:
        return np.array([best_exponent(values) for values in learnt[0]])

    def describe(self, columns: Sequence[ColumnInfo], learnt: Sequence[Any]) -> str:
        """Name the exponents."""
        exponents = self._exponents(learnt).tolist()
        return "exponents " + paired((info.name for info in columns), exponents)

    def alternatives(self) -> Sequence[Step | tuple[Step, ...] | None]:
        """Answer the other ways to a common scale."""
        return _other_scales(self)


def _other_scales(step: Transformer) -> tuple[Step | tuple[Step, ...] | None, ...]:
    """Answer the ways to a common scale that differ most, without the one that is there.

    Standardized columns come with and without their outliers moved in.
    """
    from headrace.preprocessing.clean import Clip

    chosen = step.columns
    ways: tuple[Transformer, ...] = (
        Quantile(columns=chosen),
        Robust(columns=chosen),
        Standardize(columns=chosen),
    )
    clipped = (Clip(columns=chosen), Standardize(columns=chosen))
    return (*(way for way in ways if type(way) is not type(step)), clipped)


def _affine(scale: NDArray[np.float64], shift: NDArray[np.float64]) -> Affine:
    """Leave a column as it is where nothing was learnt, or something beyond 64 bits."""
    usable = np.isfinite(scale) & np.isfinite(shift)
    return Affine(np.where(usable, scale, 1.0), np.where(usable, shift, 0.0))
