"""Why does the model say that?

    python examples/explain.py

Trains on the Adult table, then shows what the columns add to the answers, one person's answer, what
would have to be different for that person, and how the answer goes with age.
"""

from __future__ import annotations

import polars as pl

import headrace as hr
from headrace.evaluate import accumulated_effects, counterfactual


def main() -> None:
    """Explain the model as a whole, then one answer."""
    adults = pl.read_csv(hr.samples.adult()).sample(8_000, seed=0)
    train, test = hr.split(adults, share=0.2)
    pipe = hr.Pipeline(target="income", network=hr.Network(preset="fast"))
    pipe.train(train)
    print(hr.explain(pipe, test, top=1), "\n")
    person = test[:1]
    print(hr.explain(pipe, person), "\n")
    print(counterfactual(pipe, person, frozen=["age", "gender", "race", "native-country"]), "\n")
    print(accumulated_effects(pipe, test, "age", points=8))


if __name__ == "__main__":
    main()
