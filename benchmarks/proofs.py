"""Every statistical claim of headrace against simulation, in one table.

Data are drawn from known distributions, again and again, and what headrace says of them is counted:
how often an interval holds the truth, how often a verdict, a slice, a leak or an alarm is false.
Each line states the bounds that were promised and what was measured; a measurement is held against
the bounds with its own error (2.6 standard errors). The exit status is 1 if a line fails.

    python benchmarks/proofs.py                     # everything, an hour or two
    python benchmarks/proofs.py --only intervals    # one chapter
    python benchmarks/proofs.py --tiny              # a look, in minutes: too few draws to prove

The chapters use the simulations of the files beside this one, which say more of each: intervals.py,
calibration.py, slices.py, conformal.py, assessment.py, clusters.py, winners.py.
(Not statistics.py: a file of that name would hide Python's own from every script of this folder.)
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import assessment
import calibration as calibrating
import conformal
import intervals
import numpy as np
import slices
import winners
from scipy.stats import norm

import headrace as hr
from headrace.conformal.settings import Conformal
from headrace.data.levels import Levels
from headrace.evaluate import compare, evaluate
from headrace.evaluate.calibration import calibration
from headrace.evaluate.fairness import group_figures
from headrace.evaluate.slices import search_slices
from headrace.profiling.goal import goal_of
from headrace.profiling.patterns import find_patterns
from headrace.profiling.relations import find_relations
from headrace.tune.honest import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ERRORS = 2.6
"""A line fails where chance alone would do it in 1 of 100 lines."""

_WORTH = 300
"""Single draws that one calibration with 1,000 rows, looked at with 500 new ones, is worth."""


@dataclass(frozen=True)
class Proof:
    """One claim and what simulation says of it.

    Attributes:
        claim: What is claimed.
        low: The least share that keeps the claim.
        high: The largest one.
        share: What was measured.
        draws: From how many draws.
    """

    claim: str
    low: float
    high: float
    share: float
    draws: int

    @property
    def error(self) -> float:
        """The standard error of the share."""
        share = min(max(self.share, 1 / (self.draws + 2)), 1 - 1 / (self.draws + 2))
        return float(np.sqrt(share * (1 - share) / self.draws))

    @property
    def kept(self) -> bool:
        """Whether the bounds hold, as far as so many draws can tell."""
        reach = _ERRORS * self.error
        return self.low - reach <= self.share <= self.high + reach

    def cells(self) -> list[str]:
        """The line of the table."""
        if self.low <= 0:
            bounds = f"≤ {self.high:.1%}"
        elif self.high >= 1:
            bounds = f"≥ {self.low:.1%}"
        else:
            bounds = f"{self.low:.1%} to {self.high:.1%}"
        measured = f"{self.share:.1%} ± {self.error:.1%}"
        return [self.claim, bounds, measured, f"{self.draws:,}", "yes" if self.kept else "**no**"]


# -- chapters -------------------------------------------------------------------------------------


def intervals_hold(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """95 % intervals of AUC, accuracy, F1 and RMSE hold what is true of all rows there could be."""
    names = {"binary": ["roc_auc", "accuracy", "f1"], "regression": ["rmse"]}
    for case in (one for one in intervals.CASES if one.target.task in names):
        chosen = names[case.target.task]
        random = np.random.default_rng(11)
        big, says, _ = case.draw(random, intervals.TRUTH_ROWS)
        answered = evaluate(case.target, big, says, metrics=chosen, resamples=20).metrics
        true = {name: answered[name].value for name in chosen}
        for size in rows:
            held: dict[str, list[bool]] = {name: [] for name in chosen}
            for table in range(tables):
                truth, says, _ = case.draw(random, size)
                found = evaluate(case.target, truth, says, metrics=chosen, seed=table).metrics
                for name, metric in found.items():
                    if np.isfinite(metric.value):
                        held[name].append(metric.low <= true[name] <= metric.high)
            for name, hits in held.items():
                claim = f"95 % interval, {name}, {case.name}, {size:,} rows"
                yield Proof(claim, 0.93, 0.97, float(np.mean(hits)), len(hits))


def verdicts(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """Between two models that are equally good, neither is called better."""
    for case in intervals.CASES[:2]:
        for size in rows[:2]:
            random, said = np.random.default_rng(12), []
            for table in range(tables):
                truth, first, second = case.draw(random, size)
                found = compare(truth, first, second, task="binary", metric="roc_auc", seed=table)
                said.append(found.verdict in {"better", "worse"})
            claim = f'"better" or "worse" of equals, AUC, {case.name}, {size:,} rows'
            yield Proof(claim, 0.0, 0.05, float(np.mean(said)), tables)


def winner(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """The figure of a search's winner, on rows held apart, is not flattered."""
    for size in rows[:2]:
        held = []
        for seed in range(tables):
            random = np.random.default_rng([13, seed])
            quality = random.normal(2.0, 0.1, 50)
            truth, said = winners.answers(random, size, quality)
            best = int(np.argmax([winners.AUC(truth, one) for one in said]))
            apart, (one,) = winners.answers(random, size, quality[[best]])
            _, ends = standing(apart, one, winners.AUC, draws=400, seed=seed)
            held.append(ends.low <= norm.cdf(quality[best] / np.sqrt(2)) <= ends.high)
        claim = f"95 % interval, AUC of the best of 50 trials, {size:,} rows held apart"
        yield Proof(claim, 0.93, 0.97, float(np.mean(held)), tables)


