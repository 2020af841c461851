"""Drift: do the new rows still look like the rows that the model was built on?"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headrace.engine import HERE, Engine
from headrace.errors import SettingError
from headrace.maintain.counting import Counted, count
from headrace.maintain.explain import explain
from headrace.maintain.wording import listing, percent, plural
from headrace.metrics import twosample
from headrace.result import Result

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

    from headrace.data.profile import Profile
    from headrace.data.schema import Kind, Schema
    from headrace.metrics.twosample import Outcome

__all__ = ["ColumnDrift", "DriftReport", "DriftTest", "drift"]

TestName = Literal["missing", "unseen", "range", "shape", "level", "spread"]


@dataclass(frozen=True, slots=True)
class DriftTest:
    """One test of one column.

    Attributes:
        name: What is compared: the share of missing values, of unseen values or of values outside
            the reference's range; the shape, the level or the spread of the distribution.
        statistic: The figure tested: a share (new rows) or a difference of shares for "missing",
            "unseen" and "range"; a power divergence for "shape"; a standardised score else.
        p_value: The chance of such a figure without drift, for this test alone.
        corrected: The p-value after correction for all tests of the report (Holm).
        effect: How large the change is: Jensen–Shannon distance, 0 (none) to 1 (nothing shared).
    """

    name: TestName
    statistic: float
    p_value: float
    corrected: float
    effect: float


@dataclass(frozen=True)
class ColumnDrift:
    """What the report says of one column.

    Attributes:
        column: Its name.
        kind: Its kind.
        alarm: Whether it has drifted: a test is significant and its effect is large enough.
        tests: All tests of the column, the most telling first.
        words: The finding as a sentence.
        cells: Bin edges (one more than shares) or values that the shares belong to; of many
            values the 50 most frequent ones, and the others together.
        reference: Share of the reference rows with a value in each cell.
        current: Share of the new rows with a value in each cell.
    """

    column: str
    kind: Kind
    alarm: bool
    tests: tuple[DriftTest, ...]
    words: str
    cells: tuple[float, ...] | tuple[str, ...] = ()
    reference: tuple[float, ...] = ()
    current: tuple[float, ...] = ()

    @property
    def statistic(self) -> float:
        """The figure of the most telling test; NaN when nothing could be tested."""
        return self.tests[0].statistic if self.tests else float("nan")

    @property
    def p_value(self) -> float:
        """The p-value of the most telling test, corrected for the whole report."""
        return self.tests[0].corrected if self.tests else 1.0

    @property
    def effect(self) -> float:
        """The effect of the most telling test: Jensen–Shannon distance, 0 to 1."""
        return self.tests[0].effect if self.tests else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Answer the finding as plain values."""
        plain = asdict(self)
        return plain | {
            "tests": [asdict(test) for test in self.tests],
            "cells": list(self.cells),
            "reference": list(self.reference),
            "current": list(self.current),
        }


