"""Cleaning, encoding and the network, tuned together for small errors and quick answers.

    python examples/tune.py [picture.png]

The search space is read from the steps, shown, and changed before it is searched. The study lies in
a file: run `pipe.tune` again with the same file and more trials, and it goes on.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl

import headrace as hr

DATA = Path(__file__).resolve().parents[1] / "data"


def main(picture: str | None) -> None:
    homes = pl.read_csv(DATA / "california_housing.csv.gz").sample(3_000, seed=0)
    train, test = hr.split(homes, share=0.2)
    pipe = hr.Pipeline(
        [
            hr.transform.Encode(),
            hr.clean.Impute(),
            hr.normalize.Standardize(),
            hr.Network([32, 32], embedding=None, epochs=12, batch_size=128, learning_rate=0.001),
        ],
        target="median_house_value",
    )

    space = hr.search_space(pipe, train)
    print(space, "\n")
    space = space.fixed("encode_0", "network_3__hidden").changed(
        network_3__learning_rate=hr.Real(1e-3, 3e-2, log=True)
    )

    with tempfile.TemporaryDirectory() as folder:
        result = pipe.tune(
            train,
            trials=6,
            space=space,
            objectives=("rmse", "latency"),
            storage=Path(folder) / "study.db",
        )
    print(result.summary(), "\n")
    if picture:
        result.plot().figure.savefig(picture)

    if not pipe.is_trained:  # the old settings stayed
        pipe.train(train)
    print(pipe)
    print(pipe.evaluate(test, compare=(), importance=False).summary())


if __name__ == "__main__":
    main(*(sys.argv[1:] or [None]))
