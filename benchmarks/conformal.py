"""Do prediction intervals and sets hold the truth as often as they say?

    python benchmarks/conformal.py [--tiny] [--mapie]

Each line draws calibration and new rows many times, calibrates, and counts. The "network" is a
formula, so that what is measured is the conformal part alone. The last table has drift: the errors
grow threefold in the middle of a stream. With `--mapie` MAPIE does the same on the same rows in
the same run (python -m pip install mapie).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.conformal.adaptive import AdaptiveReach
from headrace.conformal.groups import lots
from headrace.conformal.learning import Scored, chosen, learn, score_rows
from headrace.conformal.ranks import Ranks
from headrace.conformal.settings import Conformal
from headrace.data.rows import Blocks
from headrace.data.schema import Column, Schema
from headrace.model.target import TargetSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from headrace.conformal.fitted import FittedConformal, Predicted

SCHEMA = Schema((Column("x", "number"), Column("region", "category")))
REGIONS = np.array(["north", "east", "south", "west"], dtype=object)
CLASSES = ("a", "b", "c", "d", "e", "f")


@dataclass(frozen=True)
class Rows:
    """Rows with what a network answers for them."""

    blocks: Blocks
    answers: dict[str, NDArray[Any]]
    truth: NDArray[Any]

    @property
    def region(self) -> NDArray[Any]:
        """The region of each row."""
        return self.blocks.strings[:, 0]


@dataclass(frozen=True)
class World:
    """Where rows come from, and what is predicted of them."""

    spec: TargetSpec
    draw: Callable[[int, np.random.Generator], Rows]


# -- worlds ---------------------------------------------------------------------------------------


def blocks(x: NDArray[Any], random: np.random.Generator) -> Blocks:
    """Rows of one number and one region; the last region is rarer."""
    region = random.choice(4, len(x), p=[0.35, 0.3, 0.25, 0.1])
    return Blocks(x[:, np.newaxis], REGIONS[region][:, np.newaxis], np.zeros((len(x), 0), np.int64))


def numbers(count: int, random: np.random.Generator) -> Rows:
    """Values whose errors differ by region and grow with x, around a prediction with a bias."""
    x = random.uniform(0, 1, count)
    held = blocks(x, random)
    spread = (0.5 + 2 * x) * (1 + np.searchsorted(np.sort(REGIONS), held.strings[:, 0]))
    truth = 10 * x + spread * random.standard_t(5, count)
    prediction = 10 * x + 0.3
    quantiles = prediction[:, np.newaxis] + np.outer(0.5 + 2 * x, [-1.2, 0.0, 1.2])
    answers = {"prediction": prediction, "deviation": 0.4 + 1.5 * x, "quantiles": quantiles}
    return Rows(held, answers, truth)


def counts(count: int, random: np.random.Generator) -> Rows:
    """Counts with more spread than a Poisson distribution has."""
    x = random.uniform(0, 1, count)
    rate = np.exp(-1 + 4 * x)
    truth = random.poisson(rate * random.gamma(4, 0.25, count)).astype(float)
    return Rows(blocks(x, random), {"prediction": 0.9 * rate}, truth)


def classes(count: int, random: np.random.Generator) -> Rows:
    """Six classes, whose probabilities the network states too surely."""
    x = random.uniform(0, 1, count)
    logits = random.normal(0, 1.5, (count, len(CLASSES)))
    known = softmax(logits)
    truth = (known.cumsum(axis=1) < random.uniform(size=(count, 1))).sum(axis=1)
    truth = np.minimum(truth, len(CLASSES) - 1)
    return Rows(blocks(x, random), {"probabilities": softmax(1.7 * logits)}, truth)


def grades(count: int, random: np.random.Generator) -> Rows:
    """Six ordered classes around a score, whose probabilities are stated too surely."""
    x = random.uniform(0, 1, count)
    steps = np.arange(len(CLASSES))
    logits = -((steps - 5 * x[:, np.newaxis]) ** 2)
    known = softmax(0.5 * logits)
    truth = (known.cumsum(axis=1) < random.uniform(size=(count, 1))).sum(axis=1)
    truth = np.minimum(truth, len(CLASSES) - 1)
    return Rows(blocks(x, random), {"probabilities": softmax(logits)}, truth)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, (rows, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def spec(likelihood: str) -> TargetSpec:
    """What is predicted, by what the network answers."""
    if likelihood in ("categorical", "ordinal"):
        return TargetSpec("y", "multiclass", CLASSES, likelihood=likelihood)  # type: ignore[arg-type]
    levels = (0.05, 0.5, 0.95) if likelihood == "quantiles" else ()
    return TargetSpec("y", "regression", likelihood=likelihood, quantiles=levels)  # type: ignore[arg-type]


WORLDS = {
    "point": World(spec("point"), numbers),
    "normal": World(spec("normal"), numbers),
    "quantiles": World(spec("quantiles"), numbers),
    "poisson": World(spec("poisson"), counts),
    "categorical": World(spec("categorical"), classes),
    "ordinal": World(spec("ordinal"), grades),
}

CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("point", {}),
    ("point", {"by": "region"}),
    ("normal", {}),
    ("quantiles", {}),
    ("quantiles", {"by": "region"}),
    ("poisson", {}),
    ("categorical", {}),
    ("categorical", {"method": "aps"}),
    ("categorical", {"method": "aps", "randomized": True}),
    ("categorical", {"method": "raps"}),
    ("categorical", {"by": "y"}),
    ("categorical", {"by": "region"}),
    ("ordinal", {}),
)


# -- counting -------------------------------------------------------------------------------------


def calibrate(world: World, settings: Conformal, rows: Rows) -> FittedConformal:
    """Learn intervals from rows."""
    settings = chosen(settings, world.spec)
    scores = score_rows(settings, world.spec, rows.answers, rows.truth, lots(SCHEMA, rows.blocks))
    names = [name for name in settings.columns if name != world.spec.name]
    strings = rows.blocks.strings if names else np.empty((len(rows.truth), 0), dtype=object)
    beside = Blocks(rows.blocks.numbers[:, :0], strings, rows.blocks.times)
    return learn(settings, world.spec, Scored(scores, rows.truth, beside), SCHEMA.select(names))


def inside(found: Predicted, truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the truth of each row is in its interval or set."""
    if found.member is not None:
        return np.asarray(found.member[np.arange(len(truth)), truth])
    return np.asarray((np.asarray(found.low) <= truth) & (truth <= np.asarray(found.high)))


