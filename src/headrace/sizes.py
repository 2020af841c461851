"""Amounts of memory as people write them: bytes, or text such as "2GB"."""

from __future__ import annotations

import re

from headrace.errors import SettingError

__all__ = ["bytes_of", "size_text"]

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def bytes_of(size: float | str, what: str = "memory") -> int:
    """Answer an amount of memory in bytes: a number, or text such as "500MB", "2GB", "1.5 GiB".

    Args:
        size: The amount.
        what: What the errors call it.

    Raises:
        SettingError: It is neither, or not above 0.

    Example:
        >>> bytes_of("2GB"), bytes_of("0.5 GiB"), bytes_of(1_000_000)
        (2000000000, 536870912, 1000000)
    """
    if isinstance(size, (int, float)) and not isinstance(size, bool):
        if not 0 < size < float("inf"):
            raise SettingError(f"{what} must be a number of bytes above 0, received {size!r}")
        return int(size)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(size))
    if found is None or found[2].upper() not in _UNITS or not float(found[1]):
        raise SettingError(f"{what} is bytes, or text such as '500MB', '2GB'; not {size!r}")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def size_text(size: float) -> str:
    """Answer bytes in words, in units of a thousand.

    Example:
        >>> size_text(1_234_567_890), size_text(56_000_000), size_text(7)
        ('1.23 GB', '56 MB', '0 MB')
    """
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
