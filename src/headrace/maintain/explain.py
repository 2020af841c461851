"""A column's drift in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from headrace.maintain.wording import figure, moment, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.maintain.counting import Counted

__all__ = ["explain"]

_DISTRIBUTION = ("shape", "level", "spread")


class Told(Protocol):
    """A test that raised an alarm."""

    @property
    def name(self) -> str:
        """What was tested."""

    @property
    def statistic(self) -> float:
        """The figure tested."""


def explain(column: Counted, alarms: Sequence[Told]) -> str:
    """Say what changed in a column.

    Args:
        column: The counts.
        alarms: The tests that raised an alarm, the most telling first.

    Returns:
        One sentence; several findings are joined by semicolons.
    """
    if not column.rows:
        return "no new rows"
    if alarms:
        return "; ".join(_SENTENCES[test.name](column, test) for test in _different(alarms))
    if column.follows_clock:
        return "later than the reference, as time goes on"
    return "no drift"


def _different(alarms: Sequence[Told]) -> list[Told]:
    """Keep one of the tests that look at the same distribution: the one that is easiest to read."""
    found = {test.name: test for test in alarms}
    level, spread = found.get("level"), found.get("spread")
    told = found.get("shape")
    if level or spread:
        told = max((t for t in (level, spread) if t), key=lambda test: abs(test.statistic))
    return [test for test in alarms if test.name not in _DISTRIBUTION or test is told]


def _missing(column: Counted, test: Told) -> str:
    del test
    before = percent(column.profile.missing / column.profile.rows)
    if column.missing == column.rows:
        return f"every value is missing (reference {before})"
    return f"missing values: {before} → {percent(column.missing / column.rows)}"


def _unseen(column: Counted, test: Told) -> str:
    new = {
        str(value): rows
        for value, before, rows in zip(column.cells, column.reference, column.current, strict=True)
        if not before
    }
    most = max(new, key=lambda value: new[value])
    share = percent(new[most] / column.present)
    return f"{percent(test.statistic)} of the values are new, most of all {most!r} ({share})"


def _range(column: Counted, test: Told) -> str:
    profile = column.profile
    write = _writer(column)
    low, high = column.extremes
    found = [f"down to {write(low)}"] if column.below else []
    found += [f"up to {write(high)}"] if column.above else []
    return (
        f"{percent(test.statistic)} of the values lie outside {_bound(profile.minimum, write)} … "
        f"{_bound(profile.maximum, write)} ({' and '.join(found)})"
    )


def _bound(value: float | None, write: Callable[[float], str]) -> str:
    return "?" if value is None else write(value)


def _shape(column: Counted, test: Told) -> str:
    del test
    before = column.reference / column.reference.sum()
    now = column.current / column.current.sum()
    boolean = column.profile.kind == "boolean"
    most = 1 if boolean else int(np.argmax(np.abs(now - before)))
    return f"{_cell(column, most)}: {percent(before[most])} → {percent(now[most])}"


def _cell(column: Counted, place: int) -> str:
    if column.profile.kind == "boolean":
        return "true values"
    if column.profile.kind == "category":
        return f"value {column.cells[place]!r}"
    write = _writer(column)
    low, high = (float(edge) for edge in column.cells[place : place + 2])
    return f"values in {write(low)} … {write(high)}"


def _level(column: Counted, test: Told) -> str:
    words = ("earlier", "later") if column.profile.kind == "datetime" else ("lower", "higher")
    direction = words[test.statistic > 0]
    return f"{direction} values: {_change(column, 'mean', column.profile.mean, column.mean)}"


def _spread(column: Counted, test: Told) -> str:
    direction = "wider" if test.statistic > 0 else "narrower"
    variance = column.profile.variance
    before = None if variance is None else float(np.sqrt(variance))
    if column.profile.kind == "datetime":
        return f"{direction} spread in time"
    change = _change(column, "standard deviation", before, column.deviation)
    return f"{direction} spread: {change}"


def _change(column: Counted, what: str, before: float | None, now: float) -> str:
    write = _writer(column)
    return f"{what} {_bound(before, write)} → {write(now)}"


def _writer(column: Counted) -> Callable[[float], str]:
    return moment if column.profile.kind == "datetime" else figure


_SENTENCES: dict[str, Callable[[Counted, Told], str]] = {
    "missing": _missing,
    "unseen": _unseen,
    "range": _range,
    "shape": _shape,
    "level": _level,
    "spread": _spread,
}
