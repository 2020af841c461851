"""Is it better, and for sure? Two pipelines on the same rows, and how steady the better one is.

python examples/compare.py
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import headrace as hr

DATA = Path(__file__).resolve().parents[1] / "data" / "adult.csv.gz"


def main() -> None:
    people = pl.read_csv(DATA).sample(12_000, seed=0).drop_nulls("occupation")
    known, new = hr.split(people, share=0.4, stratify="income")

    network = hr.Network([32], epochs=6)
    every = hr.Pipeline(target="income", network=network)
    every.train(known)
    fewer = hr.Pipeline(target="income", network=network)
    fewer.train(known.drop("capital-gain", "capital-loss"))

    # The same rows judge both, so what makes a row hard for both drops out.
    print(hr.compare(every, fewer, new).summary("the one without capital"))
    print(hr.compare(every, "gradient_boosting", new).summary("boosting"))

    # A difference below one hundredth does not matter here: that can be an answer, too.
    accuracy = hr.compare(every, "gradient_boosting", new, metric="accuracy", smallest_effect=0.01)
    print(accuracy.summary("boosting"))

    # Rows of one occupation are alike, so they are drawn together: the interval is wider.
    print(hr.compare(every, fewer, new, groups="occupation").summary("the one without capital"))

    # What should not count: a little noise in the numbers.
    print()
    print(hr.stability(every, new, noise=0.05).summary())


if __name__ == "__main__":
    main()
