"""Assess a table before anything is trained on it: quality, relations, leaks, patterns.

    python examples/assess.py

Plants a leak in a table of houses, finds it, and writes a page about it.
"""

from __future__ import annotations

import numpy as np
import polars as pl

import headrace as hr

ROWS = 3_000


def houses() -> pl.DataFrame:
    random = np.random.default_rng(0)
    size = random.lognormal(4.5, 0.4, ROWS)
    town = random.choice(["Rome", "Oslo", "Bern"], ROWS)
    price = 100 + 3 * size + 80 * (town == "Bern") + random.normal(0, 30, ROWS)
    return pl.DataFrame(
        {
            "size": size,
            "town": town,
            "rooms": np.round(size / 25),
            "fee": 0.03 * price + random.normal(0, 0.2, ROWS),  # paid after the sale
            "country": "here",
            "price": price,
        }
    )


if __name__ == "__main__":
    found = hr.profile(houses(), "price")
    print(found.summary())
    print(f"\n{len(found.problems)} problems; report: {found.write('houses.html')}")
