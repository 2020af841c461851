"""Where a model is weak: probabilities, thresholds by cost, slices and groups of people.

    python examples/slices.py [folder for the pictures]

Source of the table: Becker and Kohavi (1996), "Adult", UCI Machine Learning Repository, CC BY 4.0.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import headrace as hr


def main(folder: Path | None) -> None:
    people = pl.read_csv(hr.samples.adult())
    train, test = hr.split(people, share=0.4, stratify="income")
    pipe = hr.Pipeline(target="income", network=hr.Network([64, 64], epochs=8))
    pipe.train(train)
    evaluation = hr.Evaluate(importance=False, compare=(), slices=False).measure(pipe, test)

    results = {
        "calibration": evaluation.calibration(),
        # A letter to somebody who earns little costs 1, one not sent to somebody who does costs 5.
        "thresholds": evaluation.thresholds({"false_positive": 1, "false_negative": 5}),
        "lift": evaluation.lift(),
        # Rows that are hard for everybody have a large error; "surprise" asks where the model is
        # worse than it says.
        "slices": hr.find_slices(pipe, test),
        "surprises": hr.find_slices(pipe, test, loss="surprise"),
        "fairness": hr.fairness(pipe, test, by="gender", reference="Male"),
    }
    for name, result in results.items():
        print(f"\n== {name}\n{result.summary()}")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            result.plot().figure.savefig(folder / f"{name}.png", bbox_inches="tight")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
