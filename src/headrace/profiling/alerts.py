"""Alerts: what is wrong with a table, in words, each with its kind and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Alert", "Severity"]

Severity: TypeAlias = Literal["problem", "note"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that a reader should know.

    Attributes:
        kind: What it is: "constant", "missing", "outliers", "mixed", "duplicate rows",
            "duplicate columns", "imbalance", "date gaps", "gives away", "id", "future", "order",
            "same rows", "shared groups", "later rows".
        columns: The columns that it is about.
        text: What was found, with figures, and what to do.
        severity: "problem" where a model or its score would suffer, else "note".
        value: The figure behind it, usually a share.
    """

    kind: str
    columns: tuple[str, ...]
    text: str
    severity: Severity = "problem"
    value: float = 0.0
