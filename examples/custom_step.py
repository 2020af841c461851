"""Steps of one's own: one that becomes part of the deployed graph, and one in free Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

import headrace as hr

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LogScale(hr.Transformer):
    """Standardise the logarithm of positive, long-tailed numbers."""

    columns = hr.columns("price", "area")
    learns = (hr.Extremes(),)

    def operation(self, extremes: NDArray[np.float64]) -> hr.Operation:
        low, high = extremes[:, 0], extremes[:, 1]
        return LogBetween(low, high)


class LogBetween(hr.Operation):
    """y = log(x / low) / log(high / low): 0 at the smallest, 1 at the largest value."""

    low: hr.FloatArray
    high: hr.FloatArray

    def polars(self, columns: list[pl.Expr]) -> list[pl.Expr]:
        limits = zip(columns, self.low, self.high, strict=True)
        return [(x / low).log() / np.log(high / low) for x, low, high in limits]

    def tensorflow(self, block: Any) -> Any:
        import tensorflow as tf

        return tf.math.log(block / self.low) / np.log(self.high / self.low)


class PricePerArea(hr.PythonTransformer):
    """Add the price of a square metre; any Python on a Polars frame."""

    def transform(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns((pl.col("price") / pl.col("area")).alias("per_area"))


def homes(rows: int = 500) -> pl.DataFrame:
    random = np.random.default_rng(0)
    area = random.uniform(20, 200, rows)
    price = area * random.lognormal(8, 0.5, rows)
    return pl.DataFrame({"area": area, "price": price, "sold": price / area < np.exp(8)})


def main() -> None:
    table = homes()
    network = hr.Network([16], epochs=30, patience=None)

    portable = hr.Pipeline([LogScale(), network], target="sold")
    portable.train(table)
    print(portable.verify(table).summary())

    free = hr.Pipeline([PricePerArea(), hr.normalize.Standardize(), network], target="sold")
    free.train(table)
    print(f"in Python: accuracy {free.evaluate(table).metrics['accuracy'].value:.3f}")
    print(f"part of a graph: {free.plan.portable}")


if __name__ == "__main__":
    main()
