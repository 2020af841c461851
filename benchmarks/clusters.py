"""Clusters: out of core beside scikit-learn, what each clusterer finds, ids over refits, claims.

    python benchmarks/clusters.py                  # three million rows, all questions
    python benchmarks/clusters.py --tiny           # a look, in a minute

1. Time, peak memory (`VmHWM`, each run a process of its own) and inertia of k-means on a Parquet
   file: headrace in memory, headrace out of core, scikit-learn's KMeans and MiniBatchKMeans.
2. How well each clusterer finds planted clusters (adjusted Rand index against the truth): balls,
   ellipses, moons, and handwritten digits.
3. How many rows keep their cluster's number when a pipeline is trained again on other rows.
4. How often unchanged rows raise an alarm of cluster drift, how often changed ones do, and how
   often a column that has nothing to do with the clusters is named on a card.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve()
COLUMNS, CLUSTERS = 10, 12
WAYS = ("headrace in memory", "headrace out of core", "scikit-learn KMeans", "MiniBatchKMeans")


# -- 1: time and memory ---------------------------------------------------------------------------


def generate(rows: int, path: Path) -> None:
    import polars as pl

    random = np.random.default_rng(0)
    middles = random.normal(0, 4, (CLUSTERS, COLUMNS))
    table = middles[random.integers(0, CLUSTERS, rows)] + random.normal(size=(rows, COLUMNS))
    names = [f"x{n}" for n in range(COLUMNS)]
    pl.DataFrame(table, schema=names, orient="row").write_parquet(path, row_group_size=100_000)


def run(way: str, path: Path) -> None:
    """One measurement; prints seconds, peak bytes and inertia as JSON."""
    import polars as pl

    import headrace as hr

    kmeans = hr.KMeans(CLUSTERS, n_init=1, random_state=0)
    started = time.perf_counter()
    if way == "headrace in memory":
        pipe = hr.Pipeline([hr.normalize.Standardize(), kmeans])
        pipe.train(path)
        found, seconds = pipe.fitted.clusters, time.perf_counter() - started
        inertia = found.inertia
    elif way == "headrace out of core":
        pipe = hr.Pipeline([hr.normalize.Standardize(), kmeans], memory="1GB")
        pipe.train(pl.scan_parquet(path))
        found, seconds = pipe.fitted.clusters, time.perf_counter() - started
        inertia = found.inertia
    else:
        from sklearn.cluster import KMeans, MiniBatchKMeans
        from sklearn.preprocessing import StandardScaler

        rows = StandardScaler().fit_transform(pl.read_parquet(path).to_numpy())
        kind = KMeans if way == "scikit-learn KMeans" else MiniBatchKMeans
        model = kind(CLUSTERS, n_init=1, random_state=0).fit(rows)
        seconds, inertia = time.perf_counter() - started, float(model.inertia_)
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "inertia": inertia}))


def measured(rows: int, repeats: int) -> None:
    print(f"\n{rows:,} rows x {COLUMNS} columns, {CLUSTERS} clusters, medians of {repeats}")
    print(f"{'way':<24}{'seconds':>9}{'peak MB':>9}{'inertia':>12}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        generate(rows, path)
        for way in WAYS:
            found = []
            for _ in range(repeats):
                command = [sys.executable, str(HERE), "--run", way, "--path", str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found.append(json.loads(done.stdout.splitlines()[-1]))
            middle = {key: float(np.median([one[key] for one in found])) for key in found[0]}
            print(
                f"{way:<24}{middle['seconds']:>9.1f}{middle['peak'] / 1e6:>9.0f}"
                f"{middle['inertia']:>12.4g}"
            )


# -- 2: what is found -----------------------------------------------------------------------------


def tables(rows: int) -> dict[str, tuple[Any, Any, int]]:
    from sklearn.datasets import load_digits, make_blobs, make_moons
    from sklearn.preprocessing import StandardScaler

    balls, ball = make_blobs(rows, 5, centers=4, random_state=1)
    ellipses, ellipse = make_blobs(rows, 2, centers=3, random_state=170)
    ellipses = ellipses @ np.array([[0.6, -0.64], [-0.41, 0.85]])
    moons, moon = make_moons(rows, noise=0.06, random_state=0)
    digits, digit = load_digits(return_X_y=True)
    scaled = StandardScaler()
    return {
        "balls": (scaled.fit_transform(balls), ball, 4),
        "ellipses": (scaled.fit_transform(ellipses), ellipse, 3),
        "moons": (moons, moon, 2),
        "digits": (scaled.fit_transform(digits), digit, 10),
    }


def recovered(rows: int) -> None:
    from sklearn.metrics import adjusted_rand_score

    import headrace as hr

    print("\nadjusted Rand index against the planted clusters (1: all found, 0: chance)")
    print(f"{'':<14}{'KMeans':>10}{'Mixture':>10}{'HDBSCAN':>10}{'Deep':>10}")
    for name, (matrix, truth, k) in tables(rows).items():
        clusterers = (
            hr.KMeans(k, n_init=10),
            hr.GaussianMixture(k, n_init=3, reg_covar=1e-3, max_iter=300, tol=1e-2),
            hr.HDBSCAN(max(15, len(matrix) // 50)),
            hr.DeepClusters(k),
        )
        scores = []
        for clusterer in clusterers:
            try:
                labels = clusterer.fit_matrix(matrix, seed=0).labels
                scores.append(f"{adjusted_rand_score(truth, labels):.2f}")
            except hr.errors.HeadraceError:
                scores.append("none")
        print(f"{name:<14}" + "".join(f"{score:>10}" for score in scores))


# -- 3: numbers -----------------------------------------------------------------------------------


def kept(trials: int) -> None:
    import polars as pl

    import headrace as hr

    random, shares, plain = np.random.default_rng(0), [], []
    for trial in range(trials):
        middles = random.normal(0, 4, (6, 4))

        def table(rows: int = 2_000, middles: Any = middles) -> pl.DataFrame:
            values = middles[random.integers(0, 6, rows)] + random.normal(size=(rows, 4))
            return pl.DataFrame(values, schema=list("abcd"), orient="row")

        fresh = table()
        pipe = hr.Pipeline([hr.normalize.Standardize(), hr.KMeans(6)], seed=trial)
        pipe.train(table())
        before = pipe.predict(fresh)
        other = hr.Pipeline([hr.normalize.Standardize(), hr.KMeans(6)], seed=trial + 1)
        again = table()
        other.train(again)
        plain.append(float((other.predict(fresh) == before).mean()))
        pipe.train(again)
        shares.append(float((pipe.predict(fresh) == before).mean()))
    print(
        f"\nrows with the same number after training again: {np.mean(shares):.1%} "
        f"(a new pipeline: {np.mean(plain):.1%}), {trials} trials"
    )


# -- 4: claims ------------------------------------------------------------------------------------


def claims(trials: int) -> None:
    from headrace.clustering.kmeans import KMeans
    from headrace.maintain.cluster_drift import clusters_drifted

    random = np.random.default_rng(1)
    middles = random.normal(0, 4, (4, 4))

    def rows(count: int, shares: Any = None) -> Any:
        return middles[random.choice(4, count, p=shares)] + random.normal(size=(count, 4))

    print("\ncluster drift: share of alarms at a stated 5 %, smallest effect 0 / 0.05; power")
    print(f"{'training':>9}{'new':>8}{'alarms':>9}{'with effect':>13}{'shares moved':>14}")
    moved = [0.35, 0.25, 0.2, 0.2]
    for training in (500, 5_000):
        for new in (50, 200, 1_000, 10_000):
            found = np.zeros(3)
            for _ in range(trials):
                clusters = KMeans(4, n_init=1).fit_matrix(rows(training), seed=0)
                same, other = (clusters.distances(rows(new, p)) for p in (None, moved))
                settings = {"false_alarm_rate": 0.05}
                found += [
                    clusters_drifted(clusters, same, smallest_effect=0.0, **settings).alarm,
                    clusters_drifted(clusters, same, **settings).alarm,
                    clusters_drifted(clusters, other, **settings).alarm,
                ]
            shown = "".join(
                f"{share:>{width}.1%}"
                for share, width in zip(found / trials, (9, 13, 14), strict=True)
            )
            print(f"{training:>9,}{new:>8,}{shown}")
    named(trials)


def named(trials: int) -> None:
    import polars as pl

    import headrace as hr

    random = np.random.default_rng(2)
    pipe = hr.Pipeline([hr.KMeans(4)])
    pipe.train({"x": random.normal(size=1_000)})
    finds = 0
    for _ in range(trials):
        beside = {f"n{n}": random.standard_t(3, 300) for n in range(8)}
        words = {f"w{n}": random.choice(list("abcde"), 300) for n in range(8)}
        table = pl.DataFrame({"x": random.normal(size=300), **beside, **words})
        cards = hr.cluster_cards(pipe, table)
        traits = [t for card in cards.cards for t in card.traits if t.p_value is not None]
        finds += any(t.p_value <= 0.05 for t in traits)
    print(
        f"\ncards of 16 columns that have nothing to do with the clusters: one or more named in "
        f"{finds / trials:.1%} of {trials} tables (stated: 5 %)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small tables, few trials")
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--run", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(given.run, given.path)
        return
    rows, trials = (20_000, 20) if given.tiny else (given.rows, given.trials)
    measured(rows, 1 if given.tiny else 3)
    recovered(600 if given.tiny else 3_000)
    kept(3 if given.tiny else 40)
    claims(trials)


if __name__ == "__main__":
    main()
