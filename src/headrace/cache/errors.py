"""Why something cannot be kept."""

from __future__ import annotations

__all__ = ["NotComparable", "NotKept"]


class NotComparable(Exception):  # noqa: N818 - no error: the work is done, and only not kept
    """Something decides a result that cannot be compared from one time to the next.

    It never reaches users: the part is run every time, and `explain_cache` says why.
    """


class NotKept(Exception):  # noqa: N818 - no error: the work is done again
    """What was kept cannot be taken up now; the message says why."""
