"""Labels of new rows: checked, counted, and shared out between training and judging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from headrace.maintain.policy import Policy

__all__ = ["Labelled", "label"]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows whose label is known.

    Attributes:
        rows: Canonical rows, in the order they came.
        labels: Their labels, none of them missing.
        missing: Rows that were left out because their label is missing.
    """

    rows: pl.DataFrame
    labels: pl.Series
    missing: int = 0

    def __len__(self) -> int:
        """How many rows have a label."""
        return self.rows.height

    def split(self, policy: Policy) -> tuple[Labelled, Labelled]:
        """Share the rows out: some to train a challenger on, the others to judge it by.

        No row is in both. With the gate "latest" the judging rows are the last ones, so the
        challenger is judged on what came after everything it has learnt.

        Args:
            policy: The rules: `gate`, `gate_share` and `seed`.

        Returns:
            The rows to train on and the rows to judge by.
        """
        order = np.arange(len(self))
        if policy.gate == "random":
            np.random.default_rng(policy.seed).shuffle(order)
        judging = round(policy.gate_share * len(self))
        cut = len(self) - judging
        return self._take(np.sort(order[:cut])), self._take(np.sort(order[cut:]))

    def _take(self, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Labelled:
        index = pl.Series(places, dtype=pl.UInt32)
        return Labelled(self.rows[index], self.labels.gather(index))


def label(rows: pl.DataFrame, labels: pl.Series) -> Labelled:
    """Put labels to rows; rows whose label is missing (null, NaN, "") are left out and counted.

    Args:
        rows: Canonical rows.
        labels: One label for each row, in the same order.

    Raises:
        DataError: There are more or fewer labels than rows.

    Example:
        >>> found = label(pl.DataFrame({"x": [1.0, 2.0]}), pl.Series(["yes", None]))
        >>> len(found), found.missing
        (1, 1)
    """
    if len(labels) != rows.height:
        hint = "Give one label for each row, null where it is not known yet"
        text = f"expected {rows.height:,} labels, one for each row, received {len(labels):,}"
        raise DataError([Problem(text, hint=hint)])
    known = labels.is_not_null()
    if labels.dtype.is_float():
        known &= labels.is_not_nan().fill_null(value=False)
    elif labels.dtype == pl.String:
        known &= (labels != "").fill_null(value=False)
    return Labelled(rows.filter(known), labels.filter(known), int((~known).sum()))
