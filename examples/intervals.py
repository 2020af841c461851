"""How sure is an answer? Intervals and sets that hold the truth as often as they say.

    python examples/intervals.py

House prices of California with intervals that hold in every kind of district; printed letters with
sets of the letters that cannot be ruled out, served by a release without TensorFlow; and a year of
flights, whose delays grow in summer: intervals that were calibrated in spring fail, those that
learn from yesterday's delays do not. Pictures: intervals_coverage.png, intervals_year.png.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

import headrace as hr

DATA = Path(__file__).resolve().parents[1] / "data"


def homes() -> None:
    """Intervals of a number, from quantiles, with the same promise in every group."""
    train, test = hr.split(pl.read_csv(DATA / "california_housing.csv.gz"), share=0.3)
    network = hr.Network(
        preset="fast",
        quantiles=(0.05, 0.5, 0.95),
        conformal=hr.Conformal(share=0.2, by="ocean_proximity"),
    )
    pipe = hr.Pipeline(target="median_house_value", network=network)
    pipe.train(train)
    print(pipe.predict(test, interval=0.9).head(3))
    result = hr.coverage(pipe, test, 0.9)
    print(result)
    result.plot().get_figure().savefig("intervals_coverage.png")


def letters() -> None:
    """Sets of classes, calibrated afterwards with rows of their own, and served."""
    rows = pl.read_csv(DATA / "letter.csv.gz")
    train, rest = hr.split(rows, share=0.8)  # few rows to learn from: many letters stay unclear
    spare, test = hr.split(rest, share=0.5, seed=1)
    pipe = hr.Pipeline(target="lettr", network=hr.Network("linear", epochs=10))
    pipe.train(train)
    print(pipe.calibrate(spare))
    print(hr.coverage(pipe, test, 0.95))
    with tempfile.TemporaryDirectory() as folder:
        pipe.deploy(folder)
        answer = hr.Runtime(folder).predict(test.drop("lettr").head(5), interval=0.95)
    for label, letter_set in zip(answer["prediction"], answer["set"], strict=True):
        print(f"{label}: one of {' '.join(letter_set)}")


def flights() -> None:
    """Intervals of a stream that drifts; each day's delays are known on the next one."""
    columns = ["month", "day", "sched_dep_time", "carrier", "origin", "distance", "arr_delay"]
    rows = pl.read_csv(DATA / "flights_sample.csv.gz", null_values="NA").select(columns)
    rows = rows.drop_nulls().sort("month", "day", "sched_dep_time")
    spring, later = rows.filter(pl.col("month") < 4), rows.filter(pl.col("month") >= 4)
    network = hr.Network("linear", epochs=10, loss="mae", conformal=0.5)
    pipe = hr.Pipeline([hr.transform.Drop(["month", "day"]), hr.transform.Encode(), network])
    pipe.set_params(target="arr_delay").train(spring)
    plain = pipe.predict(later, interval=0.9)
    live = hr.AdaptiveIntervals(pipe, 0.9, rate=0.02, window=500)
    ends, yesterday = [], None
    for number, (_, day) in enumerate(later.group_by("month", "day", maintain_order=True)):
        keys = [(number, place) for place in range(day.height)]
        ends.append(pl.DataFrame(live.predict(day.drop("arr_delay"), keys)))
        if yesterday is not None:
            live.learn(*yesterday)
        yesterday = (keys, day["arr_delay"].to_list())
    delay = later["arr_delay"]
    shares = pl.DataFrame(
        {
            "month": later["month"],
            "calibrated in spring": delay.is_between(plain["low"], plain["high"]),
            "adaptive": delay.is_between((said := pl.concat(ends))["low"], said["high"]),
        }
    )
    by_month = shares.group_by("month", maintain_order=True).mean()
    print(by_month)
    print(f"the adaptive ones held {live.coverage:.1%} of {live.labels:,} delays")
    draw(by_month)


def draw(by_month: pl.DataFrame) -> None:
    """Draw the share of delays inside the intervals, month by month."""
    ax = Figure(figsize=(6, 3.4), layout="constrained").add_subplot()
    for name in by_month.columns[1:]:
        ax.plot(by_month["month"], by_month[name], "o-", label=name)
    ax.axhline(0.9, color="0.3", linestyle="--", linewidth=1)
    ax.set(title="Flights of 2013", xlabel="month", ylabel="share of delays inside")
    ax.set_xticks(np.arange(4, 13))
    ax.legend()
    ax.get_figure().savefig("intervals_year.png", dpi=150)


if __name__ == "__main__":
    homes()
    letters()
    flights()
