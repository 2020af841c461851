"""A finding: one thing that is wrong with new rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Fault", "Finding", "Severity"]

Fault = Literal[
    "no rows",
    "column gone",
    "column new",
    "kind changed",
    "bad values",
    "out of range",
    "all missing",
    "constant",
    "duplicate rows",
]
"""What can be wrong."""

Severity = Literal["error", "warning", "note"]
"""error: the column cannot be used; warning: some of it cannot be right; note: good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the new rows.

    Attributes:
        fault: What is wrong.
        severity: "error", "warning" or "note".
        column: The column it is about; None for whole rows.
        count: Rows that it is about.
        rows: The first of these rows, counted from 0.
        values: The values of these rows, as text.
        words: The finding as a sentence.
    """

    fault: Fault
    severity: Severity
    column: str | None
    count: int
    words: str
    rows: tuple[int, ...] = ()
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.column!r}: {self.words}" if self.column is not None else self.words

    def to_dict(self) -> dict[str, Any]:
        """Answer the finding as plain values."""
        return asdict(self) | {"rows": list(self.rows), "values": list(self.values)}
