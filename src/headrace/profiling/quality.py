"""The quality of a table as one figure, and the parts that it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.data.profile import Profile
    from headrace.profiling.alerts import Alert
    from headrace.profiling.columns import Counts

__all__ = ["Part", "quality_parts"]

_LEAKS = {"gives away", "future", "same rows", "shared groups", "later rows"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the quality score.

    Attributes:
        name: What it looks at.
        points: The points that it gives.
        most: The points that it could give.
        why: What took points away.
    """

    name: str
    points: float
    most: float
    why: str


def quality_parts(
    profile: Profile, counts: Counts, alerts: Sequence[Alert], *, target: str | None
) -> tuple[Part, ...]:
    """Answer the parts of the quality score; their points are summed up and scaled to 100.

    - completeness (30): the share of cells with a value.
    - distinct rows (15): 1 less five times the share of repeated rows, at least 0.
    - useful columns (15): the share of columns that are neither constant nor near-duplicates.
    - consistent values (15): 1 less four times the share of values that are text among numbers or
      numbers among text, at least 0, as the mean of the columns.
    - few outliers (10): 1 less ten times the share of outliers among numbers, at least 0.
    - no leaks (15, with a target or splits): all or nothing.
    """
    cells = profile.rows * len(profile.columns)
    gaps = sum(column.missing for column in profile.columns)
    repeated = counts.repeated / profile.rows
    useless = {f.columns[-1] for f in alerts if f.kind in {"constant", "duplicate columns"}}
    mixed = {f.columns[0]: f.value for f in alerts if f.kind == "mixed"}
    present = sum(c.rows - c.missing for c in profile.columns if c.name in counts.quantiles)
    outside = sum(counts.outliers.values())
    parts = [
        _part("completeness", 30, 1 - gaps / cells, f"{gaps / cells:.1%} of the cells are missing"),
        _part("distinct rows", 15, 1 - 5 * repeated, f"{repeated:.2%} of the rows are repeated"),
        _part(
            "useful columns",
            15,
            1 - len(useless) / len(profile.columns),
            f"{len(useless)} of {len(profile.columns)} are constant or repeat another",
        ),
        _part(
            "consistent values",
            15,
            1 - sum(min(1.0, 4 * share) for share in mixed.values()) / len(profile.columns),
            f"{len(mixed)} columns mix text and numbers",
        ),
        _part(
            "few outliers",
            10,
            1 - 10 * outside / max(1, present),
            f"{outside / max(1, present):.2%} of the numbers are outliers",
        ),
    ]
    leaks = sum(f.kind in _LEAKS and f.severity == "problem" for f in alerts)
    if target is not None or leaks:
        parts.append(
            _part(
                "no leaks",
                15,
                float(not leaks),
                f"{leaks} leak{' was' if leaks == 1 else 's were'} found",
            )
        )
    return tuple(parts)


def _part(name: str, most: float, share: float, why: str) -> Part:
    kept = min(1.0, max(0.0, share))
    return Part(name, round(most * kept, 2), most, "" if kept == 1 else why)
