"""Quality: what is wrong with new rows, without failing on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.maintain.inspection import inspect
from headrace.maintain.wording import listing, plural
from headrace.result import Result

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl
    from matplotlib.axes import Axes

    from headrace.data.profile import Profile
    from headrace.data.schema import Schema
    from headrace.maintain.finding import Finding

__all__ = ["QualityReport", "quality"]


@dataclass(frozen=True)
class QualityReport(Result):
    """All that is wrong with some new rows.

    Attributes:
        rows: New rows.
        columns: Columns that were looked at.
        findings: What is wrong, the worst first.
        seconds: Time taken.
    """

    rows: int
    columns: int
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings after which a column cannot be used."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def sentence(self) -> str:
        """Answer the findings in one sentence.

        Example:
            >>> QualityReport(100, 3, (), 0.0).sentence()
            'nothing is wrong with the data (100 rows, 3 columns)'
        """
        place = f"({plural(self.rows, 'row')}, {plural(self.columns, 'column')})"
        if not self.findings:
            return f"nothing is wrong with the data {place}"
        counts = [
            plural(number, severity)
            for severity in ("error", "warning", "note")
            if (number := sum(finding.severity == severity for finding in self.findings))
        ]
        about = dict.fromkeys(finding.column or finding.fault for finding in self.findings)
        return f"the data shows {', '.join(counts)}: {listing(list(about))} {place}"

    def summary(self) -> str:
        """Answer every finding as text, the rows that show it named."""
        lines = [f"Quality: {self.sentence()}"]
        return "\n".join(lines + [f"  {f.severity:<7}  {f}{_shown(f)}" for f in self.findings])

    def to_dict(self) -> dict[str, Any]:
        """Answer the report as plain values."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "findings": [finding.to_dict() for finding in self.findings],
            "seconds": self.seconds,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share of the rows that each finding is about."""
        from headrace.visualization import quality as draw

        return draw(self, ax)


def quality(
    rows: pl.LazyFrame,
    schema: Schema,
    *,
    reference: Profile | None = None,
    ignore: Collection[str] = (),
) -> QualityReport:
    """Look for what cannot be right in new rows: their columns, values, and repetitions.

    Nothing here is a matter of distribution; `headrace.maintain.drift.drift` looks at that.

    Args:
        rows: The raw new rows, as `headrace.data.source.read` answers them.
        schema: What they should be.
        reference: The profile of the reference rows. With it values far outside of the range
            (further from it than it is wide), columns that are stuck on one value or all
            missing (with a chance under one in a million), and categories that turned into
            numbers are found too.
        ignore: Columns that the rows may hold besides the schema's, such as the target.

    Returns:
        The report; rows are read, never refused.

    Example:
        >>> import polars as pl
        >>> from headrace.data.schema import Column, Schema
        >>> schema = Schema((Column("age", "number"), Column("city", "category")))
        >>> rows = pl.LazyFrame({"age": ["39", "old", "50"], "town": ["Oslo", "Rome", "Bonn"]})
        >>> for finding in quality(rows, schema).findings:
        ...     print(finding)
        'city': the column is gone
        'age': 1 of 3 values do not fit: expected a number
        'town': the schema does not know this column
    """
    start = time.perf_counter()
    height, findings = inspect(rows, schema, reference, frozenset(ignore))
    order = ("error", "warning", "note")
    ordered = sorted(findings, key=lambda finding: order.index(finding.severity))
    return QualityReport(height, len(schema), tuple(ordered), time.perf_counter() - start)


def _shown(finding: Finding) -> str:
    if not finding.rows:
        return ""
    pairs = zip(finding.rows, finding.values, strict=False)
    shown = [f"row {row}: {value}" for row, value in pairs] or [f"row {r}" for r in finding.rows]
    return f" ({', '.join(shown)})"
