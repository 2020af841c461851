"""How often drift reports raise a false alarm, and what they find.

Tables are drawn twice from one distribution, as the reference and as new rows: every alarm is
false. Our report states that at most 1 of 100 such reports names any column. Beside it stand fixed
rules that are in wide use, on the same draws:

- JS: Jensen–Shannon distance (natural logarithm) of 0.1 or more. It is the default of Evidently for
  references of over 1,000 rows (categories; numbers with few values), by its source
  `stattests/registry.py`; bins by Sturges' rule over both samples, as there.
- PSI: population stability index of 0.1 ("look") or 0.25 ("act") or more, on the same bins; the
  thresholds come from credit scoring (Yurdakul and Naranjo discuss them).
- p<.05: chi-square (values) or Kolmogorov–Smirnov (numbers) in each column, not corrected; the
  default of Evidently for smaller references.

The second table is the power: one of 20 columns is changed by a stated amount.

    python benchmarks/monitoring.py                  # about two hours
    python benchmarks/monitoring.py --batches 60     # a first look
    python benchmarks/monitoring.py --only alarms --tables "20 columns" --alone
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import stats
from scipy.special import ndtr

from headrace.data.profile import profile
from headrace.data.schema import Column, Schema
from headrace.maintain.drift import drift

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from headrace.data.schema import Kind

REFERENCE_ROWS = 5_000
NEW_ROWS = (50, 200, 1_000, 10_000)
BATCHES_A_REFERENCE = 2

KINDS: dict[str, Kind] = {
    "normal": "number",
    "price": "number",
    "heavy": "number",
    "zeros": "number",
    "rating": "number",
    "gaps": "number",
    "flag": "boolean",
    "city": "category",
    "brand": "category",
    "postcode": "category",
}
"""Columns of the mixed tables: normal; log-normal; Cauchy; 97 % zeros; 1 to 5 stars; 2 % missing;
true in 2 %; one frequent and 25 rare values; 2,000 values by Zipf's law; 250 equal ones."""

WEIGHTS = {
    "city": np.array([0.9, *[0.004] * 25]),
    "brand": 1 / np.arange(1, 2_001),
    "postcode": np.ones(250),
}


def draw(
    random: np.random.Generator, rows: int, names: Sequence[str], correlation: float
) -> pl.DataFrame:
    """Draw a table; all columns follow one hidden factor as far as the correlation says."""
    hidden = random.normal(size=rows)
    own = np.sqrt(1 - correlation**2)
    return pl.DataFrame(
        {
            name: column(
                name.split("_")[0], correlation * hidden + own * random.normal(size=rows), random
            )
            for name in names
        }
    )


