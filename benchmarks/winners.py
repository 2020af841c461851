"""How much the best of many trials flatters itself, and what is left of it after the correction.

    python benchmarks/winners.py [--searches 400] [--tiny]

Trials are simulated: each says something of the same validation rows, with a quality that is known,
so the area under the ROC curve that it has on all rows there could be is known too. The best one on
the validation rows is chosen. Printed, on average over the searches: by how much the validation
figure of the chosen one is too good; by how much the corrected one is (bootstrap bias correction);
by how much the figure of rows held apart is, and in how many searches its interval holds the
truth. In the first two blocks all trials are equally good, the worst case for the correction; in
the third one they differ as trials do.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from headrace.metrics.measure import find
from headrace.table import text_table
from headrace.tune.honest import bias_corrected, standing

(AUC,) = find(["roc_auc"], "binary")


@dataclass(frozen=True)
class Case:
    """Some trials on some rows.

    Attributes:
        name: What it is called.
        trials: How many there are.
        rows: How many rows validate, and how many are held apart.
        middle: The quality of the trials, in standard deviations between the classes.
        spread: How much it differs from trial to trial.
    """

    name: str
    trials: int
    rows: int
    middle: float
    spread: float


CASES = [
    *(Case("all worth 0.5", trials, rows, 0.0, 0.0) for rows in (200, 2000) for trials in (10, 50)),
    *(
        Case("all worth 0.92", trials, rows, 2.0, 0.0)
        for rows in (200, 2000)
        for trials in (10, 50)
    ),
    *(Case("unlike", trials, rows, 2.0, 0.1) for rows in (200, 2000) for trials in (10, 50)),
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=400)
    parser.add_argument("--tiny", action="store_true", help="20 searches, small cases")
    given = parser.parse_args()
    cases = CASES[::4] if given.tiny else CASES
    searches = 20 if given.tiny else given.searches
    header = ["trials", "of", "rows", "validation", "corrected", "held apart", "interval holds"]
    rows = [
        [case.name, str(case.trials), f"{case.rows:,}", *measure(case, searches)] for case in cases
    ]
    print(text_table(header, rows))


def measure(case: Case, searches: int) -> list[str]:
    """Answer how far the three figures are off, in thousandths of the area, and the coverage."""
    off = []
    for seed in range(searches):
        random = np.random.default_rng(seed)
        quality = random.normal(case.middle, case.spread, case.trials)
        # What trials say is alike for the greater part, as that of networks on the same rows is.
        truth, said = answers(random, case.rows, quality)
        values = [AUC(truth, one) for one in said]
        best = int(np.argmax(values))
        known = norm.cdf(quality[best] / np.sqrt(2))
        corrected = bias_corrected(truth, said, AUC, draws=100, seed=seed)
        apart, (one,) = answers(random, case.rows, quality[[best]])
        value, ends = standing(apart, one, AUC, draws=200, seed=seed)
        holds = float(ends.low <= known <= ends.high)
        off.append((values[best] - known, (corrected or np.nan) - known, value - known, holds))
    means = np.nanmean(off, axis=0)
    errors = np.nanstd(off, axis=0) / np.sqrt(searches)
    figures = [
        f"{1000 * mean:+.1f} ± {1000 * error:.1f}"
        for mean, error in zip(means[:3], errors[:3], strict=True)
    ]
    return [*figures, f"{means[3]:.1%}"]


def answers(
    random: np.random.Generator, rows: int, quality: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Answer labels, and what each trial says: half of the noise is that of the row."""
    truth = random.integers(0, 2, rows)
    shared = random.normal(size=rows)
    said = [truth * one + np.sqrt(0.5) * (shared + random.normal(size=rows)) for one in quality]
    return truth, [1 / (1 + np.exp(-one)) for one in said]


if __name__ == "__main__":
    main()
