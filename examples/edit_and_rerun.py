"""Edit a step and run again: what has not changed is not done again, and the run says so."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import polars as pl

import headrace as hr

HERE = Path(__file__).resolve().parent


def main(folder: Path) -> None:
    """Run a pipeline three times: the first time, unchanged, and with another last step."""
    diamonds = pl.read_csv(HERE.parent / "data" / "diamonds.csv.gz").sample(5_000, seed=0)
    for epochs in (10, 10, 20):
        pipe = hr.Pipeline(
            [
                hr.clean.Impute(),
                hr.transform.Encode(),
                hr.normalize.Standardize(),
                hr.Network([64, 64], epochs=epochs),
            ],
            target="price",
            stages=[hr.Train(), hr.Evaluate(compare=(), resamples=200), hr.Deploy()],
        )
        start = time.perf_counter()
        result = pipe.run(diamonds, to=folder)
        print(f"\n{epochs} epochs, {time.perf_counter() - start:.1f} s")
        print(result.cache)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "headrace-rerun"))
