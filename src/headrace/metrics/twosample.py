"""Two-sample tests on counts: is the second sample from where the first one came?

Every test here uses the sizes of *both* samples. Every choice that a test makes on the way, such
as which cells are pooled, looks only at the two samples taken together, never at how they differ.
Under no drift the rows are exchangeable, so given those pooled counts the first sample is a plain
draw without replacement, and the p-values hold without a model of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "Outcome",
    "beyond",
    "distance",
    "holm",
    "pool_adjacent",
    "pool_rare",
    "same_distribution",
    "same_level",
    "same_share",
    "same_spread",
    "unseen",
]

SMALLEST_EXPECTED = 5.0
"""Rows that a pooled cell must be expected to hold in the smaller sample (Cochran's rule)."""

_POWER = 2 / 3
_NEVER = 1e-9


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one test found.

    Attributes:
        statistic: The figure that was tested; its meaning belongs to the test.
        p_value: The chance of a figure at least as far out when nothing has changed.
    """

    statistic: float
    p_value: float


def same_share(reference: int, rows: int, current: int, new_rows: int) -> Outcome | None:
    """Test whether a share, such as the share of missing values, is the same in both samples.

    Fisher's exact test: the hypergeometric tail, doubled for both sides.

    Args:
        reference: Rows of the reference that have the property.
        rows: All rows of the reference.
        current: New rows that have the property.
        new_rows: All new rows.

    Returns:
        The difference of the shares (new minus reference) and its p-value; None when the answer
        is certain because no row or every row has the property.

    Example:
        >>> outcome = same_share(50, 5_000, 9, 100)
        >>> print(f"{outcome.statistic:.2f} {outcome.p_value:.1e}")
        0.08 3.3e-06
    """
    having, total = reference + current, rows + new_rows
    if having in (0, total) or not rows or not new_rows:
        return None
    lower, upper = _hypergeometric_tails(current, new_rows, having, total)
    return Outcome(current / new_rows - reference / rows, min(1.0, 2 * min(lower, upper)))


def same_distribution(reference: Floats, current: Floats) -> Outcome | None:
    """Test whether the counts of cells are drawn from one distribution.

    The power divergence of Cressie and Read (1984) with power 2/3 against the chi-square
    distribution; its far tail stays truer on small cells than that of Pearson's chi-square. Pool
    the cells first. Two cells are tested exactly.

    Args:
        reference: Rows of the reference in each cell, shape (cells,).
        current: New rows in each cell, shape (cells,).

    Returns:
        The divergence and its p-value; None with fewer than two cells, or with empty ones.

    Example:
        >>> outcome = same_distribution(np.array([500.0, 300, 200]), np.array([50.0, 30, 20]))
        >>> print(f"{outcome.statistic:.1f} {outcome.p_value:.1f}")
        0.0 1.0
    """
    from scipy.special import gammaincc

    rows, new_rows = reference.sum(), current.sum()
    pooled = reference + current
    if len(pooled) < 2 or not rows or not new_rows or not pooled.all():
        return None
    expected = np.outer([rows, new_rows], pooled / (rows + new_rows))
    statistic = _divergence(np.stack([reference, current]), expected)
    if len(reference) == 2:
        exact = same_share(int(reference[0]), int(rows), int(current[0]), int(new_rows))
        return None if exact is None else Outcome(statistic, exact.p_value)
    return Outcome(statistic, float(gammaincc((len(reference) - 1) / 2, statistic / 2)))


def same_level(reference: Floats, current: Floats) -> Outcome | None:
    """Test whether ordered cells hold values of the same level (Wilcoxon's rank sum).

    Args:
        reference: Rows of the reference in each cell, lowest first, shape (cells,).
        current: New rows in each cell, shape (cells,).

    Returns:
        The standardised rank sum, positive when the new values are higher, and its p-value;
        None when one cell holds everything.

    Example:
        >>> outcome = same_level(np.array([100.0, 100, 100]), np.array([0.0, 10, 40]))
        >>> print(f"{outcome.statistic:.1f}")
        6.4
    """
    ranks = _centred_ranks(reference + current)
    return _linear(ranks, reference, current)


def same_spread(reference: Floats, current: Floats) -> Outcome | None:
    """Test whether ordered cells are as spread out (squared ranks, freed of the level).

    Args:
        reference: Rows of the reference in each cell, lowest first, shape (cells,).
        current: New rows in each cell, shape (cells,).

    Returns:
        The standardised score sum, positive when the new values lie further out, and its p-value;
        None when there are fewer than three cells in use.

    Example:
        >>> outcome = same_spread(np.array([100.0, 100, 100]), np.array([30.0, 0, 30]))
        >>> print(f"{outcome.statistic:.1f}")
        5.3
    """
    pooled = reference + current
    if np.count_nonzero(pooled) < 3:
        return None
    ranks = _centred_ranks(pooled)
    square = ranks**2
    slope = np.dot(pooled, square * ranks) / np.dot(pooled, ranks**2)
    return _linear(square - slope * ranks, reference, current)


def beyond(below: int, above: int, rows: int, new_rows: int) -> Outcome | None:
    """Test whether more new values than chance allows lie outside the reference's range.

    When nothing has changed, the k smallest values of all rows are all new ones with probability
    C(new_rows, k) / C(rows + new_rows, k), whatever the distribution (ties only make it smaller).

    Args:
        below: New values under the smallest value of the reference.
        above: New values over the largest value of the reference.
        rows: Values in the reference.
        new_rows: New values.

    Returns:
        The share of new values that lie outside, and the p-value of the worse side, doubled;
        None when there is nothing to compare.

    Example:
        >>> print(f"{beyond(0, 3, rows=5_000, new_rows=100).p_value:.0e}")
        1e-05
    """
    if not rows or not new_rows:
        return None
    chance = _all_new(np.array([max(below, above)]), new_rows, rows + new_rows)
    return Outcome((below + above) / new_rows, min(1.0, 2 * float(np.exp(chance[0]))))


def unseen(pooled: Floats, rows_unseen: int, rows: int, new_rows: int) -> Outcome | None:
    """Test whether more new rows than chance allows hold values that the reference never had.

    New values are no drift in themselves: a column with many rare values shows some every day. How
    many depends on how many rare values there are, which the pooled counts tell. A value with t
    rows is new with probability C(new_rows, t) / C(rows + new_rows, t); the sum over the values is
    bounded by Chernoff's bound, which holds here because draws without replacement are negatively
    associated (Joag-Dev and Proschan, 1983).

    Args:
        pooled: Rows of each value in both samples together, shape (values,).
        rows_unseen: New rows whose value the reference does not have.
        rows: Rows of the reference.
        new_rows: New rows.

    Returns:
        The share of new rows with unseen values and the bound on its p-value; None when an unseen
        value was as good as impossible and none came.

    Example:
        >>> rare = np.array([1.0, 1, 1, 1, 1, 2_000, 3_000])
        >>> print(f"{unseen(rare, 2, rows=4_905, new_rows=100).p_value:.1e}")
        1.1e-02
    """
    if not rows or not new_rows:
        return None
    sizes, values = np.unique(pooled[pooled > 0], return_counts=True)
    chance = _all_new(sizes, new_rows, rows + new_rows)
    if not rows_unseen and np.dot(values, np.exp(chance)) < _NEVER:
        return None
    bound = _chernoff(sizes, values, chance, rows_unseen)
    return Outcome(rows_unseen / new_rows, bound)


def distance(reference: Floats, current: Floats) -> float:
    """Answer the Jensen–Shannon distance of two rows of counts, freed of its sampling noise.

    The distance (base 2, so from 0 for the same shares to 1 for nothing in common) of two samples
    from one distribution is not 0; what is expected from sampling alone, (cells - 1) x
    (1/rows + 1/new rows) / (8 ln 2) on the squared scale, is taken off.

    Args:
        reference: Rows of the reference in each cell, shape (cells,).
        current: New rows in each cell, shape (cells,).

    Example:
        >>> print(f"{distance(np.array([7000.0, 3000]), np.array([5000.0, 5000])):.2f}")
        0.17
    """
    rows, new_rows = reference.sum(), current.sum()
    if not rows or not new_rows:
        return 0.0
    first, second = reference / rows, current / new_rows
    middle = (first + second) / 2
    divergence = (_relative_entropy(first, middle) + _relative_entropy(second, middle)) / 2
    noise = (np.count_nonzero(middle) - 1) * (1 / rows + 1 / new_rows) / (8 * np.log(2))
    return float(np.sqrt(np.clip(divergence - noise, 0.0, 1.0)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for the number of tests (Holm, 1979).

    With every corrected value at or under a rate taken for an alarm, the chance of even one false
    alarm among all tests is at most that rate, however the tests depend on one another.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    corrected = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    answer = np.empty_like(values)
    answer[order] = corrected
    return [float(p) for p in answer]


def pool_adjacent(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """Pool neighbouring cells until each is expected to hold enough rows in both samples.

    Example:
        >>> pool_adjacent(np.array([10.0, 10, 90]), np.array([2.0, 4, 30]))
        (array([20., 90.]), array([ 6., 30.]))
    """
    enough = _enough(reference, current)
    starts, held = [0], 0.0
    for cell, rows in enumerate(reference + current):
        if held >= enough:
            starts.append(cell)
            held = 0.0
        held += rows
    if held < enough and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(reference, starts), np.add.reduceat(current, starts)


def pool_rare(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """Pool rare cells that have no order of their own with cells of about the same size.

    Cells of the same size keep the order they come in; let that order say nothing about which
    sample they are from.

    Example:
        >>> pool_rare(np.array([5.0, 90, 6]), np.array([1.0, 30, 9]))
        (array([90., 11.]), array([30., 10.]))
    """
    order = np.argsort(-(reference + current), kind="stable")
    return pool_adjacent(reference[order], current[order])


def _enough(reference: Floats, current: Floats) -> float:
    rows, new_rows = reference.sum(), current.sum()
    smaller = min(rows, new_rows)
    return float(SMALLEST_EXPECTED * (rows + new_rows) / smaller) if smaller else np.inf


def _divergence(observed: Floats, expected: Floats) -> float:
    surplus = (observed / expected) ** _POWER - 1
    return float(max(0.0, 2 / (_POWER * (_POWER + 1)) * np.sum(observed * surplus)))


def _centred_ranks(pooled: Floats) -> Floats:
    """Answer the middle rank of every cell, scaled to -1/2 … 1/2, with mean 0 over the rows."""
    rows = max(pooled.sum(), 1.0)
    return np.asarray((np.cumsum(pooled) - pooled / 2) / rows - 0.5)


def _linear(scores: Floats, reference: Floats, current: Floats) -> Outcome | None:
    """Test a sum of scores against all draws of the new rows from all rows.

    The exact first three moments of the sum without replacement, fitted by Pearson's type III
    (shifted gamma) distribution: nearly exact for Poisson-like sums, where the normal fails.
    """
    pooled = reference + current
    total, new_rows = pooled.sum(), current.sum()
    rows = total - new_rows
    if total < 3 or not rows or not new_rows:
        return None
    scores = scores - np.dot(pooled, scores) / total
    second, third = (np.dot(pooled, scores**power) / total for power in (2, 3))
    variance = new_rows * rows / (total - 1) * second
    if variance <= 0:
        return None
    skewness = new_rows * rows * (rows - new_rows) / ((total - 1) * (total - 2)) * third
    skewness = float(skewness / variance**1.5)
    standard = float(np.dot(current, scores) / np.sqrt(variance))
    sides = _pearson_tail(standard, skewness), _pearson_tail(-standard, -skewness)
    return Outcome(standard, min(1.0, 2 * min(sides)))


def _pearson_tail(standard: float, skewness: float) -> float:
    """Answer P(Z >= standard) for the Pearson type III law with mean 0, variance 1, this skew."""
    from scipy.special import gammainc, gammaincc, ndtr

    if abs(skewness) < 1e-6:
        return float(ndtr(-standard))
    shape = 4 / skewness**2
    at = shape + np.sign(skewness) * standard * np.sqrt(shape)
    tail = gammaincc if skewness > 0 else gammainc
    return float(tail(shape, max(at, 0.0)))


def _hypergeometric_tails(drawn: int, draws: int, having: int, total: int) -> tuple[float, float]:
    """Answer P(X <= drawn) and P(X >= drawn), summing outwards only as far as it matters."""
    low, high = max(0, draws + having - total), min(draws, having)
    mean = draws * (having / total)
    reach = 60 + int(12 * np.sqrt(mean + 1))
    if drawn >= mean:
        tail = np.arange(drawn, min(high, drawn + reach) + 1)
    else:
        tail = np.arange(drawn, max(low, drawn - reach) - 1, -1)
    mass = np.exp(_hypergeometric_log_mass(tail, draws, having, total))
    near, far = min(1.0, float(mass.sum())), float(mass[0])
    other = min(1.0, max(0.0, 1.0 - near + far))
    return (other, near) if drawn >= mean else (near, other)


def _hypergeometric_log_mass(
    drawn: NDArray[np.int64], draws: int, having: int, total: int
) -> Floats:
    chosen = _log_choose(having, drawn) + _log_choose(total - having, draws - drawn)
    return np.asarray(chosen - _log_choose(total, draws))


def _all_new(size: NDArray[np.generic], new_rows: int, total: int) -> Floats:
    """Answer the log of the chance that a given set of `size` rows is drawn into the new rows."""
    inside = np.minimum(size, new_rows)
    chance = _log_choose(new_rows, inside) - _log_choose(total, inside)
    return np.where(np.asarray(size) > new_rows, -np.inf, np.minimum(chance, 0.0))


def _log_choose(of: object, chosen: object) -> Floats:
    from scipy.special import gammaln

    of, chosen = np.asarray(of, np.float64), np.asarray(chosen, np.float64)
    return np.asarray(gammaln(of + 1) - gammaln(chosen + 1) - gammaln(of - chosen + 1))


def _chernoff(sizes: Floats, values: NDArray[np.int64], chance: Floats, at_least: int) -> float:
    """Bound the chance that values drawn with these log chances hold `at_least` rows in all."""
    possible = np.isfinite(chance)
    sizes, values, chance = sizes[possible], values[possible], chance[possible]
    if at_least <= np.dot(values * sizes, np.exp(chance)):
        return 1.0
    if at_least > np.dot(values, sizes):
        return 0.0
    otherwise = np.log1p(-np.minimum(np.exp(chance), 1 - 1e-16))

    def slope(tilt: float) -> float:
        share = np.exp(-np.logaddexp(0.0, otherwise - chance - tilt * sizes))
        return float(np.dot(values * sizes, share)) - at_least

    low, high = 0.0, 1.0
    while slope(high) < 0 and high < 1e3:
        low, high = high, high * 2
    for _ in range(50):
        tilt = (low + high) / 2
        low, high = (tilt, high) if slope(tilt) < 0 else (low, tilt)
    exponent = np.dot(values, np.logaddexp(otherwise, chance + tilt * sizes)) - tilt * at_least
    return float(np.exp(min(0.0, exponent)))


def _relative_entropy(share: Floats, middle: Floats) -> float:
    used = share > 0
    return float(np.sum(share[used] * np.log2(share[used] / middle[used])))
