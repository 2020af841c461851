"""Releases that answer, for the tests of this folder."""

from __future__ import annotations

from tests.releases import (
    cluster_release,
    forge,
    price_release,
    wide_module,
    wide_parts,
    wide_release,
    wide_row,
    wide_rows,
)

__all__ = [
    "cluster_release",
    "forge",
    "price_release",
    "wide_module",
    "wide_parts",
    "wide_release",
    "wide_row",
    "wide_rows",
]
