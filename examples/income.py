"""The whole life of a model that tells who earns more than 50,000 dollars a year.

    python examples/income.py [folder]

Source of the table: Becker and Kohavi (1996), "Adult", UCI Machine Learning Repository, CC BY 4.0.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import headrace as hr


def main(folder: Path) -> None:
    people = pl.read_csv(hr.samples.adult())
    known, later = hr.split(people, share=0.2, stratify="income")
    train, test = hr.split(known, share=0.25, stratify="income")

    # Seconds a training; without `network=` it takes longer and is a little better.
    pipe = hr.Pipeline(target="income", network=hr.Network(preset="fast"))
    print(pipe.train(train).summary())
    print(pipe)

    print(pipe.evaluate(test).summary())

    print(pipe.tune(train, trials=3).summary())

    release = pipe.deploy(folder / "registry")
    print(release.summary())

    answers = hr.Runtime(release.path).predict(test.drop("income").head(3).to_dicts())
    print(f"the release answers: {list(answers)}")

    print("\nNew rows, as they were before:")
    print(pipe.maintain(later).summary())

    print("\nNew rows after a change of the survey: hours by the day, not by the week:")
    changed = later.with_columns(pl.col("hours-per-week") / 5)
    print(pipe.maintain(changed.drop("income")).summary())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("income"))
