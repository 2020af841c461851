"""How figures are written in the sentences of reports."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

__all__ = ["chance", "figure", "listing", "moment", "percent", "plural"]


def percent(share: float) -> str:
    """Write a share as a percentage, with as many digits as matter.

    Example:
        >>> percent(0.5), percent(0.01), percent(0.0123), percent(0.00004), percent(0)
        ('50 %', '1 %', '1.2 %', '<0.1 %', '0 %')
    """
    if 0 < share < 0.0005:
        return "<0.1 %"
    digits = 1 if 0 < share < 0.0995 or 0.9005 < share < 1 else 0
    return f"{100 * share:.{digits}f}".removesuffix(".0") + " %"


def figure(value: float) -> str:
    """Write a number with four digits that count, thousands apart.

    Example:
        >>> figure(0.91834), figure(1234567.0), figure(12.0)
        ('0.9183', '1,234,567', '12')
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def moment(microseconds: float) -> str:
    """Write a time in microseconds UTC as a date.

    Example:
        >>> moment(1_700_000_000_000_000)
        '2023-11-14 22:13'
    """
    if math.isnan(microseconds):
        return "?"
    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{microseconds:.3g} µs"
    return f"{when:%Y-%m-%d %H:%M}"


def chance(p_value: float) -> str:
    """Write a p-value.

    Example:
        >>> chance(0.0312), chance(1e-30)
        ('p = 0.031', 'p < 1e-15')
    """
    return "p < 1e-15" if p_value < 1e-15 else f"p = {p_value:.2g}"


def plural(count: int, thing: str) -> str:
    """Write how many there are of something.

    Example:
        >>> plural(1, "row"), plural(12_000, "row"), plural(0, "row")
        ('1 row', '12,000 rows', 'no rows')
    """
    return f"{count:,} {thing}" + "s" * (count != 1) if count else f"no {thing}s"


def listing(names: tuple[str, ...] | list[str], shown: int = 5) -> str:
    """Write some names, the first few of them in full.

    Example:
        >>> listing(["a", "b", "c"], shown=2)
        "'a', 'b' and 1 more"
    """
    text = ", ".join(repr(name) for name in names[:shown])
    hidden = len(names) - shown
    return f"{text} and {hidden} more" if hidden > 0 else text
