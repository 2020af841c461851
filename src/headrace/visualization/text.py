"""User text in pictures: no mathematics by accident, no missing glyphs, not too long."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import font_manager

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["browser_fonts", "count", "day", "families", "label", "number", "short"]

# DejaVu Sans comes with matplotlib. The others cover Chinese, Japanese and Korean where installed.
_WANTED = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Arial Unicode MS",
)
_NO_GLYPH = "□"
_in_browser = ContextVar("headrace_browser_fonts", default=False)


def label(text: object, *, longest: int = 28) -> str:
    r"""Answer user text that matplotlib draws as it is.

    Dollar signs would start mathematics, so they are escaped; characters that no installed font
    has become □, without a warning; long text is shortened in the middle.

    Args:
        text: A column name, a class, a value.
        longest: How many characters are shown at most.

    Example:
        >>> print(label("price in $"))
        price in \$
        >>> label("a_very_long_column_name_of_some_table", longest=20)
        'a_very_lon…ome_table'
    """
    shown = " ".join(str(text).split())
    if len(shown) > longest:
        kept = longest - 1
        shown = f"{shown[: kept - kept // 2]}…{shown[-(kept // 2) :]}"
    if not _in_browser.get():
        shown = "".join(c if _has_glyph(c) else _NO_GLYPH for c in shown)
    return shown.replace("$", r"\$")


def number(value: float) -> str:
    """Answer a number with three or four digits that count, as a reader writes it.

    Example:
        >>> number(0.91834), number(47312.4), number(1200000), number(0.00001234)
        ('0.918', '47,312', '1,200,000', '1.23e-05')
    """
    if value and not 1e-3 <= abs(value) < 1e9:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def short(value: float, position: object = None) -> str:
    """Answer a number for a tick of an axis; it can be the formatter of one.

    Example:
        >>> short(0.25), short(12_500), short(-2_000_000), short(-0.0)
        ('0.25', '12.5k', '−2M', '0')
    """
    del position
    size = abs(value)
    scales = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
    unit, name = next(((unit, name) for least, unit, name in scales if size >= least), (1.0, ""))
    return f"{'−' if value < 0 else ''}{size / unit:.4g}{name}"


def day(value: float, position: object = None) -> str:
    """Answer the day of microseconds since 1970, UTC; it can be the formatter of an axis.

    Example:
        >>> day(0), day(-86_400_000_000)
        ('1970-01-01', '1969-12-31')
    """
    del position
    return str(np.datetime64(round(value), "us").astype("datetime64[D]"))


def count(rows: int, what: str = "rows") -> str:
    """Answer a count with its noun.

    Example:
        >>> count(48842)
        '48,842 rows'
    """
    return f"{rows:,} {what}"


@contextmanager
def browser_fonts() -> Iterator[None]:
    """Keep every character as it is: a browser will draw the text, and it has more fonts."""
    token = _in_browser.set(True)
    try:
        yield
    finally:
        _in_browser.reset(token)


@cache
def families() -> tuple[str, ...]:
    """Answer the installed fonts that text is drawn with, the preferred one first."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in _WANTED if name in installed)


@cache
def _has_glyph(character: str) -> bool:
    return any(ord(character) in charmap for charmap in _charmaps())


@cache
def _charmaps() -> tuple[Collection[int], ...]:
    paths = (font_manager.findfont(name) for name in families())
    return tuple(font_manager.get_font(path).get_charmap() for path in paths)
