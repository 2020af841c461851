"""Times as people write them: seconds, or text such as "10min"."""

from __future__ import annotations

import re

from headrace.errors import SettingError

__all__ = ["seconds"]

_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(time: float | str) -> float:
    """Answer a time in seconds: a number, or text such as "90s", "10min", "2h", "30d".

    Raises:
        SettingError: It is neither, or not above 0.

    Example:
        >>> seconds("10min"), seconds(30)
        (600.0, 30.0)
    """
    if isinstance(time, (int, float)):
        if not 0 < time < float("inf"):
            raise SettingError(f"a time must be a number of seconds above 0, received {time!r}")
        return float(time)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", time)
    if found is None or found[2] not in _UNITS:
        raise SettingError(f"a time is seconds, or text such as '90s', '10min', '2h'; not {time!r}")
    return float(found[1]) * _UNITS[found[2]]
