"""The target of a table, as classes or as a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from headrace.errors import DataError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headrace.profiling.sample import Sample

__all__ = ["Goal", "goal_of"]

_FEW = 10


@dataclass(frozen=True, eq=False)
class Goal:
    """The target on the rows of a sample.

    Attributes:
        name: The column.
        classes: The names of the classes; empty for a number.
        known: (rows,) whether a row has a target.
        codes: (rows,) the class of each row; 0 where there is none.
        values: (rows,) the number of each row, or 1 for the rarest class; NaN where there is none.
        ranks: (rows,) the rank of the number among all, 0 to 1.
    """

    name: str
    classes: tuple[str, ...]
    known: NDArray[np.bool_]
    codes: NDArray[np.intp]
    values: NDArray[np.float64]
    ranks: NDArray[np.float64]

    @property
    def levels(self) -> int:
        """How many different values the target takes."""
        held = self.codes if self.classes else self.values
        return len(np.unique(held[self.known]))


def goal_of(sample: Sample, name: str) -> Goal:
    """Answer a column as a target: numbers are classes where they are at most ten whole ones.

    Raises:
        DataError: The column is free text.
    """
    kind = sample.schema[name].kind
    if kind == "text":
        text = "free text cannot be a target"
        raise DataError([Problem(text, column=name, hint="Say kinds={…: 'category'}")])
    known = ~sample.missing(name)
    if kind in {"number", "datetime"}:
        values = sample.numbers(name)
        known &= ~np.isnan(values)
        distinct, codes = np.unique(values[known], return_inverse=True)
        whole = bool(np.all(distinct == np.round(distinct)))
        if kind == "datetime" or not whole or len(distinct) > _FEW:
            ranks = np.zeros(len(values))
            ranks[known] = rankdata(values[known]) / max(1, int(known.sum()))
            return Goal(name, (), known, np.zeros(len(values), np.intp), values, ranks)
        names = tuple(f"{value:.6g}" for value in distinct)
    else:
        held = sample.frame[name].to_numpy()[known]
        distinct, codes = np.unique(
            held.astype(str) if kind != "boolean" else held, return_inverse=True
        )
        names = tuple(
            {0.0: "no", 1.0: "yes"}[value] if kind == "boolean" else str(value)
            for value in distinct.tolist()
        )
    filled = np.zeros(sample.rows, np.intp)
    filled[known] = codes
    rare = int(np.argmin(np.bincount(codes))) if len(codes) else 0
    hit = np.where(known, (filled == rare).astype(np.float64), np.nan)
    return Goal(name, names, known, filled, hit, filled.astype(np.float64))
