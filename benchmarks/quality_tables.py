"""The tables of `quality.py`: which rows, which target, which metric, and how they are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SAMPLE = 60_000
"""Rows of the flights unless all are asked for."""


@dataclass(frozen=True)
class Table:
    """A table, its target and the metric that counts.

    Attributes:
        files: The names that the file may have; the first one found is read.
        target: The column to predict.
        task: "binary", "multiclass" or "regression".
        metric: "roc_auc" (higher is better), "log_loss" or "rmse".
        time: The column that the rows are ordered by before they are split; none for any rows.
        tidy: What is done with the rows as they are read.
    """

    files: tuple[str, ...]
    target: str
    task: str
    metric: str
    time: str | None = None
    tidy: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows


@dataclass(frozen=True)
class Parts:
    """The rows to learn from, to stop by and to measure, with the target."""

    table: Table
    train: pl.DataFrame
    valid: pl.DataFrame
    test: pl.DataFrame

    @property
    def classes(self) -> list[Any]:
        """The labels, sorted; empty for regression."""
        if self.table.task == "regression":
            return []
        return self.train[self.table.target].unique().sort().to_list()

    def truth(self, part: pl.DataFrame) -> np.ndarray:
        """Answer class numbers or values."""
        labels = part[self.table.target]
        if self.table.task == "regression":
            return labels.to_numpy().astype(np.float64)
        places = {label: place for place, label in enumerate(self.classes)}
        return np.array([places[label] for label in labels])


KNOWN_LATER = ("dep_time", "dep_delay", "arr_time", "air_time", "arr_delay")


def _flights(rows: pl.DataFrame) -> pl.DataFrame:
    arrived = rows.filter(pl.col("arr_delay").is_not_null() & pl.col("arr_delay").is_not_nan())
    late = pl.when(pl.col("arr_delay") > 30).then(pl.lit("late")).otherwise(pl.lit("in time"))
    return arrived.with_columns(late.alias("late")).drop(KNOWN_LATER)


def _without(*names: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.drop(names)


TABLES = {
    "adult": Table(("adult.csv.gz",), "income", "binary", "roc_auc"),
    "credit": Table(
        ("credit_default_taiwan.csv.gz",),
        "default.payment.next.month",
        "binary",
        "roc_auc",
        tidy=_without("ID"),
    ),
    "flights": Table(
        ("nycflights13_flights.csv.gz", "flights_sample.csv.gz"),
        "late",
        "binary",
        "roc_auc",
        time="time_hour",
        tidy=_flights,
    ),
    "diamonds": Table(("diamonds.csv.gz",), "price", "regression", "rmse"),
    "california": Table(("california_housing.csv.gz",), "median_house_value", "regression", "rmse"),
    "letter": Table(("letter.csv.gz",), "lettr", "multiclass", "log_loss"),
    "deliveries": Table(("food_deliveries.csv.gz",), "time_to_delivery", "regression", "rmse"),
    "metro": Table(
        ("metro_interstate_traffic.csv.gz",),
        "traffic_volume",
        "regression",
        "rmse",
        time="date_time",
    ),
}


def find(name: str, folder: Path) -> Path | None:
    """Answer the file of a table; None where the folder has none."""
    return next((folder / f for f in TABLES[name].files if (folder / f).is_file()), None)


def split(name: str, path: Path, *, seed: int, everything: bool = False) -> Parts:
    """Answer 64 % of the rows to learn from, 16 % to stop by and 20 % to measure.

    Rows with a time are split in its order, so that the newest are measured.
    """
    table = TABLES[name]
    rows = table.tidy(pl.read_csv(path, infer_schema_length=None, null_values="NA"))
    random = np.random.default_rng(seed)
    order = random.permutation(rows.height)
    if table.time and not everything:
        order = order[:SAMPLE]
    rows = rows[order]
    if table.time:
        rows = rows.sort(table.time, maintain_order=True)
    first, second = round(0.64 * rows.height), round(0.8 * rows.height)
    return Parts(table, rows[:first], rows[first:second], rows[second:])
