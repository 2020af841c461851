"""Five real tables with the default pipeline: score, seconds of training, and parity of all paths.

    python benchmarks/tables.py [--only adult california] [--seeds 1] [--data FOLDER]

Each table is split 64/16/20: the network learns from the first part, the second decides when it
stops, the third is measured. Beside it stands scikit-learn's HistGradientBoosting on the same rows.
The full flights table is used when FOLDER holds it, else the sample in data/.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import headrace as hr

DATA = Path(__file__).resolve().parents[1] / "data"


@dataclass(frozen=True)
class Table:
    """A table, its target and the metric that counts."""

    file: str
    target: str
    metric: str
    full: str = ""


TABLES = {
    "adult": Table("adult.csv.gz", "income", "roc_auc"),
    "california": Table("california_housing.csv.gz", "median_house_value", "rmse"),
    "diamonds": Table("diamonds.csv.gz", "price", "rmse"),
    "letter": Table("letter.csv.gz", "lettr", "accuracy"),
    "flights": Table("flights_sample.csv.gz", "late", "roc_auc", "nycflights13_flights.csv.gz"),
}
KNOWN_LATER = ["dep_time", "dep_delay", "arr_time", "air_time", "arr_delay"]


def read(table: Table, folder: Path) -> pl.DataFrame:
    full = folder / table.full
    path = full if table.full and full.is_file() else DATA / table.file
    rows = pl.read_csv(path, infer_schema_length=None, null_values="NA")
    if table.target != "late":
        return rows
    arrived = rows.filter(pl.col("arr_delay").is_not_null() & pl.col("arr_delay").is_not_nan())
    return arrived.with_columns((pl.col("arr_delay") > 30).alias("late")).drop(KNOWN_LATER)


def measure(name: str, seed: int, folder: Path) -> str:
    table = TABLES[name]
    train, test = hr.split(read(table, folder), share=0.2, stratify=table.target, seed=seed)
    pipe = hr.Pipeline(target=table.target, seed=seed)
    start = time.perf_counter()
    result = pipe.train(train)
    seconds = time.perf_counter() - start
    evaluation = pipe.evaluate(test, primary=table.metric, importance=False)
    metric = evaluation.metrics[table.metric]
    rival = evaluation.comparisons["gradient_boosting"]
    parity = pipe.verify(test).difference
    return (
        f"{name:<11}{train.height + test.height:>8,}{table.metric:>10}{metric.value:>11.5g}"
        f"  ({metric.low:.5g} to {metric.high:.5g}){rival.reference:>11.5g}  {rival.verdict:<24}"
        f"{seconds:>7.1f}{result.epochs:>5}{parity:>10.1e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA, help="a folder with the full tables")
    given = parser.parse_args()
    print(
        "table          rows    metric   headrace  (95 % interval)      boosting  "
        "verdict                 seconds epochs parity"
    )
    for name in given.only:
        for seed in range(given.seeds):
            print(measure(name, seed, given.data), flush=True)


if __name__ == "__main__":
    main()