def size(found: Predicted) -> float:
    """The mean width, or the mean number of classes."""
    if found.member is not None:
        return float(found.member.sum(axis=1).mean())
    return float(np.mean(np.asarray(found.high) - np.asarray(found.low)))


def simulate(
    world: World, settings: Conformal, level: float, *, rows: int, fresh: int, times: int, seed: int
) -> tuple[float, dict[str, float], float]:
    """Answer the share of rows with the truth inside, that of each group, and the mean size."""
    random = np.random.default_rng(seed)
    hits: dict[str, list[float]] = {}
    shares, sizes = [], []
    for _ in range(times):
        conformal = calibrate(world, settings, world.draw(rows, random))
        test = world.draw(fresh, random)
        found = conformal.predicted(
            world.spec, test.answers, level, schema=SCHEMA, blocks=test.blocks
        )
        held = inside(found, test.truth)
        shares.append(held.mean())
        sizes.append(size(found))
        for name, chosen_rows in grouped(world, settings, test):
            hits.setdefault(name, []).append(held[chosen_rows].mean())
    return (
        float(np.mean(shares)),
        {name: float(np.nanmean(one)) for name, one in hits.items()},
        float(np.mean(sizes)),
    )


def grouped(world: World, settings: Conformal, rows: Rows) -> Iterator[tuple[str, Any]]:
    """Each group by which the intervals are made, and its rows."""
    if "region" in settings.columns:
        for region in REGIONS:
            yield str(region), rows.region == region
    if world.spec.name in settings.columns:
        for code, label in enumerate(CLASSES):
            yield label, rows.truth == code