def calibrated(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """A right model is not called badly calibrated."""
    for name, shape in calibrating.SHAPES.items():
        for size in rows:
            found = [
                calibration(
                    *calibrating.drawn(np.random.default_rng([14, table]), size, shape, 1.0),
                    seed=table,
                )
                for table in range(tables)
            ]
            doubted = float(np.mean([one.p_value < 0.05 for one in found]))
            claim = f"right model doubted, probabilities {name}, {size:,} rows"
            yield Proof(claim, 0.0, 0.05, doubted, tables)
            band = float(np.mean([not any(part.off for part in one.bins) for one in found]))
            claim = f"95 % band holds all bins, probabilities {name}, {size:,} rows"
            yield Proof(claim, 0.95, 1.0, band, tables)


def noise_has_no_slices(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """A loss that has nothing to do with the columns has no worst slices."""
    for size in rows[1:2]:
        for name, draw in slices.LOSSES.items():
            found = 0
            for table in range(tables):
                random = np.random.default_rng([15, table])
                groups = slices.columns(random, size, 10)
                found += bool(search_slices(draw(random, size), groups, seed=table).found)
            claim = f"slices found in noise, loss {name}, {size:,} rows"
            yield Proof(claim, 0.0, 0.05, found / tables, tables)


def alike_groups(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """The interval of a difference between two groups that are treated alike holds 0."""
    for size in rows[:2]:
        held = 0
        for table in range(tables):
            random = np.random.default_rng([16, table])
            truth, says, _ = intervals.CASES[0].draw(random, size)
            groups = Levels("group", random.choice(2, size, p=[0.7, 0.3]), ("a", "b"))
            made = {"true positive rate": (says > 0.5, truth == 1)}
            figures = group_figures(made, groups)
            held += not any(one.differs for one in figures)
        claim = f"95 % interval of a difference between groups alike, {size:,} rows"
        yield Proof(claim, 0.93, 0.97, held / tables, tables)


def conformal_holds(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """Conformal intervals and sets hold the truth as often as they say, within a point."""
    del rows
    for kind, given in conformal.CASES:
        share, groups, _ = conformal.simulate(
            conformal.WORLDS[kind],
            Conformal(**given),
            0.9,
            rows=1000,
            fresh=500,
            times=tables,
            seed=17,
        )
        shown = ", ".join(f"{name}={value}" for name, value in given.items()) or "as they come"
        # Counts cannot be cut anywhere: their sets hold a little more.
        high = 0.92 if kind in {"poisson", "ordinal", "categorical"} else 0.91
        yield Proof(f"90 % conformal, {kind}, {shown}", 0.89, high, share, tables * _WORTH)
        if groups:
            least = min(groups.values())
            claim = f"... its worst group, {kind}, {shown}"
            yield Proof(claim, 0.89, 1.0, least, tables * _WORTH // 10)


def assessed(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """A table of noise has no relations and no patterns."""
    for size in rows[:2]:
        related = patterned = 0
        for table in range(tables):
            sample = assessment.noise(np.random.default_rng([18, table]), size, 10)
            names = list(sample.schema.names)
            target = names[table % len(names)]
            least = min(one.corrected for one in find_relations(sample, names, target))
            related += least <= 0.05
            others = [name for name in names if name != target]
            patterned += bool(find_patterns(sample, goal_of(sample, target), others, seed=table))
        yield Proof(f"relations in noise, {size:,} rows", 0.0, 0.05, related / tables, tables)
        yield Proof(f"patterns in noise, {size:,} rows", 0.0, 0.05, patterned / tables, tables)


def leaks(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """Planted leaks are found, and clean tables are not accused."""
    del rows
    tables = max(2, tables // 8)
    found = assessment.planted_leaks(tables, 2_000)
    for name, hits in found.items():
        if "accused" in name:
            yield Proof(f"leaks: {name}", 0.0, 0.01, float(np.mean(hits)), len(hits))
        else:
            yield Proof(f"leaks: {name} found", 0.95, 1.0, float(np.mean(hits)), len(hits))


def no_clusters(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """Rows that are spread evenly, or are one cloud, have no clusters."""
    del rows
    tables = max(2, tables // 4)
    for columns in (2, 8):
        for name in ("even spread", "one cloud"):
            silent = 0
            for table in range(tables):
                random = np.random.default_rng([19, columns, table])
                draw = random.random if name == "even spread" else random.standard_normal
                silent += not hr.choose_k(draw((500, columns)), range(2, 7), seed=table).clustered
            claim = f'"no clusters" of an {name}, {columns} columns, 500 rows'
            yield Proof(claim.replace("an one", "one"), 0.95, 1.0, silent / tables, tables)


def cluster_alarms(tables: int, rows: tuple[int, ...]) -> Iterator[Proof]:
    """Rows like those of training raise no alarm of cluster drift."""
    from headrace.maintain.cluster_drift import clusters_drifted

    random = np.random.default_rng(20)
    middles = random.normal(0, 4, (4, 4))

    def draw(count: int) -> np.ndarray:
        return np.asarray(middles[random.integers(0, 4, count)] + random.normal(size=(count, 4)))

    for size in rows[:2]:
        alarms = 0
        for _ in range(tables):
            clusters = hr.KMeans(4, n_init=1).fit_matrix(draw(5_000), seed=0)
            fresh = clusters.distances(draw(size))
            alarms += clusters_drifted(clusters, fresh, false_alarm_rate=0.05).alarm
        claim = f"cluster drift of unchanged rows, {size:,} rows"
        yield Proof(claim, 0.0, 0.05, alarms / tables, tables)


CHAPTERS: dict[str, Callable[[int, tuple[int, ...]], Iterator[Proof]]] = {
    "intervals": intervals_hold,
    "verdicts": verdicts,
    "winners": winner,
    "calibration": calibrated,
    "slices": noise_has_no_slices,
    "fairness": alike_groups,
    "conformal": conformal_holds,
    "assessment": assessed,
    "leaks": leaks,
    "clusters": no_clusters,
    "cluster drift": cluster_alarms,
}


def main() -> int:
    """Prove what is asked for; answer the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="few draws, small tables")
    parser.add_argument("--tables", type=int, default=400, help="draws behind each line")
    parser.add_argument("--only", default="", help="one chapter: " + ", ".join(CHAPTERS))
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    given = parser.parse_args()
    tables = 16 if given.tiny else given.tables
    rows = (200, 2_000) if given.tiny else (200, 2_000, 20_000)
    lines = ["| claim | promised | measured | draws | kept |", "| --- | ---: | ---: | ---: | --- |"]
    print("\n".join(lines), flush=True)
    broken = 0
    started = time.perf_counter()
    for name, chapter in CHAPTERS.items():
        if given.only and given.only != name:
            continue
        for proof in chapter(tables, rows):
            lines.append(f"| {' | '.join(proof.cells())} |")
            print(lines[-1], flush=True)
            broken += not proof.kept
    said = "every claim is kept" if not broken else f"{broken} of {len(lines) - 2} are broken"
    print(f"\n{said}; {time.perf_counter() - started:.0f} s")
    if given.output:
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
