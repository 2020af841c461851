"""Amounts of memory as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.errors import SettingError
from headrace.sizes import bytes_of, size_text


@pytest.mark.parametrize(
    ("given", "expected"),
    [("2GB", 2 * 10**9), ("1.5 gib", 3 * 2**29), ("100", 100), (7.9, 7), (" 3 MB ", 3 * 10**6)],
)
def test_bytes_of(given: Any, expected: int) -> None:
    assert bytes_of(given) == expected


@pytest.mark.parametrize("given", ["two", "2XB", "0GB", "-1GB", "", None, True, [1]])
def test_what_is_no_amount_of_memory_is_refused(given: Any) -> None:
    with pytest.raises(SettingError, match="memory is bytes, or text such as '500MB', '2GB'; not"):
        bytes_of(given)


@pytest.mark.parametrize("given", [0, -1, float("nan"), float("inf")])
def test_numbers_of_bytes_are_above_0(given: float) -> None:
    with pytest.raises(SettingError, match="memory must be a number of bytes above 0, received"):
        bytes_of(given)


def test_size_text() -> None:
    assert size_text(1.5e9) == "1.50 GB"
    assert size_text(2_400_000) == "2 MB"
