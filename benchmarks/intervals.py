"""How often intervals hold the truth, and how often verdicts are wrong.

Tables are drawn from known distributions, so the true value of each metric is known. A 95 %
interval should hold it in 93 to 97 of 100 tables; beside it stands how often plain bootstrap
percentiles do. Between two models that are equally good, "better" should come in at most 2.5 of
100 tables (half of the 5 that a 95 % interval leaves).

    python benchmarks/intervals.py                       # all of it: hours
    python benchmarks/intervals.py --tables 1000 --rows 200
    python benchmarks/intervals.py --dependent           # rows in groups and in time: minutes
    python benchmarks/intervals.py --speed               # beside a loop of scikit-learn: a minute
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headrace.evaluate import compare, evaluate
from headrace.evaluate.resampling import resample
from headrace.evaluate.scores import to_scores
from headrace.metrics.measure import measures
from headrace.model.target import TargetSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TRUTH_ROWS = 2_000_000


class Case(NamedTuple):
    """A known distribution of true values and of what two equally good models say."""

    name: str
    target: TargetSpec
    draw: Callable[[np.random.Generator, int], tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]


def binary(name: str, share: float, separation: float) -> Case:
    """Two normal distributions, and the exact probability of the second class."""

    def draw(random: np.random.Generator, rows: int) -> tuple[Any, Any, Any]:
        truth = (random.random(rows) < share).astype(np.intp)
        shared = random.normal(size=rows)
        says = []
        for _ in range(2):
            noise = np.sqrt(0.5) * (shared + random.normal(size=rows))
            score = separation * (noise + separation * truth) - separation**2 / 2
            says.append(1 / (1 + np.exp(-score) * (1 - share) / share))
        return truth, says[0], says[1]

    return Case(name, TargetSpec("y", "binary", classes=(0, 1)), draw)


def multiclass(name: str, shares: tuple[float, ...], separation: float) -> Case:
    """One normal distribution a class, and the exact probabilities."""
    places = np.eye(len(shares)) * separation

    def draw(random: np.random.Generator, rows: int) -> tuple[Any, Any, Any]:
        truth = random.choice(len(shares), rows, p=shares)
        shared = random.normal(size=(rows, len(shares)))
        says = []
        for _ in range(2):
            noise = np.sqrt(0.5) * (shared + random.normal(size=shared.shape))
            odds = np.exp((places[truth] + noise) @ places) * shares
            says.append(odds / odds.sum(axis=1, keepdims=True))
        return truth, says[0], says[1]

    classes = tuple(range(len(shares)))
    return Case(name, TargetSpec("y", "multiclass", classes=classes), draw)


def regression(name: str, error: Callable[[np.random.Generator, int], NDArray[Any]]) -> Case:
    """A signal that is known, and errors of some shape."""

    def draw(random: np.random.Generator, rows: int) -> tuple[Any, Any, Any]:
        truth = random.normal(size=rows)
        shared = error(random, rows)
        first, second = (truth + 0.4 * (shared + error(random, rows)) for _ in range(2))
        return truth, first, second

    return Case(name, TargetSpec("y", "regression"), draw)


CASES = (
    binary("balanced, AUC 0.80", 0.5, 1.19),
    binary("5 % positive, AUC 0.90", 0.05, 1.812),
    multiclass("4 classes, rarest 10 %", (0.4, 0.3, 0.2, 0.1), 1.6),
    regression("normal errors", lambda random, rows: random.normal(size=rows)),
    regression("heavy tails (t, 5)", lambda random, rows: random.standard_t(5, rows)),
)


def coverage(case: Case, rows: int, tables: int, seed: int) -> list[str]:
    """Answer one line for each metric: how often its interval held the truth."""
    random = np.random.default_rng(seed)
    chosen = [one for one in measures(case.target.task) if one.name != "mape"]
    big, says, _ = case.draw(random, TRUTH_ROWS)
    true = {one.name: one(big, to_scores(case.target, says)) for one in chosen}
    found: dict[str, list[tuple[float, float, float, float]]] = {one.name: [] for one in chosen}
    undefined = dict.fromkeys(found, 0)
    for table in range(tables):
        truth, says, _ = case.draw(random, rows)
        answer = evaluate(case.target, truth, says, metrics=chosen, seed=table)
        kernels = [one.prepare(truth, to_scores(case.target, says)) for one in chosen]
        plain = resample(kernels, rows, seed=table)
        for one, drawn in zip(chosen, plain, strict=True):
            metric = answer.metrics[one.name]
            if not np.isfinite(metric.value):
                undefined[one.name] += 1
                continue
            ends = np.nanquantile(drawn.draws, [0.025, 0.975])
            found[one.name].append((metric.low, metric.high, *ends))
    lines = []
    for one in chosen:
        ends = np.array(found[one.name])
        value = true[one.name]
        below, above = (value < ends[:, 0]).mean(), (value > ends[:, 1]).mean()
        plainly = ((ends[:, 2] <= value) & (value <= ends[:, 3])).mean()
        lines.append(
            f"{case.name:<24}{rows:>6}  {one.name:<22}{value:>8.3f}{1 - below - above:>9.1%}"
            f"{below:>8.1%}{above:>8.1%}{plainly:>12.1%}"
            f"{np.median(ends[:, 1] - ends[:, 0]):>9.3f}{undefined[one.name]:>6}"
        )
    return lines


def verdicts(case: Case, rows: int, tables: int, seed: int) -> list[str]:
    """Answer one line for each metric: how often equal models are told apart, and unequal ones."""
    random = np.random.default_rng(seed)
    names = {
        "binary": ("roc_auc", "log_loss", "accuracy", "f1"),
        "multiclass": ("accuracy", "log_loss", "f1_macro"),
        "regression": ("rmse", "mae"),
    }[case.target.task]
    lines = []
    for name in names:
        equal, unequal = [], []
        for table in range(tables):
            truth, first, second = case.draw(random, rows)
            settings: dict[str, Any] = {
                "task": case.target.task,
                "metric": name,
                "seed": table,
                "resamples": 500,
            }
            equal.append(compare(truth, first, second, **settings).verdict)
            if table % 4 == 0:
                worse = random.permutation(rows)[: rows // 5]
                second[worse] = second[random.permutation(worse)]
                unequal.append(compare(truth, first, second, **settings).verdict)
        rates = [np.mean([one == verdict for one in equal]) for verdict in ("better", "worse")]
        power = np.mean([one == "better" for one in unequal])
        lines.append(
            f"{case.name:<24}{rows:>6}  {name:<22}{rates[0]:>9.1%}{rates[1]:>9.1%}{power:>22.1%}"
        )
    return lines


def patients(random: np.random.Generator, rows: int) -> tuple[Any, Any, dict[str, Any]]:
    """Rows of patients, 20 each, who are alike in what is true and in what is said of them."""
    codes = np.repeat(np.arange(rows // 20), 20)
    level, bias = random.normal(size=(2, rows // 20))
    score = level[codes] + random.normal(size=rows)
    truth = (score > 0).astype(np.intp)
    says = 1 / (1 + np.exp(-(score + bias[codes] + random.normal(size=rows))))
    return truth, says, {"groups": codes}


def weather(random: np.random.Generator, rows: int) -> tuple[Any, Any, dict[str, Any]]:
    """Rows in time: each is like the one before it (correlation 0.8), its error too."""
    noise = random.normal(size=(2, rows + 50))
    series = np.zeros_like(noise)
    for hour in range(1, rows + 50):
        series[:, hour] = 0.8 * series[:, hour - 1] + noise[:, hour]
    score, error = series[:, 50:]
    return (
        (score > 0).astype(np.intp),
        1 / (1 + np.exp(-(score + error))),
        {"time": np.arange(rows)},
    )


def dependent(tables: int, rows: int, seed: int) -> None:
    """Print how often intervals hold the truth where rows are alike, drawn together and alone."""
    target = TargetSpec("y", "binary", classes=(0, 1))
    names = ["roc_auc", "accuracy", "brier", "f1"]
    print(f"{'rows':<24}{'number':>7}  {'metric':<10}{'drawn together':>15}{'one by one':>12}")
    for name, draw in (("patients, 20 rows each", patients), ("hours, correlation 0.8", weather)):
        random = np.random.default_rng(seed)
        big, says, _ = draw(random, TRUTH_ROWS)
        true = {one.name: one(big, says) for one in measures("binary") if one.name in names}
        held = {key: np.zeros(2) for key in names}
        for table in range(tables):
            truth, says, how = draw(random, rows)
            for place, given in enumerate((how, {})):
                answer = evaluate(target, truth, says, metrics=names, seed=table, **given)
                for key, metric in answer.metrics.items():
                    held[key][place] += metric.low <= true[key] <= metric.high
        for key, (together, alone) in held.items():
            print(
                f"{name:<24}{rows:>7}  {key:<10}{together / tables:>15.1%}{alone / tables:>12.1%}"
            )


def speed(rows: int = 100_000, resamples: int = 1000) -> None:
    """Print the seconds of resampling an area under the ROC curve, beside a plain loop."""
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(0)
    truth = random.integers(0, 2, rows)
    says = 1 / (1 + np.exp(-(truth + 1.5 * random.normal(size=rows))))
    target = TargetSpec("y", "binary", classes=(0, 1))
    ours, loop = [], []
    for seed in range(5):
        began = time.perf_counter()
        evaluate(target, truth, says, metrics=["roc_auc"], resamples=resamples, seed=seed)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        for _ in range(resamples // 50):
            drawn = random.integers(0, rows, rows)
            roc_auc_score(truth[drawn], says[drawn])
        loop.append(50 * (time.perf_counter() - began))
    mine, other = np.median(ours), np.median(loop)
    print(f"{resamples:,} resamples of AUC, {rows:,} rows: {mine:.2f} s")
    print(f"a loop of scikit-learn (a fiftieth of it measured): {other:.1f} s, {other / mine:.0f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=1000, help="tables drawn for each line")
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 2000], help="rows of a table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dependent", action="store_true", help="rows in groups and in time")
    parser.add_argument("--speed", action="store_true", help="beside a loop of scikit-learn")
    chosen = parser.parse_args()
    if chosen.speed:
        speed()
        return
    if chosen.dependent:
        dependent(chosen.tables, chosen.rows[-1], chosen.seed)
        return
    started = time.perf_counter()
    print(f"Coverage of 95 % intervals, {chosen.tables} tables each (93 to 97 % is right)")
    print(
        f"{'case':<24}{'rows':>6}  {'metric':<22}{'truth':>8}{'holds it':>9}{'below':>8}"
        f"{'above':>8}{'percentiles':>12}{'width':>9}{'none':>6}"
    )
    for rows in chosen.rows:
        for case in CASES:
            print("\n".join(coverage(case, rows, chosen.tables, chosen.seed)), flush=True)
    print(f"\nVerdicts, {chosen.tables} tables each (at most 2.5 % each way is right)")
    print(
        f"{'case':<24}{'rows':>6}  {'metric':<22}{'better':>9}{'worse':>9}"
        f"{'found, 1 in 5 shuffled':>24}"
    )
    for rows in chosen.rows:
        for case in CASES:
            print("\n".join(verdicts(case, rows, chosen.tables, chosen.seed)), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
