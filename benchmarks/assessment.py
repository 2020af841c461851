r"""How fast is a table assessed, and does an assessment say what is there and nothing else?

Speed: the same Parquet file of mixed columns goes through `hr.profile` and through
ydata-profiling's minimal mode, in turn, each in a process of its own; what is timed is the
assessment of the table, without imports and without a page. The peer runs in an environment of its
own: say with --python how it is started. It needs a table in memory, so it gets one that is read
before the clock starts; headrace is timed from the file and from such a table.

    python benchmarks/assessment.py --python "uv run --no-project --python 3.11 \
        --with ydata-profiling --with 'setuptools<81' --with pyarrow python"
    python benchmarks/assessment.py --tiny          # without a peer, seconds
    python benchmarks/assessment.py --claims --data FOLDER

Claims: how often noise is said to hold relations or patterns, how often planted leaks are found,
and what is said of the columns of known tables (those of FOLDER that are there).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import headrace as hr
from headrace.data.schema import Column, Schema
from headrace.profiling.goal import goal_of
from headrace.profiling.patterns import find_patterns
from headrace.profiling.relations import find_relations
from headrace.profiling.sample import Sample

KNOWN: dict[str, tuple[str, dict[str, object]]] = {
    "adult": ("income", {}),
    "california_housing": ("median_house_value", {}),
    "diamonds": ("price", {}),
    "letter": ("lettr", {}),
    "credit_default_taiwan": ("default.payment.next.month", {"exclude": ["ID"]}),
    "food_deliveries": ("time_to_delivery", {}),
    "ETTh1": ("OT", {"time": "date"}),
    "beijing_pm25_hourly": ("pm2.5", {"exclude": ["No"]}),
    "metro_interstate_traffic": ("traffic_volume", {"time": "date_time"}),
    "movielens100k_ratings": ("rating", {}),
    "chnsenticorp_hotel": ("label", {}),
    "online_shopping_10_cats": ("label", {}),
    "rt_polarity": ("label", {}),
    "signalp_binary_train": ("label", {}),
    "nycflights13_flights": ("arr_delay", {}),
    "room_occupancy": ("Occupancy", {}),
    "sp500_daily": ("Close", {}),
    "metr_la_speed": ("", {}),
}

PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
import ydata_profiling
table = pd.read_parquet(sys.argv[1])
start = time.perf_counter()
report = ydata_profiling.ProfileReport(table, minimal=True, progress_bar=False)
found = report.get_description()
took = time.perf_counter() - start
print(json.dumps({"seconds": took, "columns": len(found.variables)}))
"""

OWN = """
import json, sys, time
import polars as pl
import headrace as hr
import headrace.profiling.profile
import sklearn.tree
source = pl.read_parquet(sys.argv[1]) if sys.argv[2] == "table" else sys.argv[1]
start = time.perf_counter()
found = hr.profile(source, sys.argv[3] or None)
print(json.dumps({"seconds": time.perf_counter() - start, "columns": len(found.schema)}))
"""


def mixed(rows: int, seed: int = 0) -> pl.DataFrame:
    """Answer 20 columns: 10 numbers, 5 categories, 2 dates, 2 truth values, an id; with gaps."""
    random = np.random.default_rng(seed)
    table: dict[str, object] = {}
    for place in range(6):
        values = random.lognormal(3, 1, rows) if place % 2 else random.normal(size=rows)
        values[random.random(rows) < 0.02 * place] = np.nan
        table[f"number {place}"] = values
    for place in range(4):
        table[f"count {place}"] = random.integers(0, 10 ** (place + 1), rows)
    for place, levels in enumerate((2, 8, 30, 100, 1_000)):
        words = np.array([f"word {level} of {levels}" for level in range(levels)])
        table[f"word {place}"] = words[random.integers(0, levels, rows)]
    start = np.datetime64("2020-01-01", "us")
    seconds = random.integers(0, 4 * 365 * 86_400, (2, rows)).astype("timedelta64[s]")
    table |= {f"date {place}": start + seconds[place] for place in range(2)}
    table |= {f"yes {place}": random.random(rows) < 0.3 + 0.3 * place for place in range(2)}
    table["id"] = [f"id{n:09d}" for n in random.permutation(rows)]
    found = pl.DataFrame(table)
    return found.with_columns(pl.col("word 1").replace("word 0 of 8", None))


