"""How prediction intervals and sets are to be made; no data is needed to say it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from headrace.duration import seconds
from headrace.errors import SettingError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FALLBACKS", "METHODS", "Conformal", "check_level", "conformal_settings"]

METHODS = ("absolute", "normalized", "cqr", "count", "lac", "aps", "raps", "ordinal")
FALLBACKS = ("widest", "pooled")


@dataclass(frozen=True, kw_only=True, repr=False)
class Conformal:
    """How prediction intervals and sets are made, for `hr.Network(conformal=...)`.

    The network's answers for rows that it has not learnt from are compared with the truth; how
    far off they were decides how wide the intervals of other rows must be. If those rows and the
    new ones come from one source in any order, an interval with the level 0.9 holds the truth in
    90 % of all rows at least, however good or bad the network is. See docs/conformal.md.

    Attributes:
        method: How far off an answer is; None for what suits the network. For numbers: "absolute"
            (the same width everywhere), "normalized" (by the deviation of `loss="gaussian"`),
            "cqr" (by the quantiles of `quantiles=...`), "count" (by the rate of counts). For
            classes: "lac" (the smallest sets), "aps" (larger sets for unclear rows), "raps" (the
            same without long tails), "ordinal" (neighbouring classes).
        by: A column, or several, within whose groups the level shall hold too; the target's own
            name for within each class.
        share: The part of the training rows that is held out to calibrate with; those rows are
            not learnt from.
        randomized: Whether "aps" and "raps" add the last class by lot, so that sets are no larger
            than the level asks for. The lot follows from the row itself.
        penalty: What "raps" adds for each class after the first `free` ones.
        free: How many classes "raps" adds without a penalty.
        least: Groups with fewer rows to calibrate with are not judged by these alone.
        fallback: What such groups and unknown ones get: "widest" (of all groups and of all rows
            together) or "pooled" (that of all rows together).
        time: A column of dates or numbers that says how old a row is; None for the order of the
            rows. Only with `half_life`.
        half_life: After which time a row counts half: rows, or a duration such as "30d" of `time`.
            None for equal weights.

    Raises:
        SettingError: A setting cannot be used.

    Example:
        >>> Conformal(by="region", share=0.25)
        Conformal(by='region', share=0.25)
    """

    method: str | None = None
    by: str | tuple[str, ...] | None = None
    share: float = 0.2
    randomized: bool = False
    penalty: float = 0.05
    free: int = 1
    least: int = 50
    fallback: str = "widest"
    time: str | None = None
    half_life: float | str | None = None

    def __post_init__(self) -> None:
        """Check what needs no data."""
        _check_name("method", self.method, METHODS)
        _check_name("fallback", self.fallback, FALLBACKS)
        if isinstance(self.by, list | tuple):
            object.__setattr__(self, "by", tuple(self.by))
        elif not isinstance(self.by, str | None):
            raise SettingError(f"by must be a column or a list of columns, received {self.by!r}")
        if isinstance(self.share, bool) or not 0 < self.share < 1:
            raise SettingError(
                f"share must lie between 0 and 1 (both excluded), received {self.share!r}"
            )
        if self.penalty < 0 or self.free < 0 or self.least < 1:
            raise SettingError(
                "penalty and free must be 0 or more and least 1 or more, received "
                f"penalty={self.penalty!r}, free={self.free!r}, least={self.least!r}"
            )
        self._check_time()

    def _check_time(self) -> None:
        if self.half_life is None:
            if self.time is not None:
                raise SettingError(
                    f"time={self.time!r} orders the rows for half_life, which is not given: say "
                    "after which time a row counts half, half_life='30d'"
                )
            return
        if isinstance(self.half_life, str):
            seconds(self.half_life)
            if self.time is None:
                raise SettingError(
                    f"half_life={self.half_life!r} is a duration and needs the column of dates, "
                    "time=...; without one give a number of rows"
                )
        elif not self.half_life > 0:
            raise SettingError(f"half_life must be above 0, received {self.half_life!r}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of `by`."""
        return (self.by,) if isinstance(self.by, str) else self.by or ()

    @property
    def draws(self) -> bool:
        """Whether the last class of a set is added by lot."""
        return self.randomized and self.method in ("aps", "raps")

    def to_dict(self) -> dict[str, Any]:
        """Answer the settings that are not the usual ones, as plain values."""
        found = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, (value, usual) in found.items()
            if value != usual
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Conformal:
        """Read what `to_dict` wrote."""
        return cls(**stored)

    def __repr__(self) -> str:
        return f"Conformal({', '.join(f'{k}={v!r}' for k, v in self.to_dict().items())})"


def conformal_settings(given: Conformal | float | None) -> Conformal | None:
    """Answer settings from what `hr.Network(conformal=...)` takes; a number is the share.

    Raises:
        SettingError: It is neither settings nor a share.

    Example:
        >>> conformal_settings(0.25)
        Conformal(share=0.25)
    """
    if given is None or isinstance(given, Conformal):
        return given
    if isinstance(given, float | int) and not isinstance(given, bool):
        return Conformal(share=given)
    raise SettingError(
        f"conformal must be a share of the rows, hr.Conformal(...) or None, received {given!r}"
    )


def check_level(level: object) -> float:
    """Answer a level at which intervals can be asked for.

    Raises:
        SettingError: It is no number between 0 and 1.
    """
    if isinstance(level, bool) or not isinstance(level, float | int) or not 0 < level < 1:
        raise SettingError(
            f"interval must be a number between 0 and 1, for example 0.9, received {level!r}"
        )
    return float(level)


def _check_name(what: str, given: object, known: tuple[str, ...]) -> None:
    if given is None or given in known:
        return
    close = nearest(str(given), known)
    meant = f"; perhaps {close!r} is meant" if close else ""
    raise SettingError(f"{what} must be one of {', '.join(known)}, received {given!r}{meant}")
