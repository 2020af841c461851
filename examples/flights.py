"""Will a flight be more than 30 minutes late? Dates, many levels, and a split by time.

    python examples/flights.py [flights.csv.gz]

Without a table it takes 40,000 of the flights that left New York City in 2013; the full table of
nycflights13 (CC0) has 336,776. What is known only after departure is not used.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import headrace as hr

HERE = Path(__file__).resolve().parent
KNOWN_LATER = ["dep_time", "dep_delay", "arr_time", "air_time", "arr_delay"]


def read(table: Path) -> pl.DataFrame:
    flights = pl.read_csv(table, infer_schema_length=None, null_values="NA")
    arrived = flights.filter(pl.col("arr_delay").is_not_null() & pl.col("arr_delay").is_not_nan())
    return arrived.with_columns((pl.col("arr_delay") > 30).alias("late")).drop(KNOWN_LATER)


def main(table: Path) -> None:
    flights = read(table)
    train, test = hr.split(flights, share=0.2, time="time_hour")

    pipe = hr.Pipeline(target="late", kinds={"flight": "category", "hour": "category"})
    training = pipe.train(train, validation=hr.Split(share=0.2, time="time_hour"))
    print(training.summary())
    print(pipe.schema.summary())

    print(pipe.evaluate(test).summary())
    print(pipe.verify(test.head(1000)).summary())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "data" / "flights_sample.csv.gz")
