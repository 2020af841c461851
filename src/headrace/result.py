"""What every verb answers: a frozen record that can be read, drawn, stored and shown."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Result", "finite"]


class Result(ABC):
    """The base of every result.

    A result knows its figures; how they are drawn is the business of `headrace.visualization`,
    which a result calls from `plot`.
    """

    @abstractmethod
    def summary(self) -> str:
        """Answer the figures as text, one fact a line, units named."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Answer the figures as plain values that JSON can hold."""

    @abstractmethod
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the result.

        Args:
            ax: The axes to draw on; a new figure when none is given.

        Returns:
            The axes that were drawn on.
        """

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        from headrace.visualization.notebook import notebook

        return notebook(self)


def finite(value: Any) -> Any:
    """Answer a value as JSON can hold it: None for a number that is not finite.

    Example:
        >>> finite(1.5), finite(float("nan")), finite("text")
        (1.5, None, 'text')
    """
    return None if isinstance(value, float) and not math.isfinite(value) else value
