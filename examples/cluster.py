"""The same pipeline on a cluster: statistics, scores and intervals by Dask workers.

    python examples/cluster.py

Starts two workers on this machine; `Client("tcp://scheduler:8786")` would be any other cluster.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import headrace as hr

if TYPE_CHECKING:
    from distributed import Client

ROWS = 60_000


def houses(rows: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    size = random.lognormal(4.5, 0.4, rows)
    town = random.choice(["Rome", "Oslo", "Bern"], rows)
    noise = random.normal(0, 20, rows)
    dear = 3 * size + 80 * (town == "Bern") + noise > 330
    return pl.DataFrame({"size": size, "town": town, "dear": np.where(dear, "yes", "no")})


def main(client: Client) -> None:
    pipe = hr.Pipeline(
        [
            hr.clean.Impute(),
            hr.transform.Encode(),
            hr.normalize.Standardize(),
            hr.Network([16], epochs=3),
        ],
        target="dear",
        executor=client,
    )
    pipe.train(houses(20_000, seed=0))
    with tempfile.TemporaryDirectory() as folder:
        for part in range(4):
            houses(ROWS // 4, seed=part).write_parquet(Path(folder) / f"{part}.parquet")
        answers = pipe.predict(f"{folder}/*.parquet")  # each worker reads its own files
    print(f"{len(answers):,} houses scored, {np.mean(answers == 'yes'):.0%} of them dear")
    evaluation = pipe.evaluate(houses(20_000, seed=9), compare=(), importance=False)
    print(evaluation.summary())


if __name__ == "__main__":
    if find_spec("distributed") is None:
        print("this example needs Dask: pip install 'headrace[cluster]'")
        sys.exit()
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as connected,
    ):
        main(connected)
