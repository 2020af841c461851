"""The explanation: for each part whether it was kept or ran, and why."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from headrace.errors import SettingError
from headrace.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NO_CACHE", "Explanation", "Line"]


@dataclass(frozen=True)
class Line:
    """What happened to a part.

    Attributes:
        kind: What kind of part it is: "steps", "train", "evaluate", ….
        part: Which one.
        text: Whether it was kept or ran, and why.
        kept: Whether its result was taken from the cache.
        saved: How many seconds it took when it was made; 0 for what ran.
    """

    kind: str
    part: str
    text: str
    kept: bool
    saved: float = 0.0

    def adding(self, text: str) -> Self:
        """Answer the line with something more to say."""
        return replace(self, text=f"{self.text}; {text}")


@dataclass(frozen=True)
class Explanation(Result):
    """What was kept, what ran, and why.

    Attributes:
        folder: The folder of the cache; empty without one.
        lines: The parts in the order in which they came.

    Example:
        >>> print(Explanation("cache", (Line("steps", "clean.Clip", "ran: never before", False),)))
        steps  clean.Clip  ran: never before
        0 of 1 parts kept, saved 0.0 s; the cache is in cache
    """

    folder: str
    lines: tuple[Line, ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """The parts whose results were taken from the cache."""
        return tuple(line.part for line in self.lines if line.kept)

    @property
    def ran(self) -> tuple[str, ...]:
        """The parts that ran."""
        return tuple(line.part for line in self.lines if not line.kept)

    def __getitem__(self, part: str) -> str:
        """Answer what happened to a part, the last time that it came.

        Raises:
            SettingError: There is no such part.
        """
        found = [line.text for line in self.lines if line.part == part]
        if not found:
            parts = ", ".join(dict.fromkeys(line.part for line in self.lines)) or "none"
            raise SettingError(f"the run had no part {part!r}; it had {parts}")
        return found[-1]

    def summary(self) -> str:
        """Answer a line for each part, and what was saved."""
        if not self.folder:
            return "nothing was kept: there was no run with a cache"
        kinds = max((len(line.kind) for line in self.lines), default=0)
        parts = max((len(line.part) for line in self.lines), default=0)
        rows = [f"{one.kind:<{kinds}}  {one.part:<{parts}}  {one.text}" for one in self.lines]
        return "\n".join([*rows, self._total()])

    def to_dict(self) -> dict[str, Any]:
        """Answer the lines as plain values."""
        return {"folder": self.folder, "lines": [asdict(line) for line in self.lines]}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the seconds that each kept part saved."""
        from headrace import visualization

        axes: Axes = visualization.time_saved(self, ax=ax)
        return axes

    def _repr_html_(self) -> str:
        cells = [
            "".join(f"<td>{html.escape(text)}</td>" for text in (one.kind, one.part, one.text))
            for one in self.lines
        ]
        rows = "".join(f"<tr>{row}</tr>" for row in cells)
        total = html.escape(self._total() if self.folder else self.summary())
        return f"<table><caption>{total}</caption>{rows}</table>"

    def _total(self) -> str:
        saved = sum(line.saved for line in self.lines)
        count = f"{len(self.kept)} of {len(self.lines)} parts kept"
        return f"{count}, saved {saved:.1f} s; the cache is in {self.folder}"


NO_CACHE = Explanation("", ())
"""The explanation where nothing was kept."""
