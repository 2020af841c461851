"""How often a search for slices finds something in noise, and what is there, and how fast.

On noise the loss has nothing to do with the columns, so everything that is found is false: it
should happen in at most 5 of 100 tables. The same search tested on the rows that it chose by shows
what held-out rows are for. A planted slice is a cross of two columns with a larger loss.

    python benchmarks/slices.py            # about five minutes
    python benchmarks/slices.py --tiny
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.stats import false_discovery_control, ttest_ind

from headrace.data.levels import Levels, levels_of
from headrace.evaluate.slices import search_slices

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LOSSES: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "uniform": lambda random, rows: random.random(rows),
    "left-skewed": lambda random, rows: random.beta(6, 1, rows),
    "exponential": lambda random, rows: random.exponential(size=rows),
    "0 or 1, 5 %": lambda random, rows: (random.random(rows) < 0.05).astype(np.float64),
    "lognormal": lambda random, rows: random.lognormal(0, 1.5, rows),
}


def columns(random: np.random.Generator, rows: int, number: int) -> list[Levels]:
    """Half of them numbers in four parts, half categories of unlike frequency, a tenth missing."""
    found = []
    for place in range(number):
        missing = random.random(rows) < 0.1
        if place % 2:
            words = np.char.add("v", random.geometric(0.3, rows).astype(str))
            values = pl.Series(f"c{place}", np.where(missing, "", words))
            found.append(levels_of(values, "category", fewest=30))
        else:
            values = pl.Series(f"c{place}", np.where(missing, np.nan, random.normal(size=rows)))
            found.append(levels_of(values, "number"))
    return found


def same_rows(loss: NDArray[np.float64], groups: list[Levels]) -> bool:
    """Answer whether something is found when pairs are tested on the rows that chose them."""
    best = []
    for one, two in combinations(groups, 2):
        codes = one.codes * len(two.names) + two.codes
        counts = np.bincount(codes)
        means = np.bincount(codes, loss) / np.maximum(counts, 1)
        means[counts < 60] = -np.inf
        best.append((means.max(), codes == means.argmax()))
    best.sort(key=lambda found: -found[0])
    tests = [
        ttest_ind(loss[inside], loss[~inside], equal_var=False, alternative="greater").pvalue
        for _, inside in best[:20]
    ]
    return bool((false_discovery_control(tests) <= 0.05).any())


def noise(rows: int, number: int, tables: int) -> None:
    """Print how often something is found in noise."""
    print(f"\nnoise: {tables} tables of {rows:,} rows, {number} columns and their pairs")
    print(f"{'loss':<14} {'headrace':>9} {'same rows':>10}")
    for name, draw in LOSSES.items():
        found, naive = 0, 0
        for table in range(tables):
            random = np.random.default_rng([table, rows, 1])
            groups, loss = columns(random, rows, number), draw(random, rows)
            found += bool(search_slices(loss, groups, seed=table).found)
            naive += same_rows(loss, groups)
        print(f"{name:<14} {found / tables:>9.1%} {naive / tables:>10.1%}", flush=True)


def planted(rows: int, tables: int) -> None:
    """Print how often a planted cross of two columns is the first find."""
    print(
        f"\nplanted: {tables} tables of {rows:,} rows, a cross of two columns (about 4 % of rows)"
    )
    print(f"{'larger by':<14} {'first find':>10} {'any find':>9} {'interval holds':>15}")
    for effect in (0.25, 0.5, 1.0):
        first, some, holds = 0, 0, []
        for table in range(tables):
            random = np.random.default_rng([table, 7])
            groups = columns(random, rows, 10)
            inside = (groups[0].codes == 1) & (groups[1].codes == 1)
            loss = random.exponential(size=rows) + effect * inside
            found = search_slices(loss, groups, seed=table).found
            some += bool(found)
            name = f"{groups[0].names[1]} and {groups[1].names[1]}"
            first += bool(found) and found[0].name == name
            holds += [one.low <= effect <= one.high for one in found if one.name == name]
        share = f"{np.mean(holds):.1%}" if holds else "-"
        line = f"{effect:<14} {first / tables:>10.1%} {some / tables:>9.1%} {share:>15}"
        print(line, flush=True)


def speed(rows: int, number: int) -> None:
    """Print the time of a search, and of a Polars group-by for each pair."""
    random = np.random.default_rng(0)
    groups, loss = columns(random, rows, number), random.exponential(size=rows)
    frame = pl.DataFrame({one.column: one.codes for one in groups} | {"loss": loss})
    took: dict[str, list[float]] = {"headrace": [], "group_by": []}
    for _ in range(5):
        start = time.perf_counter()
        search_slices(loss, groups)
        took["headrace"].append(time.perf_counter() - start)
        start = time.perf_counter()
        for pair in combinations(frame.columns[:-1], 2):
            loss_of = pl.col("loss")
            frame.group_by(pair).agg(pl.len(), loss_of.mean(), loss_of.var().alias("spread"))
        took["group_by"].append(time.perf_counter() - start)
    own, other = (statistics.median(took[name]) for name in ("headrace", "group_by"))
    print(f"\nspeed: {rows:,} rows, {number} columns and their pairs, median of 5")
    print(f"headrace, search and tests  {own:.2f} s")
    print(f"Polars, group-bys alone     {other:.2f} s ({other / own:.1f}x)")


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a minute at most")
    parser.add_argument("--tables", type=int, default=400)
    given = parser.parse_args()
    tables = 20 if given.tiny else given.tables
    noise(1_000, 10, tables)
    noise(4_000, 20, tables // 4 if given.tiny else tables)
    planted(4_000, tables)
    speed(*((10_000, 8) if given.tiny else (100_000, 20)))


if __name__ == "__main__":
    main()