def seconds(command: list[str], code: str, *given: str) -> float:
    """Run a script in a process of its own; answer the seconds that it says it took."""
    found = subprocess.run(
        [*command, "-c", code, *given],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    return float(json.loads(found.stdout.strip().splitlines()[-1])["seconds"])


def speed(rows: int, repetitions: int, peer: str) -> None:
    """Print the median seconds of each, and the ratio to the peer."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "table.parquet")
        mixed(rows).write_parquet(path)
        own = [sys.executable]
        kinds = {
            "headrace, file": lambda: seconds(own, OWN, path, "file", ""),
            "headrace, table": lambda: seconds(own, OWN, path, "table", ""),
            "headrace, table, target": lambda: seconds(own, OWN, path, "table", "number 1"),
        }
        if peer:
            command = shlex.split(peer)
            kinds["ydata-profiling, minimal"] = lambda: seconds(command, PEER, path)
        took: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(repetitions):
            for name, run in kinds.items():
                took[name].append(run())
                print(f"  {name}: {took[name][-1]:.2f} s", flush=True)
    medians = {name: statistics.median(times) for name, times in took.items()}
    slowest = medians.get("ydata-profiling, minimal")
    print(f"\nspeed: {rows:,} rows x 20 columns, median of {repetitions}")
    for name, median in medians.items():
        ratio = "" if slowest is None else f"{slowest / median:>8.1f}x"
        print(f"{name:<26} {median:>8.2f} s{ratio}")


def noise(random: np.random.Generator, rows: int, number: int) -> Sample:
    """Answer columns that know nothing of each other: half numbers, half words, a tenth missing."""
    table: dict[str, object] = {}
    kinds: dict[str, str] = {}
    for place in range(number):
        name, gap = f"c{place}", random.random(rows) < 0.1
        if place % 2:
            words = np.char.add("v", random.geometric(0.3, rows).astype(str))
            table[name], kinds[name] = np.where(gap, "", words), "category"
            continue
        draws = (
            random.standard_normal,
            random.standard_exponential,
            lambda size: random.standard_t(4, size),
        )
        values = (
            (random.random(rows) < 0.2) * 1.0 if place % 8 == 6 else draws[place // 2 % 3](rows)
        )
        table[name], kinds[name] = np.where(gap, np.nan, values), "number"
        if place % 8 == 6:
            kinds[name] = "boolean"
    schema = Schema(tuple(Column(name, kind) for name, kind in kinds.items()))  # type: ignore[arg-type]
    return Sample(pl.DataFrame(table), np.arange(rows), schema)


def silence(tables: int) -> None:
    """Print in how many tables of noise something is found."""
    print(f"\nnoise: share of {tables} tables in which something is found; 10 columns")
    print(f"{'rows':>6} {'relation, 1 %':>14} {'relation, 5 %':>14} {'pattern, 5 %':>14}")
    for rows in (200, 1_000, 5_000):
        sure, likely, patterns = 0, 0, 0
        for table in range(tables):
            sample = noise(np.random.default_rng([table, rows]), rows, 10)
            names = list(sample.schema.names)
            target = names[table % len(names)]
            least = min(one.corrected for one in find_relations(sample, names, target))
            sure, likely = sure + (least <= 0.01), likely + (least <= 0.05)
            others = [name for name in names if name != target]
            patterns += bool(find_patterns(sample, goal_of(sample, target), others, seed=table))
        shares = (f"{count / tables:>14.2%}" for count in (sure, likely, patterns))
        print(f"{rows:>6} {' '.join(shares)}", flush=True)


def records(random: np.random.Generator, rows: int, *, classes: bool) -> pl.DataFrame:
    """Answer a clean table by the hour: the target is partly known, by two columns."""
    size, town = random.lognormal(3, 0.5, rows), random.integers(0, 300, rows)
    goal = size / 20 + (town % 3 == 0) + random.normal(size=rows)
    hours = np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(1, "h")
    words = np.where(goal > np.quantile(goal, 0.7), "yes", "no")
    return pl.DataFrame(
        {
            "hour": hours,
            "town": np.char.add("t", town.astype(str)),
            "size": size,
            "age": random.normal(40, 9, rows),
            "goal": words if classes else goal,
        }
    )


def planted(tables: int, rows: int) -> None:
    """Print how often each planted leak is found, and how often a clean table is accused."""
    print(f"\nleaks: share of {tables} tables of {rows:,} rows, numbers and classes in turn")
    for name, hits in planted_leaks(tables, rows).items():
        print(f"{name:<26} {np.mean(hits):>7.1%}", flush=True)


def planted_leaks(tables: int, rows: int) -> dict[str, list[bool]]:
    """Answer for each leak in which tables it was found, and which clean ones were accused."""
    found: dict[str, list[bool]] = {}
    for seed in range(tables):
        random = np.random.default_rng([seed, rows])
        classes = bool(seed % 2)
        table = records(random, rows, classes=classes)
        value = (table["goal"] == "yes").cast(pl.Float64) if classes else table["goal"]
        slips = random.random(rows) < 0.01
        noisy = (
            np.where(slips, 1 - value, value) if classes else value + random.normal(0, 0.1, rows)
        )
        columns = {
            "copy": table["goal"].alias("leak"),
            "noisy copy": pl.Series("leak", noisy),
            "own means": value.alias("v")
            .to_frame()
            .select(leak=pl.col("v").mean().over(table["town"]))["leak"],
            "row numbers": pl.Series("leak", np.arange(rows) + 5),
        }
        for name, column in columns.items():
            leaks = hr.profile(table.with_columns(column), "goal").leaks
            found.setdefault(name, []).append(any(one.columns == ("leak",) for one in leaks))
        table_sorted = hr.profile(table.sort("goal"), "goal").leaks
        found.setdefault("sorted rows", []).append(any(f.kind == "order" for f in table_sorted))
        if not classes:
            ahead = table.with_columns(leak=pl.col("goal").shift(-1))
            leaks = hr.profile(ahead, "goal", time="hour").leaks
            found.setdefault("next value", []).append([f.columns for f in leaks] == [("leak",)])
        found.setdefault("clean accused", []).append(
            bool(hr.profile(table, "goal", time="hour").leaks)
        )
        _across(found, table.with_columns(shop=pl.Series(np.arange(rows) // 20)))
    return found


def _across(found: dict[str, list[bool]], table: pl.DataFrame) -> None:
    cut = table.height * 3 // 5 // 20 * 20
    train, test = table.head(cut), table.tail(table.height - cut)
    cases = {
        "same rows": pl.concat([test, train.head(40)]),
        "shared groups": test.with_columns(pl.col("shop") - 1),
        "later rows": test.with_columns(pl.col("hour").dt.offset_by("-5d")),
    }
    for name, other in {**cases, "clean splits accused": test}.items():
        splits = {"train": train, "test": other}
        leaks = hr.profile(table, splits=splits, group="shop", time="hour").leaks
        hit = any(one.kind == name for one in leaks) if name in cases else bool(leaks)
        found.setdefault(name, []).append(hit)


def known(folder: Path, *, tiny: bool) -> None:
    """Print what is said of the columns of known tables."""
    print("\nknown tables: leaks that are said")
    for name, (target, given) in KNOWN.items():
        path = folder / f"{name}.csv.gz"
        if path.exists():
            sample = 2_000 if tiny else 20_000
            leaks = hr.profile(path, target or None, sample=sample, **given).leaks  # type: ignore[arg-type]
            said = "; ".join(f"{one.kind} {', '.join(one.columns)}".strip() for one in leaks)
            print(f"{name:<26} {said or '-'}", flush=True)


def claims(folder: Path, *, tiny: bool) -> None:
    """Measure what an assessment claims."""
    silence(20 if tiny else 500)
    planted(2 if tiny else 50, 2_000)
    known(folder, tiny=tiny)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="seconds")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--python", default="", help="how a Python with ydata-profiling is started")
    parser.add_argument("--claims", action="store_true", help="measure the claims, not the speed")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "data")
    given = parser.parse_args()
    if given.claims:
        claims(given.data, tiny=given.tiny)
        return
    rows, repetitions = (5_000, 1) if given.tiny else (given.rows, given.repetitions)
    speed(rows, repetitions, given.python)


if __name__ == "__main__":
    main()
