"""Counting new rows in the cells of a reference profile: one scan, and one of the categories."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.engine import HERE, Engine
from headrace.maintain.counts import Question, counts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl
    from numpy.typing import NDArray

    from headrace.data.profile import ColumnProfile, Profile
    from headrace.data.schema import Schema
    from headrace.maintain.counts import Counts

    Floats = NDArray[np.float64]

__all__ = ["Counted", "count"]

REST = "(all other values)"
"""The cell of the values that the profile does not list one by one."""

_SURE = 4.0
_SHOWN = 50


@dataclass(frozen=True, eq=False)
class Counted:
    """One column of the reference and of the new rows, counted in the same cells.

    Attributes:
        name: The column.
        profile: Its reference.
        rows: New rows.
        missing: New rows without a value.
        cells: What the cells hold: bin edges (one more than cells) or values.
        reference: Rows of the reference in each cell.
        current: New rows in each cell.
        below: New values under the reference's smallest.
        above: New values over the reference's largest.
        unseen: New rows whose value the reference does not have; None when that is not known.
        mean: Mean of the new values (numbers and times).
        deviation: Standard deviation of the new values.
        extremes: Smallest and largest new value.
    """

    name: str
    profile: ColumnProfile
    rows: int
    missing: int
    cells: tuple[float, ...] | tuple[str, ...] = ()
    reference: Floats = field(default_factory=lambda: np.empty(0))
    current: Floats = field(default_factory=lambda: np.empty(0))
    below: int = 0
    above: int = 0
    unseen: int | None = None
    mean: float = np.nan
    deviation: float = np.nan
    extremes: tuple[float, float] = (np.nan, np.nan)

    @property
    def present(self) -> int:
        """New rows with a value."""
        return self.rows - self.missing

    @property
    def reference_present(self) -> int:
        """Rows of the reference with a value."""
        return self.profile.rows - self.profile.missing

    @property
    def follows_clock(self) -> bool:
        """Whether this is a datetime column whose new values are simply later.

        So it is when half of them lie in or after the last bin of the reference.
        """
        if self.profile.kind != "datetime" or not len(self.current):
            return False
        return bool(self.current[-1] >= self.present / 2 > 0)

    def shown(self) -> Counted:
        """Answer the column with its most frequent values only, the others in one cell."""
        if self.profile.kind != "category" or len(self.cells) <= _SHOWN:
            return self
        pooled = self.reference + self.current
        pooled[[cell == REST for cell in self.cells]] = -1.0
        frequent = np.argsort(-pooled, kind="stable")
        top, others = frequent[:_SHOWN], frequent[_SHOWN:]
        cells = tuple(str(self.cells[place]) for place in top)
        reference, current = (
            np.append(counts[top], counts[others].sum())
            for counts in (self.reference, self.current)
        )
        return replace(self, cells=(*cells, REST), reference=reference, current=current)


def count(
    rows: pl.LazyFrame,
    reference: Profile,
    schema: Schema,
    *,
    raw: bool = False,
    engine: Engine = HERE,
) -> list[Counted]:
    """Count new rows in the cells of the reference, in one scan and one of the categories.

    Args:
        rows: Canonical columns; one that is gone counts as missing in every row.
        reference: The profile of the reference rows.
        schema: The kinds of the columns; those that the profile does not have are left out.
        raw: Whether the rows are as they came: then they are repaired first.
        engine: Who counts; the counts are the same, means and deviations but for rounding.

    Returns:
        One count for each column, in the order of the profile.
    """
    question = Question(reference, schema, raw)
    found = counts_of(rows, question, engine)
    return [
        _counted(column, found.rows, found.columns.get(column.name, {}), _values(found, column))
        for column in question.columns()
    ]


def _values(found: Counts, column: ColumnProfile) -> dict[str, int] | None:
    values = found.values.get(column.name)
    return None if values is None else dict(values.iter_rows())


def _counted(
    column: ColumnProfile,
    rows: int,
    found: Mapping[str, Any],
    values: dict[str, int] | None,
) -> Counted:
    if not found:
        return Counted(column.name, column, rows, missing=rows)
    if values is not None:
        return _categories(column, rows, int(found["missing"]), values)
    if "mean" in found and column.missing < column.rows:
        return _numbers(column, rows, found)
    return Counted(column.name, column, rows, int(found["missing"]))


def _numbers(column: ColumnProfile, rows: int, found: Mapping[str, Any]) -> Counted:
    missing = int(found["missing"])
    up_to = [found[key] for key in found if key.startswith("up to ")]
    present = rows - missing
    current = np.diff([0, *up_to, present]).astype(np.float64)
    return Counted(
        column.name,
        column,
        rows,
        missing,
        cells=(0.0, 0.5, 1.0) if column.kind == "boolean" else tuple(column.edges),
        reference=_reference_numbers(column),
        current=current,
        below=int(found.get("below", 0)),
        above=present - int(found.get("within", present)),
        mean=_number(found["mean"]),
        deviation=_number(found["deviation"]),
        extremes=(_number(found["smallest"]), _number(found["largest"])),
    )


def _reference_numbers(column: ColumnProfile) -> Floats:
    if column.kind != "boolean":
        return np.array(column.counts, np.float64)
    present = column.rows - column.missing
    true = round((column.mean or 0.0) * present)
    return np.array([present - true, true], np.float64)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _categories(column: ColumnProfile, rows: int, missing: int, new: dict[str, int]) -> Counted:
    new.pop("", None)
    cells = _listed(column, new) if column.other else _shuffled({*column.values, *new})
    reference = [column.values.get(value, 0) for value in cells]
    current = [new.get(value, 0) for value in cells]
    unseen = None
    if column.other:
        cells.append(REST)
        reference.append(column.rows - column.missing - sum(reference))
        current.append(rows - missing - sum(current))
    else:
        unseen = sum(rows for value, rows in new.items() if value not in column.values)
    return Counted(
        column.name,
        column,
        rows,
        missing,
        cells=tuple(cells),
        reference=np.array(reference, np.float64),
        current=np.array(current, np.float64),
        unseen=unseen,
    )


def _listed(column: ColumnProfile, new: Mapping[str, int]) -> list[str]:
    """Choose the values that get a cell when the profile lists only the most frequent ones.

    The profile's list is itself chosen by how often a value came in the reference, so values near
    the end of the list came there by luck and will be rarer in any new sample. That is no drift. A
    value therefore gets a cell by its rows in *both* samples: only if it is so frequent that the
    reference must have listed it. Everything else shares one cell.
    """
    least = min(column.values.values(), default=0)
    listed = {value: rows + new.get(value, 0) for value, rows in column.values.items()}
    unlisted = {value: rows for value, rows in new.items() if value not in column.values}
    share = column.rows / (column.rows + sum(new.values()))
    surely = _surely_listed(least, share)
    return _shuffled(value for value, rows in (listed | unlisted).items() if rows >= surely)


def _shuffled(values: Iterable[str]) -> list[str]:
    """Put values in an order that is always the same and says nothing, by their hash.

    Rare values are pooled with their neighbours. In the order of their names the early numbers of
    running orders would be together, all from the reference, and the late ones, all new.
    """
    return sorted(values, key=lambda value: blake2b(value.encode(), digest_size=8).digest())


def _surely_listed(least: int, share: float) -> float:
    """Answer the rows in both samples from which at least `least` are in the reference, surely.

    Solves t x share - 4 x sqrt(t x share x (1 - share)) = least for t.
    """
    spread = _SURE * np.sqrt(1 - share)
    root = (spread + np.sqrt(spread**2 + 4 * (least + 1))) / 2
    return float(root**2 / share)
