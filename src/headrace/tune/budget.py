"""The time of a search: how much is left for trials, once the end of it is set aside."""

from __future__ import annotations

import math
import time as clock

__all__ = ["Budget"]


class Budget:
    """How long trials may go on, so that what comes after them ends in time too.

    After the search the best pipeline is trained once more, on all rows. That takes about as long
    as its trial did, times `share`; it is set aside.

    Args:
        seconds: Of the whole; None for any time.
        share: What comes after the search, as a share of the best trial's time.

    Example:
        >>> unlimited = Budget(None)
        >>> unlimited.left(), unlimited.is_over()
        (inf, False)
    """

    def __init__(self, seconds: float | None, *, share: float = 0.0) -> None:
        self.started = clock.monotonic()
        self.seconds = math.inf if seconds is None else seconds
        self._share = share
        self._best = 0.0
        self._trial: float | None = None

    def begin_trial(self) -> None:
        """Take note that a trial begins in this process."""
        self._trial = clock.monotonic()

    def ran(self) -> float | None:
        """Answer the seconds since a trial began in this process; None if none has."""
        return None if self._trial is None else clock.monotonic() - self._trial

    def best_took(self, seconds: float) -> None:
        """Take note of the time of the best trial so far."""
        self._best = seconds

    def spent(self) -> float:
        """Answer the seconds since the beginning."""
        return clock.monotonic() - self.started

    def whole_left(self) -> float:
        """Answer the seconds that are left of all."""
        return self.started + self.seconds - clock.monotonic()

    def left(self) -> float:
        """Answer the seconds that are left for trials."""
        return self.whole_left() - self._share * self._best

    def for_trial(self) -> float:
        """Answer how long a trial that begins now may take.

        It might become the best one, and then what comes after takes `share` times as long as it.
        """
        return min(self.left(), self.whole_left() / (1 + self._share))

    def is_over(self) -> bool:
        """Answer whether the trial that runs must stop, as it may be the best one."""
        return self.whole_left() <= self._share * max(self._best, self.ran() or 0.0)