@dataclass(frozen=True)
class DriftReport(Result):
    """New rows against the reference profile, every column.

    Attributes:
        rows: New rows.
        reference_rows: Rows of the reference.
        columns: One finding for each column, in the order of the profile.
        false_alarm_rate: The chance of one or more alarms in this report when nothing changed.
        smallest_effect: Smaller changes raise no alarm, however sure they are.
        seconds: Time taken.
    """

    rows: int
    reference_rows: int
    columns: tuple[ColumnDrift, ...]
    false_alarm_rate: float
    smallest_effect: float
    seconds: float

    @property
    def alarmed(self) -> tuple[str, ...]:
        """The columns that have drifted, the surest first."""
        found = sorted((c for c in self.columns if c.alarm), key=lambda c: (c.p_value, -c.effect))
        return tuple(column.column for column in found)

    @property
    def tests(self) -> int:
        """How many tests were made."""
        return sum(len(column.tests) for column in self.columns)

    def __getitem__(self, name: str) -> ColumnDrift:
        """Answer the finding of one column."""
        return next(column for column in self.columns if column.column == name)

    def sentence(self) -> str:
        """Answer the finding in one sentence.

        Example:
            >>> DriftReport(0, 5_000, (), 0.01, 0.05, 0.0).sentence()
            'no new rows, so nothing was compared'
        """
        if not self.rows:
            return "no new rows, so nothing was compared"
        place = f"{plural(self.rows, 'new row')} against {self.reference_rows:,}"
        if not self.alarmed:
            return f"none of {plural(len(self.columns), 'column')} drifted ({place})"
        return (
            f"{len(self.alarmed)} of {plural(len(self.columns), 'column')} drifted: "
            f"{listing(self.alarmed)} ({place})"
        )

    def summary(self) -> str:
        """Answer the drifted columns as text, and what the alarm is worth."""
        sentence = self.sentence()
        lines = [f"Drift: {sentence}"]
        width = max((len(name) for name in self.alarmed), default=0)
        lines += [f"  {name:<{width}}  {self[name].words}" for name in self.alarmed]
        if self.rows:
            lines.append(
                f"{plural(self.tests, 'test')}; the chance of even one false alarm in this report "
                f"is at most {percent(self.false_alarm_rate)} (Holm); changes under "
                f"{self.smallest_effect:g} Jensen–Shannon distance raise none"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Answer the report as plain values."""
        return {
            "rows": self.rows,
            "reference_rows": self.reference_rows,
            "alarmed": list(self.alarmed),
            "tests": self.tests,
            "false_alarm_rate": self.false_alarm_rate,
            "smallest_effect": self.smallest_effect,
            "seconds": self.seconds,
            "columns": [column.to_dict() for column in self.columns],
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how far each column moved, and which moved too far."""
        from headrace.visualization import drift as draw

        return draw(self, ax)


def drift(
    reference: Profile,
    current: pl.LazyFrame,
    schema: Schema,
    *,
    false_alarm_rate: float = 0.01,
    smallest_effect: float = 0.05,
    raw: bool = False,
    engine: Engine = HERE,
) -> DriftReport:
    """Compare new rows with the profile of the rows that a model was built on.

    Each column is tested for its share of missing values and, by kind, for values never seen, for
    values outside the range, and for its distribution: shape (power divergence over the
    reference's bins or values), level and spread (rank scores). All tests use the sizes of both
    samples. All p-values of the report are corrected together by Holm's method, so the chance
    that a report names any column that has not drifted is at most `false_alarm_rate`, however the
    columns depend on one another, provided the rows are independent draws.

    Texts and ids are tested for missing values alone. So is a datetime column whose new values lie
    mostly in or after the last bin of the reference: it follows the clock, and that is no drift.

    Args:
        reference: The profile of the reference rows.
        current: New rows in canonical columns; they are scanned once.
        schema: The kinds of the columns.
        false_alarm_rate: The chance of one or more false alarms in the report.
        smallest_effect: The Jensen–Shannon distance under which a change raises no alarm.
            0.05 is about a mean moved by 0.12 standard deviations, or 1 % of the values gone.
        raw: Whether the rows are as they came: then they are repaired first (see
            `headrace.maintain.repair.repair`), where they are counted.
        engine: Who counts.

    Returns:
        The report.

    Raises:
        SettingError: A rate that is not between 0 and 1.
    """
    for name, value in (
        ("false_alarm_rate", false_alarm_rate),
        ("smallest_effect", smallest_effect),
    ):
        if not 0 <= value < 1:
            raise SettingError(f"{name} must be at least 0 and under 1, received {value!r}")
    start = time.perf_counter()
    counted = count(current, reference, schema, raw=raw, engine=engine)
    tests = _correct([_tests(column) for column in counted])
    columns = tuple(
        _finding(column, found, false_alarm_rate, smallest_effect)
        for column, found in zip(counted, tests, strict=True)
    )
    rows = counted[0].rows if counted else 0
    seconds = time.perf_counter() - start
    return DriftReport(rows, reference.rows, columns, false_alarm_rate, smallest_effect, seconds)


def _tests(column: Counted) -> list[DriftTest]:
    """Make every test that the column allows; p-values are not corrected yet."""
    profile, tests = column.profile, [_missing(column)]
    if profile.kind == "category":
        tests += [_unseen(column), *_distribution(column, ordered=False)]
    elif profile.kind == "boolean":
        tests += _distribution(column, ordered=True)
    elif profile.kind in ("number", "datetime") and not column.follows_clock:
        tests += [_range(column), *_distribution(column, ordered=True)]
    return [test for test in tests if test is not None]


def _missing(column: Counted) -> DriftTest | None:
    profile = column.profile
    outcome = twosample.same_share(profile.missing, profile.rows, column.missing, column.rows)
    reference = np.array([profile.missing, column.reference_present], np.float64)
    current = np.array([column.missing, column.present], np.float64)
    return _test("missing", outcome, reference, current)


def _unseen(column: Counted) -> DriftTest | None:
    if column.unseen is None:
        return None
    pooled = column.reference + column.current
    outcome = twosample.unseen(pooled, column.unseen, column.reference_present, column.present)
    return _outside("unseen", outcome, column, column.unseen)


def _range(column: Counted) -> DriftTest | None:
    outcome = twosample.beyond(column.below, column.above, column.reference_present, column.present)
    return _outside("range", outcome, column, column.below + column.above)


def _outside(
    name: TestName, outcome: Outcome | None, column: Counted, outside: int
) -> DriftTest | None:
    reference = np.array([0.0, column.reference_present])
    current = np.array([outside, column.present - outside], np.float64)
    return _test(name, outcome, reference, current)


def _distribution(column: Counted, *, ordered: bool) -> list[DriftTest | None]:
    if not column.reference.sum() or not column.current.sum():
        return []
    pool = twosample.pool_adjacent if ordered else twosample.pool_rare
    pooled = pool(column.reference, column.current)
    counts = column.reference, column.current
    tests = [_test("shape", twosample.same_distribution(*pooled), *counts)]
    if ordered and len(pooled[0]) > 2:
        tests.append(_test("level", twosample.same_level(*pooled), *counts))
        tests.append(_test("spread", twosample.same_spread(*pooled), *counts))
    return tests


def _test(
    name: TestName,
    outcome: Outcome | None,
    reference: np.ndarray[Any, np.dtype[np.float64]],
    current: np.ndarray[Any, np.dtype[np.float64]],
) -> DriftTest | None:
    if outcome is None:
        return None
    effect = twosample.distance(reference, current)
    return DriftTest(name, outcome.statistic, outcome.p_value, 1.0, effect)


def _correct(tests: list[list[DriftTest]]) -> list[list[DriftTest]]:
    """Correct the p-values of all tests of all columns together."""
    corrected = iter(twosample.holm([test.p_value for column in tests for test in column]))
    return [[replace(test, corrected=next(corrected)) for test in column] for column in tests]


def _finding(
    column: Counted, tests: list[DriftTest], rate: float, smallest_effect: float
) -> ColumnDrift:
    def told(test: DriftTest) -> tuple[bool, float, float]:
        return not _alarms(test, rate, smallest_effect), test.p_value, -test.effect

    ordered = tuple(sorted(tests, key=told))
    alarm = any(_alarms(test, rate, smallest_effect) for test in ordered)
    shown = column.shown()
    return ColumnDrift(
        column.name,
        column.profile.kind,
        alarm,
        ordered,
        explain(column, [test for test in ordered if _alarms(test, rate, smallest_effect)]),
        shown.cells,
        _shares(shown.reference),
        _shares(shown.current),
    )


def _alarms(test: DriftTest, rate: float, smallest_effect: float) -> bool:
    return test.corrected <= rate and test.effect >= smallest_effect


def _shares(counts: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, ...]:
    total = counts.sum()
    return tuple(float(rows / total) if total else 0.0 for rows in counts)