def column(shape: str, value: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Give normal values the shape of a column."""
    rank = ndtr(value)
    if shape in WEIGHTS:
        shares = np.cumsum(WEIGHTS[shape] / WEIGHTS[shape].sum())
        places = np.minimum(np.searchsorted(shares, rank), len(shares) - 1)
        return np.char.add("v", places.astype(str))
    shapes: dict[str, Callable[[], NDArray[Any]]] = {
        "normal": lambda: value,
        "price": lambda: np.exp(2 * value),
        "heavy": lambda: np.tan(np.pi * (rank - 0.5)),
        "zeros": lambda: np.where(rank < 0.97, 0.0, value),
        "rating": lambda: np.floor(5 * rank) + 1,
        "gaps": lambda: np.where(random.random(len(value)) < 0.02, np.nan, value),
        "flag": lambda: (rank > 0.98).astype(float),
    }
    return shapes[shape]()


def schema_of(names: Sequence[str]) -> Schema:
    """Answer the schema of such columns."""
    return Schema(tuple(Column(name, KINDS[name.split("_")[0]]) for name in names))


# ---------------------------------------------------------------- rules to compare with


def shares_of(reference: NDArray[Any], new: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Answer the shares of two samples in the cells of the fixed rules."""
    if reference.dtype.kind == "f":
        reference, new = reference[~np.isnan(reference)], new[~np.isnan(new)]
        if len(np.unique(reference)) > 20:
            edges = np.histogram_bin_edges(np.concatenate([reference, new]), bins="sturges")
            counts = np.histogram(reference, edges)[0], np.histogram(new, edges)[0]
            return counts[0] / len(reference), counts[1] / len(new)
    values = np.unique(np.concatenate([reference, new]))
    found = [np.searchsorted(values, sample) for sample in (reference, new)]
    counts = [np.bincount(places, minlength=len(values)) for places in found]
    return counts[0] / len(reference), counts[1] / len(new)


def js_distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Jensen–Shannon distance with the natural logarithm."""
    middle = (first + second) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        entropies = [np.sum(np.where(p > 0, p * np.log(p / middle), 0.0)) for p in (first, second)]
    return float(np.sqrt(max(sum(entropies) / 2, 0.0)))


def psi(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Population stability index; empty cells count as 0.0001, as is usual."""
    first, second = np.maximum(first, 1e-4), np.maximum(second, 1e-4)
    return float(np.sum((second - first) * np.log(second / first)))


def uncorrected(reference: NDArray[Any], new: NDArray[Any]) -> float:
    """p-value of one column alone."""
    if reference.dtype.kind == "f":
        kept = reference[~np.isnan(reference)], new[~np.isnan(new)]
        if len(np.unique(kept[0])) > 5:
            return float(stats.ks_2samp(*kept, method="asymp").pvalue)
        reference, new = kept
    values = np.unique(np.concatenate([reference, new]))
    found = [
        np.bincount(np.searchsorted(values, s), minlength=len(values)) for s in (reference, new)
    ]
    if len(values) < 2:
        return 1.0
    return float(stats.chi2_contingency(np.stack(found), correction=False).pvalue)


def rules(reference: pl.DataFrame, new: pl.DataFrame) -> dict[str, float]:
    """Answer the share of columns that each fixed rule alarms on."""
    found: dict[str, list[bool]] = {name: [] for name in ("JS>=.1", "PSI>=.1", "PSI>=.25", "p<.05")}
    for name in reference.columns:
        pair = reference[name].to_numpy(), new[name].to_numpy()
        if pair[0].dtype.kind != "f":
            pair = pair[0].astype(str), pair[1].astype(str)
        shares = shares_of(*pair)
        index = psi(*shares)
        found["JS>=.1"].append(js_distance(*shares) >= 0.1)
        found["PSI>=.1"].append(index >= 0.1)
        found["PSI>=.25"].append(index >= 0.25)
        found["p<.05"].append(uncorrected(*pair) < 0.05)
    return {name: float(np.mean(alarms)) for name, alarms in found.items()}


# ---------------------------------------------------------------- false alarms


def false_alarms(
    names: Sequence[str], correlation: float, batches: int, seed: int, *, compare: bool
) -> dict[int, dict[str, float]]:
    """Answer for each number of new rows the share of reports with an alarm, by rule.

    A name that ends in " col" is the share of single columns instead.
    """
    random = np.random.default_rng(seed)
    schema = schema_of(names)
    sums: dict[int, dict[str, float]] = {rows: {} for rows in NEW_ROWS}
    references = max(1, batches // BATCHES_A_REFERENCE)
    for _ in range(references):
        table = draw(random, REFERENCE_ROWS, names, correlation)
        known = profile(table.lazy(), schema)
        for rows in NEW_ROWS * BATCHES_A_REFERENCE:
            new = draw(random, rows, names, correlation)
            for rule, alarm in judged(known, table, new, schema, compare=compare).items():
                sums[rows][rule] = sums[rows].get(rule, 0.0) + alarm
    total = references * BATCHES_A_REFERENCE
    return {rows: {rule: n / total for rule, n in found.items()} for rows, found in sums.items()}


def judged(
    known: Any, table: pl.DataFrame, new: pl.DataFrame, schema: Schema, *, compare: bool
) -> dict[str, float]:
    """Judge one batch by our report and, to compare, by every fixed rule."""
    found: dict[str, float] = {}
    report = drift(known, new.lazy(), schema)
    found["ours"] = float(bool(report.alarmed))
    bare = drift(known, new.lazy(), schema, smallest_effect=0.0)
    found["ours, any effect"] = float(bool(bare.alarmed))
    for rule, share in rules(table, new).items() if compare else ():
        found[rule] = float(share > 0)
        found[f"{rule} col"] = share
    return found


def show_false_alarms(batches: int, seed: int, *, compare: bool, wanted: str) -> None:
    """Print the first table."""
    mixed = [f"{shape}_{n}" for shape in KINDS for n in range(2)]
    cases: list[tuple[str, list[str], float]] = [
        (f"1 column: {shape}", [shape], 0.0) for shape in KINDS
    ]
    cases += [
        ("20 columns, mixed", mixed, 0.0),
        ("20 columns, mixed, correlated .6", mixed, 0.6),
        ("20 columns, normal, correlated .9", [f"normal_{n}" for n in range(20)], 0.9),
        ("20 columns, 97 % zeros", [f"zeros_{n}" for n in range(20)], 0.0),
        ("20 columns, rare values", [f"city_{n}" for n in range(20)], 0.0),
    ]
    print("False alarms: share of reports that name a column, nothing changed, stated rate 1 %,")
    print(f"reference {REFERENCE_ROWS:,} rows, {batches} reports a figure; (share of columns)\n")
    fixed = ("JS>=.1", "PSI>=.1", "PSI>=.25", "p<.05") if compare else ()
    header = ("ours", "ours, any effect", *fixed)
    print(f"{'table':<36}{'new rows':>9}" + "".join(f"{name:>18}" for name in header))
    for name, names, correlation in (case for case in cases if wanted in case[0]):
        found_by_rows = false_alarms(names, correlation, batches, seed, compare=compare)
        for rows, found in found_by_rows.items():
            cells = [f"{found[r]:.1%}" + _by_column(found, r, len(names)) for r in header]
            print(f"{name:<36}{rows:>9,}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


def _by_column(found: dict[str, float], rule: str, columns: int) -> str:
    share = found.get(f"{rule} col")
    return f" ({share:.1%})" if share is not None and columns > 1 else ""


# ---------------------------------------------------------------- power


CHANGES: dict[str, tuple[str, pl.Expr]] = {
    "normal +0.1 standard deviations": ("normal_0", pl.col("normal_0") + 0.1),
    "normal +0.25": ("normal_0", pl.col("normal_0") + 0.25),
    "normal +0.5": ("normal_0", pl.col("normal_0") + 0.5),
    "normal spread x1.5": ("normal_0", pl.col("normal_0") * 1.5),
    "price x1.5": ("price_0", pl.col("price_0") * 1.5),
    "price x100 (unit)": ("price_0", pl.col("price_0") * 100),
    "missing 2 % to 7 %": (
        "gaps_0",
        pl.when(pl.int_range(pl.len()) % 20 == 0).then(np.nan).otherwise("gaps_0").alias("gaps_0"),
    ),
    "unseen value in 5 %": (
        "city_0",
        pl.when(pl.int_range(pl.len()) % 20 == 0)
        .then(pl.lit("new"))
        .otherwise("city_0")
        .alias("city_0"),
    ),
    "rare value 0.4 % to 5.4 %": (
        "city_0",
        pl.when(pl.int_range(pl.len()) % 20 == 0)
        .then(pl.lit("v7"))
        .otherwise("city_0")
        .alias("city_0"),
    ),
    "flag 2 % to 6 %": (
        "flag_0",
        pl.when(pl.int_range(pl.len()) % 25 == 0).then(1.0).otherwise("flag_0").alias("flag_0"),
    ),
}


def show_power(batches: int, seed: int) -> None:
    """Print the second table."""
    names = [f"{shape}_{n}" for shape in KINDS for n in range(2)]
    schema, random = schema_of(names), np.random.default_rng(seed)
    table = draw(random, REFERENCE_ROWS, names, 0.3)
    known = profile(table.lazy(), schema)
    print(
        "\nPower: share of reports that name the changed one of 20 columns (JS >= .1 beside it)\n"
    )
    print(f"{'change':<36}" + "".join(f"{f'{rows:,} rows':>22}" for rows in NEW_ROWS))
    for name, (changed, change) in CHANGES.items():
        cells = []
        for rows in NEW_ROWS:
            hits, others = 0, 0
            for _ in range(batches):
                new = draw(random, rows, names, 0.3).with_columns(change)
                hits += changed in drift(known, new.lazy(), schema).alarmed
                others += rules(table.select(changed), new.select(changed))["JS>=.1"] > 0
            cells.append(f"{hits / batches:.0%} (JS {others / batches:.0%})")
        print(f"{name:<36}" + "".join(f"{cell:>22}" for cell in cells), flush=True)


# ---------------------------------------------------------------- speed


def show_speed(seed: int) -> None:
    """Print how long a report takes."""
    print("\nSpeed: seconds for one report, best of 3\n")
    random = np.random.default_rng(seed)
    for rows, numbers, words in ((200_000, 12, 8), (1_000_000, 30, 20)):
        names = [f"normal_{n}" for n in range(numbers)] + [f"city_{n}" for n in range(words)]
        table = draw(random, rows, names, 0.0)
        schema = schema_of(names)
        known = profile(table.head(REFERENCE_ROWS).lazy(), schema)
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            drift(known, table.lazy(), schema)
            seconds.append(time.perf_counter() - start)
        print(f"{rows:>9,} rows x {numbers + words} columns: {min(seconds):.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=1_000, help="reports behind each figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("alarms", "power", "speed"))
    parser.add_argument("--tables", default="", help="only tables with this in their name")
    parser.add_argument("--alone", action="store_true", help="leave the fixed rules out")
    settings = parser.parse_args()
    if settings.only in (None, "alarms"):
        show_false_alarms(
            settings.batches, settings.seed, compare=not settings.alone, wanted=settings.tables
        )
    if settings.only in (None, "power"):
        show_power(max(20, settings.batches // 10), settings.seed)
    if settings.only in (None, "speed"):
        show_speed(settings.seed)


if __name__ == "__main__":
    main()
