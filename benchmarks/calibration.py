"""How large the calibration error of a right model is by chance, and how often it is doubted.

Outcomes are drawn from the stated probabilities themselves, so the model is right: its expected
calibration error (ECE) is chance alone. A fixed limit for the ECE calls it wrong on few rows; the
p-value beside the null level should do so in 5 of 100 tables, and the joint band should hold all
bins in 95 of 100. The same models with bold probabilities show how often a wrong one is found out.
Below: the same for predicted distributions of numbers, and whether the intervals of the cheapest
threshold hold it and what it truly costs.

    python benchmarks/calibration.py       # about six minutes
    python benchmarks/calibration.py --tiny
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit, ndtr

from headrace.evaluate.calibration import calibration
from headrace.evaluate.pit import pit_of_parts
from headrace.evaluate.thresholds import thresholds

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = {"even": (1.0, 1.0), "sure": (0.3, 0.3), "5 % positive": (0.5, 9.5)}
FIXED = 0.02
"""An ECE that is often called small."""


def drawn(
    random: np.random.Generator, rows: int, shape: tuple[float, float], bold: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Answer outcomes, and stated probabilities whose logits are too large by a factor."""
    true = np.clip(random.beta(*shape, rows), 1e-6, 1 - 1e-6)
    return random.random(rows) < true, expit(bold * logit(true))


def errors(tables: int) -> None:
    """Print the ECE of right and of bold models, and how often each is doubted."""
    print(
        f"{tables} tables a line; doubted: the share with p < 0.05; bold: logits 1.3 times as large"
    )
    head = ("probabilities", "rows", "ECE", "null", "doubted", f"> {FIXED}", "band holds", "bold")
    print(("{:<14}" + "{:>11}" * 7).format(*head))
    for name, shape in SHAPES.items():
        for rows in (200, 2_000, 20_000):
            right, bold = [], 0
            for table in range(tables):
                random = np.random.default_rng([table, rows, 1])
                right.append(calibration(*drawn(random, rows, shape, 1.0), seed=table))
                wrong = calibration(*drawn(random, rows, shape, 1.3), seed=table)
                bold += wrong.p_value < 0.05
            figures = (
                f"{np.mean([one.ece for one in right]):.4f}",
                f"{np.mean([one.null for one in right]):.4f}",
                f"{np.mean([one.p_value < 0.05 for one in right]):.1%}",
                f"{np.mean([one.ece > FIXED for one in right]):.1%}",
                f"{np.mean([not any(part.off for part in one.bins) for one in right]):.1%}",
                f"{bold / tables:.1%}",
            )
            print(("{:<14}{:>11,}" + "{:>11}" * 6).format(name, rows, *figures), flush=True)


def distributions(tables: int) -> None:
    """Print how often right and narrow normal distributions are doubted."""
    print(f"\ndistributions, {tables} tables a line; narrow: deviations of 0.9 of the true ones")
    print(f"{'rows':<8} {'right, doubted':>15} {'narrow, doubted':>16}")
    levels = np.arange(1, 10) / 10
    for rows in (50, 500, 5_000):
        doubted = np.zeros(2)
        for table in range(tables):
            error = np.random.default_rng([table, rows, 1]).normal(size=rows)
            for place, scale in enumerate((1.0, 0.9)):
                parts = np.searchsorted(levels, ndtr(error / scale))
                doubted[place] += pit_of_parts(parts, levels, resamples=2_000).p_value < 0.05
        print(f"{rows:<8,} {doubted[0] / tables:>15.1%} {doubted[1] / tables:>16.1%}", flush=True)


def costs(tables: int) -> None:
    """Print how often the interval of the cheapest threshold's cost holds what it truly costs."""
    print(
        f"\ncheapest threshold, {tables} tables a line; an error of one side costs 5, the other 1"
    )
    print(f"{'rows':<8} {'cost holds':>11} {'threshold holds':>16}")
    # Of even probabilities "above t" costs (1 - t)^2 / 2 + 5 t^2 / 2 a row, the least at 1 / 6.
    for rows in (200, 2_000, 20_000):
        cost = threshold = 0
        for table in range(tables):
            random = np.random.default_rng([table, rows, 1])
            hit, stated = drawn(random, rows, (1.0, 1.0), 1.0)
            found = thresholds(hit, stated, costs={"false_positive": 1, "false_negative": 5})
            true = ((1 - found.best) ** 2 + 5 * found.best**2) / 2
            cost += found.cost_low <= true <= found.cost_high
            threshold += found.best_low <= 1 / 6 <= found.best_high
        print(f"{rows:<8,} {cost / tables:>11.1%} {threshold / tables:>16.1%}", flush=True)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a minute at most")
    parser.add_argument("--tables", type=int, default=400)
    given = parser.parse_args()
    tables = 20 if given.tiny else given.tables
    errors(tables)
    distributions(tables)
    costs(tables)


if __name__ == "__main__":
    main()
