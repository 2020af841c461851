"""A stage of one's own among the others: refuse to deploy a model that is not good enough."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import headrace as hr

HERE = Path(__file__).resolve().parent


class Gate(hr.Stage):
    """Stop the run unless the lower end of a metric's interval is high enough."""

    def __init__(self, metric: str, *, least: float) -> None:
        self.metric = metric
        self.least = least

    def run(self, pipeline: hr.Pipeline, context: hr.Context) -> None:
        found = context.results["evaluate"].metrics[self.metric]
        if found.low < self.least:
            raise SystemExit(f"{self.metric} may be as low as {found.low:.3f}: not deployed")
        print(f"{self.metric} is at least {found.low:.3f}: may be deployed")


def main(folder: Path) -> None:
    diamonds = pl.read_csv(HERE.parent / "data" / "diamonds.csv.gz").sample(5_000, seed=0)
    pipe = hr.Pipeline(
        [hr.transform.Encode(), hr.normalize.Standardize(), hr.Network([64, 64], epochs=40)],
        target="price",
        stages=[hr.Train(), hr.Evaluate(), Gate("r2", least=0.9), hr.Deploy()],
    )
    result = pipe.run(diamonds, to=folder)
    print(result["deploy"].summary())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("diamonds"))
