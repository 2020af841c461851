"""Three clusters in the first two columns of a CSV file, and a picture of them.

    python examples/clusters.py [table.csv] [picture.png]

Without a table it takes the airports of the United States by longitude and latitude.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import headrace as hr
from headrace.visualization import cluster_scatter

HERE = Path(__file__).resolve().parent


def main(table: Path, picture: Path) -> None:
    rows = pl.read_csv(table)
    names = rows.columns[:2]
    kmeans = hr.KMeans(3, init="k-means++", max_iter=100, n_init=10, random_state=0)
    pipe = hr.Pipeline([kmeans], kinds=dict.fromkeys(names, "number"))
    pipe.train(rows.select(names))
    labels = pipe.predict(rows.select(names))

    print(pipe.evaluate(rows.select(names)).summary())
    print(hr.cluster_cards(pipe, rows).summary())
    far = hr.outlier_scores(pipe, rows.select(names))
    print("farthest out:", rows[far.argsort()[-3:]].rows())
    axes = cluster_scatter(
        rows.select(names).to_numpy(),
        labels.to_numpy(),
        pipe.fitted.clusters.centres,
        columns=names,
    )
    axes.figure.savefig(picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(
        *given[:1] or [HERE.parent / "data" / "airports.csv"], *given[1:2] or [Path("clusters.png")]
    )
