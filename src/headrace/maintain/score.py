"""A score with its interval, and whether one is provably worse than another."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from headrace.maintain.wording import figure

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Measured", "Score", "Verdict", "in_figures"]


class Measured(Protocol):
    """A metric with its interval, as an evaluation answers it."""

    @property
    def name(self) -> str:
        """Which metric."""

    @property
    def value(self) -> float:
        """Its value."""

    @property
    def low(self) -> float:
        """Lower end of its interval."""

    @property
    def high(self) -> float:
        """Upper end of its interval."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is a better one."""


class Verdict(Protocol):
    """A paired comparison of two models on the same rows, as far as a decision needs it."""

    @property
    def verdict(self) -> str:
        """The first against the second: "better", "worse", or else for not proven."""

    @property
    def metric(self) -> str:
        """Which metric was compared."""

    @property
    def value(self) -> float:
        """The metric of the first model."""

    @property
    def reference(self) -> float:
        """The metric of the second model."""

    @property
    def difference(self) -> float:
        """Their difference."""

    @property
    def low(self) -> float:
        """Lower end of the interval of the difference."""

    @property
    def high(self) -> float:
        """Upper end of the interval of the difference."""

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values."""


@dataclass(frozen=True)
class Score:
    """The main metric of a model on some rows.

    Attributes:
        metric: Its name.
        value: The metric.
        low: Lower end of its interval.
        high: Upper end of its interval.
        rows: Rows that it was measured on.
        higher_is_better: Whether a larger value is a better one.

    Example:
        >>> print(Score("roc_auc", 0.91834, 0.9051, 0.9312, rows=2_000))
        roc_auc 0.9183 (0.9051 to 0.9312)
    """

    metric: str
    value: float
    low: float
    high: float
    rows: int
    higher_is_better: bool = True

    def __str__(self) -> str:
        return f"{self.metric} {figure(self.value)} ({figure(self.low)} to {figure(self.high)})"

    def worse_than(self, other: Score, *, allowed: float = 0.0) -> bool:
        """Tell whether this score is provably worse than another, measured on other rows.

        The two samples are independent, so the squares of their half intervals add up. The drop
        must exceed the allowed one even at the near end of its interval.

        Args:
            other: The score to compare with, such as the one at deployment.
            allowed: How much worse is still acceptable, as a share of the other value.

        Example:
            >>> before = Score("rmse", 10.0, 9.0, 11.0, rows=500, higher_is_better=False)
            >>> Score("rmse", 14.0, 12.5, 15.5, rows=200, higher_is_better=False).worse_than(before)
            True
            >>> Score("rmse", 11.0, 9.5, 12.5, rows=200, higher_is_better=False).worse_than(before)
            False
        """
        if self.higher_is_better:
            drop = other.value - self.value
            doubt = math.hypot(self.high - self.value, other.value - other.low)
        else:
            drop = self.value - other.value
            doubt = math.hypot(self.value - self.low, other.high - other.value)
        return drop - doubt > allowed * abs(other.value)

    def to_dict(self) -> dict[str, Any]:
        """Answer the score as plain values."""
        return asdict(self)

    @classmethod
    def of(cls, metric: Measured, rows: int) -> Score:
        """Make the score of a metric of an evaluation.

        Args:
            metric: The metric that decides.
            rows: The rows that were evaluated.
        """
        return cls(
            metric.name, metric.value, metric.low, metric.high, rows, metric.higher_is_better
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Score:
        """Make the score that `to_dict` described.

        Example:
            >>> score = Score("r2", 0.5, 0.4, 0.6, rows=100)
            >>> Score.from_dict(score.to_dict()) == score
            True
        """
        return cls(**values)


def in_figures(verdict: Verdict) -> str:
    """Write the figures of a paired comparison."""
    return (
        f"{verdict.metric} {figure(verdict.value)} against {figure(verdict.reference)}, "
        f"difference {_signed(verdict.difference)} "
        f"({_signed(verdict.low)} to {_signed(verdict.high)})"
    )


def _signed(value: float) -> str:
    return f"+{figure(value)}" if value >= 0 else figure(value)
