"""One network on several workers: each owns a part of the rows, and the weights are those of one.

Here the workers are two processes on this machine. On a cluster each worker of Dask is one:

    client = distributed.Client("tcp://scheduler:8786")
    pipe = hr.Pipeline([..., hr.Network(workers=8)], target="wins", executor=client)
"""

from __future__ import annotations

import numpy as np
import polars as pl

import headrace as hr


def games(count: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    attack, defence = random.normal(size=(2, count))
    wins = attack * defence + 0.3 * random.normal(size=count) > 0
    return pl.DataFrame({"attack": attack, "defence": defence, "wins": wins})


def pipeline(workers: int | None) -> hr.Pipeline:
    network = hr.Network([16, 16], dropout=0.0, epochs=10, batch_size=64, workers=workers)
    return hr.Pipeline([hr.normalize.Standardize(), network], target="wins")


def main() -> None:
    rows = games(3_000)
    one, two = pipeline(None), pipeline(2)
    for name, pipe in (("one process", one), ("two workers", two)):
        losses = pipe.train(rows).history["val_loss"]
        print(f"{name}: validation loss {losses[0]:.4f} … {losses[-1]:.4f}")
    apart = np.abs(one.predict_proba(rows) - two.predict_proba(rows)).max()
    print(f"their probabilities differ by at most {apart:.1e}")


if __name__ == "__main__":
    main()