def drifting(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """The errors of a stream: three times as large from the middle on, then growing further."""
    scale = np.where(np.arange(count) < count // 2, 1.0, 3.0 + 2 * np.arange(count) / count)
    return np.asarray(scale * np.abs(random.normal(size=count)))


def under_drift(level: float, *, count: int, late: int, seed: int) -> dict[str, NDArray[np.bool_]]:
    """Answer for each way which rows of a drifting stream had the truth inside."""
    random = np.random.default_rng(seed)
    before = np.abs(random.normal(size=1000))
    errors = drifting(count, random)
    plain = Ranks.of(before).reach(level)
    half_life = 200.0
    live = AdaptiveReach.of(Ranks.of(before), level, rate=0.02, window=1000)
    held: dict[str, list[bool]] = {"split": [], "half_life": [], "adaptive": []}
    known = list(before)
    weighted = plain
    for step, error in enumerate(errors):
        if step % 50 == 0:  # calibrated anew with all that is known, the newest counting most
            age = np.arange(len(known), 0, -1)
            weighted = Ranks.of(np.array(known), 0.5 ** (age / half_life)).reach(level)
        held["split"].append(bool(error <= plain))
        held["half_life"].append(bool(error <= weighted))
        held["adaptive"].append(bool(error <= live.reach))
        if step >= late:  # the label of a row comes so many rows later
            live.learn(float(errors[step - late]))
            known.append(float(errors[step - late]))
    return {name: np.array(one) for name, one in held.items()}


# -- the tables -----------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="few repetitions")
    parser.add_argument("--mapie", action="store_true", help="MAPIE on the same rows")
    arguments = parser.parse_args()
    times = 40 if arguments.tiny else 1000
    print(f"{times} calibrations with 1,000 rows, 2,000 new rows each\n")
    print(f"{'answers':<12}{'settings':<32}{'level':>6}{'inside':>9}{'groups':>18}{'size':>8}")
    for kind, given in CASES:
        world, settings = WORLDS[kind], Conformal(**given)
        for level in (0.8, 0.9, 0.95):
            share, groups, mean = simulate(
                world, settings, level, rows=1000, fresh=2000, times=times, seed=1
            )
            ends = f"{min(groups.values()):.1%} to {max(groups.values()):.1%}" if groups else ""
            shown = ", ".join(f"{name}={value}" for name, value in given.items())
            print(f"{kind:<12}{shown:<32}{level:>6}{share:>9.1%}{ends:>18}{mean:>8.2f}")
    few()
    drift(4 if arguments.tiny else 200)
    if arguments.mapie:
        beside_mapie(5 if arguments.tiny else 50)


def few() -> None:
    """Small calibration tables: the finite-sample promise."""
    random = np.random.default_rng(2)
    print("\nlevel 0.9 from few rows, 200,000 calibrations each")
    for rows in (9, 19, 50, 200):
        scores = random.normal(size=(200_000, rows))
        rank = int(np.ceil((rows + 1) * 0.9))
        reach = np.sort(scores, axis=1)[:, rank - 1]
        one = np.array([Ranks.of(row).reach(0.9) for row in scores[:200]])
        if not np.array_equal(one, reach[:200]):
            raise SystemExit("the ranks differ from the formula")
        share = (random.normal(size=len(reach)) <= reach).mean()
        print(f"{rows:>6} rows: {share:.2%} (promised {rank / (rows + 1):.2%})")


def drift(times: int) -> None:
    """A stream whose errors grow threefold, labels 100 rows late."""
    print(f"\n{times} streams of 10,000 rows, level 0.9, labels 100 rows late")
    print(f"{'':<12}{'before':>9}{'jump':>9}{'after':>9}{'worst 500':>11}")
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(times):
        for name, held in under_drift(0.9, count=10_000, late=100, seed=seed).items():
            worst = held[5500:].reshape(-1, 500).mean(axis=1).min()
            line = held[:5000].mean(), held[5000:5500].mean(), held[5500:].mean(), worst
            found.setdefault(name, []).append(tuple(map(float, line)))
    for name, lines in found.items():
        before, jump, after, worst = np.mean(lines, axis=0)
        print(f"{name:<12}{before:>9.1%}{jump:>9.1%}{after:>9.1%}{worst:>11.1%}")


def beside_mapie(times: int) -> None:
    """The same intervals from MAPIE: as often inside, as wide, and how long it takes."""
    from mapie.regression import SplitConformalRegressor
    from sklearn.base import BaseEstimator, RegressorMixin

    class Formula(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        """The prediction of the world of numbers, as a fitted estimator."""

        def fit(self, x: Any, y: Any) -> Formula:
            del x, y
            return self

        def __sklearn_is_fitted__(self) -> bool:
            return True

        fitted_ = True

        def predict(self, x: Any) -> Any:
            return 10 * x[:, 0] + 0.3

    random = np.random.default_rng(3)
    world, settings = WORLDS["point"], Conformal()
    lines: dict[str, list[tuple[float, float, float]]] = {"headrace": [], "MAPIE": []}
    largest = 0.0
    for _ in range(times):
        rows, test = world.draw(20_000, random), world.draw(100_000, random)
        start = time.perf_counter()
        conformal = calibrate(world, settings, rows)
        found = conformal.predicted(world.spec, test.answers, 0.9)
        seconds = time.perf_counter() - start
        lines["headrace"].append((inside(found, test.truth).mean(), size(found), seconds))
        start = time.perf_counter()
        peer = SplitConformalRegressor(Formula(), confidence_level=0.9, prefit=True)
        peer.conformalize(rows.blocks.numbers, rows.truth)
        _, ends = peer.predict_interval(test.blocks.numbers)
        seconds = time.perf_counter() - start
        low, high = ends[:, 0, 0], ends[:, 1, 0]
        held = (low <= test.truth) & (test.truth <= high)
        lines["MAPIE"].append((held.mean(), (high - low).mean(), seconds))
        largest = max(largest, float(np.abs(low - np.asarray(found.low)).max()))
    print("\nbeside MAPIE, absolute residuals: 20,000 calibration and 100,000 new rows, level 0.9")
    for name, found_lines in lines.items():
        share, width = np.mean([line[:2] for line in found_lines], axis=0)
        seconds = float(np.median([line[2] for line in found_lines]))
        print(f"{name:<12}{share:>9.2%} inside, width {width:.4f}, {1000 * seconds:.1f} ms")
    print(f"largest difference of a lower end: {largest:.2g}")


if __name__ == "__main__":
    main()
